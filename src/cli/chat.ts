import { createInterface, type Interface } from 'node:readline'
import type { Command } from 'commander'
import { given, invalidInput, isSkeinError, type SessionId } from '#kernel'
import { type Invocation, type Runner, withVerbs } from './command.ts'
import { Interrupted } from './interrupts.ts'
import { chooseSession, existingSession, sendOptions, userHint, withReachable } from './run.ts'
import { showMessages } from './sessions.ts'
import { streamRun, tellEnd } from './stream-run.ts'
import { answering, isTerminal, TerminalUi } from './terminal-ui.ts'
import type { Started, Verbs } from './verbs.ts'

interface ChatFlags {
  readonly continue?: boolean
  readonly model?: string
  readonly role?: string
  readonly user?: string
}

/**
 * `skein chat`: a turn per line until the input ends. At a terminal, what is typed while a turn goes on steers it, and questions
 * are asked in between. Ctrl-C cancels the turn that goes on; the second one ends the chat.
 */
export function addChat(program: Command, run: Runner): void {
  program
    .command('chat')
    .argument('[session]', 'id, alias, the beginning of an id, or title; without it a new one')
    .option('-c, --continue', 'the newest session of this folder')
    .option('--model <reference>', 'with this model')
    .option('--role <name>', 'as worker, explorer or reviewer')
    .option('--user <name>', userHint)
    .description('talk, a turn per line; a line while a turn goes on steers it; Ctrl-C cancels a turn, again ends')
    .action(run(chat, { model: 'model' }))
}

const shownBefore = 6

async function chat(invocation: Invocation, name: string | undefined, flags: ChatFlags): Promise<void> {
  if (flags.continue === true && name !== undefined) throw invalidInput('session', 'Name a session or give --continue, not both.')
  sendOptions(invocation, flags)
  const lines = new Lines(invocation)
  const ui = lines.terminal
    ? new TerminalUi(invocation.out, (question, isGood, signal) => lines.ask(question, isGood, signal))
    : undefined
  try {
    await withVerbs(
      invocation,
      async verbs => {
        const named = { ...flags, ...given({ session: name }) }
        const session = await existingSession(invocation, verbs, named)
        await new Chat(invocation, verbs, lines, ui, session, flags).talk()
      },
      { tools: 'files', ...given({ ui }) },
    )
  } finally {
    lines.close()
  }
}

/** What is typed: an answer where a question is open, else something said. */
class Lines {
  readonly terminal: boolean
  readonly #invocation: Invocation
  #asked: Interface | undefined
  #answer: ((line: string | undefined) => void) | undefined
  #ended = false

  constructor(invocation: Invocation) {
    this.#invocation = invocation
    this.terminal = isTerminal(invocation.io)
  }

  /** Lines that answer no question, until the input ends or `close`. */
  async *read(): AsyncGenerator<string> {
    const { io, interrupts } = this.#invocation
    const { terminal } = this
    const asked = createInterface({ input: io.stdin, ...(terminal ? { output: io.stderr } : {}), terminal, prompt: '> ' })
    this.#asked = asked
    this.prompt()
    asked.on('SIGINT', () => interrupts.hear('SIGINT'))
    asked.on('close', () => {
      this.#ended = true
      this.#answer?.(undefined)
    })
    try {
      for await (const line of asked) {
        if (this.#answer === undefined) yield line
        else this.#answer(line)
      }
    } finally {
      asked.close()
    }
  }

  async ask(question: string, isGood: (line: string) => boolean, signal: AbortSignal | undefined): Promise<string | undefined> {
    if (this.#ended || signal?.aborted === true) return undefined
    const { promise, resolve } = Promise.withResolvers<string | undefined>()
    const stop = (): void => resolve(undefined)
    this.#answer = line => {
      if (line === undefined || isGood(line.trim())) resolve(line?.trim())
      else this.#invocation.io.stderr.write(question)
    }
    signal?.addEventListener('abort', stop, { once: true })
    this.#asked?.setPrompt('')
    this.#invocation.io.stderr.write(question)
    try {
      return await promise
    } finally {
      this.#asked?.setPrompt('> ')
      signal?.removeEventListener('abort', stop)
      this.#answer = undefined
    }
  }

  /** Says that it is the person's turn. */
  prompt(): void {
    if (this.terminal && !this.#ended && this.#answer === undefined) this.#asked?.prompt()
  }

  close(): void {
    this.#asked?.close()
  }
}

class Chat {
  readonly #invocation: Invocation
  readonly #verbs: Verbs
  readonly #lines: Lines
  readonly #ui: TerminalUi | undefined
  /** Absent until the first line: a chat in which nothing is said leaves nothing behind. */
  #session: SessionId | undefined
  readonly #flags: ChatFlags
  #running: Started | undefined
  /** Lines are heard one after the other, apart from reading them, so that questions are answered meanwhile. */
  #work: Promise<void> = Promise.resolve()
  #turn: Promise<void> | undefined
  #stopped: Interrupted | undefined
  #broken: { readonly error: unknown } | undefined

  constructor(
    invocation: Invocation,
    verbs: Verbs,
    lines: Lines,
    ui: TerminalUi | undefined,
    session: SessionId | undefined,
    flags: ChatFlags,
  ) {
    this.#invocation = invocation
    this.#verbs = verbs
    this.#lines = lines
    this.#ui = ui
    this.#session = session
    this.#flags = flags
  }

  async talk(): Promise<void> {
    const { out, interrupts } = this.#invocation
    const { terminal } = this.#lines
    if (this.#session !== undefined) {
      if (terminal && !out.json) await this.#showPast(this.#session)
      out.talk(`session ${this.#session}`)
    }
    interrupts.take(code => this.#interrupt(code))
    for await (const line of this.#lines.read()) {
      if (line.trim() === '') this.#promptIfIdle()
      else this.#work = this.#work.then(() => this.#hear(line))
      // At a terminal the next line is read meanwhile; lines of a pipe wait for each other.
      if (!terminal) await this.#work.then(() => this.#turn)
      if (this.#isOver) break
    }
    // The input has ended; what goes on is followed to its end.
    await this.#work
    await this.#turn
    if (this.#broken !== undefined) throw this.#broken.error
    if (this.#stopped !== undefined) throw this.#stopped
  }

  get #isOver(): boolean {
    return this.#stopped !== undefined || this.#broken !== undefined
  }

  /** Steers the run that goes on, else begins a turn. Resolves when the turn has begun or was refused. */
  async #hear(line: string): Promise<void> {
    if (this.#isOver || (this.#running !== undefined && (await this.#steer(this.#running, line)))) return
    await this.#turn
    if (this.#isOver) return
    await new Promise<void>(begun => {
      this.#turn = this.#take(line, begun)
        .catch((error: unknown) => {
          this.#broken = { error }
          this.#lines.close()
        })
        .finally(() => {
          begun()
          this.#promptIfIdle()
        })
    })
  }

  /** False if the run has ended meanwhile: then it is the next turn. */
  async #steer(running: Started, line: string): Promise<boolean> {
    try {
      await running.steer(line)
      this.#invocation.out.talk('… heard')
      return true
    } catch (error) {
      if (!isSkeinError(error) || error.code !== 'run.not_running') this.#invocation.out.say(`skein: ${messageOf(error)}`)
      return !isSkeinError(error) || error.code !== 'run.not_running'
    }
  }

  async #take(text: string, begun: () => void): Promise<void> {
    const { out, interrupts, server } = this.#invocation
    try {
      const sent = await withReachable(this.#verbs, sendOptions(this.#invocation, this.#flags), this.#flags)
      const started = await this.#verbs.send(await this.#begun(), text, sent)
      this.#running = started
      begun()
      const events = started.events(new AbortController().signal)
      const heard = this.#ui === undefined || server === undefined ? events : answering(events, this.#verbs, this.#ui)
      const end = await streamRun(out, heard, out.json ? 'json' : 'text')
      if (!out.json) tellEnd(out, end)
    } catch (error) {
      await this.#running?.cancel()
      // What one turn was refused for need not be the next one's fate.
      if (!isSkeinError(error) || ['session.not_found', 'session.ended', 'store.closed'].includes(error.code)) throw error
      out.say(`skein: ${error.message}`)
    } finally {
      this.#running = undefined
      interrupts.again()
    }
  }

  async #begun(): Promise<SessionId> {
    if (this.#session === undefined) {
      this.#session = (await chooseSession(this.#invocation, this.#verbs, this.#flags)).session
      this.#invocation.out.talk(`session ${this.#session}`)
    }
    return this.#session
  }

  #promptIfIdle(): void {
    if (this.#running === undefined && this.#stopped === undefined) this.#lines.prompt()
  }

  #interrupt(code: 130 | 143): void {
    if (this.#running !== undefined && code === 130) {
      void this.#running.cancel().catch(() => undefined)
      return
    }
    this.#stopped = new Interrupted(code)
    void this.#running?.cancel().catch(() => undefined)
    this.#lines.close()
  }

  async #showPast(session: SessionId): Promise<void> {
    const { items, next } = await this.#verbs.messages(session, shownBefore)
    if (next !== undefined) this.#invocation.out.talk('…')
    await showMessages(this.#invocation.out, items)
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
