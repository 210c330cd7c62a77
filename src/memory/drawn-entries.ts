import type { EntryId, SessionId } from '#kernel'
import { type Change, type Entry, isType, type Summary, type TenantStore } from '#journal'

const pageSize = 500
const compactionCollection = 'compaction'

/** Entries that repeat what others say. */
export interface DrawnEntries {
  readonly seqs: readonly number[]
  /** How many of them are summaries. */
  readonly summaries: number
  /** Ends a compaction that may be summing up what goes; refused if it stored anything since this was read. */
  readonly halted: Change
}

/**
 * What a session's journal holds that was drawn from entries that go: summaries that cover one, edits that show such a summary, so
 * that the messages themselves are shown again, and notes of memory since. Law M61.
 */
export async function drawnEntries(store: TenantStore, session: SessionId, seqs: readonly number[]): Promise<DrawnEntries> {
  const compaction = await store.record(compactionCollection, session)
  const summaries: { readonly seq: number; readonly data: Summary }[] = []
  const rest: Entry[] = []
  for (let after = 0; ;) {
    const page = await store.entries(session, {
      after,
      types: ['summary_added', 'context_edited', 'context_noted'],
      limit: pageSize,
    })
    for (const entry of page)
      if (isType(entry, 'summary_added')) summaries.push(entry)
      else rest.push(entry)
    if (page.length < pageSize) break
    after = page.at(-1)?.seq ?? after
  }
  const seqOf = async (id: EntryId): Promise<number> => (await store.entry(session, id))?.seq ?? 0
  const drawn: typeof summaries = []
  for (const summary of summaries) {
    const [first, last] = await Promise.all([seqOf(summary.data.covers.first), seqOf(summary.data.covers.last)])
    if (seqs.some(seq => first <= seq && seq <= last)) drawn.push(summary)
  }
  const ids = new Set(drawn.map(({ data }) => data.id))
  const from = Math.min(...seqs)
  const repeats = (entry: Entry): boolean => {
    if (isType(entry, 'context_edited')) return entry.data.frontier.some(item => 'summary' in item && ids.has(item.summary))
    return isType(entry, 'context_noted') && entry.data.origin === 'recall' && entry.seq > from
  }
  return {
    seqs: [...drawn, ...rest.filter(repeats)].map(({ seq }) => seq),
    summaries: drawn.length,
    halted: {
      type: 'delete_record',
      collection: compactionCollection,
      key: session,
      expectVersion: compaction?.version ?? 0,
    },
  }
}
