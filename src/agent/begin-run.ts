import { given, type Id, SkeinError } from '#kernel'
import type { Message, SessionRow } from '#journal'
import type { ConnectedModel } from '#models'
import {
  changedNotes,
  contextViewOf,
  type Draft,
  draft,
  holdsOf,
  noteDrafts,
  type Plan,
  readContextState,
  type SessionCore,
} from '#session'
import { abandonedTurn } from './abandon.ts'
import { changesOf } from './alongside.ts'
import { carryOn, type Going, judgeOf } from './carry-on.ts'
import { waitingInputs } from './input-queue.ts'
import { joinPlans } from './join-plans.ts'
import { keepRunOptions } from './kept-options.ts'
import { refOf } from './run-options.ts'
import { promptPlan } from './run-prompt.ts'
import { putRun, readRunRow } from './run-row.ts'
import type { TurnResult } from './turn-result.ts'

export interface Beginning extends Going {
  readonly input: Id<'inp'>
  /** The input was admitted before, and waits until somebody takes it back. */
  readonly waits?: boolean
  /** What is said, and that it was admitted or is delivered; may refuse. */
  said(row: SessionRow): Plan | Promise<Plan>
  readonly signal?: AbortSignal | undefined
}

export interface Begun {
  /** Of `run_started`. */
  readonly seq: number
  execute(): Promise<TurnResult>
}

/**
 * Writes, in one commit, that a run and its turn have begun and what is said; what died before is ended there, too. Refused
 * while another run goes on (`session.busy`) or a hold stands (`session.held`). Laws A4, A59.
 */
export async function beginRun(core: SessionCore, beginning: Beginning): Promise<Begun> {
  const { run, turn, input, gear, control } = beginning
  const { model, maxSteps, traceId } = gear
  const judge = judgeOf(core, beginning)
  let index = 0
  core.activeRun ??= run
  try {
    const { entries } = await core.path(
      async (now): Promise<Plan> => {
        const held = holdsOf(now.data)
        if (held.length > 0) throw new SkeinError('session.held', `Held by ${held.join(', ')}.`, { details: { holds: held } })
        const version = beginning.waits === true ? await versionWhileWaiting(core, input) : undefined
        index = now.counters.turnCount
        const mark = { run, turn }
        const said = await beginning.said(now)
        const [admitted = [], messages = []] = splitBy(said.drafts, ({ type }) => type === 'message_added')
        const kept = await promptPlan(core, now, gear)
        const drafts: Draft[] = [
          ...(await abandonedTurn(core, now)),
          draft(
            'run_started',
            {
              model: refOf(model),
              input,
              maxSteps,
              ...(model.info.demo === true ? { demo: true } : {}),
              ...given({ options: keepRunOptions(gear.asked) }),
              held: gear.held,
            },
            mark,
          ),
          ...admitted,
          draft('turn_started', { index }, mark),
          ...(await notesFor(
            core,
            now,
            model,
            mark,
            messages.map(({ data }) => data as Message),
          )),
          ...messages,
        ]
        return joinPlans(kept, {
          ...said,
          drafts,
          alongside: [
            putRun(core, run, given({ expectVersion: version })),
            ...(said.alongside ?? []),
            ...changesOf(gear.alongside, core, now, { run, turn, input }),
          ],
        })
      },
      { run, ...given({ traceId, signal: beginning.signal }) },
    )
    const seq = entries.find(entry => entry.type === 'run_started')?.seq ?? entries[0]?.seq ?? 0
    core.live.beginRun()
    const unpin = core.pin()
    return { seq, execute: () => carryOn(core, { ...beginning, judge, index, control }).finally(unpin) }
  } catch (error) {
    if (core.activeRun === run) core.activeRun = undefined
    throw error
  }
}

/** Of the run's row, which moves on when the input is taken back. Throws `store.conflict` once it was. */
async function versionWhileWaiting(core: SessionCore, input: Id<'inp'>): Promise<number> {
  const { version } = await readRunRow(core)
  const row = await core.row()
  if (waitingInputs(row).some(waiting => waiting.input === input)) return version
  throw new SkeinError('store.conflict', `Input ${input} waits no more.`)
}

function splitBy<T>(items: readonly T[], isSecond: (item: T) => boolean): [T[], T[]] {
  return [items.filter(item => !isSecond(item)), items.filter(isSecond)]
}

/** What hooks have to say beside the new user message. */
async function notesFor(
  core: SessionCore,
  row: SessionRow,
  model: ConnectedModel,
  mark: Partial<Draft>,
  asked: readonly Message[],
): Promise<Draft[]> {
  if (core.runtime.hooks.length === 0) return []
  const options = { facts: { ...model.info, ref: refOf(model) } }
  const state = (await contextViewOf(core, row)?.shown(options)) ?? (await readContextState(core, row, options))
  return noteDrafts(core, await changedNotes(core, state, asked), mark)
}
