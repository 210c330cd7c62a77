import type { EntryId } from '#kernel'
import {
  type ContextEdited,
  type Entry,
  fetchParts,
  isStub,
  isType,
  type Message,
  type Summary,
  type SummaryId,
  type SessionRow,
} from '#journal'
import { type ContextEntry, hideReplaced, messageTokens, type Shown, showEntry, type ShowOptions, showSummary } from '#context'
import type { SessionCore } from './core.ts'
import { isShown, toMessages } from './read-messages.ts'
import { summaryEntryId } from './summary-nodes.ts'

/** What the branch shows at its leaf: what the newest edit says, and everything that came after it. Law C21. */
export interface Frontier {
  /** Of the newest edit on the branch; 0 without one. */
  readonly version: number
  readonly edit: { readonly id: EntryId; readonly data: ContextEdited } | null
  readonly items: readonly Shown[]
  /** The newest entry that was looked at: message, note or edit. */
  readonly newest: EntryId | null
}

/** Entries that stand in a context, and those that say how. */
export const frontierTypes: readonly string[] = ['message_added', 'custom', 'context_noted', 'context_edited']

/** How much is read at once on the way back; where something is known already, seldom more than a few entries are new. */
const pageSizes = [12, 100, 500] as const
const pageSizesSince = [3, 12, 100, 500] as const

/** The newest frontier of each session object: entries never change, so only what was added since has to be read. */
const known = new WeakMap<
  SessionCore['memory'],
  { readonly leafId: EntryId; readonly frontier: Frontier; readonly options: ShowOptions }
>()

/** Reads what is shown and what was appended since, not the history behind it. Law C27. */
export async function readFrontier(core: SessionCore, row: SessionRow, options: ShowOptions): Promise<Frontier> {
  const last = known.get(core.memory)
  const cached = last?.options.recall === options.recall && last.options.counter === options.counter ? last : undefined
  if (row.leafId === null) return { version: 0, edit: null, items: [], newest: null }
  if (cached?.leafId === row.leafId) return cached.frontier
  const frontier = await readFrom(core, row.leafId, cached?.frontier, options)
  known.set(core.memory, { leafId: row.leafId, frontier, options })
  return frontier
}

async function readFrom(
  core: SessionCore,
  leafId: EntryId,
  before: Frontier | undefined,
  options: ShowOptions,
): Promise<Frontier> {
  const { since, stop, behind } = await walkBack(core, leafId, before?.newest ?? null)
  const added = (await contextEntries(core, since)).map(entry => showEntry(entry, options))
  const newest = since.at(-1)?.id ?? stop?.id ?? null
  if (stop !== undefined && stop.id === before?.newest)
    return { ...before, items: hideReplaced([...before.items, ...added]), newest }
  if (stop === undefined || !isType(stop, 'context_edited')) return { version: 0, edit: null, items: hideReplaced(added), newest }
  const items = [...(await editedItems(core, stop, before, behind, options)), ...added]
  return { version: stop.data.version, edit: { id: stop.id, data: stop.data }, items: hideReplaced(items), newest }
}

interface Walk {
  /** Oldest first. */
  readonly since: Entry[]
  readonly stop: Entry | undefined
  /** What was read of those right behind it, newest first. */
  readonly behind: readonly Entry[]
}

/** Entries from the leaf back to the newest edit, or to what is known already, and where the walk stopped. */
async function walkBack(core: SessionCore, leafId: EntryId, stopAt: EntryId | null): Promise<Walk> {
  const since: Entry[] = []
  const sizes = stopAt === null ? pageSizes : pageSizesSince
  let from: EntryId | null = leafId
  for (let round = 0; from !== null; round++) {
    const limit = sizes[round] ?? 500
    const page: readonly Entry[] = await core.store.branch(core.id, { from, types: frontierTypes, limit })
    for (const [at, entry] of page.entries()) {
      if (entry.id === stopAt || isType(entry, 'context_edited'))
        return { since: since.reverse(), stop: entry, behind: page.slice(at + 1) }
      since.push(entry)
    }
    from = page.length < limit ? null : (page.at(-1)?.parentId ?? null)
  }
  return { since: since.reverse(), stop: undefined, behind: [] }
}

/** What an edit shows, from what is in memory, else from the store: the newest ones stand together right before it. */
async function editedItems(
  core: SessionCore,
  edit: Entry & { data: ContextEdited },
  before: Frontier | undefined,
  behind: readonly Entry[],
  options: ShowOptions,
): Promise<Shown[]> {
  const list = edit.data.frontier
  const entries = new Map<EntryId, ContextEntry>()
  const summaries = new Map<SummaryId, Summary>()
  for (const item of before?.items ?? []) {
    if (item.kind === 'summary') summaries.set(item.summary.id, item.summary)
    else entries.set(item.entry.id, item.entry)
  }
  const raw = list.slice(list.findLastIndex(item => 'summary' in item) + 1)
  if (raw.some(item => 'entry' in item && !entries.has(item.entry))) {
    const from = behind.at(-1)?.parentId ?? (behind.length === 0 ? edit.parentId : null)
    const limit = raw.length - behind.length
    const more = from === null || limit <= 0 ? [] : await core.store.branch(core.id, { from, types: frontierTypes, limit })
    for (const entry of await contextEntries(core, [...behind, ...more])) entries.set(entry.id, entry)
  }
  const missing = list.flatMap(item =>
    'summary' in item ? (summaries.has(item.summary) ? [] : [item.summary]) : entries.has(item.entry) ? [] : [item.entry],
  )
  const found = await readEach(core, missing)
  for (const entry of found) if (isType(entry, 'summary_added')) summaries.set(entry.data.id, entry.data)
  for (const entry of await contextEntries(core, found)) entries.set(entry.id, entry)
  return list.flatMap((item): Shown[] => {
    if ('summary' in item) {
      const summary = summaries.get(item.summary)
      return summary === undefined ? [] : [showSummary(summary)]
    }
    const entry = entries.get(item.entry)
    return entry === undefined ? [] : [showEntry(entry, options, item)]
  })
}

/** Entries and the nodes of summaries, which have the id of their entry with another prefix. */
async function readEach(core: SessionCore, ids: readonly (EntryId | SummaryId)[]): Promise<Entry[]> {
  const found = await Promise.all(ids.map(async id => await core.store.entry(core.id, summaryEntryId(id))))
  return found.flatMap(entry => entry ?? [])
}

/** Those with what is shown by its outline fetched, too: nothing of them is left where it is. */
export async function wholeEntries(core: SessionCore, entries: readonly ContextEntry[]): Promise<readonly ContextEntry[]> {
  const large = entries.filter(({ message }) => message.parts.some(isStub))
  if (large.length === 0) return entries
  const data = large.map(({ message }) => ({ data: message }) as Pick<Entry, 'data'> as Entry)
  const full = (await fetchParts(core.store, data, { files: 'trust' })).entries
  const whole = new Map(large.map((entry, at) => [entry.id, { ...entry, message: full[at]?.data as Message }]))
  return entries.map(entry => whole.get(entry.id) ?? entry)
}

/** Entries as the context room sees them, large contents fetched unless only their outline is shown. */
export async function contextEntries(core: SessionCore, entries: readonly Entry[]): Promise<ContextEntry[]> {
  const shown = entries.filter(entry => isShown(entry) || isType(entry, 'context_noted'))
  const messages = await toMessages(core, shown, 'outline')
  return messages.map(({ id, seq, at, turn, ...message }, index): ContextEntry => {
    const entry = shown[index] as Entry
    return {
      id,
      seq,
      at,
      message,
      tokens: entry.tokens ?? messageTokens(message, core.keeping.counter),
      ...(turn === undefined ? {} : { turn }),
      ...(isType(entry, 'context_noted') ? { note: entry.data } : {}),
    }
  })
}
