import type { Json, RunId, TurnId } from '#kernel'
import { type Entry, isType, type PartInput, type ToolCallPart } from '#journal'
import { type Effect, type EffectState, foldEffects } from './effects.ts'
import { openAttempts } from './lost-attempts.ts'
import type { MissingCode } from './run-code.ts'
import type { Resumed } from './run-options.ts'

/** What becomes of a call that a crash cut off. `ask`: it may have been carried out, and only a person knows. */
export type RecoveryAction = 'run' | 'rerun' | 'append' | 'ask'

/** Total over what a crash leaves: a call whose effect is not settled, and what its tool says of being run again. */
export const actionOf: (effect: Pick<Effect, 'state' | 'replay'>) => RecoveryAction = ({ state, replay }) => {
  if (state === 'planned') return 'run'
  if (state !== 'pending') return 'append'
  return replay === 'never' ? 'ask' : 'rerun'
}

export interface RecoveryEffect {
  readonly callId: string
  readonly tool: string
  readonly input: Json
  readonly state: EffectState
  readonly action: RecoveryAction
}

/** What is to be done for a run whose process died. Nothing of it has happened yet. */
export interface RecoveryPlan {
  readonly run: RunId
  readonly turn: TurnId
  /** Where it goes on: with a request, with calls, or where it was about to end. */
  readonly state: 'requesting' | 'acting' | 'closing'
  readonly model: string
  /** The step that it goes on in. */
  readonly step: number
  readonly effects: readonly RecoveryEffect[]
  /** Inputs that wait for it. */
  readonly inputs: number
  /** Code that the run was given and that is not there any more; absent if it all is. */
  readonly missing?: readonly MissingCode[]
}

/** A run as its entries leave it. */
export interface CutOff {
  readonly open: readonly ToolCallPart[]
  readonly effects: ReadonlyMap<string, Effect>
  /** Results of calls that are settled already, with the files behind them. */
  readonly results: ReadonlyMap<string, readonly PartInput[]>
  /** Requests that went out and of which nothing came. */
  readonly lost: ReturnType<typeof openAttempts>
  readonly resumed: Omit<Resumed, 'open'>
}

/** Pure: what a run had come to, from its own entries in their order, whole. */
export function foldCutOff(entries: readonly Entry[]): CutOff {
  const calls: ToolCallPart[] = []
  const ids: Entry['id'][] = []
  const outcomes: { outcome: Resumed['outcomes'][number]['outcome']; cost: number | null }[] = []
  const messages = new Map<string, Entry<'message_added'>>()
  const results = new Map<string, readonly PartInput[]>()
  let open: readonly ToolCallPart[] = []
  let finish: Resumed['answered'] = null
  let steps = 0
  let failures = 0
  const attempts = new Map<number, number>()
  for (const entry of entries) {
    if (isType(entry, 'step_ended')) steps = Math.max(steps, entry.data.step)
    else if (isType(entry, 'step_started')) attempts.set(entry.data.step, entry.data.attempt)
    else if (isType(entry, 'effect_settled')) {
      const { callId, parts = [] } = entry.data
      // The whole of a result that was cut is named by its call; it is kept, and no part of the message.
      const shown = parts.filter(part => !(part.type === 'file' && part.name === callId))
      if (shown.some(part => part.type === 'tool_result')) results.set(callId, shown)
    } else if (isType(entry, 'usage_recorded')) {
      const { usage, cost, entry: about } = entry.data
      const message = about === null ? undefined : messages.get(about)?.data
      const { parts = [], finishReason = 'error' } = (message ?? {}) as { parts?: PartInput[]; finishReason?: 'error' }
      outcomes.push({ outcome: { parts, finishReason, usage }, cost })
    } else if (isType(entry, 'message_added')) {
      messages.set(entry.id, entry as Entry<'message_added'>)
      const { role, parts, finishReason } = entry.data
      if (role === 'user') finish = null
      else ids.push(entry.id)
      if (role === 'tool') open = []
      if (role !== 'assistant') continue
      if (finishReason === 'error') failures++
      else {
        open = parts.filter(part => part.type === 'tool_call')
        calls.push(...open)
        finish = open.length === 0 ? (finishReason ?? 'stop') : null
      }
    }
  }
  const startedAt = entries[0]?.at ?? 0
  const next = steps + 1
  return {
    open,
    effects: foldEffects(entries),
    results,
    lost: openAttempts(entries),
    resumed: {
      startedAt,
      steps,
      attempts: open.length > 0 || finish !== null ? 0 : (attempts.get(next) ?? 0),
      retriesAfterOutput: failures,
      entries: ids,
      outcomes,
      calls: calls.filter(call => !open.includes(call)),
      answered: finish,
    },
  }
}

/** Pure: what is to be done, told. `has`: whether a tool is here by its name; what none is here for can't be run again. */
export function planRecovery(
  cut: CutOff,
  about: Pick<RecoveryPlan, 'run' | 'turn' | 'model' | 'inputs' | 'missing'>,
  has: (tool: string) => boolean,
): RecoveryPlan {
  const { open, effects, resumed } = cut
  return {
    ...about,
    state: open.length > 0 ? 'acting' : resumed.answered === null ? 'requesting' : 'closing',
    step: resumed.steps + 1,
    effects: open.map(({ callId, tool, input }) => {
      const { state, replay } = effects.get(callId) ?? { state: 'planned', replay: 'never' }
      return { callId, tool, input, state, action: actionOf({ state, replay: has(tool) ? replay : 'never' }) }
    }),
  }
}
