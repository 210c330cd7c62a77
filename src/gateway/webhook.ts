import { type Clock, given, invalidInput, isObject, type Json, SkeinError, systemClock } from '#kernel'
import type { AdapterHost, GatewayAdapter, Outgoing, SendContext, SendFault } from './adapter.ts'
import type { HookRequest } from './hook-request.ts'
import type { Inbound, InboxReceipt } from './inbound.ts'
import type { Destination } from './outbox-row.ts'
import { isSigned, signBody } from './signature.ts'

export const webhookPlatform = 'webhook'

/** Bytes of what a hook takes. */
export const mostHookBytes = 1_048_576

export interface Webhook {
  /** Signs what comes and what goes, at least 16 characters. */
  readonly secret: string
  /** Where answers go. Without it they are given up. */
  readonly replyUrl?: string
}

export interface WebhookOptions {
  /** By name, as in `POST /v1/gateway/hooks/{name}`. */
  readonly hooks: Readonly<Record<string, Webhook>>
  readonly fetch?: typeof fetch
  readonly clock?: Clock
}

/** An adapter that the HTTP server hands requests to. */
export interface HookAdapter extends GatewayAdapter {
  readonly hooks: readonly string[]
  /** Throws `auth.required` for what is not signed or too old, `input.invalid` for what is no message; nothing is stored then. */
  receive(name: string, request: HookRequest): Promise<InboxReceipt>
}

const nameShape = /^[a-z0-9][a-z0-9_-]{0,62}$/
const leastSecret = 16

/** Messages by signed HTTP requests; answers go out the same way, with an idempotency key. Law G81. */
export function webhookAdapter(options: WebhookOptions): HookAdapter {
  return new WebhookAdapter(options)
}

class WebhookAdapter implements HookAdapter {
  readonly platform = webhookPlatform
  readonly capabilities = {
    maxTextChars: 200_000,
    edits: false,
    typing: false,
    threads: true,
    media: false,
    // The receiver knows an idempotency key that it has seen.
    idempotentSend: true,
    piiSafe: false,
  }
  readonly #hooks: ReadonlyMap<string, Webhook>
  readonly #fetch: typeof fetch
  readonly #clock: Clock
  /** What is being taken in or sent. */
  readonly #going = new Set<Promise<unknown>>()
  #host: AdapterHost | undefined
  #stop = new AbortController()

  constructor({ hooks, fetch: ask, clock = systemClock }: WebhookOptions) {
    for (const [name, { secret, replyUrl }] of Object.entries(hooks)) {
      if (!nameShape.test(name)) throw wrong(name, 'Expected a name of 1–63 of a–z, 0–9, _ and -.')
      if (typeof secret !== 'string' || secret.length < leastSecret)
        throw wrong(`${name}.secret`, `Expected at least ${leastSecret} characters.`)
      if (replyUrl !== undefined && !(URL.canParse(replyUrl) && /^https?:$/.test(new URL(replyUrl).protocol)))
        throw wrong(`${name}.replyUrl`, 'Expected an address of http or https.')
    }
    this.#hooks = new Map(Object.entries(hooks))
    // eslint-disable-next-line no-restricted-globals -- answers leave by HTTP, and a host hands in its own only if it likes
    this.#fetch = ask ?? fetch
    this.#clock = clock
  }

  get hooks(): readonly string[] {
    return [...this.#hooks.keys()]
  }

  start(host: AdapterHost): Promise<void> {
    this.#host = host
    this.#stop = new AbortController()
    return Promise.resolve()
  }

  async stop(): Promise<void> {
    this.#host = undefined
    this.#stop.abort(new SkeinError('adapter.unavailable', 'The webhook adapter was stopped.'))
    await Promise.allSettled(this.#going)
  }

  receive(name: string, request: HookRequest): Promise<InboxReceipt> {
    // Nothing is awaited before the host has the message: what comes first is first.
    return this.#while(this.#receive(name, request))
  }

  async #receive(name: string, { signature, body, idempotencyKey }: HookRequest): Promise<InboxReceipt> {
    const hook = this.#hooks.get(name)
    const host = this.#host
    if (host === undefined) throw new SkeinError('adapter.unavailable', 'The webhook adapter is not running.')
    if (hook === undefined || !isSigned(signature, body, hook.secret, this.#now()))
      throw new SkeinError('auth.required', 'Sign the body: skein-signature: t=UNIX_SECONDS,v1=HMAC_SHA_256_OF_t.BODY.')
    return await host.receive(readHookMessage(name, body, idempotencyKey))
  }

  async send(to: Destination, message: Outgoing, context: SendContext): Promise<{ readonly messageId?: string }> {
    if (this.#host === undefined) throw new SkeinError('adapter.unavailable', 'The webhook adapter is not running.')
    return await this.#while(this.#send(to, message, context))
  }

  async #send(
    to: Destination,
    { text, kind, replyTo }: Outgoing,
    { id, signal }: SendContext,
  ): Promise<{ readonly messageId?: string }> {
    const hook = this.#hookOf(to)
    if (hook?.replyUrl === undefined) throw fault('There is no replyUrl for this chat.', { permanent: true })
    const { chatId, threadId } = to
    const body = JSON.stringify({ id, kind, text, chatId, ...given({ threadId, replyTo }) })
    const response = await this.#fetch(hook.replyUrl, {
      method: 'POST',
      redirect: 'error',
      signal: AbortSignal.any([signal, this.#stop.signal]),
      headers: {
        'content-type': 'application/json',
        'idempotency-key': id,
        'skein-signature': signBody(hook.secret, body, this.#now()),
      },
      body,
    })
    // What it says is not read; the connection is free again.
    await response.body?.cancel()
    if (response.ok) return {}
    const retryAfterMs = waitOf(response.headers.get('retry-after'), this.#now())
    throw fault(`The receiver answered ${response.status}.`, { permanent: response.status === 410, ...given({ retryAfterMs }) })
  }

  /** By the hook that the chat belongs to; who names a chat alone means the only hook there is. */
  #hookOf({ scopeId, chatId }: Destination): Webhook | undefined {
    if (scopeId !== undefined) return this.#hooks.get(scopeId)
    return this.#hooks.get(chatId) ?? (this.#hooks.size === 1 ? [...this.#hooks.values()][0] : undefined)
  }

  #now(): number {
    return this.#host?.now?.() ?? this.#clock.now()
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

const ofSource = ['chatId', 'chatType', 'chatName', 'threadId', 'messageId', 'userId', 'userIdAlt', 'userName'] as const
const ofMessage = ['text', 'eventId', 'parts', 'context', 'replyTo', 'busy'] as const

/** A message as a hook takes it: what it says, and who says it where. The hook's name is the scope. Throws `input.invalid`. */
function readHookMessage(name: string, body: string, idempotencyKey: string | undefined): Inbound {
  let value: unknown
  try {
    value = JSON.parse(body) as Json
  } catch {
    throw invalidInput('body', 'This is not JSON.')
  }
  if (!isObject(value)) throw invalidInput('body', 'Expected a JSON object.')
  const known: readonly string[] = [...ofSource, ...ofMessage]
  const unknown = Object.keys(value).find(field => !known.includes(field))
  if (unknown !== undefined) throw invalidInput(unknown, `Unknown field; expected ${known.join(', ')}.`)
  const members = value
  const pick = (fields: readonly string[]): Record<string, unknown> =>
    Object.fromEntries(fields.flatMap(field => (Object.hasOwn(members, field) ? [[field, members[field]]] : [])))
  const eventId = value['eventId'] ?? value['messageId'] ?? idempotencyKey
  return {
    text: '',
    ...pick(ofMessage),
    ...(eventId === undefined ? {} : { eventId: eventId as string }),
    source: { ...pick(ofSource), platform: webhookPlatform, scopeId: name },
  }
}

function fault(message: string, more: SendFault): Error & SendFault {
  return Object.assign(new Error(message), more)
}

/** Seconds, or a date. */
function waitOf(header: string | null, now: number): number | undefined {
  if (header === null) return undefined
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1_000
  const at = Date.parse(header)
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}

function wrong(key: string, problem: string): SkeinError {
  const path = `hooks.${key}`
  return new SkeinError('config.invalid', `${path}: ${problem}`, { details: { key: path } })
}

export function isHookAdapter(adapter: GatewayAdapter): adapter is HookAdapter {
  return 'hooks' in adapter && Array.isArray(adapter.hooks) && 'receive' in adapter && typeof adapter.receive === 'function'
}
