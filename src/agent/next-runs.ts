import { given, isSkeinError, type RunId, wait } from '#kernel'
import { isType } from '#journal'
import type { SessionCore } from '#session'
import { RunControl } from './active-runs.ts'
import type { SendOptions } from './agent-options.ts'
import { beginRun, type Begun } from './begin-run.ts'
import type { AgentPorts, RunDefaults } from './ports.ts'
import { readGear } from './run-gear.ts'
import { readRunOptions } from './kept-options.ts'
import { admittedEntries, deliveryOf, droppedInputs, leaveRun, type Waiting, waitingInputs } from './input-queue.ts'
import { listOrNone } from './join-plans.ts'
import { putRun, readRunRow } from './run-row.ts'

/** What a turn that is to come was given in this process. */
export interface Coming {
  readonly ports: AgentPorts
  readonly options: SendOptions
  readonly defaults: RunDefaults
  readonly control: RunControl
}

const coming = new WeakMap<SessionCore, Map<RunId, Coming>>()
const leaving = new WeakSet<SessionCore>()

export function expectNext(core: SessionCore, run: RunId, next: Coming): void {
  const known = coming.get(core) ?? new Map<RunId, Coming>()
  coming.set(core, known.set(run, next))
}

export const forgetNext = (core: SessionCore, run: RunId): void => void coming.get(core)?.delete(run)

/** From now on no turn that waits is begun here; it stays for whoever opens the session next. */
export const beginNoMore = (core: SessionCore): void => void leaving.add(core)

/**
 * Begins the turn that waits the longest, once a run has ended, however it ended; that one's end begins the next. What can't
 * be begun any more is dropped with the reason. Law A20.
 */
export async function followUpRuns(core: SessionCore, ports: AgentPorts, defaults: RunDefaults): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if (core.closed || leaving.has(core) || core.activeRun !== undefined) return
    try {
      if (!(await beginNext(core, ports, defaults))) return
    } catch (error) {
      if (!isSkeinError(error)) return core.runtime.notice(noticeOf(core, error))
      if (error.code === 'session.busy' && error.details['by'] === 'run') return
      if (!error.retryable) return core.runtime.notice(noticeOf(core, error))
      await wait(core.runtime.timers, 1_000)
    }
  }
}

/** True if there was one, begun or dropped, and another may follow. */
async function beginNext(core: SessionCore, ports: AgentPorts, defaults: RunDefaults): Promise<boolean> {
  const queued = waitingInputs(await core.row()).filter(({ delivery }) => delivery === 'next')
  const [entry] = await admittedEntries(core, queued)
  const next = queued.find(waiting => waiting.entry === entry?.id)
  if (entry === undefined || next === undefined || !isType(entry, 'input_admitted')) return false
  const { run, turn, input } = next
  const mine = coming.get(core)?.get(run)
  const { ports: its = ports, defaults: ours = defaults, control = new RunControl() } = mine ?? {}
  if (control.cancelled.aborted) return await takeBack(core, run, 'user_cancelled')
  let begun: Begun
  try {
    // What was said in another process goes by what was said there.
    const { trust, options: kept } = entry.data
    const options: SendOptions = mine?.options ?? { ...readRunOptions(kept), ...(trust === undefined ? {} : { trust }) }
    const gear = await readGear(core, its, options, ours, undefined, mine === undefined ? entry.data.code : undefined)
    begun = await beginRun(core, {
      run,
      turn,
      input,
      waits: true,
      gear,
      control,
      said: () => deliveryOf(core, [entry], { run, turn }),
    })
  } catch (error) {
    if (!isSkeinError(error) || error.retryable || error.code.startsWith('store.')) throw error
    return await takeBack(core, run, error.code)
  }
  forgetNext(core, run)
  void begun
    .execute()
    .finally(() => {
      control.end()
      void followUpRuns(core, ports, defaults)
    })
    .catch(() => undefined)
  return false
}

/**
 * Takes a turn back that waits, whoever said it, so that it never begins, in whatever process. False if it waits no more. Its
 * run's row moves on, so that of a beginning and this one is refused.
 */
export async function takeBack(core: SessionCore, run: RunId, reason: string): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    let found: Waiting | undefined
    try {
      await core.side(async row => {
        const waiting = waitingInputs(row).filter(({ delivery }) => delivery === 'next')
        found = waiting.find(next => next.run === run)
        if (found === undefined) return { drafts: [] }
        const { run: going = null, asked, version } = await readRunRow(core)
        const isLast = going === null && waiting.length === 1
        const left = isLast ? leaveRun(core, { data: {} }, version) : [putRun(core, going, { expectVersion: version, asked })]
        return { drafts: droppedInputs([found], reason), ...given({ alongside: listOrNone(left) }) }
      })
    } catch (error) {
      if (!isSkeinError(error) || error.code !== 'store.conflict' || tries >= 100) throw error
      continue
    }
    if (found === undefined) return false
    coming.get(core)?.get(run)?.control.end()
    forgetNext(core, run)
    return true
  }
}

const noticeOf = (core: SessionCore, error: unknown) => ({
  level: 'warn' as const,
  code: isSkeinError(error) ? error.code : 'skein.bug',
  message: `A turn that waits in session ${core.id} could not be begun; it stays.`,
  session: core.id,
  tenant: core.store.tenant,
})
