import type { EffectReplay, EffectSettled, Entry, PartInput, ToolResultPart } from '#journal'
import { isType } from '#journal'

export type EffectState = 'planned' | 'pending' | 'ready' | 'skipped' | 'unknown'
export type EffectEvent = 'begin' | 'settle' | 'skip' | 'lose'

type Next = EffectState | 'refused'

/**
 * What becomes of a call's effect. `pending` is durable before its tool is entered, `ready` before anything uses the result;
 * a lost one is planned anew, as the next attempt of the same call. Source: spec/agent.md 9.
 */
export const effectAfter: Readonly<Record<EffectState, Readonly<Record<EffectEvent, Next>>>> = {
  planned: { begin: 'pending', settle: 'refused', skip: 'skipped', lose: 'refused' },
  pending: { begin: 'refused', settle: 'ready', skip: 'refused', lose: 'unknown' },
  ready: { begin: 'refused', settle: 'ready', skip: 'refused', lose: 'refused' },
  skipped: { begin: 'refused', settle: 'refused', skip: 'skipped', lose: 'refused' },
  unknown: { begin: 'refused', settle: 'refused', skip: 'refused', lose: 'unknown' },
}

/** The newest attempt of one call, as entries tell it. */
export interface Effect {
  readonly callId: string
  readonly tool: string
  readonly step: number
  readonly attempt: number
  readonly replay: EffectReplay
  readonly state: EffectState
  /** Of a settled one whose result no message held yet. */
  readonly result?: ToolResultPart
}

const eventOf: Readonly<Record<EffectSettled['state'], EffectEvent>> = { ready: 'settle', skipped: 'skip', unknown: 'lose' }

/** Pure: the effects of a run, in the order in which they were planned. What the table refuses changes nothing. */
export function foldEffects(entries: readonly Entry[]): Map<string, Effect> {
  const effects = new Map<string, Effect>()
  const move = (callId: string, attempt: number, event: EffectEvent, more: Partial<Effect> = {}): void => {
    const effect = effects.get(callId)
    if (effect === undefined || effect.attempt !== attempt) return
    const state = effectAfter[effect.state][event]
    if (state !== 'refused') effects.set(callId, { ...effect, ...more, state })
  }
  for (const entry of entries) {
    if (isType(entry, 'effect_planned')) effects.set(entry.data.callId, { ...entry.data, state: 'planned' })
    else if (isType(entry, 'effect_begun')) move(entry.data.callId, entry.data.attempt, 'begin')
    else if (isType(entry, 'effect_settled')) {
      const { callId, attempt, state, parts } = entry.data
      const result = parts?.find(part => part.type === 'tool_result')
      move(callId, attempt, eventOf[state], result === undefined ? {} : { result })
    }
  }
  return effects
}

/** What is known of calls that were begun before a crash. */
export interface CallsBefore {
  /** Their effects are settled already. */
  readonly results: ReadonlyMap<string, readonly PartInput[]>
  /** Which attempt of a call this is, if not the first. */
  readonly attempts: ReadonlyMap<string, number>
}
