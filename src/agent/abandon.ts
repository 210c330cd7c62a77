import { isObject, isSkeinError, type RunId, type TurnId } from '#kernel'
import { noUsage, type RunEnded, type SessionRow, type TurnEnded } from '#journal'
import { type Draft, draft, type Plan, readContextState, type SessionCore, turnEnding } from '#session'
import { droppedInputs, leaveRun, runningIn, waitingFor } from './input-queue.ts'
import { keptOptions } from './kept-options.ts'
import { lostAttempts } from './lost-attempts.ts'
import { type AskedEnd, readRunRow } from './run-row.ts'

/**
 * What ends a run that died with its process: it and its turn have ended before the next one begins, none of its effects is
 * carried out, what waited for it is dropped, and its turn has a snapshot. Law A37.
 */
export async function abandonedTurn(core: SessionCore, row: SessionRow): Promise<readonly Draft[]> {
  const running = runningIn(row)
  if (running === undefined || running.run === core.activeRun) return []
  const { run, asked } = await readRunRow(core)
  const drafts = await abandoned(core, row, asked === undefined || run !== running.run ? abandonment : endingOf(asked))
  const ended = drafts.find(({ type }) => type === 'turn_ended')
  if (ended?.turn === undefined) return drafts
  const { index, reason = 'abandoned' } = ended.data as TurnEnded
  const now = core.runtime.clock.now()
  const ending = await turnEnding(core, row, {
    turn: ended.turn,
    index,
    startedAt: now,
    state: await readContextState(core, row),
    model: row.model,
    steps: 0,
    usage: noUsage,
    cost: null,
    finishReason: reason,
    doomLoop: false,
    reported: null,
    asked: { messages: 0, toolResults: 0 },
    answered: 0,
  })
  return [...drafts, ...ending.drafts]
}

type Ending = Pick<RunEnded, 'reason'> & Pick<TurnEnded, 'status'>

const abandonment: Ending = { status: 'failed', reason: 'abandoned' }

/** What a run comes to that is ended as somebody asked. */
const endingOf = ({ how, reason }: AskedEnd): Ending => ({
  status: 'cancelled',
  reason: reason === 'user_cancelled' && how === 'abort' ? 'aborted' : reason,
})

/**
 * Ends the run of a child whose parent has ended or gone on without it, instead of carrying it on. False for any other, and
 * where another one has it. Law A56.
 */
export async function endOrphan(core: SessionCore): Promise<boolean> {
  const { child } = await keptOptions(core)
  const row = await core.row()
  const running = runningIn(row)
  if (child?.linked !== true || child.run === null) return false
  // What was said to it later is nobody's to end.
  if (running === undefined || core.activeRun === running.run || row.counters.turnCount > 1) return false
  const parent = await core.store.session(child.parent)
  const isThere = parent !== undefined && !parent.hidden && parent.state !== 'deleted'
  if (isThere && runningIn(parent)?.run === child.run) return false
  await endIfDead(core, running.run, { status: 'cancelled', reason: 'parent_cancelled' })
  return runningIn(await core.row())?.run !== running.run
}

/**
 * Ends a run that died after somebody had asked for its end, instead of carrying it on. False for any other, and where another
 * one has it.
 */
export async function endAsAsked(core: SessionCore): Promise<boolean> {
  const running = runningIn(await core.row())
  if (running === undefined || core.activeRun === running.run) return false
  const { run, asked } = await readRunRow(core)
  if (run !== running.run || asked === undefined) return false
  await endIfDead(core, run)
  return runningIn(await core.row())?.run !== run
}

/** Ends a run that nobody carries on: it shows as running, and its lease is free. What somebody asked of it goes before `ending`. */
export async function endIfDead(core: SessionCore, run: RunId, ending: Ending = abandonment): Promise<void> {
  const isDead = (row: SessionRow): boolean => runningIn(row)?.run === run && core.activeRun !== run
  if (!isDead(await core.row())) return
  await core
    .path(
      async (row): Promise<Plan> => {
        if (!isDead(row)) return { drafts: [] }
        const { version, asked } = await readRunRow(core)
        const left = leaveRun(core, row, version)
        const drafts = await abandoned(core, row, asked === undefined ? ending : endingOf(asked))
        return { drafts, ...(left.length === 0 ? {} : { alongside: left }) }
      },
      // Somebody may ask for the end meanwhile.
      { run, retryOnConflict: true },
    )
    .catch((error: unknown) => {
      // Another process has the lease, so it may be running there.
      if (!(isSkeinError(error) && error.code === 'session.busy')) throw error
    })
}

async function abandoned(core: SessionCore, row: SessionRow, ended: Ending): Promise<Draft[]> {
  const running = runningIn(row)
  if (running === undefined || running.run === core.activeRun) return []
  const { run, turn } = running
  const mark: { run: RunId; turn?: TurnId } = { run, ...(turn === null ? {} : { turn }) }
  const told = row.data['running']
  const index = isObject(told) && typeof told['index'] === 'number' ? told['index'] : 0
  return [
    ...(await lostAttempts(core, run)),
    ...droppedInputs(waitingFor(row, run), ended.reason),
    draft('turn_ended', { index, ...ended }, mark),
    draft('run_ended', { ...ended, steps: 0 }, mark),
  ]
}
