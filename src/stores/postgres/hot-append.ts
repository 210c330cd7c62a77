import type { EntryId } from '#kernel'
import { type Committed, counters, type Counters, entryBody, keyLifeMs } from '#journal'
import type { Statement } from './driver.ts'
import { answerOf, type Chain, type HeadAfter, leafAfter, type Outline, outlinesOf } from './hot-plan.ts'
import { counterColumns } from './schema.ts'
import { Parameters, type Values } from './parameters.ts'
import { countersFrom } from './session-row.ts'
import { toText, toTextOrNull } from './text-column.ts'

/** The database's time in epoch milliseconds; parameter $2 stands in for it where it is not null. */
export const nowSql = `coalesce($2::bigint, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)`

/**
 * One statement for chains of one tenant: the guarded update of each head feeds the inserts, so a refused guard has no
 * effect and leaves the others alone. Heads stand in the order of their keys. A chain that has no row in the answer was
 * refused. A key that another node takes at the same moment is a duplicate, which undoes the whole statement.
 */
export function hotAppend(tenant: string, chains: readonly Chain[], relaxed: boolean, now: number | null): Statement {
  const parameters = new Parameters(tenant, now)
  const numbered = chains.map((chain, index) => ({ chain, i: index + 1 }))
  const appends = numbered.flatMap(({ chain, i }) =>
    chain.members.flatMap(({ append }) => (append === undefined ? [] : [{ append, i }])),
  )
  const adds = counters.filter(counter => chains.some(chain => sum(chain, counter) !== 0))
  const keyed = numbered.flatMap(({ chain, i }) => {
    const outlines = outlinesOf(chain)
    return chain.members.flatMap(({ waiting }, index) =>
      waiting.options.key === undefined ? [] : [{ i, options: waiting.options, outline: outlines[index] }],
    )
  })
  const blobs = appends.flatMap(({ append, i }) => (append.blobs ?? []).map(blob => ({ i, blob })))
  const refs = appends.flatMap(({ append, i }) => (append.blobRefs ?? []).map(blob => ({ i, blob })))

  const heads = parameters.rows('m', [
    ...headColumns(chains),
    ...adds.map(counter => [column(counter), 'bigint', chains.map(chain => sum(chain, counter))] as const),
  ])
  const parts = [
    `heads AS (${updateHeads(
      heads,
      adds.map(column),
      keyed.length > 0
        ? parameters.rows('w', [
            ['i', 'bigint', keyed.map(({ i }) => i)],
            ['key', 'text', keyed.map(({ options }) => options.key)],
          ])
        : undefined,
    )})`,
  ]
  if (appends.length > 0) parts.push(`e AS (${insertEntries(parameters.rows('n', entryColumns(chains)))})`)
  if (keyed.length > 0) {
    const columns: Values = [
      ['i', 'bigint', keyed.map(({ i }) => i)],
      ['key', 'text', keyed.map(({ options }) => options.key)],
      ['digest', 'text', keyed.map(({ options }) => options.digest ?? null)],
      ['memo', 'text', keyed.map(({ options }) => (options.memo === undefined ? null : JSON.stringify(options.memo)))],
      ['answer', 'text', keyed.map(({ outline }) => JSON.stringify(outline))],
    ]
    parts.push(`k AS (${insertKeys(parameters.rows('n', columns), relaxed)})`)
  }
  if (blobs.length > 0) {
    const columns: Values = [
      ['i', 'bigint', blobs.map(({ i }) => i)],
      ['id', 'text', blobs.map(({ blob }) => blob.id)],
      ['hash', 'text', blobs.map(({ blob }) => blob.hash)],
      ['bytes', 'bytea', blobs.map(({ blob: { bytes } }) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))],
    ]
    parts.push(`b AS (${insertBlobs(parameters.rows('n', columns))})`)
  }
  if (refs.length > 0) {
    const columns: Values = [
      ['i', 'bigint', refs.map(({ i }) => i)],
      ['blob', 'text', refs.map(({ blob }) => blob)],
    ]
    parts.push(`r AS (${insertRefs(parameters.rows('n', columns))})`)
  }
  const has = (present: boolean, letter: string): string => (present ? letter : '')
  const name = `append_${has(appends.length > 0, 'e')}${has(keyed.length > 0, 'k')}${has(blobs.length > 0, 'b')}${has(refs.length > 0, 'r')}${has(relaxed, 'x')}${adds.length === 0 ? '' : `_c${adds.map(counter => counters.indexOf(counter)).join('')}`}${parameters.shape}`
  // For this transaction alone, which is this statement: no wait for the disk.
  const relax = relaxed ? `, set_config('synchronous_commit', 'off', true) AS relaxed` : ''
  return { name, text: `WITH ${parts.join(',\n')} SELECT h.*${relax} FROM heads h`, values: parameters.values }
}

const column = (counter: keyof Counters): string => counterColumns[counters.indexOf(counter)] ?? ''
const sum = (chain: Chain, counter: keyof Counters): number =>
  chain.members.reduce((total, member) => total + member.add[counter], 0)

function headColumns(chains: readonly Chain[]): Values {
  const appends = chains.map(({ members }) => members.flatMap(({ append }) => append ?? []))
  const fences = appends.map(([append]) => (append?.fence !== undefined && 'owner' in append.fence ? append.fence : undefined))
  const acquires = chains.map(({ members }) => members[0]?.acquire)
  const totals = appends.map(list => list.findLast(append => append.head?.totals !== undefined)?.head?.totals)
  const newest = (field: 'updatedAt' | 'lastMessageAt' | 'lastAccessedAt') =>
    appends.map(list =>
      list.reduce<number | null>((at, { head }) => (head?.set?.[field] == null ? at : Math.max(at ?? 0, head.set[field])), null),
    )
  const set = (field: 'preview' | 'model') =>
    appends.map(list => list.findLast(({ head }) => head?.set?.[field] !== undefined)?.head?.set?.[field])
  const preview = set('preview')
  const model = set('model')
  return [
    ['i', 'bigint', chains.map((_, index) => index + 1)],
    ['session', 'text', chains.map(({ session }) => session)],
    ['n', 'bigint', appends.map(list => list.reduce((count, append) => count + append.entries.length, 0))],
    ['fence_owner', 'text', fences.map(fence => (fence === undefined ? null : toText(fence.owner)))],
    ['fence_token', 'bigint', fences.map(fence => fence?.token ?? null)],
    ['acquirer', 'text', acquires.map(acquire => (acquire === undefined ? null : toText(acquire.owner)))],
    ['acquire_ms', 'bigint', acquires.map(acquire => acquire?.leaseMs ?? null)],
    ['expect_leaf', 'text', appends.map(([append]) => append?.expectLeaf ?? null)],
    ['leaf', 'text', chains.map(chain => leafAfter(chain) ?? null)],
    ['messages', 'bigint', totals.map(total => total?.messages ?? null)],
    ['turns', 'bigint', totals.map(total => total?.turns ?? null)],
    ['tokens', 'bigint', totals.map(total => total?.tokens ?? null)],
    ['updated_at', 'bigint', newest('updatedAt')],
    ['last_message_at', 'bigint', newest('lastMessageAt')],
    ['last_accessed_at', 'bigint', newest('lastAccessedAt')],
    ['sets_preview', 'boolean', preview.map(value => value !== undefined)],
    ['preview', 'text', preview.map(value => toTextOrNull(value ?? null))],
    ['sets_model', 'boolean', model.map(value => value !== undefined)],
    ['model', 'text', model.map(value => toTextOrNull(value ?? null))],
  ]
}

function updateHeads(chains: string, adds: readonly string[], wanted: string | undefined): string {
  return `UPDATE skein.sessions s SET
      seq = s.seq + m.n,
      leaf_id = coalesce(m.leaf, s.leaf_id),
      messages = coalesce(m.messages, s.messages), turns = coalesce(m.turns, s.turns), tokens = coalesce(m.tokens, s.tokens),
      ${adds.map(name => `${name} = least(s.${name} + m.${name}, ${Number.MAX_SAFE_INTEGER}), `).join('')}
      updated_at = greatest(s.updated_at, m.updated_at),
      last_message_at = greatest(s.last_message_at, m.last_message_at),
      last_accessed_at = greatest(s.last_accessed_at, m.last_accessed_at),
      preview = CASE WHEN m.sets_preview THEN m.preview ELSE s.preview END,
      model = CASE WHEN m.sets_model THEN m.model ELSE s.model END,
      lease_owner = coalesce(m.acquirer, s.lease_owner),
      lease_token = CASE WHEN m.acquirer IS NULL OR m.acquirer = s.lease_owner THEN s.lease_token ELSE s.lease_token + 1 END,
      lease_until = CASE WHEN m.acquirer IS NULL THEN s.lease_until
        WHEN m.acquirer = s.lease_owner THEN greatest(s.lease_until, ${nowSql} + m.acquire_ms) ELSE ${nowSql} + m.acquire_ms END,
      unindexed = s.unindexed OR m.n > 0
    FROM ${chains}
    WHERE s.tenant = $1 AND s.id = m.session
      AND (m.acquirer IS NULL OR s.lease_owner IS NULL OR s.lease_owner = m.acquirer OR s.lease_until <= ${nowSql})
      AND (m.fence_token IS NULL OR (s.lease_token = m.fence_token AND s.lease_owner = m.fence_owner))
      AND (m.expect_leaf IS NULL OR s.leaf_id = m.expect_leaf)
      ${wanted === undefined ? '' : `AND NOT EXISTS (SELECT 1 FROM ${wanted} JOIN skein.keys k ON k.tenant = $1 AND k.key = w.key WHERE w.i = m.i)`}
    RETURNING m.i, m.n, s.id, s.seq, s.leaf_id, s.lease_token, s.lease_until, ${nowSql} AS now, ${counterColumns.map(name => `s.${name}`).join(', ')}`
}

function entryColumns(chains: readonly Chain[]): Values {
  const rows = chains.flatMap(({ members }, index) =>
    members.flatMap(({ append }) => append?.entries ?? []).map((entry, place) => ({ i: index + 1, place: place + 1, entry })),
  )
  return [
    ['i', 'bigint', rows.map(({ i }) => i)],
    ['place', 'bigint', rows.map(({ place }) => place)],
    ['id', 'text', rows.map(({ entry }) => entry.id)],
    ['parent_id', 'text', rows.map(({ entry }) => entry.parentId)],
    ['type', 'text', rows.map(({ entry }) => toText(entry.type))],
    ['at', 'bigint', rows.map(({ entry }) => entry.at)],
    ['body', 'text', rows.map(({ entry }) => entryBody(entry))],
  ]
}

const insertEntries = (rows: string): string => `INSERT INTO skein.entries (tenant, session, seq, id, parent_id, type, at, body)
  SELECT $1, h.id, h.seq - h.n + n.place, n.id, n.parent_id, n.type, n.at, n.body FROM ${rows} JOIN heads h ON h.i = n.i`

const insertKeys = (rows: string, relaxed: boolean): string =>
  `INSERT INTO skein.keys (tenant, key, digest, at, until, durability, memo, answer, head, leaf)
  SELECT $1, n.key, n.digest, h.now, h.now + ${keyLifeMs}, '${relaxed ? 'relaxed' : 'full'}', n.memo, n.answer,
    ARRAY[h.seq, h.lease_token, h.lease_until, ${counterColumns.map(name => `h.${name}`).join(', ')}], h.leaf_id
  FROM ${rows} JOIN heads h ON h.i = n.i`

const insertBlobs = (rows: string): string => `INSERT INTO skein.blobs AS b (tenant, id, hash, bytes)
  SELECT DISTINCT ON (n.id) $1, n.id, n.hash, n.bytes FROM ${rows} JOIN heads h ON h.i = n.i
  ORDER BY n.id ON CONFLICT (tenant, id) DO UPDATE SET hash = b.hash`

const insertRefs = (rows: string): string => `INSERT INTO skein.blob_refs (tenant, session, blob)
  SELECT DISTINCT $1, h.id, n.blob FROM ${rows} JOIN heads h ON h.i = n.i ON CONFLICT DO NOTHING`

/** What became of each chain: the answers of its members, or nothing where a guard refused. */
export function hotAnswers(
  chains: readonly Chain[],
  rows: readonly Record<string, unknown>[],
  relaxed: boolean,
): (Committed[] | undefined)[] {
  const answers: (Committed[] | undefined)[] = chains.map(() => undefined)
  for (const row of rows) {
    const index = (row['i'] as number) - 1
    const chain = chains[index]
    if (chain === undefined) continue
    const head: HeadAfter = {
      seq: row['seq'] as number,
      token: row['lease_token'] as number,
      until: row['lease_until'] as number,
      leaf: row['leaf_id'] as EntryId | null,
      counters: countersFrom(counterColumns.map(name => row[name] as number)),
    }
    const outlines = outlinesOf(chain)
    answers[index] = chain.members.map(({ waiting: { options } }, place): Committed => ({
      at: row['now'] as number,
      durability: relaxed ? 'relaxed' : 'full',
      replayed: false,
      results: answerOf(outlines[place] as Outline, head),
      ...(options.memo === undefined ? {} : { memo: options.memo }),
    }))
  }
  return answers
}
