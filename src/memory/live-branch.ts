import { type Entry, isPath, type SessionRow } from '#journal'
import { branchSpans, type BranchSpans, isOnBranch, type SessionCore } from '#session'
import { cursorOf } from './commit-cursor.ts'

type Source = Pick<SessionCore, 'id' | 'store' | 'memory'>

/** What is live of a session as its row was read: the leaf's branch behind the newest archive. Only what is asked for is read. */
export interface LiveBranch {
  readonly source: Source
  readonly row: SessionRow
  readonly archivedTo: number
  /** Of the journal, newest first; none reaches below the newest archive. */
  readonly spans: BranchSpans
}

export async function liveBranch(source: Source, row: SessionRow): Promise<LiveBranch> {
  const { archivedTo } = cursorOf(row)
  const spans = (await branchSpans(source, row)).flatMap(({ from, to }) =>
    to > archivedTo ? [{ from: Math.max(from, archivedTo + 1), to }] : [],
  )
  return { source, row, archivedTo, spans }
}

/** Whether an entry is live: on the branch, and not sealed. */
export const isLive = ({ spans }: LiveBranch, entry: Entry): boolean => isOnBranch(spans, entry)

const mostPage = 256

/** Live entries behind `after` from the oldest on, a page at a time as they are asked for; the first page has `wanted` rows. */
export async function* liveFrom({ source, spans }: LiveBranch, after: number, wanted: number = 16): AsyncGenerator<Entry, void> {
  let limit = wanted
  for (const { from, to } of spans.toReversed()) {
    for (let at = Math.max(after, from - 1); at < to; limit = Math.min(mostPage, 2 * limit)) {
      const page = await source.store.entries(source.id, { after: at, before: to + 1, limit })
      yield* page.filter(isPath)
      at = page.length < limit ? to : (page.at(-1)?.seq ?? to)
    }
  }
}

/** Live entries up to `seq` from the newest on. */
export async function* liveBack({ source, spans }: LiveBranch, seq: number, wanted: number = 16): AsyncGenerator<Entry, void> {
  let limit = wanted
  for (const { from, to } of spans) {
    for (let before = Math.min(seq, to) + 1; before > from; limit = Math.min(mostPage, 2 * limit)) {
      const page = await source.store.entries(source.id, { after: from - 1, before, order: 'desc', limit })
      yield* page.filter(isPath)
      before = page.length < limit ? 0 : (page.at(-1)?.seq ?? 0)
    }
  }
}
