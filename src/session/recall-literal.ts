import type { EntryId } from '#kernel'
import { excerptRound, literalTexts, readableText } from '#context'
import { decodeCursor, encodeCursor, type Entry, fetchParts, type Message } from '#journal'
import { contentTypes, isContent } from './branch-spans.ts'
import { excerptLength, isIn, type RecallAsk, type RecallMatch, type RecallSource } from './recall-source.ts'

const pageSize = 100

/**
 * Entries that hold the exact text, newest first, each source after the other: every text is looked through, as an index knows
 * words and their beginnings only. Goes on no further than a page needs.
 */
export async function findLiteral(
  sources: readonly RecallSource[],
  ask: RecallAsk,
): Promise<{ readonly matches: RecallMatch[]; readonly next?: string }> {
  const [number, last] = ask.cursor === undefined ? [0, undefined] : decodeCursor(ask.cursor, 'whole')
  const matches: RecallMatch[] = []
  for (const [index, source] of sources.entries()) {
    if (index < Number(number)) continue
    const after = index === Number(number) ? (last as EntryId | undefined) : undefined
    for await (const entry of backwards(source, after)) {
      if (!isIn(source, entry) || !ask.takes(entry)) continue
      const excerpt = await excerptIn(source, entry, ask.query)
      if (excerpt === undefined) continue
      if (matches.length === ask.limit) {
        const { source: from, entry: shown } = matches.at(-1) as RecallMatch
        return { matches, next: encodeCursor([sources.indexOf(from), shown.id]) }
      }
      matches.push({ source, entry, excerpt })
    }
  }
  return { matches }
}

/** The branch's entries that can be shown, newest first, with their large payloads; those before `after`. */
async function* backwards({ reading, row }: RecallSource, after?: EntryId): AsyncGenerator<Entry> {
  const begun = after === undefined ? undefined : await reading.store.entry(reading.id, after)
  for (let from = after === undefined ? row.leafId : (begun?.parentId ?? null); from !== null;) {
    const page: readonly Entry[] = await reading.store.branch(reading.id, { from, types: contentTypes, limit: pageSize })
    for (const entry of page.filter(isContent)) yield* (await fetchParts(reading.store, [entry], { files: 'trust' })).entries
    from = page.length < pageSize ? null : (page.at(-1)?.parentId ?? null)
  }
}

async function excerptIn({ reading }: RecallSource, { data }: Entry, query: string): Promise<string | undefined> {
  const message = data as Partial<Message> & { readonly text?: string }
  const texts = message.parts === undefined ? [message.text ?? ''] : literalTexts({ parts: message.parts })
  for (const text of texts) {
    const at = text.indexOf(query)
    if (at >= 0) return excerptRound(text, at, at + query.length, excerptLength)
  }
  for (const part of message.parts ?? []) {
    if (part.type !== 'file' || part.blob === undefined || /^(image|audio|video|font)\//.test(part.mediaType)) continue
    const [row] = await reading.store.blobs([part.blob])
    const text = row === undefined ? undefined : readableText(row.bytes)
    const at = text?.indexOf(query) ?? -1
    if (text !== undefined && at >= 0) return excerptRound(text, at, at + query.length, excerptLength)
  }
  return undefined
}
