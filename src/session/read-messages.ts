import { type BlobId, type EntryId, given, invalidInput, isObject, parseId, SkeinError, type TurnId } from '#kernel'
import { checkLimit, type Entry, fetchParts, isType, type Message, type SummaryId } from '#journal'
import type { SessionCore } from './core.ts'

/** A message of the branch, with its place. */
export interface SessionMessage extends Message {
  readonly id: EntryId
  readonly seq: number
  readonly at: number
  readonly turn?: TurnId
  /** Stands in the context for what is before it: a summary, right behind the last entry that it covers. */
  readonly isSummary?: true
  readonly summary?: SummaryId
  /** Parts whose results the context leaves out. */
  readonly pruned?: readonly number[]
}

export interface MessagesOptions {
  /** Only messages before this entry. */
  readonly before?: EntryId
  /** The newest that many, 1–1,000, and the summaries among them; without it all. */
  readonly limit?: number
  /** `stub` leaves large payloads where they are and shows their size and beginning. Default `full`. */
  readonly parts?: 'full' | 'stub'
}

export interface MessagesPage {
  readonly items: readonly SessionMessage[]
  /** Hand it in as `before` for the page before this one; absent at the beginning. */
  readonly next?: EntryId
}

const types = ['message_added', 'custom']
const pageSize = 500

/** The branch's messages, oldest first. With a limit a page of the newest ones; a page reads no more rows than it shows. Law S24. */
export async function readPage(
  core: SessionCore,
  options: MessagesOptions & { readonly limit: number },
  marks?: ContextMarks,
): Promise<MessagesPage> {
  const limit = checkLimit(options.limit, 100, 1_000)
  const row = await core.row()
  const from = options.before === undefined ? row.leafId : rightBefore(await entryOf(core, options.before))
  if (from === null) return { items: [] }
  const found = await core.store.branch(core.id, { from, types, limit })
  const stored = await toMessages(core, found.filter(isShown).reverse(), options.parts)
  const items = marks === undefined ? stored : withMarks(stored, marks, options.before)
  // The oldest that was read, also when this release can't show it: there may be more before it.
  const oldest = found.at(-1)
  return oldest === undefined || found.length < limit ? { items } : { items, next: oldest.id }
}

export async function readAll(core: SessionCore, options: MessagesOptions = {}, marks?: ContextMarks): Promise<SessionMessage[]> {
  const pages: (readonly SessionMessage[])[] = []
  let before = options.before
  do {
    const page = await readPage(core, { ...options, limit: pageSize, ...(before === undefined ? {} : { before }) }, marks)
    pages.push(page.items)
    before = page.next
  } while (before !== undefined)
  return pages.reverse().flat()
}

/** A page of them, or all. */
export async function readMessages(
  core: SessionCore,
  options: MessagesOptions,
  marks?: ContextMarks,
): Promise<MessagesPage | SessionMessage[]> {
  const { limit } = options
  return limit === undefined ? await readAll(core, options, marks) : await readPage(core, { ...options, limit }, marks)
}

/** A summary stands behind the last entry that it covers. */
const rightBefore = (entry: Entry): EntryId | null => (isType(entry, 'summary_added') ? entry.data.covers.last : entry.parentId)

/** What the context shows otherwise than it was said. */
export interface ContextMarks {
  /** By the last entry that each covers. */
  readonly summaries: ReadonlyMap<EntryId, SessionMessage>
  readonly pruned: ReadonlyMap<EntryId, readonly number[]>
}

function withMarks(messages: readonly SessionMessage[], { summaries, pruned }: ContextMarks, end?: EntryId): SessionMessage[] {
  return messages.flatMap(message => {
    const parts = pruned.get(message.id)
    const summary = summaries.get(message.id)
    const marked = parts === undefined ? message : { ...message, pruned: parts }
    return summary === undefined || summary.id === end ? [marked] : [marked, summary]
  })
}

/** An entry of the session. Throws `input.invalid` for a malformed id, `entry.not_found` for an unknown one. */
export async function entryOf(core: SessionCore, id: unknown, path = 'entryId'): Promise<Entry> {
  const entry = await core.store.entry(core.id, parseId('ent', id, path))
  if (entry === undefined)
    throw new SkeinError('entry.not_found', `Session ${core.id} has no entry ${String(id)}.`, {
      details: { session: core.id, entry: id },
    })
  return entry
}

/** Messages, and entries of a caller's own that have a text for the model, in a version that this release reads. */
export const isShown = (entry: Entry): boolean =>
  isType(entry, 'message_added') || (isType(entry, 'custom') && typeof entry.data.text === 'string')

export async function toMessages(
  core: SessionCore,
  entries: readonly Entry[],
  parts: 'full' | 'stub' | 'outline' = 'full',
): Promise<SessionMessage[]> {
  if (parts !== 'full' && parts !== 'stub' && parts !== 'outline') throw invalidInput('parts', 'Expected full or stub.')
  if (parts === 'stub') return entries.map(messageOf)
  const { entries: full, lost } = await fetchParts(
    core.store,
    entries,
    parts === 'outline' ? { outlined: 'stub', files: 'trust' } : {},
  )
  if (lost.length > 0) {
    core.runtime.notice({
      level: 'error',
      code: 'store.corrupt',
      message: `Blobs are missing or altered: ${lost.join(', ')}. Run skein doctor --deep.`,
      session: core.id,
      tenant: core.store.tenant,
    })
  }
  return full.map(messageOf)
}

function messageOf(entry: Entry): SessionMessage {
  const { id, seq, at, turn } = entry
  const place = { id, seq, at, ...(turn === undefined ? {} : { turn }) }
  if (isType(entry, 'message_added')) return { ...place, ...entry.data }
  // A caller's own entry, or a note: its text stands for it.
  const text = isObject(entry.data) && typeof entry.data['text'] === 'string' ? entry.data['text'] : ''
  const origin = isType(entry, 'context_noted') ? entry.data.origin : undefined
  return { ...place, role: 'user', parts: [{ type: 'text', text, ...given({ origin }) }] }
}

/** The contents of the files that messages name, for formats that carry them inside. */
export async function fileContents(
  core: SessionCore,
  messages: readonly Message[],
): Promise<{ contentOf?: (blob: BlobId) => Uint8Array | undefined }> {
  const ids = messages.flatMap(message =>
    message.parts.flatMap(part => (part.type === 'file' && part.blob !== undefined ? [part.blob] : [])),
  )
  if (ids.length === 0) return {}
  const contents = new Map((await core.store.blobs(ids)).map(row => [row.id, row.bytes]))
  return { contentOf: blob => contents.get(blob) }
}
