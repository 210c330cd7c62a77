import { canonical } from '#kernel'
import type { Message, ToolCallPart } from '#journal'

/** A call that repeats: `count` in a row, this one included. */
export interface DoomLoop {
  readonly tool: string
  readonly callId: string
  readonly count: number
}

/** Counts the calls of one turn that follow each other with the same tool and input, whatever the order of its keys. Law C86. */
export class CallStreak {
  readonly #limit: number
  #last = ''
  #count = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** The loop that this call makes or goes on with; undefined below the limit. */
  add({ tool, callId, input }: Pick<ToolCallPart, 'tool' | 'callId' | 'input'>): DoomLoop | undefined {
    const call = `${tool} ${canonical(input)}`
    this.#count = call === this.#last ? this.#count + 1 : 1
    this.#last = call
    return this.#count < this.#limit ? undefined : { tool, callId, count: this.#count }
  }
}

/** The loops in a whole turn's messages. */
export function doomLoopsIn(messages: readonly Pick<Message, 'parts'>[], limit: number): DoomLoop[] {
  const streak = new CallStreak(limit)
  return messages.flatMap(({ parts }) => parts.flatMap(part => (part.type === 'tool_call' ? (streak.add(part) ?? []) : [])))
}
