import type { EntryId } from '#kernel'
import { type CommitOptions, type Committed, counters, entryBody, keyLifeMs, type NewEntry } from '#journal'
import type { Statement } from './driver.ts'
import { headColumns, headNumbers, told, updateHeads } from './hot-heads.ts'
import { answerOf, type Chain, type HeadAfter, type Outline, outlinesOf } from './hot-plan.ts'
import { Parameters, type Rows, type Values } from './parameters.ts'
import { countersFrom } from './session-row.ts'
import { toText } from './text-column.ts'

/** Statements by name: their text follows from it, and is long. */
const texts = new Map<string, string>()

/**
 * One statement for chains of one tenant: the guarded update of each head feeds the inserts, so a refused guard has no
 * effect and leaves the others alone. Heads stand in the order of their keys. A chain that has no row in the answer was
 * refused. A key that another node takes at the same moment is a duplicate, which undoes the whole statement.
 */
export function hotAppend(tenant: string, chains: readonly Chain[], relaxed: boolean, now: number | null): Statement {
  const parameters = new Parameters(tenant, now)
  const heads = parameters.rows('m', headColumns(chains))
  const parts: { entries?: Rows; wanted?: Rows; keys?: Rows; blobs?: Rows; refs?: Rows } = {}
  const entries = entriesOf(chains)
  if (entries.length > 0) parts.entries = parameters.rows('n', entryColumns(entries))
  const keyed = keyedOf(chains)
  if (keyed.length > 0) {
    parts.wanted = parameters.rows('w', [
      ['i', 'bigint', keyed.map(({ i }) => i)],
      ['key', 'text', keyed.map(({ options }) => options.key)],
    ])
    parts.keys = parameters.rows('n', keyColumns(keyed))
  }
  const appends = chains.flatMap(({ members }, index) => members.flatMap(({ append }) => ({ append, i: index + 1 })))
  const blobs = appends.flatMap(({ append, i }) => (append?.blobs ?? []).map(blob => ({ i, blob })))
  if (blobs.length > 0) {
    parts.blobs = parameters.rows('n', [
      ['i', 'bigint', blobs.map(({ i }) => i)],
      ['id', 'text', blobs.map(({ blob }) => blob.id)],
      ['hash', 'text', blobs.map(({ blob }) => blob.hash)],
      ['bytes', 'bytea', blobs.map(({ blob: { bytes } }) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))],
    ])
  }
  const refs = appends.flatMap(({ append, i }) => (append?.blobRefs ?? []).map(blob => ({ i, blob })))
  if (refs.length > 0) {
    parts.refs = parameters.rows('n', [
      ['i', 'bigint', refs.map(({ i }) => i)],
      ['blob', 'text', refs.map(({ blob }) => blob)],
    ])
  }
  const has = (present: unknown, letter: string): string => (present === undefined || present === false ? '' : letter)
  const { entries: e, keys: k, blobs: b, refs: r } = parts
  const name = `append_${has(e, 'e')}${has(k, 'k')}${has(b, 'b')}${has(r, 'r')}${has(relaxed, 'x')}_${told(heads)}${parameters.shape}`
  let text = texts.get(name)
  if (text === undefined) texts.set(name, (text = statementText(heads, parts, relaxed)))
  return { name, text, values: parameters.values }
}

function statementText(
  heads: Rows,
  { entries, wanted, keys, blobs, refs }: { entries?: Rows; wanted?: Rows; keys?: Rows; blobs?: Rows; refs?: Rows },
  relaxed: boolean,
): string {
  const parts = [`heads AS (${updateHeads(heads, entries !== undefined, wanted)})`]
  const of = (rows: Rows): string => `${rows.sql()} JOIN heads h ON h.i = n.i`
  if (entries !== undefined) parts.push(`e AS (${insertEntries(of(entries))})`)
  if (keys !== undefined) parts.push(`k AS (${insertKeys(of(keys), relaxed)})`)
  if (blobs !== undefined) parts.push(`b AS (${insertBlobs(of(blobs))})`)
  if (refs !== undefined) parts.push(`r AS (${insertRefs(of(refs))})`)
  // For this transaction alone, which is this statement: no wait for the disk.
  const relax = relaxed ? `, set_config('synchronous_commit', 'off', true) AS relaxed` : ''
  return `WITH ${parts.join(',\n')} SELECT h.head${relax} FROM heads h`
}

interface PlacedEntry {
  readonly i: number
  /** How many entries of the chain come after it. */
  readonly after: number
  readonly entry: NewEntry
}

function entriesOf(chains: readonly Chain[]): readonly PlacedEntry[] {
  return chains.flatMap(({ members }, index) => {
    const entries = members.flatMap(({ append }) => append?.entries ?? [])
    return entries.map((entry, place) => ({ i: index + 1, after: entries.length - place - 1, entry }))
  })
}

function entryColumns(rows: readonly PlacedEntry[]): Values {
  return [
    ['i', 'bigint', rows.map(({ i }) => i)],
    ['after', 'bigint', rows.map(({ after }) => after)],
    ['id', 'text', rows.map(({ entry }) => entry.id)],
    ['parent_id', 'text', rows.map(({ entry }) => entry.parentId)],
    ['type', 'text', rows.map(({ entry }) => toText(entry.type))],
    ['at', 'bigint', rows.map(({ entry }) => entry.at)],
    ['body', 'text', rows.map(({ entry }) => entryBody(entry))],
  ]
}

interface Keyed {
  readonly i: number
  readonly options: CommitOptions
  readonly outline: Outline | undefined
}

function keyedOf(chains: readonly Chain[]): readonly Keyed[] {
  return chains.flatMap((chain, index) => {
    if (chain.members.every(({ waiting }) => waiting.options.key === undefined)) return []
    const outlines = outlinesOf(chain)
    return chain.members.flatMap(({ waiting: { options } }, place) =>
      options.key === undefined ? [] : [{ i: index + 1, options, outline: outlines[place] }],
    )
  })
}

const keyColumns = (keyed: readonly Keyed[]): Values => [
  ['i', 'bigint', keyed.map(({ i }) => i)],
  ['key', 'text', keyed.map(({ options }) => options.key)],
  ['digest', 'text', keyed.map(({ options }) => options.digest ?? null)],
  ['memo', 'text', keyed.map(({ options }) => (options.memo === undefined ? null : JSON.stringify(options.memo)))],
  ['answer', 'text', keyed.map(({ outline }) => JSON.stringify(outline))],
]

const insertEntries = (rows: string): string => `INSERT INTO skein.entries (tenant, session, seq, id, parent_id, type, at, body)
  SELECT $1, h.id, h.seq - n.after, n.id, n.parent_id, n.type, n.at, n.body FROM ${rows}`

const insertKeys = (rows: string, relaxed: boolean): string =>
  `INSERT INTO skein.keys (tenant, key, digest, at, until, durability, memo, answer, head, leaf)
  SELECT $1, n.key, n.digest, h.now, h.now + ${keyLifeMs}, '${relaxed ? 'relaxed' : 'full'}', n.memo, n.answer,
    ARRAY[${headNumbers.map(name => `h.${name}`).join(', ')}], h.leaf_id
  FROM ${rows}`

const insertBlobs = (rows: string): string => `INSERT INTO skein.blobs AS b (tenant, id, hash, bytes)
  SELECT DISTINCT ON (n.id) $1, n.id, n.hash, n.bytes FROM ${rows}
  ORDER BY n.id ON CONFLICT (tenant, id) DO UPDATE SET hash = b.hash`

const insertRefs = (rows: string): string => `INSERT INTO skein.blob_refs (tenant, session, blob)
  SELECT DISTINCT $1, h.id, n.blob FROM ${rows} ON CONFLICT DO NOTHING`

/** What became of each chain: the answers of its members, or nothing where a guard refused. */
export function hotAnswers(
  chains: readonly Chain[],
  rows: readonly Record<string, unknown>[],
  relaxed: boolean,
): (Committed[] | undefined)[] {
  const answers: (Committed[] | undefined)[] = chains.map(() => undefined)
  for (const row of rows) {
    const [i, at, seq, token, until, ...sums] = (row['head'] as string).split(' ')
    const index = Number(i) - 1
    const chain = chains[index]
    if (chain === undefined) continue
    const head: HeadAfter = {
      seq: Number(seq),
      token: Number(token),
      until: Number(until),
      leaf: (sums[counters.length] as EntryId | undefined) ?? null,
      counters: countersFrom(sums.slice(0, counters.length).map(Number)),
    }
    const outlines = outlinesOf(chain)
    answers[index] = chain.members.map(({ waiting: { options } }, place): Committed => ({
      at: Number(at),
      durability: relaxed ? 'relaxed' : 'full',
      replayed: false,
      results: answerOf(outlines[place] as Outline, head),
      ...(options.memo === undefined ? {} : { memo: options.memo }),
    }))
  }
  return answers
}
