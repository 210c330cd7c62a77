import { type EntryId, given, type Id, type Json, type RunId, type SessionId, type TurnId } from '#kernel'
import type { Change, PartInput, RecordRow, TenantStore } from '#journal'
import { storedKey } from './route.ts'
import type { BusyMode } from './settings.ts'
import type { Source } from './source.ts'

export type InboxState =
  | 'received'
  | 'refused'
  | 'handled'
  | 'queued'
  | 'steered'
  | 'collected'
  | 'running'
  | 'interrupted'
  | 'done'
  | 'failed'
  | 'dropped'

/** What may become of a message. Every row begins as one of the first six. */
const moves: Readonly<Record<InboxState, readonly InboxState[]>> = {
  received: ['refused', 'handled', 'queued', 'steered', 'collected'],
  refused: [],
  handled: [],
  queued: ['running', 'dropped'],
  steered: ['done', 'queued'],
  collected: ['done', 'queued'],
  running: ['done', 'failed', 'interrupted'],
  interrupted: ['running', 'dropped'],
  done: [],
  failed: [],
  dropped: [],
}

export const inboxStates: readonly InboxState[] = Object.keys(moves) as InboxState[]
export const isOver = (state: InboxState): boolean => moves[state].length === 0

/** One message that came in, and what became of it. */
export interface InboxRow {
  readonly id: Id<'inb'>
  readonly state: InboxState
  /** The route's; absent for a message that was refused before one was looked for. */
  readonly key?: string
  readonly source: Source
  readonly text: string
  readonly parts?: readonly PartInput[]
  /** In place of a text: the message of its session that is said again. */
  readonly again?: EntryId
  /** What was said before it, that the session has not seen. */
  readonly context?: string
  readonly replyTo?: string
  readonly internal?: true
  readonly mode: BusyMode
  /** Its place among what is open of its route: the time of arrival, but later than what was there, whatever the clock says. */
  readonly order: number
  /** Who said it, by the id that stands for them. */
  readonly sender?: string
  /** How the sender is called where many may speak. */
  readonly speaker?: string
  /** Why it was refused or dropped, or ended without an answer. */
  readonly reason?: string
  readonly session?: SessionId
  readonly run?: RunId
  readonly turn?: TurnId
  /** As the run that it was steered into names it. */
  readonly input?: Id<'inp'>
  /** The row whose turn shows this one, for what was steered or collected. */
  readonly into?: Id<'inb'>
  /** How often it was said to a session. A run that ended without showing it leaves it to be said again. */
  readonly said: number
  readonly at: number
  readonly startedAt?: number
  readonly endedAt?: number
}

export interface StoredInbox {
  readonly row: InboxRow
  readonly version: number
}

export const inboxCollection = 'gateway.inbox'
/** How long what is over can be looked up, and an event's id is known. */
export const inboxLifeMs: number = 7 * 86_400_000

const stateTag = (state: InboxState): string => `state ${state}`
const routeTag = (key: string): string => `route ${storedKey(key)}`
/** What a turn has, or had when it was cut short; what waits for one stands in its route's queue. */
const busyTag = (key: string): string => `busy ${storedKey(key)}`
const busy: ReadonlySet<InboxState> = new Set(['running', 'interrupted', 'steered'])

/** Stores a row, new (version 0) or as it is now. */
export function putInbox(row: InboxRow, version: number): Change {
  const { key, state } = row
  const ofRoute = key === undefined ? [] : [routeTag(key), ...(busy.has(state) ? [busyTag(key)] : [])]
  return {
    type: 'put_record',
    collection: inboxCollection,
    key: row.id,
    value: row as unknown as Json,
    tags: [stateTag(state), ...ofRoute],
    sort: row.order,
    ...(row.endedAt === undefined ? {} : { expiresAt: row.endedAt + inboxLifeMs }),
    expectVersion: version,
  }
}

/** Moves a row on. A move that no row makes is a bug and says so. */
export function movedTo(row: InboxRow, state: InboxState, more: Partial<InboxRow> = {}): InboxRow {
  if (!moves[row.state].includes(state)) throw new Error(`A message that is ${row.state} cannot become ${state}.`)
  return { ...row, ...given(more), state }
}

export async function inboxRow(store: TenantStore, id: string): Promise<StoredInbox | undefined> {
  const record = await store.record(inboxCollection, id)
  return record === undefined ? undefined : storedInbox(record)
}

/** What a turn of a route has, or had when it was cut short, in the order of arrival. */
export async function busyInbox(store: TenantStore, key: string): Promise<StoredInbox[]> {
  const { items } = await store.records(inboxCollection, { tag: busyTag(key), limit: 1_000 })
  return items.map(storedInbox)
}

export const inboxTag = ({ state, key }: { readonly state?: InboxState; readonly key?: string }): string | undefined =>
  state === undefined ? key && routeTag(key) : stateTag(state)

export function storedInbox({ value, version }: Pick<RecordRow, 'value' | 'version'>): StoredInbox {
  return { row: value as unknown as InboxRow, version }
}
