import { createInterface } from 'node:readline/promises'
import type { Approval, UserInterface } from '#agent'
import { isObject, isSkeinError, type Json, terminalSafe } from '#kernel'
import type { SessionEvent } from '#session'
import type { Io } from './io.ts'
import type { Output } from './output.ts'
import type { Verbs } from './verbs.ts'

/**
 * A person's line for a question, asked again until it is good; `undefined` once nobody waits for it, or nobody is there any
 * more.
 */
export type AskLine = (
  question: string,
  isGood: (line: string) => boolean,
  signal: AbortSignal | undefined,
) => Promise<string | undefined>

/** True where somebody sits who can be asked. */
export const isTerminal = ({ stdin, stderr }: Io): boolean => stdin.isTTY === true && stderr.isTTY === true

/** Asks by itself, for commands that read nothing else. */
export function askAlone(io: Io): AskLine {
  return async (question, isGood, signal) => {
    const asked = createInterface({ input: io.stdin, output: io.stderr })
    const ended = new AbortController()
    asked.on('close', () => ended.abort())
    try {
      const until = AbortSignal.any([ended.signal, ...(signal === undefined ? [] : [signal])])
      for (;;) {
        const line = (await asked.question(question, { signal: until })).trim()
        if (isGood(line)) return line
      }
    } catch {
      return undefined
    } finally {
      asked.close()
    }
  }
}

/** A person at a terminal: questions go to stderr one at a time, and a line is the answer. */
export class TerminalUi implements UserInterface {
  readonly hasUi = true
  readonly #out: Output
  readonly #askLine: AskLine
  #last: Promise<unknown> = Promise.resolve()

  constructor(out: Output, askLine: AskLine) {
    this.#out = out
    this.#askLine = askLine
  }

  notify(message: string, level: 'info' | 'warn' | 'error' = 'info'): void {
    if (level === 'info') this.#out.talk(message)
    else this.#out.say(`${level}: ${message}`)
  }

  setStatus(text: string | undefined): void {
    if (text !== undefined && text !== '') this.#out.talk(text)
  }

  setWidget(name: string, content: Json | undefined): void {
    if (content !== undefined) this.#out.talk(`${name}: ${typeof content === 'string' ? content : JSON.stringify(content)}`)
  }

  /** Yes or no; who is not there any more says no. */
  async confirm(question: string, { signal }: { readonly signal?: AbortSignal } = {}): Promise<boolean | undefined> {
    const said = await this.#ask(`${question} [y/N] `, signal, line => /^(y|yes|n|no|)$/i.test(line))
    if (said === undefined) return signal?.aborted === true ? undefined : false
    return /^y/i.test(said)
  }

  async input(question: string, { signal }: { readonly signal?: AbortSignal } = {}): Promise<string | undefined> {
    return await this.#ask(`${question} `, signal, line => line !== '')
  }

  async select(
    question: string,
    choices: readonly string[],
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<string | undefined> {
    const said = await this.#ask(listed(question, choices), signal, line => chosen(line, choices) !== undefined)
    return said === undefined ? undefined : chosen(said, choices)
  }

  async multiSelect(
    question: string,
    choices: readonly string[],
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<readonly string[] | undefined> {
    const read = (line: string): (string | undefined)[] =>
      line === '' ? [] : line.split(',').map(item => chosen(item.trim(), choices))
    const isGood = (line: string): boolean => read(line).every(choice => choice !== undefined)
    const said = await this.#ask(listed(`${question} (several, with commas)`, choices), signal, isGood)
    return said === undefined ? undefined : [...new Set(read(said))].filter(choice => choice !== undefined)
  }

  custom(): Promise<undefined> {
    return Promise.resolve(undefined)
  }

  /** One question after the other, each again until its answer is good. */
  async #ask(question: string, signal: AbortSignal | undefined, isGood: (line: string) => boolean): Promise<string | undefined> {
    const turn = this.#last.then(() =>
      signal?.aborted === true ? undefined : this.#askLine(terminalSafe(question), isGood, signal),
    )
    this.#last = turn.catch(() => undefined)
    return await turn
  }
}

const listed = (question: string, choices: readonly string[]): string =>
  `${question}\n${choices.map((choice, at) => `  ${at + 1}) ${choice}`).join('\n')}\n# `

/** By its number, or as it is written. */
function chosen(line: string, choices: readonly string[]): string | undefined {
  return choices.includes(line) ? line : /^\d+$/.test(line) ? choices[Number(line) - 1] : undefined
}

/**
 * The same events; on the way a person is asked about the calls of a run that waits elsewhere. Who answers first, here or
 * somewhere else, has answered.
 */
export async function* answering(
  events: AsyncIterable<SessionEvent>,
  verbs: Pick<Verbs, 'approvals' | 'answerApproval'>,
  ui: Pick<UserInterface, 'confirm' | 'notify'>,
): AsyncGenerator<SessionEvent> {
  const open = new Map<string, AbortController>()
  const close = (id: string): void => {
    open.get(id)?.abort()
    open.delete(id)
  }
  try {
    for await (const event of events) {
      const id = approvalOf(event)
      if (event.type === 'approval_answered' && id !== undefined) close(id)
      if (event.type === 'approval_requested' && id !== undefined && !open.has(id)) {
        const waits = new AbortController()
        open.set(id, waits)
        void askFor(event, id, verbs, ui, waits.signal).catch((error: unknown) => {
          const isOver = isSkeinError(error) && error.code === 'approval.answered'
          if (!isOver) ui.notify(error instanceof Error ? error.message : String(error), 'warn')
        })
      }
      yield event
    }
  } finally {
    for (const id of open.keys()) close(id)
  }
}

async function askFor(
  event: SessionEvent,
  id: string,
  verbs: Pick<Verbs, 'approvals' | 'answerApproval'>,
  ui: Pick<UserInterface, 'confirm'>,
  signal: AbortSignal,
): Promise<void> {
  const session = (event as { entry?: { session?: unknown } }).entry?.session
  const asked = (await verbs.approvals(session as never)).find(approval => approval.id === id)
  if (asked === undefined) return
  const yes = await ui.confirm(questionOf(asked), { signal })
  if (yes !== undefined) await verbs.answerApproval(id, { decision: yes ? 'allow' : 'deny', by: 'terminal' })
}

const questionOf = ({ source, message, tool, input }: Approval): string =>
  source === 'gate' ? message : `${message} Allow ${tool} ${JSON.stringify(input)}?`

function approvalOf(event: SessionEvent): string | undefined {
  const data = (event as { entry?: { data?: unknown } }).entry?.data
  return isObject(data) && typeof data['approval'] === 'string' ? data['approval'] : undefined
}
