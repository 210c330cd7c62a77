import { fullUsage, type Usage } from '#journal'
import { given, type Json, SkeinError, stringify, unlessAborted } from '#kernel'
import type { EndReason, ModelEvent, ModelInfo, ModelPort, ModelRequest } from './port.ts'

/** A call that a scripted answer makes. A string as `input` is the raw JSON text, so it may be broken. */
export interface ScriptedCall {
  readonly tool: string
  readonly input?: Json
  /** Default: unique over all answers of this model. */
  readonly callId?: string
  readonly providerData?: Json
}

/** One answer. Its members happen in the order in which they stand here. */
export interface ScriptedAnswer {
  /** Waited for before anything is answered: a gate that a test opens, or milliseconds by `options.wait`. */
  readonly delay?: number | PromiseLike<unknown> | (() => PromiseLike<unknown>)
  readonly reasoning?: string | { readonly text: string; readonly providerData?: Json }
  /** A list is one delta each. */
  readonly text?: string | readonly string[]
  readonly calls?: readonly ScriptedCall[]
  readonly files?: readonly { readonly mediaType: string; readonly bytes: Uint8Array }[]
  /** Fields that are left out are `null`; without `usage` none is reported. */
  readonly usage?: Partial<Usage>
  /** Ends with this `failed` event, after whatever stands above. */
  readonly failure?: SkeinError
  /** The stream just stops, after whatever stands above. */
  readonly cut?: boolean
  /** Nothing more comes, ever, until the request is aborted. */
  readonly hang?: boolean
  /** Default: `tool_calls` if there are calls, else `stop`. */
  readonly finish?: EndReason
}

type Answer = string | ScriptedAnswer
export type ScriptedStep = Answer | ((request: ModelRequest, index: number) => Answer | PromiseLike<Answer>)

export interface ScriptedOptions {
  readonly provider?: string
  readonly modelId?: string
  readonly info?: Partial<ModelInfo>
  /** How a numeric `delay` passes. Default: the machine's timer. */
  readonly wait?: (ms: number) => PromiseLike<unknown>
}

export interface ScriptedModel extends ModelPort {
  /** Every request that was made, in order, as it was when it was made. */
  readonly requests: readonly ModelRequest[]
}

/**
 * A model that answers from a script, one step per request, for tests. A string is a step that says it.
 * A request past its end is `failed` with `model.script_ended`. Nothing in it is random or depends on the clock.
 */
export function scriptedModel(steps: readonly ScriptedStep[], options: ScriptedOptions = {}): ScriptedModel {
  const requests: ModelRequest[] = []
  const wait = options.wait ?? (ms => new Promise(resolve => setTimeout(resolve, ms)))
  return {
    provider: options.provider ?? 'scripted',
    modelId: options.modelId ?? 'script',
    ...given({ info: options.info }),
    requests,
    async *stream(request, signal) {
      signal.throwIfAborted()
      const index = requests.push(structuredClone(request)) - 1
      const step = steps[index]
      if (step === undefined) {
        yield { type: 'failed', error: scriptEnded(index, steps.length) }
        return
      }
      const answer = typeof step === 'function' ? await unlessAborted(Promise.resolve(step(request, index)), signal) : step
      yield* play(typeof answer === 'string' ? { text: answer } : answer, index, signal, wait)
    },
  }
}

async function* play(
  answer: ScriptedAnswer,
  index: number,
  signal: AbortSignal,
  wait: (ms: number) => PromiseLike<unknown>,
): AsyncGenerator<ModelEvent> {
  const { delay } = answer
  if (delay !== undefined) {
    const gate = typeof delay === 'number' ? wait(delay) : typeof delay === 'function' ? delay() : delay
    await unlessAborted(Promise.resolve(gate), signal)
  }
  for (const event of contentOf(answer, index)) {
    signal.throwIfAborted()
    yield event
  }
  if (answer.hang === true) await unlessAborted(new Promise<never>(() => {}), signal)
  signal.throwIfAborted()
  if (answer.failure !== undefined) yield { type: 'failed', error: answer.failure }
  else if (answer.cut !== true) yield { type: 'ended', reason: finishOf(answer) }
}

function* contentOf(answer: ScriptedAnswer, index: number): Generator<ModelEvent> {
  const { reasoning, text = [], calls = [], files = [], usage } = answer
  yield { type: 'request_started', responseId: `scripted_${index}` }
  if (reasoning !== undefined) {
    const { text: thought, ...rest } = typeof reasoning === 'string' ? { text: reasoning } : reasoning
    yield { type: 'reasoning_delta', id: 'reasoning', text: thought }
    yield { type: 'reasoning_ended', id: 'reasoning', ...rest }
  }
  for (const piece of typeof text === 'string' ? [text] : text) yield { type: 'text_delta', id: 'text', text: piece }
  for (const [at, { tool: name, input = {}, callId = `call_${index}_${at}`, ...rest }] of calls.entries()) {
    const json = typeof input === 'string' ? input : stringify(input)
    yield { type: 'call_delta', callId, name, text: json }
    yield { type: 'call_ended', callId, name, input: json, ...rest }
  }
  for (const file of files) yield { type: 'file_ended', ...file }
  if (usage !== undefined) yield { type: 'usage', usage: fullUsage(usage) }
}

const finishOf = ({ finish, calls = [] }: ScriptedAnswer): EndReason => finish ?? (calls.length > 0 ? 'tool_calls' : 'stop')

const scriptEnded = (index: number, length: number): SkeinError =>
  new SkeinError('model.script_ended', `The script has ${length} answers; this is request ${index + 1}. Add a step to it.`, {
    details: { steps: length, request: index + 1 },
  })
