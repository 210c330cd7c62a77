import { canonical, type EntryId } from '#kernel'
import { type Entry, fetchParts, isType, type Message, type Part } from '#journal'
import type { SessionCore } from '#session'
import type { ArchivedMessage } from './archiver.ts'
import type { ArchiveCounts, StoredArchive } from './archive-row.ts'

type Reads = Pick<SessionCore, 'id' | 'store'>

const pageSize = 200

/** Messages of a range on the branch of its end, oldest first, with large payloads fetched. */
export async function rangeMessages(core: Reads, fromSeq: number, endEntry: EntryId): Promise<readonly Entry<string, Message>[]> {
  const found = await rangeEntries(core, fromSeq, endEntry)
  const { entries } = await fetchParts(core.store, found, { outlined: 'stub', files: 'trust' })
  return entries as readonly Entry<string, Message>[]
}

async function rangeEntries(core: Reads, fromSeq: number, endEntry: EntryId): Promise<Entry[]> {
  const found: Entry[] = []
  walk: for (let from: EntryId | null = endEntry; from !== null;) {
    const page: readonly Entry[] = await core.store.branch(core.id, { from, limit: pageSize })
    for (const entry of page) {
      if (entry.seq < fromSeq) break walk
      if (isType(entry, 'message_added')) found.push(entry)
    }
    from = page.length < pageSize ? null : (page.at(-1)?.parentId ?? null)
  }
  return found.reverse()
}

/** An archive with what its commit left uncounted. `messages` are those of its range. */
export function withCounts(archive: StoredArchive, messages: readonly Entry[]): StoredArchive {
  const { uncounted = false, ...data } = archive.data
  if (!uncounted) return archive
  const { user, assistant, tool, tokens } = countMessages(messages)
  return { ...archive, data: { ...data, counts: { user, assistant, tool, tokens } } }
}

/** The same for whoever shows it before its job has come to it: then what it holds is read. */
export async function counted(core: Reads, archive: StoredArchive): Promise<StoredArchive> {
  if (archive.data.uncounted !== true) return archive
  return withCounts(archive, await rangeEntries(core, archive.fromSeq, archive.data.endEntry))
}

/** Of live entries: how many messages of whom, and their tokens. */
export function countMessages(entries: readonly Entry[]): ArchiveCounts & { readonly messages: number } {
  const counts = { user: 0, assistant: 0, tool: 0, tokens: 0, messages: 0 }
  for (const entry of entries) {
    if (!isType(entry, 'message_added')) continue
    counts.messages++
    counts.tokens += entry.tokens ?? 0
    if (entry.data.role !== 'system') counts[entry.data.role]++
  }
  return counts
}

/** As an archiver reads them: what was said, calls by name and input, results as text. What memory brought is left out. */
export function archivedMessages(entries: readonly Entry<string, Message>[]): ArchivedMessage[] {
  return entries.flatMap(({ id, at, data }): ArchivedMessage[] =>
    data.role === 'system' ? [] : [{ role: data.role, text: textOf(data, true), id, at }],
  )
}

/** The same without calls: words alone, for the fallback. */
export function spokenMessages(entries: readonly Entry<string, Message>[]): ArchivedMessage[] {
  return entries.map(({ id, at, data }) => ({
    role: data.role === 'system' ? 'tool' : data.role,
    text: data.role === 'tool' || data.role === 'system' ? '' : textOf(data, false),
    id,
    at,
  }))
}

function textOf({ parts, finishReason, role }: Message, withCalls: boolean): string {
  // An answer that broke off is kept and never shown to a model again.
  if (role === 'assistant' && finishReason === 'error') return ''
  return parts
    .map(part => ('origin' in part && part.origin === 'recall' ? '' : partText(part, withCalls)))
    .filter(Boolean)
    .join('\n')
}

function partText(part: Part, withCalls: boolean): string {
  switch (part.type) {
    case 'text':
      return part.text
    case 'tool_call':
      return withCalls ? `[call ${part.tool} ${canonical(part.input)}]` : ''
    case 'tool_result':
      if (!withCalls) return ''
      return part.outline ?? (typeof part.output === 'string' ? part.output : canonical(part.output))
    case 'file':
      return withCalls ? `[file ${part.name ?? part.mediaType}]` : ''
    default:
      return ''
  }
}

/** All words of a range in which identifiers are looked for: what was said, and what tools gave. */
export function anchorText(entries: readonly Entry<string, Message>[]): string {
  return entries
    .flatMap(entry =>
      entry.data.role === 'tool'
        ? entry.data.parts.map(part => partText(part, true))
        : spokenMessages([entry]).map(({ text }) => text),
    )
    .join('\n')
}
