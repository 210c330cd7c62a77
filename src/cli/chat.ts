import { createInterface, type Interface } from 'node:readline'
import type { Command } from 'commander'
import { given, invalidInput, isSkeinError, type SessionId } from '#kernel'
import { type Invocation, type Runner, withVerbs } from './command.ts'
import { Interrupted } from './interrupts.ts'
import { chooseSession, existingSession, sendOptions } from './run.ts'
import { showMessages } from './sessions.ts'
import { streamRun, tellEnd } from './stream-run.ts'
import type { Started, Verbs } from './verbs.ts'

interface ChatFlags {
  readonly continue?: boolean
  readonly model?: string
}

/** `skein chat`: a turn per line until the input ends. Ctrl-C cancels the turn that goes on; the second one ends the chat. */
export function addChat(program: Command, run: Runner): void {
  program
    .command('chat')
    .argument('[session]', 'id, alias, the beginning of an id, or title; without it a new one')
    .option('-c, --continue', 'the newest session of this folder')
    .option('--model <reference>', 'with this model')
    .description('talk, a turn per line; Ctrl-C cancels a turn, again ends')
    .action(run(chat, { model: 'model' }))
}

const shownBefore = 6

async function chat(invocation: Invocation, name: string | undefined, flags: ChatFlags): Promise<void> {
  if (flags.continue === true && name !== undefined) throw invalidInput('session', 'Name a session or give --continue, not both.')
  await withVerbs(
    invocation,
    async verbs => {
      const named = { ...flags, ...given({ session: name }) }
      const session = await existingSession(invocation, verbs, named)
      await new Chat(invocation, verbs, session, flags).talk()
    },
    { tools: 'files' },
  )
}

class Chat {
  readonly #invocation: Invocation
  readonly #verbs: Verbs
  /** Absent until the first line: a chat in which nothing is said leaves nothing behind. */
  #session: SessionId | undefined
  readonly #flags: ChatFlags
  #running: Started | undefined
  #asked: Interface | undefined
  #stopped: Interrupted | undefined

  constructor(invocation: Invocation, verbs: Verbs, session: SessionId | undefined, flags: ChatFlags) {
    this.#invocation = invocation
    this.#verbs = verbs
    this.#session = session
    this.#flags = flags
  }

  async talk(): Promise<void> {
    const { io, out, interrupts } = this.#invocation
    const terminal = io.stdin.isTTY === true && io.stderr.isTTY === true
    if (this.#session !== undefined) {
      if (terminal && !out.json) await this.#showPast(this.#session)
      out.talk(`session ${this.#session}`)
    }
    const asked = createInterface({ input: io.stdin, ...(terminal ? { output: io.stderr } : {}), terminal, prompt: '> ' })
    this.#asked = asked
    asked.on('SIGINT', () => interrupts.hear('SIGINT'))
    interrupts.take(code => this.#interrupt(code))
    try {
      if (terminal) asked.prompt()
      for await (const line of asked) {
        if (line.trim() !== '') await this.#turn(line)
        if (this.#stopped !== undefined) break
        if (terminal) asked.prompt()
      }
    } finally {
      asked.close()
    }
    if (this.#stopped !== undefined) throw this.#stopped
  }

  async #turn(text: string): Promise<void> {
    const { out, interrupts } = this.#invocation
    try {
      const started = await this.#verbs.send(await this.#begun(), text, sendOptions(this.#invocation, this.#flags))
      this.#running = started
      const end = await streamRun(out, started.events(new AbortController().signal), out.json ? 'json' : 'text')
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

  #interrupt(code: 130 | 143): void {
    if (this.#running !== undefined && code === 130) {
      void this.#running.cancel().catch(() => undefined)
      return
    }
    this.#stopped = new Interrupted(code)
    void this.#running?.cancel().catch(() => undefined)
    this.#asked?.close()
  }

  async #showPast(session: SessionId): Promise<void> {
    const { items, next } = await this.#verbs.messages(session, shownBefore)
    if (next !== undefined) this.#invocation.out.talk('…')
    await showMessages(this.#invocation.out, items)
  }
}
