import { given, type RunId, type TurnId } from '#kernel'
import type { SessionCore } from '#session'
import { type RunControl, setActiveRun } from './active-runs.ts'
import { Spending } from './allowance-spending.ts'
import { enlist, tellParent, watchChildren } from './children.ts'
import { heedEnds } from './heed-ends.ts'
import type { Judge } from './judge.ts'
import { keptOptions } from './kept-options.ts'
import { executeRun } from './run.ts'
import type { RunGear } from './run-gear.ts'
import type { Resumed } from './run-options.ts'
import type { TurnResult } from './turn-result.ts'

export const judgeOf = (core: SessionCore, { run, turn, gear, control }: Going): Judge =>
  gear.seams.judge({ core, run, turn, signal: control.cancelled }, gear.asked)

/** A run that is durable here, and what it is executed with. */
export interface Going {
  readonly run: RunId
  readonly turn: TurnId
  readonly gear: RunGear
  readonly control: RunControl
}

interface Carried extends Going {
  readonly index: number
  readonly judge: Judge
  readonly resumed?: Resumed
}

/** Executes a run that is durable and whose lease is held, to its end. */
export async function carryOn(
  core: SessionCore,
  { run, turn, index, gear, control, judge, resumed }: Carried,
): Promise<TurnResult> {
  setActiveRun(core, { id: run, turn, control, trust: () => judge.trust ?? 'user-instruction' })
  const { child } = await keptOptions(core)
  const delist = child?.linked === true ? enlist(core, child.parent, control) : undefined
  const children = watchChildren(core, control)
  const heedNoMore = heedEnds(core, run, control)
  const { alongside: _alongside, asked: _asked, held: _held, limitsOf, traceId, ...options } = gear
  const spending = new Spending(core, limitsOf(run))
  const { cancelled: signal, aborted } = control
  try {
    const result = await executeRun(core, {
      ...options,
      run,
      turn,
      index,
      signal,
      aborted,
      judge,
      spending,
      ...given({ traceId, resumed }),
    })
    await children.ended()
    if (result.reason !== 'lease_lost' && result.reason !== 'store_error') await tellParent(core, run, index, result)
    return result
  } finally {
    heedNoMore()
    delist?.()
    core.activeRun = undefined
  }
}
