import { foldResult, type RunStatus } from '#agent'
import type { Entry } from '#journal'
import { isObject } from '#kernel'
import { demoNotice } from '#models'
import { isEntryEvent, type SessionEvent } from '#session'
import type { Output } from './output.ts'
import { oneLine } from './table.ts'

/** How a run came out. */
export interface RunEnd {
  readonly status: RunStatus
  readonly reason: string
  readonly error: string | undefined
  /** The answer's text; of several steps the last one's. */
  readonly text: string
}

/** Exit codes of `skein run`. Source: spec/agent.md 18. */
export function exitOfRun({ status, reason }: Pick<RunEnd, 'status' | 'reason'>): number {
  if (status === 'failed' && reason === 'auth_failed') return 6
  return runExits[status]
}

const runExits = {
  done: 0,
  failed: 1,
  done_with_concerns: 3,
  blocked: 4,
  needs_user_input: 5,
  cancelled: 130,
} as const satisfies Record<RunStatus, number>

export type RunShow =
  /** The answer as it comes. */
  | 'text'
  /** Every event as a line of JSON, and last the result, which has no `type`. */
  | 'json'
  /** Nothing; the caller prints the answer. */
  | 'none'

/** Follows a run to its end and shows it. What the model says is data, all else is talk. */
export async function streamRun(out: Output, events: AsyncIterable<SessionEvent>, show: RunShow): Promise<RunEnd> {
  const answer = new Answer(out, show === 'text')
  const entries: Entry[] = []
  let end: RunEnd = { status: 'failed', reason: 'abandoned', error: undefined, text: '' }
  for await (const event of events) {
    if (show === 'json') {
      await out.body(event)
      if (isEntryEvent(event)) entries.push(event.entry)
    }
    const data = dataOf(event)
    switch (event.type as string) {
      case 'run_started':
        if (data['demo'] === true) out.talkOnce(demoNotice)
        break
      case 'text_delta':
        await answer.delta(textOf((event as { text?: unknown }).text))
        break
      case 'message_added':
        if (data['role'] === 'assistant') await answer.message(data)
        break
      case 'step_retried':
        await answer.retried(out, data)
        break
      case 'run_ended':
        end = {
          status: data['status'] as RunStatus,
          reason: textOf(data['reason']),
          error: isObject(data['error']) ? textOf(data['error']['message']) : undefined,
          text: answer.text,
        }
        break
    }
  }
  await answer.finish()
  if (show === 'json') await out.body(foldResult(entries))
  return end
}

/** One line for whoever sits there, where the outcome isn't plain success. */
export function tellEnd(out: Output, { status, reason, error }: RunEnd): void {
  if (status !== 'done')
    out.say(`skein: ${status.replaceAll('_', ' ')} (${reason.replaceAll('_', ' ')})${error === undefined ? '' : `: ${error}`}`)
}

/** The model's text on its way out: deltas as they come, or the whole message where no delta was seen. */
class Answer {
  text = ''
  readonly #out: Output
  readonly #shown: boolean
  #line = ''
  #deltas = ''

  constructor(out: Output, shown: boolean) {
    this.#out = out
    this.#shown = shown
  }

  async delta(text: string): Promise<void> {
    this.#deltas += text
    await this.#write(text)
  }

  async message(data: Readonly<Record<string, unknown>>): Promise<void> {
    const parts = Array.isArray(data['parts']) ? (data['parts'] as unknown[]).filter(isObject) : []
    const said = parts.flatMap(part => (part['type'] === 'text' ? [textOf(part['text'])] : [])).join('')
    if (said !== '') this.text = said
    // A reader that came late has missed deltas, or all of them.
    if (said.startsWith(this.#deltas)) await this.#write(said.slice(this.#deltas.length))
    this.#deltas = ''
    await this.finish()
    for (const part of parts)
      if (part['type'] === 'tool_call')
        this.#out.talk(`→ ${textOf(part['tool'])} ${oneLine(JSON.stringify(part['input'] ?? null), 200)}`)
  }

  async retried(out: Output, data: Readonly<Record<string, unknown>>): Promise<void> {
    this.#deltas = ''
    await this.finish()
    out.talk(`Trying again: ${textOf(data['code'])}`)
  }

  /** Ends a line that was begun. */
  async finish(): Promise<void> {
    if (this.#line !== '' && !this.#line.endsWith('\n')) await this.#write('\n')
    this.#line = ''
  }

  async #write(text: string): Promise<void> {
    if (!this.#shown || text === '') return
    this.#line = text
    await this.#out.text(text)
  }
}

function dataOf(event: SessionEvent): Readonly<Record<string, unknown>> {
  const entry = (event as { entry?: { data?: unknown } }).entry
  return isObject(entry?.data) ? entry.data : {}
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
