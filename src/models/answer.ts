import type { Part, ReasoningPart, TextPart, ToolCallPart, Usage } from '#journal'
import { type Json, SkeinError } from '#kernel'
import type { EndReason, ModelEvent, RequestFile } from './port.ts'
import { noUsage } from './usage.ts'

/** A call as the model made it: `input` is the raw JSON text, which may be broken; `done` once it is complete. */
export interface AnswerCall {
  readonly callId: string
  readonly name: string
  readonly input: string
  readonly done: boolean
  readonly providerData?: Json
}

/** Everything that a stream has said so far. */
export interface Answer {
  /** Texts, reasoning and files in the order in which they began, calls where theirs did. */
  readonly items: readonly (TextPart | ReasoningPart | RequestFile | { readonly type: 'call'; readonly call: AnswerCall })[]
  readonly usage: Usage
  readonly responseId?: string
  readonly end?: { readonly reason: EndReason; readonly rawFinishReason?: string }
  readonly error?: SkeinError
  /** Text, reasoning, a call or a file has arrived. */
  readonly hasOutput: boolean
}

/**
 * Collects the events of one stream. Opaque `providerData` ends up on the part that its event closes, so that it goes back
 * with it unchanged. A reasoning part stays even without text if it carries such data. Law P30.
 */
export class AnswerSoFar {
  readonly #items = new Map<string, Answer['items'][number]>()
  #usage = noUsage
  #responseId: string | undefined
  #end: Answer['end']
  #error: SkeinError | undefined

  add(event: ModelEvent): void {
    switch (event.type) {
      case 'request_started':
        this.#responseId = event.responseId
        return
      case 'text_delta':
      case 'reasoning_delta': {
        const type = event.type === 'text_delta' ? 'text' : 'reasoning'
        const before = this.#text(type, event.id)
        this.#items.set(`${type} ${event.id}`, { ...before, text: before.text + event.text })
        return
      }
      case 'text_ended':
      case 'reasoning_ended': {
        const type = event.type === 'text_ended' ? 'text' : 'reasoning'
        const data = event.providerData === undefined ? {} : { providerData: event.providerData }
        this.#items.set(`${type} ${event.id}`, { ...this.#text(type, event.id), ...data })
        return
      }
      case 'call_delta': {
        const found = this.#items.get(`call ${event.callId}`)
        const input = (found?.type === 'call' ? found.call.input : '') + event.text
        this.#items.set(`call ${event.callId}`, {
          type: 'call',
          call: { callId: event.callId, name: event.name, input, done: false },
        })
        return
      }
      case 'call_ended': {
        const { type: _type, ...call } = event
        this.#items.set(`call ${event.callId}`, { type: 'call', call: { ...call, done: true } })
        return
      }
      case 'file_ended': {
        const { type: _type, bytes: content, ...rest } = event
        this.#items.set(`file ${this.#items.size}`, { type: 'file', ...rest, bytes: content.length, data: content })
        return
      }
      case 'usage':
        this.#usage = event.usage
        return
      case 'ended': {
        const { type: _type, ...end } = event
        this.#end = end
        return
      }
      case 'failed':
        this.#error = event.error
        return
      default:
        event satisfies never
    }
  }

  get answer(): Answer {
    const items = [...this.#items.values()].filter(
      item => (item.type !== 'text' && item.type !== 'reasoning') || item.text !== '' || item.providerData !== undefined,
    )
    return {
      items,
      usage: this.#usage,
      ...(this.#responseId === undefined ? {} : { responseId: this.#responseId }),
      ...(this.#end === undefined ? {} : { end: this.#end }),
      ...(this.#error === undefined ? {} : { error: this.#error }),
      hasOutput: items.length > 0,
    }
  }

  #text(type: 'text' | 'reasoning', id: string): TextPart | ReasoningPart {
    const found = this.#items.get(`${type} ${id}`)
    return found?.type === 'text' || found?.type === 'reasoning' ? found : { type, text: '' }
  }
}

/** Reads a stream to its end. An aborted one throws the signal's reason. */
export async function collectAnswer(events: AsyncIterable<ModelEvent>): Promise<Answer> {
  const soFar = new AnswerSoFar()
  for await (const event of events) soFar.add(event)
  return soFar.answer
}

/** The text of an answer, its parts joined. */
export const textOfAnswer = ({ items }: Pick<Answer, 'items'>): string =>
  items.flatMap(item => (item.type === 'text' ? [item.text] : [])).join('')

/** A complete call as a message's part; broken JSON stays as its text. */
export function callPart({ callId, name: tool, input: text, providerData }: AnswerCall): ToolCallPart {
  const data = providerData === undefined ? {} : { providerData }
  return { type: 'tool_call', callId, tool, input: parsed(text), ...data }
}

/** The parts of the assistant's message; calls that never ended are left out. Files keep their bytes in `data`. */
export function answerParts({ items }: Pick<Answer, 'items'>): (Part | RequestFile)[] {
  return items.flatMap((item): (Part | RequestFile)[] =>
    item.type !== 'call' ? [item] : item.call.done ? [callPart(item.call)] : [],
  )
}

function parsed(text: string): Json {
  if (text.trim() === '') return {}
  try {
    return JSON.parse(text) as Json
  } catch {
    return text
  }
}
