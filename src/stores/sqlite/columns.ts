import type { ArchiveRow, Entry, JobRow, MemoryRow, RecordRow, SessionRow, ViewRow } from '#journal'
import { entryFrom } from '#journal'
import type { Id, IdPrefix, JobId, Json, JsonObject, SessionId } from '#kernel'
import type { Row, Value } from './values.ts'

const ulid = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/

/** An id as it stands in a table: without the prefix that its column implies, whole if it is of any other form. */
export function shortId(prefix: IdPrefix, id: string): string {
  return id.length === 30 && id.startsWith(`${prefix}_`) && ulid.test(id.slice(4)) ? id.slice(4) : id
}

export function longId<P extends IdPrefix>(prefix: P, id: string): Id<P> {
  return (id.length === 26 ? `${prefix}_${id}` : id) as Id<P>
}

/**
 * Text that comes back as it went in. UTF-8 knows no lone surrogates, so a text with one stands as its JSON behind U+0001.
 */
export function textIn(text: string): string {
  return text.isWellFormed() && !text.startsWith('\u0001') ? text : `\u0001${JSON.stringify(text)}`
}

export function textOut(text: string): string {
  return text.startsWith('\u0001') ? (JSON.parse(text.slice(1)) as string) : text
}

const nullable = (text: string | null): string | null => (text === null ? null : textIn(text))
const nullableOut = (value: Row[number] | undefined): string | null => (value == null ? null : textOut(value as string))

const hourMs = 3_600_000

/** Which hour a session was changed in: sorted by it, an index need not move with every append. */
export const hourOf = (at: number): number => Math.floor(at / hourMs)

/** How a session's row stands in its table: one writer for each column, in the order of `sessionColumns`. */
const sessionWriters = {
  uid: row => shortId('ses', row.id),
  alias: row => row.alias,
  state: row => row.state,
  hidden: row => (row.hidden ? 1 : 0),
  title: row => nullable(row.title),
  preview: row => nullable(row.preview),
  user: row => nullable(row.user),
  agent: row => textIn(row.agent),
  platform: row => nullable(row.platform),
  cwd: row => nullable(row.cwd),
  parent: row => (row.parent === null ? null : shortId('ses', row.parent)),
  model: row => nullable(row.model),
  tags: row => JSON.stringify(row.tags),
  createdAt: row => row.createdAt,
  updatedAt: row => row.updatedAt,
  lastMessageAt: row => row.lastMessageAt,
  lastAccessedAt: row => row.lastAccessedAt,
  seq: row => row.seq,
  leaf: row => (row.leafId === null ? null : shortId('ent', row.leafId)),
  messages: row => row.totals.messages,
  turns: row => row.totals.turns,
  tokens: row => row.totals.tokens,
  turnCount: row => row.counters.turnCount,
  requests: row => row.counters.requests,
  unknownRequests: row => row.counters.unknownRequests,
  costNano: row => row.counters.costNano,
  inputTokens: row => row.counters.inputTokens,
  cacheReadTokens: row => row.counters.cacheReadTokens,
  cacheWrite5mTokens: row => row.counters.cacheWrite5mTokens,
  cacheWrite1hTokens: row => row.counters.cacheWrite1hTokens,
  outputTokens: row => row.counters.outputTokens,
  reasoningTokens: row => row.counters.reasoningTokens,
  leaseOwner: row => nullable(row.lease.owner),
  leaseToken: row => row.lease.token,
  leaseUntil: row => row.lease.until,
  updatedHour: row => hourOf(row.updatedAt),
  data: row => JSON.stringify(row.data),
} as const satisfies Record<string, (row: SessionRow) => Value>

type SessionColumn = keyof typeof sessionWriters
const columnNames = Object.keys(sessionWriters) as readonly SessionColumn[]

/** What a SELECT of sessions asks for, so that `sessionFrom` can read it; the surrogate stands first. */
export const sessionColumns: string = `id, ${columnNames.join(', ')}`

export const insertSessionSql: string = `INSERT INTO session (tenant, ${columnNames.join(', ')}) VALUES (?, ${columnNames.map(() => '?').join(', ')})`

export function sessionValues(row: SessionRow): Value[] {
  return columnNames.map(name => sessionWriters[name](row))
}

/** Which member of a row a column is written from, where it isn't the one of the same name. */
const writtenFrom: { readonly [C in SessionColumn]?: keyof SessionRow } = {
  uid: 'id',
  leaf: 'leafId',
  messages: 'totals',
  turns: 'totals',
  tokens: 'totals',
  turnCount: 'counters',
  requests: 'counters',
  unknownRequests: 'counters',
  costNano: 'counters',
  inputTokens: 'counters',
  cacheReadTokens: 'counters',
  cacheWrite5mTokens: 'counters',
  cacheWrite1hTokens: 'counters',
  outputTokens: 'counters',
  reasoningTokens: 'counters',
  leaseOwner: 'lease',
  leaseToken: 'lease',
  leaseUntil: 'lease',
  updatedHour: 'updatedAt',
}
const writers = columnNames.map(name => ({
  set: `${name} = ?`,
  member: writtenFrom[name] ?? (name as keyof SessionRow),
  write: sessionWriters[name] as (row: SessionRow) => Value,
}))

/** Only the columns that differ, `a = ?, b = ?`; empty when none does. What is one and the same is not compared. */
export function changedColumns(row: SessionRow, before: SessionRow): { readonly names: string; readonly values: Value[] } {
  let names = ''
  const values: Value[] = []
  for (const { set, member, write } of writers) {
    if (row[member] === before[member]) continue
    const value = write(row)
    if (value === write(before)) continue
    names += names === '' ? set : `, ${set}`
    values.push(value)
  }
  return { names, values }
}

export function sessionFrom(row: Row): SessionRow {
  const text = (at: number): string => row[at] as string
  const number = (at: number): number => row[at] as number
  const parent = row[11]
  const leaf = row[19]
  return {
    id: longId('ses', text(1)),
    alias: row[2] as string | null,
    state: text(3) as SessionRow['state'],
    hidden: row[4] === 1,
    title: nullableOut(row[5]),
    preview: nullableOut(row[6]),
    user: nullableOut(row[7]),
    agent: textOut(text(8)),
    platform: nullableOut(row[9]),
    cwd: nullableOut(row[10]),
    parent: parent == null ? null : longId('ses', parent as string),
    model: nullableOut(row[12]),
    tags: JSON.parse(text(13)) as string[],
    createdAt: number(14),
    updatedAt: number(15),
    lastMessageAt: row[16] as number | null,
    lastAccessedAt: number(17),
    seq: number(18),
    leafId: leaf == null ? null : longId('ent', leaf as string),
    totals: { messages: number(20), turns: number(21), tokens: number(22) },
    counters: {
      turnCount: number(23),
      requests: number(24),
      unknownRequests: number(25),
      costNano: number(26),
      inputTokens: number(27),
      cacheReadTokens: number(28),
      cacheWrite5mTokens: number(29),
      cacheWrite1hTokens: number(30),
      outputTokens: number(31),
      reasoningTokens: number(32),
    },
    lease: { owner: nullableOut(row[33]), token: number(34), until: number(35) },
    data: JSON.parse(text(37)) as JsonObject,
  }
}

/** What stands for the parent of an entry whose parent is the one right before it, as that of most is. */
export const parentBefore = ''

/** What a SELECT from `entry` asks for, so that `entryFromRow` can read it. */
export const entryColumns: string = `seq, uid,
  CASE parent WHEN '${parentBefore}' THEN (SELECT b.uid FROM entry b WHERE b.session = entry.session AND b.seq = entry.seq - 1) ELSE parent END,
  type, at, body`

export function entryFromRow(session: SessionId, [seq, uid, parent, type, at, body]: Row): Entry {
  return entryFrom(
    {
      id: longId('ent', uid as string),
      session,
      seq: seq as number,
      parentId: parent == null ? null : longId('ent', parent as string),
      type: textOut(type as string),
      at: at as number,
    },
    body as string,
  )
}

export const recordColumns = 'collection, key, value, tag1, tag2, tag3, sort, expiresAt, version'

export function recordFrom([collection, key, value, tag1, tag2, tag3, sort, expiresAt, version]: Row): RecordRow {
  return {
    collection: textOut(collection as string),
    key: textOut(key as string),
    value: JSON.parse(value as string) as Json,
    tags: [tag1, tag2, tag3].flatMap(tag => (tag == null ? [] : [textOut(tag as string)])),
    sort: sort as number,
    expiresAt: expiresAt as number | null,
    version: version as number,
  }
}

export function recordValues(row: RecordRow): Value[] {
  const tag = (at: number): string | null => (row.tags[at] === undefined ? null : textIn(row.tags[at]))
  const { sort, expiresAt, version } = row
  return [textIn(row.collection), textIn(row.key), JSON.stringify(row.value), tag(0), tag(1), tag(2), sort, expiresAt, version]
}

export const archiveColumns = 'id, fromSeq, toSeq, children, data, version'

export function archiveFrom(session: SessionId, [id, fromSeq, toSeq, children, data, version]: Row): ArchiveRow {
  return {
    id: id as string,
    session,
    fromSeq: fromSeq as number,
    toSeq: toSeq as number,
    children: JSON.parse(children as string) as string[],
    data: JSON.parse(data as string) as JsonObject,
    version: version as number,
  }
}

export function viewFrom(session: SessionId, [name, format, seq, data]: Row): ViewRow {
  return {
    session,
    name: name as string,
    format: format as number,
    seq: seq as number,
    data: JSON.parse(data as string) as Json,
  }
}

export const memoryColumns = 'id, version, owner, text, evidence, data, embedding'

export function memoryFrom([id, version, owner, text, evidence, data, embedding]: Row): MemoryRow {
  return {
    id: id as string,
    version: version as number,
    owner: textOut(owner as string),
    text: textOut(text as string),
    evidence: JSON.parse(evidence as string) as Json,
    data: JSON.parse(data as string) as JsonObject,
    embedding: embedding == null ? null : [...new Float64Array((embedding as Uint8Array).slice().buffer)],
  }
}

export function memoryValues(row: MemoryRow): Value[] {
  return [
    row.id,
    row.version,
    textIn(row.owner),
    textIn(row.text),
    JSON.stringify(row.evidence),
    JSON.stringify(row.data),
    row.embedding === null ? null : new Uint8Array(Float64Array.from(row.embedding).buffer),
  ]
}

export const jobColumns =
  'uid, kind, key, uniqueKey, session, state, payload, schema, attempts, maxAttempts, parkedBlocks, runAfter, leaseUntil, owner, fence, traceId, result, lastError, createdAt, startedAt, endedAt'

export function jobValues(row: JobRow): Value[] {
  return [
    shortId('job', row.id),
    textIn(row.kind),
    textIn(row.key),
    nullable(row.uniqueKey),
    row.session === null ? null : shortId('ses', row.session),
    row.state,
    JSON.stringify(row.payload),
    row.schema,
    row.attempts,
    row.maxAttempts,
    row.parkedBlocks ? 1 : 0,
    row.runAfter,
    row.leaseUntil,
    nullable(row.owner),
    row.fence,
    nullable(row.traceId),
    JSON.stringify(row.result),
    JSON.stringify(row.lastError),
    row.createdAt,
    row.startedAt,
    row.endedAt,
  ]
}

export function jobFrom(tenant: string, row: Row): JobRow {
  return {
    id: longId('job', row[0] as string) as JobId,
    tenant,
    kind: textOut(row[1] as string),
    key: textOut(row[2] as string),
    uniqueKey: nullableOut(row[3]),
    session: row[4] == null ? null : longId('ses', row[4] as string),
    state: row[5] as JobRow['state'],
    payload: JSON.parse(row[6] as string) as Json,
    schema: row[7] as number,
    attempts: row[8] as number,
    maxAttempts: row[9] as number,
    parkedBlocks: row[10] === 1,
    runAfter: row[11] as number,
    leaseUntil: row[12] as number,
    owner: nullableOut(row[13]),
    fence: row[14] as number,
    traceId: nullableOut(row[15]),
    result: JSON.parse(row[16] as string) as Json,
    lastError: JSON.parse(row[17] as string) as Json,
    createdAt: row[18] as number,
    startedAt: row[19] as number | null,
    endedAt: row[20] as number | null,
  }
}
