import { type EntryId, isObject, type Json, type SessionId } from '#kernel'
import type { Change, Entry, SessionRow, TenantStore, ViewRow } from '#journal'
import { asksFor, emptyFolding, foldEntry, type Folding, stateTypes } from './state-fold.ts'

/** Whose state; `memory` is an object that lasts as long as what was read of the session may be kept. */
export interface StateSource {
  readonly id: SessionId
  readonly store: TenantStore
  readonly memory: object
}

/** The fold up to an entry of a branch. */
interface Kept {
  readonly seq: number
  readonly leafId: EntryId | null
  /** The branch's newest message by then: where that is the same, the branch before it is. */
  readonly message: EntryId | null
  /** How often entries of the session had been erased. */
  readonly erasures: Json
  readonly folding: Folding
}

const known = new WeakMap<object, Kept>()
const viewName = 'state'
const viewFormat = 1
/** From so many entries on that had to be read, the fold is stored, so that nobody has to again. */
const worthKeeping = 500

/** The state as of the row. What was folded before is gone on with, unless the branch or an erasure has changed it. */
export async function readFolding(source: StateSource, row: SessionRow): Promise<Folding> {
  const before = await keptBefore(source, row)
  if (before?.seq === row.seq && before.leafId === row.leafId) return before.folding
  const since =
    before !== undefined && before.leafId === row.leafId
      ? { asking: [], newest: before.message, reached: before.message, read: 0 }
      : await messagesAfter(source, row.leafId, before?.seq ?? 0)
  const base = before !== undefined && since.reached === before.message ? before : undefined
  const messages = base === undefined && before !== undefined ? await messagesAfter(source, row.leafId, 0) : since
  const beside = await entriesBeside(source, base?.seq ?? 0, row.seq)
  const entries = [...messages.asking, ...beside].sort((one, other) => one.seq - other.seq)
  const now: Kept = {
    seq: row.seq,
    leafId: row.leafId,
    message: messages.newest,
    erasures: row.data['erasures'] ?? null,
    folding: entries.reduce(foldEntry, base?.folding ?? emptyFolding),
  }
  known.set(source.memory, now)
  if (messages.read + beside.length >= worthKeeping) await keep(source, now)
  return now.folding
}

async function keptBefore({ id, store, memory }: StateSource, row: SessionRow): Promise<Kept | undefined> {
  const fits = (kept: Kept | undefined): kept is Kept =>
    kept !== undefined && kept.seq <= row.seq && kept.erasures === (row.data['erasures'] ?? null)
  const remembered = known.get(memory)
  if (fits(remembered)) return remembered
  const stored = keptIn(await store.view(id, viewName))
  return fits(stored) ? stored : undefined
}

function keptIn(view: ViewRow | undefined): Kept | undefined {
  if (view?.format !== viewFormat || !isObject(view.data)) return undefined
  return { ...(view.data as unknown as Omit<Kept, 'seq'>), seq: view.seq }
}

/** Only saves work: what is not kept is folded again. */
async function keep({ id, store }: StateSource, { seq, ...data }: Kept): Promise<void> {
  const view = { type: 'put_view', session: id, name: viewName, format: viewFormat, seq, data: data as unknown as Json } as const
  await store.commit([view], { durability: 'relaxed' }).catch(() => undefined)
}

/** Puts nothing in the place of a stored fold: it says what was asked for. */
export function stateViewCleared({ id, seq }: SessionRow): Change {
  return { type: 'put_view', session: id, name: viewName, format: viewFormat, seq, data: null }
}

interface Heard {
  /** Oldest first: of the branch's messages after `after` those that ask for something. */
  readonly asking: readonly Entry[]
  /** The branch's newest message, and its newest up to `after`. */
  readonly newest: EntryId | null
  readonly reached: EntryId | null
  readonly read: number
}

async function messagesAfter({ id, store }: StateSource, leafId: EntryId | null, after: number): Promise<Heard> {
  const asking: Entry[] = []
  let newest: EntryId | null = null
  let read = 0
  let limit = 10
  for (let from = leafId; from !== null; limit = 200) {
    const page: readonly Entry[] = await store.branch(id, { from, types: ['message_added'], limit })
    for (const entry of page) {
      newest ??= entry.id
      if (entry.seq <= after) return { asking: asking.reverse(), newest, reached: entry.id, read }
      read++
      if (asksFor(entry) !== null) asking.push(entry)
    }
    from = page.length < limit ? null : (page.at(-1)?.parentId ?? null)
  }
  return { asking: asking.reverse(), newest, reached: null, read }
}

async function entriesBeside({ id, store }: StateSource, after: number, to: number): Promise<readonly Entry[]> {
  const found: Entry[] = []
  for (let last = after; last < to;) {
    const page = await store.entries(id, { after: last, before: to + 1, types: stateTypes, limit: 500 })
    found.push(...page)
    if (page.length < 500) break
    last = page.at(-1)?.seq ?? to
  }
  return found
}
