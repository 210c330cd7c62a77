import { given, type Id, type Json, type JobId, type NewId, type SessionId } from '#kernel'
import type { Change, RecordRow, TenantStore } from '#journal'
import { storedKey } from './route.ts'

/** A place that an adapter can send to. */
export interface Destination {
  readonly platform: string
  readonly chatId: string
  readonly threadId?: string
  readonly scopeId?: string
}

export const outboxStates = ['pending', 'sending', 'delivered', 'abandoned', 'suppressed'] as const
export type OutboxState = (typeof outboxStates)[number]

/** One message on its way out. It is sent at least once, and never silently twice. */
export interface OutboxRow {
  readonly id: Id<'out'>
  readonly state: OutboxState
  readonly to: Destination
  readonly text: string
  /** The message of the platform that it answers. */
  readonly replyTo?: string
  /** `answer`: what a turn came to; `notice`: what the gateway itself has to say. */
  readonly kind: 'answer' | 'notice'
  readonly key?: string
  readonly inbox?: Id<'inb'>
  readonly session?: SessionId
  /** The request whose code stands where `text` hides it: what is stored does not show it. */
  readonly pairing?: Id<'par'>
  /** How often sending was begun. */
  readonly attempts: number
  readonly lastError?: { readonly code: string; readonly message: string }
  /** Why it was given up or kept back. */
  readonly reason?: string
  /** The platform's id of it. */
  readonly messageId?: string
  readonly at: number
  readonly endedAt?: number
}

export interface StoredOutbox {
  readonly row: OutboxRow
  readonly version: number
}

export const hiddenCode = '********'

/** A row as it is sent and shown to whoever runs the gateway. */
export async function withCode(row: OutboxRow, codeOf: (id: string) => Promise<string | null>): Promise<OutboxRow> {
  const code = row.pairing === undefined ? null : await codeOf(row.pairing)
  return code === null ? row : { ...row, text: row.text.replace(hiddenCode, code) }
}

export const outboxCollection = 'gateway.outbox'
const lifeMs = 7 * 86_400_000
/** More than a row is ever tried: the row decides, since only it knows what was sent. */
const jobAttempts = 1_000

const isOpen = (state: OutboxState): boolean => state === 'pending' || state === 'sending'
export const outboxStateTag = (state: OutboxState): string => `state ${state}`
export const outboxKeyTag = (key: string): string => `route ${storedKey(key)}`
/** What of a route is still to go out. */
export const outboxOpenTag = (key: string): string => `open ${storedKey(key)}`

/** What goes to `local`. No adapter is called so. */
export const outputPlatform = 'file'
/** Any process with a worker can write a file. */
export const writeFileKind = 'gateway.deliver.file'

/** Only processes in which the platform's adapter runs take these jobs; a file any process writes. */
export const deliverKind = (tenant: string, platform: string): string =>
  platform === outputPlatform ? writeFileKind : `gateway.deliver.${tenant}.${platform}`

/** Messages of one place go out one after the other. */
export const placeOf = ({ platform, scopeId, chatId, threadId }: Destination): string =>
  [platform, scopeId ?? '', chatId, threadId ?? ''].map(encodeURIComponent).join(' ')

export function putOutbox(row: OutboxRow, version: number): Change {
  return {
    type: 'put_record',
    collection: outboxCollection,
    key: row.id,
    value: row as unknown as Json,
    tags: [
      outboxStateTag(row.state),
      ...(row.key === undefined ? [] : [outboxKeyTag(row.key), ...(isOpen(row.state) ? [outboxOpenTag(row.key)] : [])]),
    ],
    sort: row.at,
    ...(isOpen(row.state) ? {} : { expiresAt: (row.endedAt ?? row.at) + lifeMs }),
    expectVersion: version,
  }
}

/** Whose messages go out, and how what carries them is named. */
export interface Sending {
  readonly tenant: string
  readonly ids: NewId
}

/** The job that carries a row out. */
export function deliverLater({ ids, tenant }: Sending, row: OutboxRow): Change {
  const id: JobId = ids('job')
  return {
    type: 'enqueue',
    job: {
      id,
      kind: deliverKind(tenant, row.to.platform),
      key: placeOf(row.to),
      payload: { outbox: row.id },
      ...given({ session: row.session }),
      maxAttempts: jobAttempts,
      parkedBlocks: false,
    },
  }
}

/** What puts messages on their way; those that are kept back get no job. */
export function outboxChanges(sending: Sending, rows: readonly OutboxRow[]): Change[] {
  return rows.flatMap(row => [putOutbox(row, 0), ...(isOpen(row.state) ? [deliverLater(sending, row)] : [])])
}

export async function outboxRow(store: TenantStore, id: string): Promise<StoredOutbox | undefined> {
  const record = await store.record(outboxCollection, id)
  return record === undefined ? undefined : storedOutbox(record)
}

export function storedOutbox({ value, version }: Pick<RecordRow, 'value' | 'version'>): StoredOutbox {
  return { row: value as unknown as OutboxRow, version }
}
