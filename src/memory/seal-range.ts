import { type Entry, isType, noTotals, type SessionRow, type Totals } from '#journal'
import type { SessionCore } from '#session'
import { countMessages } from './archive-messages.ts'
import type { ArchiveData } from './archive-row.ts'
import { isMessage } from './commit-end.ts'
import { type EndAsk, findEnd } from './find-end.ts'
import { type LiveBranch, liveBack, liveBranch, liveFrom } from './live-branch.ts'
import { baseOf, liveStart } from './live-counts.ts'

/** What a commit seals, as far as it has to be known for that. */
export interface SealRange {
  readonly end: Entry
  /** Counts of the branch at its end. */
  readonly totals: Totals
  readonly messages: number
  readonly tokens: number
  readonly data: Pick<ArchiveData, 'before' | 'counts' | 'messages' | 'startedAt' | 'endedAt' | 'uncounted'>
}

/** A range of more messages is counted by role when somebody asks, and by the job that writes its overview. */
const mostCounted = 32

/** The live range that ends where it may; undefined where no message is in it. What it holds is not read but for its ends. */
export async function sealRange(core: SessionCore, row: SessionRow, ask: EndAsk, now: number): Promise<SealRange | undefined> {
  const base = await baseOf(core, row)
  if (row.totals.messages === base.messages) return undefined
  const branch = await liveBranch(core, row)
  const end = await findEnd(branch, ask)
  const totals = end?.totals ?? noTotals
  const messages = totals.messages - base.messages
  if (end === undefined || messages <= 0) return undefined
  const { before, oldestAt } = await liveStart(core, row)
  const counts = messages > mostCounted ? undefined : countMessages(await entriesTo(branch, end.seq))
  const tokens = totals.tokens - base.tokens
  return {
    end,
    totals,
    messages,
    tokens,
    data: {
      before,
      messages,
      counts:
        counts === undefined
          ? { user: 0, assistant: 0, tool: 0, tokens }
          : { user: counts.user, assistant: counts.assistant, tool: counts.tool, tokens: counts.tokens },
      ...(counts === undefined ? { uncounted: true } : {}),
      startedAt: oldestAt ?? now,
      endedAt: (isMessage(end) ? end : await newestMessage(branch, end.seq))?.at ?? now,
    },
  }
}

async function entriesTo(branch: LiveBranch, seq: number): Promise<Entry[]> {
  const found: Entry[] = []
  const wanted = Math.min(2 * mostCounted, seq - branch.archivedTo)
  for await (const entry of liveFrom(branch, branch.archivedTo, wanted)) {
    if (entry.seq > seq) break
    found.push(entry)
  }
  return found
}

async function newestMessage(branch: LiveBranch, seq: number): Promise<Entry | undefined> {
  for await (const entry of liveBack(branch, seq, 4)) if (isType(entry, 'message_added')) return entry
  return undefined
}
