import type { EntryId, JsonObject, RunId, SessionId, TurnId } from '#kernel'

/** Running counts along the branch, up to and with this entry. */
export interface Totals {
  readonly messages: number
  readonly turns: number
  readonly tokens: number
}

export const noTotals: Totals = { messages: 0, turns: 0, tokens: 0 }

/**
 * One immutable item of a session's journal. `seq` is dense from 1; `at` is epoch milliseconds.
 * Path entries have a parent and become the leaf; side entries have `parentId: null` and never do.
 * A type or version that this release doesn't know is kept whole, with every field. Source: docs/format.md.
 */
export interface Entry<T extends string = string, D = unknown> {
  readonly id: EntryId
  readonly session: SessionId
  readonly seq: number
  readonly parentId: EntryId | null
  readonly type: T
  readonly v: number
  readonly at: number
  /** Who made it: user, model, job, import, … */
  readonly by?: string
  readonly turn?: TurnId
  readonly run?: RunId
  /** The caller's trace id, for finding it again in logs. */
  readonly traceId?: string
  /** Estimated tokens, counted once, when the entry was written. */
  readonly tokens?: number
  /** What counted them. Absent: `weights/1`. */
  readonly counter?: string
  readonly totals?: Totals
  readonly data: D
}

/** An entry before the store has given it its place. */
export type NewEntry = Omit<Entry, 'seq' | 'session'>

type Columns = Pick<Entry, 'id' | 'session' | 'seq' | 'parentId' | 'type' | 'at'>

/** Where an entry carries its body as text, once it was made. */
const bodyText: unique symbol = Symbol('body')
type Carrying = { readonly [bodyText]?: string }

/**
 * The entry with its body made into text now: whatever becomes of its `data`, this is what is weighed and stored. A spread of
 * it carries the text along, so only who changes nothing in it may spread it.
 */
export function sealEntry(entry: NewEntry): NewEntry {
  const sealed: NewEntry & Carrying = { ...entry, [bodyText]: entryBody(entry) }
  return sealed
}

/** Everything of an entry but what the tables keep in columns: one JSON text, with fields of later releases, too. */
export function entryBody(entry: (NewEntry | Entry) & Carrying): string {
  const carried = entry[bodyText]
  if (carried !== undefined) return carried
  const { id: _id, parentId: _parent, type: _type, at: _at, ...rest } = entry
  const { seq: _seq, session: _session, ...body } = rest as Partial<Entry>
  return JSON.stringify(body)
}

/** The inverse of `entryBody`. */
export function entryFrom(columns: Columns, body: string): Entry {
  return { ...columns, ...(JSON.parse(body) as JsonObject) } as Entry
}
