import { isObject, isSkeinError, type RunId, type TurnId } from '#kernel'
import { noUsage, type SessionRow, type TurnEnded } from '#journal'
import { type Draft, draft, type Plan, readContextState, type SessionCore, turnEnding } from '#session'
import { droppedInputs, runningIn, waitingFor } from './input-queue.ts'
import { lostAttempts } from './lost-attempts.ts'

/**
 * What ends a run that died with its process: it and its turn have ended before the next one begins, none of its effects is
 * carried out, what waited for it is dropped, and its turn has a snapshot. Law A37.
 */
export async function abandonedTurn(core: SessionCore, row: SessionRow): Promise<readonly Draft[]> {
  const drafts = await abandoned(core, row)
  const ended = drafts.find(({ type }) => type === 'turn_ended')
  if (ended?.turn === undefined) return drafts
  const { index } = ended.data as TurnEnded
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
    finishReason: 'abandoned',
    doomLoop: false,
    reported: null,
    asked: { messages: 0, toolResults: 0 },
    answered: 0,
  })
  return [...drafts, ...ending.drafts]
}

/** Ends a run that nobody carries on: it shows as running, and its lease is free. */
export async function endIfDead(core: SessionCore, run: RunId): Promise<void> {
  const isDead = (row: SessionRow): boolean => runningIn(row)?.run === run && core.activeRun !== run
  if (!isDead(await core.row())) return
  await core
    .path(async (row): Promise<Plan> => ({ drafts: isDead(row) ? await abandoned(core, row) : [] }), { run })
    .catch((error: unknown) => {
      // Another process has the lease, so it may be running there.
      if (!(isSkeinError(error) && error.code === 'session.busy')) throw error
    })
}

async function abandoned(core: SessionCore, row: SessionRow): Promise<Draft[]> {
  const running = runningIn(row)
  if (running === undefined || running.run === core.activeRun) return []
  const { run, turn } = running
  const mark: { run: RunId; turn?: TurnId } = { run, ...(turn === null ? {} : { turn }) }
  const ended = { status: 'failed', reason: 'abandoned' } as const
  const told = row.data['running']
  const index = isObject(told) && typeof told['index'] === 'number' ? told['index'] : 0
  return [
    ...(await lostAttempts(core, run)),
    ...droppedInputs(waitingFor(row, run), 'abandoned'),
    draft('turn_ended', { index, ...ended }, mark),
    draft('run_ended', { ...ended, steps: 0 }, mark),
  ]
}
