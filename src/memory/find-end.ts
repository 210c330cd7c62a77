import { isObject, type TurnId } from '#kernel'
import type { Entry, SessionRow } from '#journal'
import { beginsTurn } from './commit-cursor.ts'
import { callsIn, clearCount, isSaid, openCalls, resultsIn } from './commit-end.ts'
import { isLive, type LiveBranch, liveBack, liveFrom } from './live-branch.ts'

export interface EndAsk {
  /** Where the caller wants the range to end, by its place in the journal. */
  readonly throughSeq?: number
  readonly keepTurns: number
  /** Calls at the very end whose results may still come are sealed, too. */
  readonly sealsOpenCalls: boolean
}

/**
 * The last live entry that can be sealed: never between a call and its result, never inside a turn whose run is going, never in
 * the turns that are kept. Undefined where nothing is left. Reads what stands around that place, however much is live: calls
 * of the 16 entries before it, and results right behind it, are looked for a counterpart within 512 entries. Law M16.
 */
export async function findEnd(branch: LiveBranch, ask: EndAsk): Promise<Entry | undefined> {
  let upTo = Math.min(ask.throughSeq ?? Infinity, branch.row.seq)
  if (ask.keepTurns > 0) upTo = Math.min(upTo, (await keptFrom(branch, ask.keepTurns)) - 1)
  const running = runningTurn(branch.row)
  if (running !== null) upTo = Math.min(upTo, (await turnFrom(branch, running)) - 1)
  for (;;) {
    const { entries, behind, isWhole } = await entriesAround(branch, upTo)
    const end = clearCount(entries, behind, ask.sealsOpenCalls)
    const last = entries[end - 1]
    if (end === behind || isWhole || end >= near) return last
    upTo = last?.seq ?? (entries[0]?.seq ?? 0) - 1
  }
}

/** The turn whose run is going. */
const runningTurn = ({ data }: Pick<SessionRow, 'data'>): TurnId | null =>
  isObject(data['running']) && typeof data['running']['turn'] === 'string' ? (data['running']['turn'] as TurnId) : null

/** Where the newest `turns` asks begin; if there are fewer, where what is live begins. */
async function keptFrom(branch: LiveBranch, turns: number): Promise<number> {
  let asks = 0
  for await (const entry of liveBack(branch, branch.row.seq)) if (beginsTurn(entry) && ++asks === turns) return entry.seq
  return branch.archivedTo + 1
}

/** Where a turn begins; `Infinity` for one that isn't live. */
async function turnFrom(branch: LiveBranch, turn: TurnId): Promise<number> {
  const { source, row, archivedTo } = branch
  const range = { after: archivedTo, before: row.seq + 1, types: ['turn_started'], order: 'desc', limit: 1 } as const
  const [started] = await source.store.entries(source.id, range)
  if (started?.turn === turn && isLive(branch, started)) return started.seq
  let from = Infinity
  for await (const entry of liveBack(branch, row.seq)) if (entry.turn === turn) from = entry.seq
  return from
}

const near = 16
const far = 512

interface Around {
  /** Oldest first. */
  readonly entries: readonly Entry[]
  /** How many of them stand at or before the place. */
  readonly behind: number
  /** Whether all that is live before it is among them. */
  readonly isWhole: boolean
}

/**
 * What stands before a place, with the calls of all results there and of those right behind it; and what stands behind it, as far
 * as some call still waits for a result.
 */
async function entriesAround(branch: LiveBranch, upTo: number): Promise<Around> {
  const later = liveFrom(branch, upTo, 4)
  const after: Entry[] = []
  const goOn = async (isEnough: () => boolean): Promise<void> => {
    while (after.length < far && !isEnough()) {
      const next = await later.next()
      if (next.done === true) return
      after.push(next.value)
    }
  }
  await goOn(() => after.some(isSaid))
  const answered = new Set(after.flatMap(resultsIn))
  const newest: Entry[] = []
  let isWhole = true
  for await (const entry of liveBack(branch, upTo, 2 * near)) {
    newest.push(entry)
    for (const id of resultsIn(entry)) answered.add(id)
    for (const id of callsIn(entry)) answered.delete(id)
    isWhole = newest.length < 2 * near || (newest.length < far && (answered.size > 0 || !isSaid(entry)))
    if (!isWhole) break
  }
  const before = newest.reverse()
  const waits = openCalls(before)
  await goOn(() => {
    for (const id of waits.size === 0 ? [] : after.flatMap(resultsIn)) waits.delete(id)
    return waits.size === 0
  })
  return { entries: [...before, ...after], behind: before.length, isWhole }
}
