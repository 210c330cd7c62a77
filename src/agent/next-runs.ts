import { isSkeinError, type RunId, wait } from '#kernel'
import { isType } from '#journal'
import type { SessionCore } from '#session'
import { RunControl } from './active-runs.ts'
import type { SendOptions } from './agent-options.ts'
import { beginRun, type Begun } from './begin-run.ts'
import type { AgentPorts, RunDefaults } from './ports.ts'
import { readGear } from './run-gear.ts'
import { readRunOptions } from './kept-options.ts'
import { admittedEntries, deliveryOf, droppedInputs, type Waiting, waitingInputs } from './input-queue.ts'

/** What a turn that is to come was given in this process. */
export interface Coming {
  readonly ports: AgentPorts
  readonly options: SendOptions
  readonly defaults: RunDefaults
  readonly control: RunControl
}

const coming = new WeakMap<SessionCore, Map<RunId, Coming>>()
const leaving = new WeakSet<SessionCore>()

export function expectNext(core: SessionCore, run: RunId, given: Coming): void {
  const known = coming.get(core) ?? new Map<RunId, Coming>()
  coming.set(core, known.set(run, given))
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
  const given = coming.get(core)?.get(run)
  const { ports: its = ports, defaults: ours = defaults, control = new RunControl() } = given ?? {}
  if (control.cancelled.aborted) return await drop(core, next, 'user_cancelled')
  let begun: Begun
  try {
    // What was said in another process goes by what was said there.
    const { trust, options: kept } = entry.data
    const options: SendOptions = given?.options ?? { ...readRunOptions(kept), ...(trust === undefined ? {} : { trust }) }
    const gear = await readGear(core, its, options, ours)
    begun = await beginRun(core, { run, turn, input, gear, control, said: () => deliveryOf(core, [entry], { run, turn }) })
  } catch (error) {
    if (!isSkeinError(error) || error.retryable || error.code.startsWith('store.')) throw error
    return await drop(core, next, error.code)
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

async function drop(core: SessionCore, next: Waiting, reason: string): Promise<boolean> {
  await core.side(row => ({
    drafts: waitingInputs(row).some(({ input }) => input === next.input) ? droppedInputs([next], reason) : [],
  }))
  coming.get(core)?.get(next.run)?.control.end()
  forgetNext(core, next.run)
  return true
}

const noticeOf = (core: SessionCore, error: unknown) => ({
  level: 'warn' as const,
  code: isSkeinError(error) ? error.code : 'skein.bug',
  message: `A turn that waits in session ${core.id} could not be begun; it stays.`,
  session: core.id,
  tenant: core.store.tenant,
})
