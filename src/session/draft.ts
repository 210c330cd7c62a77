import type { EntryId, NewId, RunId, TurnId } from '#kernel'
import {
  type EntryDataOf,
  entryTypes,
  type KnownEntryType,
  type NewEntry,
  type SessionRow,
  type Totals,
  totalsAfter,
} from '#journal'

/** An entry as a verb decides it, before it has an id, a parent and counts. */
export interface Draft {
  readonly type: string
  readonly data: unknown
  readonly path: boolean
  readonly v?: number
  readonly id?: EntryId
  readonly by?: string
  readonly at?: number
  readonly turn?: TurnId
  readonly run?: RunId
  readonly traceId?: string
  readonly tokens?: number
  /** Who counted them, if it wasn't the default. */
  readonly counter?: string
  /** Only for entries that name another place's counts, such as a moved leaf. */
  readonly totals?: Totals
}

type Extra = Omit<Draft, 'type' | 'data' | 'path' | 'v'>

/** A draft of a known type; where it stands comes from the type. */
export function draft<T extends Exclude<KnownEntryType, 'custom'>>(type: T, data: EntryDataOf[T], extra: Extra = {}): Draft {
  return { type, data, path: entryTypes[type].place === 'path', ...extra }
}

/** Gives drafts their ids, parents and running counts on the branch that ends at the row's leaf. Pure but for the ids. */
export function placeDrafts(
  drafts: readonly Draft[],
  row: Pick<SessionRow, 'leafId' | 'totals'>,
  now: number,
  ids: NewId,
): NewEntry[] {
  let leaf = row.leafId
  let totals = row.totals
  return drafts.map(({ path, type, data, v, id = ids('ent'), at = now, ...rest }) => {
    if (path) totals = totalsAfter({ type, ...(rest.tokens === undefined ? {} : { tokens: rest.tokens }) }, totals)
    const entry: NewEntry = {
      id,
      parentId: path ? leaf : null,
      type,
      v: v ?? versionOf(type),
      at,
      ...rest,
      ...(path ? { totals } : {}),
      data,
    }
    if (path) leaf = id
    return entry
  })
}

const versionOf = (type: string): number => (Object.hasOwn(entryTypes, type) ? entryTypes[type as KnownEntryType].v : 1)
