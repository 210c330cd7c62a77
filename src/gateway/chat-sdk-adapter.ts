import { AsyncLocalStorage } from 'node:async_hooks'
import {
  given,
  isSkeinError,
  messageOf,
  SkeinError,
  systemClock,
  systemTimers,
  type Timers,
  unlessAborted,
  wait,
  within,
} from '#kernel'
import type { AdapterCapabilities, AdapterHost, GatewayAdapter, Outgoing, SendContext } from './adapter.ts'
import type { ChatAdapter, ChatCommand, ChatMessage } from './chat-sdk/chat.ts'
import { chatInstance } from './chat-sdk/chat-instance.ts'
import { type Dialect, membersOf, type Place, type Told } from './chat-sdk/dialect.ts'
import { dialectOf } from './chat-sdk/dialects.ts'
import { passingState } from './chat-sdk/passing-state.ts'
import { readAttachments } from './chat-sdk/read-attachments.ts'
import { faultOfChat } from './chat-sdk/send-fault.ts'
import { isSlackSocket } from './chat-sdk/slack.ts'
import { withoutMention } from './chat-sdk/without-mention.ts'
import type { HookRequest, HookTaker } from './hook-request.ts'
import type { Inbound } from './inbound.ts'
import { KeyedLocks } from './keyed-locks.ts'
import type { Destination } from './outbox-row.ts'
import { readCommand } from './read-command.ts'
import { type SourceInput, wordShape } from './source.ts'

export interface ChatSdkOptions {
  /** slack, telegram, whatsapp, discord, or any other word for a platform of the Chat SDK. */
  readonly platform: string
  /** What `createSlackAdapter()` and the like give. */
  readonly adapter: ChatAdapter
  /** The name in `POST /v1/gateway/hooks/{name}`. Default: the platform. */
  readonly hook?: string
  /**
   * Whom it hears where many speak. `addressed` (default): who mentions it, answers it or gives it a command, and all in a thread
   * that it was spoken to in; `all`: everybody.
   */
  readonly listen?: 'addressed' | 'all'
  /** Slack: answers to what was said in a channel go to a thread below it (default), or to the channel. */
  readonly replies?: 'thread' | 'channel'
  /** `markdown` (default): answers are Markdown, shown as the platform shows it; `plain`: they are shown as they are. */
  readonly format?: 'markdown' | 'plain'
  /** Discord: `false` where something else hands its events in by requests. Default: the adapter's own connection is kept open. */
  readonly socket?: boolean
  /** Slack in several workspaces: the bot's token in one of them, for what is sent there. Default: the adapter's own. */
  readonly tokenOf?: (scopeId: string) => string | Promise<string>
  readonly timers?: Timers
}

/** A platform of the Chat SDK, whose requests the HTTP server hands in as they came. */
export interface ChatSdkAdapter extends GatewayAdapter, HookTaker {
  readonly hooks: readonly string[]
  /** Throws `auth.required` for what the platform did not sign. Answers once all is stored that the request told of. */
  receive(name: string, request: HookRequest): Promise<Response>
}

/**
 * Slack, Telegram, WhatsApp, Discord and others by the adapters of the Chat SDK (`@chat-adapter/*`), without its `Chat`. What a
 * request tells of is stored before the platform is answered, in the order in which requests came. Law G82.
 */
export function chatSdkAdapter(options: ChatSdkOptions): ChatSdkAdapter {
  return new BridgedAdapter(options)
}

/** One request, and what came of it. */
interface Visit {
  readonly payload: Readonly<Record<string, unknown>>
  /** Rejects where a message could not be stored. */
  readonly taken: Promise<void>[]
  /** What the adapter still does; a message may come of it. */
  readonly beside: Promise<unknown>[]
}

/** How long a request waits for those before it to be looked at. */
const turnMs = 5_000
/** How long the adapter may go on with a request. Milliseconds. */
const besideMs = 30_000
/** How long names of people are looked for. */
const lookUpMs = 1_500
const firstPauseMs = 1_000
const mostPauseMs = 30_000

class BridgedAdapter implements ChatSdkAdapter {
  readonly platform: string
  readonly hooks: readonly string[]
  readonly capabilities: AdapterCapabilities
  readonly #adapter: ChatAdapter
  readonly #dialect: Dialect
  readonly #hearsAll: boolean
  readonly #isPlain: boolean
  readonly #opensSocket: boolean
  readonly #tokenOf: ChatSdkOptions['tokenOf']
  readonly #timers: Timers
  readonly #visits = new AsyncLocalStorage<Visit>()
  /** Messages of one chat are taken one after the other, in the order in which the adapter told of them. */
  readonly #lines = new KeyedLocks()
  readonly #going = new Set<Promise<unknown>>()
  #host: AdapterHost | undefined
  #stop = new AbortController()
  /** Requests are looked at one after the other. */
  #before: Promise<unknown> = Promise.resolve()

  constructor(options: ChatSdkOptions) {
    const { platform, adapter, hook, listen, replies, format, socket, timers = systemTimers } = options
    if (!wordShape.test(platform)) throw wrong('platform', 'Expected 1–32 letters, digits and underscores.')
    if (typeof adapter?.handleWebhook !== 'function') throw wrong('adapter', 'Expected an adapter of the Chat SDK.')
    if (platform === 'slack' && isSlackSocket(adapter))
      throw wrong('adapter', 'The socket mode of Slack confirms messages before they are stored: use requests.')
    this.platform = platform
    this.hooks = [hook ?? platform]
    this.#adapter = adapter
    this.#dialect = dialectOf(platform, { inChannel: replies === 'channel' })
    this.#hearsAll = listen === 'all'
    this.#isPlain = format === 'plain'
    this.#opensSocket = socket !== false
    this.#tokenOf = options.tokenOf
    this.#timers = timers
    const { maxTextChars, edits, typing, threads } = this.#dialect
    this.capabilities = { maxTextChars, edits, typing, threads, media: false, idempotentSend: false, piiSafe: false }
  }

  async start(host: AdapterHost): Promise<void> {
    this.#stop = new AbortController()
    this.#host = host
    const state = passingState(() => host.now?.() ?? systemClock.now())
    const listener = {
      message: (threadId: string, message: ChatMessage | (() => Promise<ChatMessage>)) => this.#message(threadId, message),
      command: (command: ChatCommand) => this.#command(command),
    }
    await this.#adapter.initialize(chatInstance(this.#adapter.userName, state, listener) as never)
    const until = { signal: this.#stop.signal, timers: this.#timers }
    const heard = this.#opensSocket ? this.#dialect.hear?.(this.#adapter, until) : undefined
    if (heard !== undefined) void this.#while(heard).catch(() => undefined)
  }

  async stop(): Promise<void> {
    this.#host = undefined
    this.#stop.abort(unavailable(this.platform))
    await this.#adapter.disconnect?.()
    await Promise.allSettled(this.#going)
  }

  async receive(_name: string, { body, request }: HookRequest): Promise<Response> {
    return await this.#while(this.#receive(body, request))
  }

  async #receive(body: string, from: HookRequest['request']): Promise<Response> {
    if (this.#host === undefined || from === undefined) throw unavailable(this.platform)
    const { url, method, headers } = from
    const request = new Request(url, { method, headers, ...(method === 'GET' ? {} : { body }) })
    const visit: Visit = { payload: payloadOf(body), taken: [], beside: [] }
    const waitUntil = (task: Promise<unknown>): void => void visit.beside.push(task)
    const mine = this.#before.then(() => this.#visits.run(visit, () => this.#adapter.handleWebhook(request, { waitUntil })))
    const over = mine.catch(() => undefined)
    this.#before = within(this.#timers, turnMs, over, () => undefined)
    const response = await mine
    if (response.status === 401) throw new SkeinError('auth.required', `This was not signed by ${this.platform}.`)
    // Where nothing has come yet, something may come of what the adapter still does.
    if (visit.taken.length === 0)
      await within(this.#timers, besideMs, Promise.allSettled(visit.beside), () => {
        throw unavailable(this.platform)
      })
    await Promise.all(visit.taken)
    return response
  }

  async send(to: Destination, message: Outgoing, { signal }: SendContext): Promise<{ readonly messageId?: string }> {
    if (this.#host === undefined) throw unavailable(this.platform)
    const ended = AbortSignal.any([signal, this.#stop.signal])
    return await this.#while(
      this.#asked(to, async threadId => {
        ended.throwIfAborted()
        const posted = await unlessAborted(this.#adapter.postMessage(threadId, this.#written(message)), ended)
        return given({ messageId: posted.id === '' ? undefined : posted.id })
      }),
    )
  }

  async edit(to: Destination, messageId: string, message: Outgoing): Promise<void> {
    await this.#asked(to, threadId => this.#adapter.editMessage(threadId, messageId, this.#written(message)))
  }

  async typing(to: Destination): Promise<void> {
    await this.#asked(to, threadId => this.#adapter.startTyping(threadId))
  }

  /** What the gateway itself says is no Markdown. */
  #written({ text, kind }: Outgoing): { readonly markdown: string } | { readonly raw: string } {
    if (kind === 'answer' && !this.#isPlain) return { markdown: text }
    return { raw: this.#dialect.plain?.(text) ?? text }
  }

  /** Asks something of the platform, at a place, as whoever the bot is there. */
  async #asked<T>(to: Destination, ask: (threadId: string) => Promise<T>): Promise<T> {
    const { scopeId } = to
    try {
      const threadId = this.#dialect.threadIdOf(this.#adapter, to)
      const token = scopeId === undefined ? undefined : await this.#tokenOf?.(scopeId)
      if (token === undefined || this.#adapter.withBotToken === undefined) return await ask(threadId)
      return await this.#adapter.withBotToken(token, () => ask(threadId))
    } catch (error) {
      throw Object.assign(new Error(messageOf(error), { cause: error }), faultOfChat(error))
    }
  }

  #message(threadId: string, found: ChatMessage | (() => Promise<ChatMessage>)): Promise<void> {
    return this.#inLine(threadId, async visit => {
      const message = typeof found === 'function' ? await this.#read(found, visit) : found
      if (message.metadata.edited || isOwn(this.#adapter, message)) return
      const told = { threadId, raw: membersOf(message.raw), payload: visit?.payload ?? {}, isCommand: false }
      const place = this.#dialect.place(this.#adapter, told)
      const source = this.#source(place, message.author, message.id)
      if (!(await this.#isAddressed(place, source, message, told))) return
      const text = await this.#said(message)
      const mayCome = message.attachments.length > 0 && (await this.#host?.maySpeak?.(source)) !== false
      const { parts, missing } = await readAttachments(mayCome ? message.attachments : [], this.#timers)
      const said = [text, ...missing].filter(line => line !== '').join('\n')
      const replyTo = message.replyTo?.id
      const more = given({ replyTo, parts: parts.length === 0 ? undefined : parts })
      await this.#hand({ source, text: said, eventId: message.id, ...more }, visit)
    })
  }

  /** Without the mention that it begins with, which only says to whom; with the addresses of links that only their words show. */
  async #said({ text, isMention, links = [] }: ChatMessage): Promise<string> {
    const { botUserId, userName } = this.#adapter
    const shown = isMention === true ? this.#dialect.shownName?.(this.#adapter) : undefined
    const name = await within(
      this.#timers,
      lookUpMs,
      shown?.catch(() => undefined) ?? Promise.resolve(undefined),
      () => undefined,
    )
    const said = withoutMention(text, [botUserId, userName, name])
    return [said, ...links.map(({ url }) => url).filter(url => !text.includes(url))].join('\n')
  }

  #command({ command, text, user, channelId: threadId, raw, triggerId }: ChatCommand): Promise<void> {
    return this.#inLine(threadId, async visit => {
      const told = { threadId, raw: membersOf(raw), payload: visit?.payload ?? {}, isCommand: true }
      const place = this.#dialect.place(this.#adapter, told)
      const eventId = this.#dialect.commandId(told, triggerId)
      const whole = `${command} ${text}`.trim()
      // A platform's command that the gateway does not have only says to whom one speaks.
      const said = readCommand(whole) === undefined && text.trim() !== '' && this.#dialect.ownCommands === true ? text : whole
      await this.#hand({ source: this.#source(place, user), text: said, ...given({ eventId }) }, visit)
    })
  }

  /** Lines up at once, so that the order is that of the calls. A request says later what became of it; whoever has none waits. */
  #inLine(threadId: string, take: (visit: Visit | undefined) => Promise<void>): Promise<void> {
    const visit = this.#visits.getStore()
    const taken = this.#while(this.#lines.run(this.#adapter.channelIdFromThreadId(threadId), () => take(visit)))
    if (visit === undefined) return taken
    visit.taken.push(taken)
    return taken.catch(() => undefined)
  }

  /** With the names of people and channels, where they are found soon enough. */
  async #read(read: () => Promise<ChatMessage>, visit: Visit | undefined): Promise<ChatMessage> {
    const atOnce = (): ChatMessage | undefined => this.#dialect.readAtOnce?.(this.#adapter, visit?.payload ?? {})
    const whole = read()
    const found = await within(
      this.#timers,
      lookUpMs,
      whole.catch(() => undefined),
      () => undefined,
    )
    return found ?? atOnce() ?? (await whole)
  }

  #source(place: Place, { userId, userName, fullName, isBot }: ChatMessage['author'], messageId?: string): SourceInput {
    const names = [fullName, userName].filter(name => name !== '' && name !== 'unknown' && name !== userId)
    return { platform: this.platform, ...given({ ...place, messageId, userName: names[0] }), userId, isBot: isBot === true }
  }

  async #isAddressed({ chatType }: Place, source: SourceInput, { isMention }: ChatMessage, told: Told): Promise<boolean> {
    if (this.#hearsAll || chatType === 'dm' || isMention === true) return true
    if (this.#dialect.answersBot?.(this.#adapter, told) === true) return true
    if (!this.#dialect.staysInThread || source.threadId === undefined) return false
    return (await this.#host?.knows?.(source)) === true
  }

  /** Stores a message. A platform that sent a request sends it again; what came otherwise is tried until it is stored. */
  async #hand(message: Inbound, visit: Visit | undefined): Promise<void> {
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(mostPauseMs, pauseMs * 2)) {
      try {
        if (this.#host === undefined) throw unavailable(this.platform)
        await this.#host.receive(message)
        return
      } catch (error) {
        // No try makes a message of it.
        if (isSkeinError(error) && /^(?:input|source)\./.test(error.code)) return
        if (visit !== undefined || this.#host === undefined) throw error
        await wait(this.#timers, pauseMs, this.#stop.signal)
      }
    }
  }

  async #while<T>(work: Promise<T>): Promise<T> {
    this.#going.add(work)
    try {
      return await work
    } finally {
      this.#going.delete(work)
    }
  }
}

/** An adapter that could not ask who it is knows itself from no other bot. */
const isOwn = ({ botUserId }: ChatAdapter, { author }: ChatMessage): boolean =>
  author.isMe || (author.isBot === true && botUserId === undefined)

function payloadOf(body: string): Readonly<Record<string, unknown>> {
  try {
    return membersOf(JSON.parse(body))
  } catch {
    // A form, or nothing; the adapter says whether that is right.
    return {}
  }
}

const unavailable = (platform: string): SkeinError =>
  new SkeinError('adapter.unavailable', `The adapter of ${platform} is not running.`)

function wrong(key: string, problem: string): SkeinError {
  return new SkeinError('config.invalid', `${key}: ${problem}`, { details: { key } })
}
