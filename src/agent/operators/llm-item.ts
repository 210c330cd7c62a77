import { given, isSkeinError, messageOf, type NewId, type Clock, type Timers, unlessAborted, wait } from '#kernel'
import { addUsage, noUsage, type Usage } from '#journal'
import { complete, type ConnectedModel, type ModelRequest } from '#models'
import { type Draft, draft } from '#session'
import type { MapErrorKind, MapSettings } from './map-rows.ts'
import { guidanceAfter, type OutputReader } from './output.ts'
import type { MakePrompt } from './prompt.ts'
import type { ItemOutcome, ItemWork } from './runner.ts'

/** Tokens that an answer may take at most, whatever the model could say. */
const maxAnswer = 32_000

/** Milliseconds before the attempt after the n-th, from 1. Source: spec/context.md 11. */
export const backOffMs = (n: number): number => Math.min(500 * 2 ** (n - 1), 8_000)

/** A failure that asking again may mend. What isn't known may be the network. */
export const mayPass = (error: unknown): boolean => !isSkeinError(error) || error.retryable

export interface LlmItemParts {
  readonly model: ConnectedModel
  readonly settings: MapSettings
  readonly prompt: MakePrompt
  readonly reader: OutputReader
  readonly clock: Clock
  readonly timers: Timers
  readonly ids: NewId
  /** Whether anybody is told of the usage. */
  readonly accounted: boolean
}

interface Failure {
  readonly errorKind: MapErrorKind
  readonly error: string
  readonly again: boolean
}

/** Asks the model for one item until an answer fits, at most `maxRetries` times more. Law C88. */
export function llmItem(parts: LlmItemParts): ItemWork {
  const { settings, prompt, reader, timers } = parts
  return async ({ index, input }, signal) => {
    const asked = await prompt(input, index)
    const drafts: Draft[] = []
    let usage = noUsage
    let guidance: string | undefined
    const told = (attempts: number, more: Pick<ItemOutcome, 'output' | 'error' | 'errorKind'>): ItemOutcome => ({
      attempts,
      usage,
      drafts,
      ...more,
    })
    for (let attempt = 1; ; attempt++) {
      const request = requestOf(parts, guidance === undefined ? asked : `${asked}\n\n${guidance}`)
      const at = parts.clock.now()
      const answer = await ask(parts, request, signal)
      usage = addUsage(usage, answer.usage ?? noUsage)
      const failed = 'text' in answer ? await reader.read(answer.text) : answer
      if (parts.accounted)
        drafts.push(usageDraft(parts, answer.usage, at, attempt, 'errorKind' in failed ? failed.errorKind : 'stop'))
      if (!('errorKind' in failed)) return told(attempt, { output: failed.output })
      const { errorKind, error } = failed
      const again = 'again' in failed ? failed.again : true
      if (!again || attempt > settings.maxRetries) return told(attempt, { errorKind, error })
      if (errorKind === 'not_json' || errorKind === 'schema_mismatch') guidance = guidanceAfter({ errorKind, error })
      if (errorKind === 'model_error') await wait(timers, backOffMs(attempt), signal)
      if (signal.aborted) return told(attempt, { errorKind: 'aborted', error: 'The map was stopped.' })
    }
  }
}

function requestOf({ model, settings, reader }: LlmItemParts, text: string): ModelRequest {
  const { maxOutput, contextWindow } = model.info
  const system = [settings.system, reader.told].filter(part => part !== null).join('\n\n')
  return {
    system: system === '' ? null : system,
    messages: [{ role: 'user', parts: [{ type: 'text', text }] }],
    tools: [],
    maxTokens: Math.min(maxOutput, maxAnswer, Math.floor(contextWindow / 4)),
    temperature: settings.temperature,
  }
}

/** One attempt, within its time, also of a port that is deaf to its signal. */
async function ask(
  { model, settings, timers }: LlmItemParts,
  request: ModelRequest,
  signal: AbortSignal,
): Promise<({ readonly text: string } | Failure) & { readonly usage: Usage | null }> {
  const late = new AbortController()
  const cancel = timers.after(settings.timeoutMs, () => late.abort(new Error('Too late.')))
  const either = AbortSignal.any([signal, late.signal])
  let usage: Usage | null = null
  try {
    const { text } = await unlessAborted(
      complete(model, request, either, known => (usage = known)),
      either,
    )
    return { text, usage }
  } catch (error) {
    if (signal.aborted) return { errorKind: 'aborted', error: 'The map was stopped.', again: false, usage }
    if (late.signal.aborted)
      return { errorKind: 'timeout', error: `No answer within ${settings.timeoutMs} ms.`, again: true, usage }
    return { errorKind: 'model_error', error: messageOf(error), again: mayPass(error), usage }
  } finally {
    cancel()
  }
}

function usageDraft({ model, ids }: LlmItemParts, usage: Usage | null, at: number, attempt: number, outcome: string): Draft {
  const isDemo = model.info.demo === true
  return draft(
    'usage_recorded',
    {
      requestId: ids('req'),
      purpose: 'map',
      model: `${model.info.provider}/${model.info.id}`,
      entry: null,
      usage: usage ?? noUsage,
      cost: usage === null && !isDemo ? null : model.cost(usage ?? noUsage, at).total,
      attempt,
      outcome,
      ...given({ demo: isDemo ? true : undefined }),
    },
    { by: 'model' },
  )
}
