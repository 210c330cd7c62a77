import { type Json, SkeinError, toJson } from '#kernel'
import type { FinishReason, Part, PartInput, Usage } from '#journal'
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

/** Reads one answer to its end, telling what arrives. A failure is part of the outcome; an abort gives what there was. */
export async function streamStep(port: ModelPort, request: ModelRequest, signal: AbortSignal, emit: Emit): Promise<StepOutcome> {
  const answer = new Answer(emit)
  try {
    for await (const event of port.stream(request, signal)) answer.take(event)
    if (!answer.closed)
      answer.take({ type: 'failed', error: new SkeinError('provider.truncated', 'The answer just stopped. Ask again.') })
  } catch (error) {
    if (!signal.aborted) throw error
    answer.abort()
  }
  return answer.outcome()
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
  closed = false

  constructor(emit: Emit) {
    this.#emit = emit
  }

  take(event: ModelEvent): void {
    switch (event.type) {
      case 'request_started':
        return
      case 'text_delta':
      case 'reasoning_delta':
        return this.#delta(event.type === 'text_delta' ? 'text' : 'reasoning', event.id, event.text)
      case 'text_ended':
      case 'reasoning_ended':
        return this.#end(event.type === 'text_ended' ? 'text' : 'reasoning', event.id, event.providerData)
      case 'call_delta':
        return this.#emit({ type: 'call_delta', callId: event.callId, tool: event.name, text: event.text })
      case 'call_ended': {
        const part: Part = {
          type: 'tool_call',
          callId: event.callId,
          tool: event.name,
          input: readInput(event.input),
          ...given(event.providerData),
        }
        this.#parts.push(part)
        return this.#emit({ type: 'call_ended', callId: event.callId, tool: event.name, input: part.input })
      }
      case 'file_ended':
        this.#parts.push({ type: 'file', mediaType: event.mediaType, data: event.bytes, ...given(event.providerData) })
        return
      case 'usage':
        this.#usage = event.usage
        return
      case 'ended':
        this.closed = true
        this.#finish = event.reason
        this.#raw = event.rawFinishReason
        return
      case 'failed':
        this.closed = true
        this.#finish = 'error'
        this.#error = event.error
        return
      default:
        event satisfies never
    }
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

  #end(type: 'text' | 'reasoning', id: string, providerData: Json | undefined): void {
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

const given = (providerData: Json | undefined): { providerData?: Json } => (providerData === undefined ? {} : { providerData })

function readInput(text: string): Json {
  if (text.trim() === '') return {}
  try {
    return toJson(JSON.parse(text))
  } catch {
    return brokenInput(text)
  }
}
