import { isCallId } from '#context'
import { isObject, isSkeinError, type Json, messageOf, SkeinError, toJson, unlessAborted } from '#kernel'
import { type FinishReason, type Part, type PartInput, type Usage, usageFields } from '#journal'
import type { ModelEvent, ModelPort, ModelRequest } from '#models'
import { brokenInput } from './tool.ts'

/** What one model request gave. `error` is set when it failed; what had arrived by then is kept beside it. */
export interface StepOutcome {
  readonly parts: readonly PartInput[]
  readonly finishReason: FinishReason
  readonly rawFinishReason?: string
  readonly usage: Usage | null
  readonly error?: SkeinError
}

type Emit = (event: { readonly type: string; readonly [more: string]: unknown }) => void

/**
 * Reads one answer to its end, telling what arrives. Never throws: a failure is part of the outcome, also of a port that
 * throws or tells nonsense, and an abort gives what there was, also of a port that is deaf to it.
 */
export async function streamStep(
  port: ModelPort,
  request: ModelRequest,
  signal: AbortSignal,
  emit: Emit,
  newCallId: () => string,
): Promise<StepOutcome> {
  const answer = new Answer(emit, callIdsOf(request), newCallId)
  let events: AsyncIterator<ModelEvent> | undefined
  try {
    events = port.stream(request, signal)[Symbol.asyncIterator]()
    while (!answer.closed) {
      const next = await unlessAborted(events.next(), signal)
      if (next.done === true) throw new SkeinError('provider.truncated', 'The answer just stopped. Ask again.')
      answer.take(next.value)
    }
  } catch (error) {
    if (signal.aborted) answer.abort()
    else answer.fail(error)
  }
  // Not waited for: a deaf port would never say that it has stopped.
  events?.return?.().catch(() => undefined)
  return answer.outcome()
}

/** The calls that the model is shown; a provider may repeat an id, a session may not. */
function callIdsOf({ messages }: ModelRequest): Set<string> {
  return new Set(messages.flatMap(({ parts }) => parts.flatMap(part => (part.type === 'tool_call' ? [part.callId] : []))))
}

interface Open {
  readonly type: 'text' | 'reasoning'
  text: string
  providerData?: Json
}

/** Collects the parts of an answer in the order in which they began. */
class Answer {
  readonly #emit: Emit
  readonly #parts: (PartInput | Open)[] = []
  readonly #open = new Map<string, Open>()
  #usage: Usage | null = null
  #finish: FinishReason = 'other'
  #raw: string | undefined
  #error: SkeinError | undefined
  readonly #callIds: Set<string>
  readonly #newCallId: () => string
  /** What the calls that are arriving are called here. */
  readonly #arriving = new Map<string, string>()
  closed = false

  constructor(emit: Emit, callIds: Set<string>, newCallId: () => string) {
    this.#emit = emit
    this.#callIds = callIds
    this.#newCallId = newCallId
  }

  take(event: ModelEvent): void {
    switch (event.type) {
      case 'request_started':
        return
      case 'text_delta':
      case 'reasoning_delta':
        return this.#delta(event.type === 'text_delta' ? 'text' : 'reasoning', event.id, textOf(event.text))
      case 'text_ended':
      case 'reasoning_ended':
        return this.#end(event.type === 'text_ended' ? 'text' : 'reasoning', event.id, kept(event.providerData))
      case 'call_delta':
        return this.#emit({ type: 'call_delta', callId: this.#callId(event.callId), tool: event.name, text: event.text })
      case 'call_ended': {
        const callId = this.#callId(event.callId)
        this.#arriving.delete(event.callId)
        const part: Part = {
          type: 'tool_call',
          callId,
          tool: textOf(event.name),
          input: readInput(event.input),
          ...kept(event.providerData),
        }
        this.#parts.push(part)
        return this.#emit({ type: 'call_ended', callId, tool: event.name, input: part.input })
      }
      case 'file_ended':
        if (!(event.bytes instanceof Uint8Array)) throw new TypeError('A file without bytes.')
        this.#parts.push({ type: 'file', mediaType: textOf(event.mediaType), data: event.bytes, ...kept(event.providerData) })
        return
      case 'usage':
        this.#usage = countsOf(event.usage)
        return
      case 'ended':
        this.closed = true
        this.#finish = finishReasons.includes(event.reason) ? event.reason : 'other'
        this.#raw = event.rawFinishReason === undefined ? undefined : textOf(event.rawFinishReason)
        return
      case 'failed':
        return this.fail(event.error)
      default:
        event satisfies never
    }
  }

  /** What is no failure of Skein's own kind is the port's fault; asking again would not help. */
  fail(error: unknown): void {
    this.closed = true
    this.#finish = 'error'
    this.#error = isSkeinError(error)
      ? error
      : new SkeinError('provider.rejected', `The model's port broke: ${messageOf(error)}`, { cause: error })
  }

  abort(): void {
    this.closed = true
    this.#finish = 'aborted'
  }

  outcome(): StepOutcome {
    for (const [key] of this.#open) this.#close(key)
    const parts = this.#parts.filter(
      part => !((part.type === 'text' || part.type === 'reasoning') && part.text === '' && !('providerData' in part)),
    )
    return {
      parts,
      finishReason: this.#finish,
      usage: this.#usage,
      ...(this.#raw === undefined ? {} : { rawFinishReason: this.#raw }),
      ...(this.#error === undefined ? {} : { error: this.#error }),
    }
  }

  #delta(type: 'text' | 'reasoning', id: string, text: string): void {
    const key = `${type} ${id}`
    let open = this.#open.get(key)
    if (open === undefined) {
      open = { type, text: '' }
      this.#open.set(key, open)
      this.#parts.push(open)
      this.#emit({ type: `${type}_started`, id })
    }
    open.text += text
    this.#emit({ type: `${type}_delta`, id, text })
  }

  /** The id that a call has in this session: its provider's, if every provider takes that and it is free. */
  #callId(told: string): string {
    const known = this.#arriving.get(told)
    if (known !== undefined) return known
    const id = typeof told === 'string' && isCallId(told) && !this.#callIds.has(told) ? told : this.#newCallId()
    this.#arriving.set(told, id)
    this.#callIds.add(id)
    return id
  }

  #end(type: 'text' | 'reasoning', id: string, { providerData }: { readonly providerData?: Json }): void {
    const key = `${type} ${id}`
    const open = this.#open.get(key) ?? { type, text: '' }
    if (!this.#parts.includes(open)) this.#parts.push(open)
    if (providerData !== undefined) open.providerData = providerData
    this.#open.set(key, open)
    this.#close(key)
  }

  #close(key: string): void {
    const open = this.#open.get(key)
    if (open === undefined) return
    this.#open.delete(key)
    this.#emit({ type: `${open.type}_ended`, id: key.slice(open.type.length + 1) })
  }
}

const kept = (providerData: Json | undefined): { providerData?: Json } =>
  providerData === undefined ? {} : { providerData: toJson(providerData, 'providerData') }

const finishReasons: readonly string[] = ['stop', 'tool_calls', 'length', 'content_filter', 'other']

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  throw new TypeError(`Expected a text, got ${typeof value}.`)
}

/** Counts as they can be added up: what is no whole number from 0 is unknown. */
function countsOf(usage: unknown): Usage | null {
  if (!isObject(usage)) return null
  const count = (value: unknown): number | null =>
    Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : null
  return Object.fromEntries(usageFields.map(field => [field, count(usage[field])])) as unknown as Usage
}

function readInput(text: string): Json {
  if (text.trim() === '') return {}
  try {
    return toJson(JSON.parse(text))
  } catch {
    return brokenInput(text)
  }
}
