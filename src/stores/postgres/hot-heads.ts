import { counters, type Counters } from '#journal'
import { type Chain, leafAfter } from './hot-plan.ts'
import { nowSql } from './now-sql.ts'
import type { Rows, Values } from './parameters.ts'
import { counterColumns } from './schema.ts'
import { toTextOrNull } from './text-column.ts'

const sum = (chain: Chain, counter: keyof Counters): number =>
  chain.members.reduce((total, member) => total + member.add[counter], 0)

type Column = Values[number]

/** What is to become of each head. A column that says nothing of any is left out, and with it what would be done by it. */
export function headColumns(chains: readonly Chain[]): Values {
  const appends = chains.map(({ members }) => members.flatMap(({ append }) => append ?? []))
  const fences = appends.map(([append]) => (append?.fence !== undefined && 'owner' in append.fence ? append.fence : undefined))
  const acquires = chains.map(({ members }) => members[0]?.acquire)
  const totals = appends.map(list => list.findLast(append => append.head?.totals !== undefined)?.head?.totals)
  const newest = (field: 'updatedAt' | 'lastMessageAt' | 'lastAccessedAt'): readonly (number | null)[] =>
    appends.map(list =>
      list.reduce<number | null>((at, { head }) => (head?.set?.[field] == null ? at : Math.max(at ?? 0, head.set[field])), null),
    )
  const set = (field: 'preview' | 'model'): readonly (string | null | undefined)[] =>
    appends.map(list => list.findLast(({ head }) => head?.set?.[field] !== undefined)?.head?.set?.[field])
  const columns: Column[] = [
    ['i', 'bigint', chains.map((_, index) => index + 1)],
    ['session', 'text', chains.map(({ session }) => session)],
    ['n', 'bigint', appends.map(list => list.reduce((count, append) => count + append.entries.length, 0))],
  ]
  const add = (present: boolean, ...more: (() => Column)[]): void => {
    if (present) for (const column of more) columns.push(column())
  }
  const some = (values: readonly unknown[]): boolean => values.some(value => value !== undefined && value !== null)
  const texts = (values: readonly (string | null | undefined)[]): unknown[] => values.map(value => toTextOrNull(value ?? null))
  add(
    some(fences),
    () => ['fence_owner', 'text', texts(fences.map(fence => fence?.owner))],
    () => ['fence_token', 'bigint', fences.map(fence => fence?.token ?? null)],
  )
  add(
    some(acquires),
    () => ['acquirer', 'text', texts(acquires.map(acquire => acquire?.owner))],
    () => ['acquire_ms', 'bigint', acquires.map(acquire => acquire?.leaseMs ?? null)],
  )
  const expected = appends.map(([append]) => append?.expectLeaf ?? null)
  add(some(expected), () => ['expect_leaf', 'text', expected])
  const leaves = chains.map(chain => leafAfter(chain) ?? null)
  add(some(leaves), () => ['leaf', 'text', leaves])
  for (const total of ['messages', 'turns', 'tokens'] as const)
    add(some(totals), () => [total, 'bigint', totals.map(found => found?.[total] ?? null)])
  for (const [name, field] of times) {
    const values = newest(field)
    add(some(values), () => [name, 'bigint', values])
  }
  for (const field of ['preview', 'model'] as const) {
    const values = set(field)
    add(
      values.some(value => value !== undefined),
      () => [`sets_${field}`, 'boolean', values.map(value => value !== undefined)],
      () => [field, 'text', texts(values)],
    )
  }
  for (const [index, counter] of counters.entries())
    add(
      chains.some(chain => chain.members.some(member => member.add[counter] !== 0)),
      () => [counterColumns[index] ?? '', 'bigint', chains.map(chain => sum(chain, counter))],
    )
  return columns
}

const times = [
  ['updated_at', 'updatedAt'],
  ['last_message_at', 'lastMessageAt'],
  ['last_accessed_at', 'lastAccessedAt'],
] as const

/** Columns that may be left out; one that comes with others stands for them. */
const optional: readonly string[] = [
  'fence_token',
  'acquirer',
  'expect_leaf',
  'leaf',
  'messages',
  ...times.map(([name]) => name),
  'preview',
  'model',
  ...counterColumns,
]

/** Which columns say something, as a short word. */
export const told = (heads: Rows): string =>
  optional.reduce((bits, name, place) => bits + (heads.has(name) ? 2 ** place : 0), 0).toString(36)

/** What is answered of a head, for which keys also keep it: numbers and, if there is one, the leaf. */
export const headNumbers: readonly string[] = ['seq', 'lease_token', 'lease_until', ...counterColumns]

/** The guarded update of the heads, which answers with those that it changed. `wanted`: keys that must be free. */
export function updateHeads(chains: Rows, grows: boolean, wanted: Rows | undefined): string {
  const sets = ['seq = s.seq + m.n', ...(grows ? ['unindexed = s.unindexed OR m.n > 0'] : [])]
  const guards = ['s.tenant = $1', 's.id = m.session']
  const when = (column: string, work: () => void): void => {
    if (chains.has(column)) work()
  }
  when('leaf', () => sets.push('leaf_id = coalesce(m.leaf, s.leaf_id)'))
  for (const name of ['messages', 'turns', 'tokens']) when(name, () => sets.push(`${name} = coalesce(m.${name}, s.${name})`))
  for (const [name] of times) when(name, () => sets.push(`${name} = greatest(s.${name}, m.${name})`))
  for (const name of ['preview', 'model'])
    when(name, () => sets.push(`${name} = CASE WHEN m.sets_${name} THEN m.${name} ELSE s.${name} END`))
  for (const name of counterColumns)
    when(name, () => sets.push(`${name} = least(s.${name} + m.${name}, ${Number.MAX_SAFE_INTEGER})`))
  when('acquirer', () => {
    sets.push(
      'lease_owner = coalesce(m.acquirer, s.lease_owner)',
      'lease_token = CASE WHEN m.acquirer IS NULL OR m.acquirer = s.lease_owner THEN s.lease_token ELSE s.lease_token + 1 END',
      `lease_until = CASE WHEN m.acquirer IS NULL THEN s.lease_until
        WHEN m.acquirer = s.lease_owner THEN greatest(s.lease_until, ${nowSql} + m.acquire_ms) ELSE ${nowSql} + m.acquire_ms END`,
    )
    guards.push(`(m.acquirer IS NULL OR s.lease_owner IS NULL OR s.lease_owner = m.acquirer OR s.lease_until <= ${nowSql})`)
  })
  when('fence_token', () =>
    guards.push('(m.fence_token IS NULL OR (s.lease_token = m.fence_token AND s.lease_owner = m.fence_owner))'),
  )
  when('expect_leaf', () => guards.push('(m.expect_leaf IS NULL OR s.leaf_id = m.expect_leaf)'))
  if (wanted !== undefined)
    guards.push(`NOT EXISTS (SELECT 1 FROM ${wanted.sql()} JOIN skein.keys k ON k.tenant = $1 AND k.key = w.key WHERE w.i = m.i)`)
  // One text: a column each would be described, sent and read apart.
  const head = `concat_ws(' ', m.i, ${nowSql}, ${headNumbers.map(name => `s.${name}`).join(', ')}, s.leaf_id) AS head`
  const kept =
    wanted === undefined
      ? ''
      : `, ${nowSql} AS now, ${headNumbers
          .slice(1)
          .map(name => `s.${name}`)
          .join(', ')}, s.leaf_id`
  return `UPDATE skein.sessions s SET ${sets.join(',\n  ')}
    FROM ${chains.sql()}
    WHERE ${guards.join('\n  AND ')}
    RETURNING m.i, s.id, s.seq, ${head}${kept}`
}
