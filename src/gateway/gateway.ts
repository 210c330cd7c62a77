import { aFlag, anObject, anything, aText, listOf, orNull, parseSessionRef, shape, SkeinError, wholeNumber } from '#kernel'
import type { Page } from '#journal'
import type { GatewayAdapter } from './adapter.ts'
import { deliver, type DeliverOptions, type Delivery } from './deliver.ts'
import type { Front } from './desk.ts'
import { checkGateway, type GatewayFinding } from './doctor.ts'
import type { Exchange } from './exchange.ts'
import { hasWaiting, type InboxFilter, listInbox, listOutbox, type OutboxFilter, retryOutbox } from './list-messages.ts'
import type { Inbound, InboxReceipt } from './inbound.ts'
import type { InboxRow } from './inbox-row.ts'
import type { OutboxRow } from './outbox-row.ts'
import type { Pairings } from './pairings.ts'
import { type Explanation, explainSource } from './explain.ts'
import { findRoute } from './find-route.ts'
import type { GatewayEvent } from './gateway-events.ts'
import type { HookRequest } from './hook-request.ts'
import { hasAnySessions } from './has-any.ts'
import { clearResumePending, markResumePending, pause, suspend, unpause } from './holds.ts'
import { learn, type Learnt } from './learn.ts'
import { asShown, checkRouteFilter, listRoutes, type RouteFilter } from './list-routes.ts'
import { resetRoute, type Switching, switchRoute, touchRoute } from './operations.ts'
import type { SourceContext } from './prompt.ts'
import { pruneRoutes } from './prune.ts'
import { type GatewayRecoverOptions, recoverRoutes } from './recover.ts'
import { type Resolved, resolveSource } from './resolve.ts'
import { rewriteRoute, type RewriteOptions, type Rewritten } from './rewrite.ts'
import type { Route } from './route.ts'
import { Schedules } from './schedules.ts'
import { contextOf, promptOf } from './source-context.ts'
import { decodeSource, type SourceInput } from './source.ts'

export interface ResolveOptions {
  /** Begins afresh whatever is there. */
  readonly forceNew?: boolean
  /** `false`: the message sets no clock of the route. Default true. */
  readonly touch?: boolean
}

const check = {
  resolve: shape<ResolveOptions>({ forceNew: aFlag, touch: aFlag }),
  reset: shape<{ title?: string | null }>({ title: orNull(aText) }),
  switch: shape<Switching>({ actor: anything, take: aFlag }),
  recover: shape<GatewayRecoverOptions>({ only: anything }),
  prune: shape<{ dryRun?: boolean }>({ dryRun: aFlag }),
  hasAny: shape<{ except?: string }>({ except: (value, path) => void parseSessionRef(value, path) }),
  prompt: shape<{ redact?: boolean }>({ redact: aFlag }),
  learn: shape<{ scope?: string }>({ scope: aText }),
  deliver: shape<DeliverOptions>({ origin: anything }),
  start: shape<{ adapters?: readonly GatewayAdapter[] }>({ adapters: listOf(anObject, 'adapters') }),
  stop: shape<{ drainMs?: number }>({ drainMs: wholeNumber() }),
}

/** `skein.gateway`: where messages of one tenant come from, and which session they go to. */
export class Gateway {
  readonly #front: Front
  readonly #exchange: Exchange
  /** What came in and what became of it, newest first. */
  readonly inbox: { list(filter?: InboxFilter): Promise<Page<InboxRow>> }
  /** What goes out. `retry` sends one again that was given up. */
  readonly outbox: { list(filter?: OutboxFilter): Promise<Page<OutboxRow>>; retry(id: string): Promise<OutboxRow> }
  /** What is asked at set times, in sessions of their own. */
  readonly schedules: Schedules
  /** Who asked to be let in, and who was. */
  readonly pairings: Pick<Pairings, 'list' | 'approve' | 'revoke'>
  /** Who is whom on a platform. */
  readonly identities: {
    /** Two ids are one person's. Again: nothing. */
    learn(platform: string, a: string, b: string, options?: { readonly scope?: string }): Promise<Learnt>
  }

  constructor(front: Front, exchange: Exchange) {
    this.#front = front
    this.#exchange = exchange
    this.inbox = { list: filter => listInbox(front, filter) }
    this.outbox = { list: filter => listOutbox(exchange, filter), retry: id => retryOutbox(exchange, id) }
    this.schedules = new Schedules(front)
    this.pairings = exchange.pairings
    this.identities = {
      learn: async (platform, a, b, options = {}) => {
        check.learn(options)
        return await learn(front, platform, a, b, options.scope)
      },
    }
  }

  /** What a session's messages come to: its session, made if need be, after the commit that makes it so. Throws `source.invalid`. */
  async resolve(source: SourceInput, options: ResolveOptions = {}): Promise<Resolved> {
    const decoded = decodeSource(source)
    check.resolve(options)
    const { forceNew = false, touch = true } = options
    return await resolveSource(this.#front, decoded, { forceNew, clocks: touch ? 'user' : 'none' })
  }

  /**
   * Takes a message in: resolves once it is stored, with what becomes of it. Only then a platform is told that it came. Throws
   * `source.invalid`, `input.invalid`, `input.too_large`; who may not speak is told by the receipt.
   */
  async handle(message: Inbound): Promise<InboxReceipt> {
    return await this.#exchange.handle(message)
  }

  /**
   * Takes what came to a webhook of any tenant of this opening. Throws `path.not_found` for a name that no running adapter has,
   * `auth.required` for what is not signed, and what `handle` throws. A platform with words of its own is answered in them.
   */
  async hook(name: string, request: HookRequest): Promise<InboxReceipt | Response> {
    const adapter = this.#front.desk.hooks.get(name)
    if (adapter === undefined) throw new SkeinError('path.not_found', `There is no hook ${name}.`, { details: { path: name } })
    return (await adapter.receive(name, request)) as InboxReceipt | Response
  }

  /** What somebody should look at; repairs nothing. */
  async check(): Promise<readonly GatewayFinding[]> {
    return await checkGateway(this.#front)
  }

  /** Sends a message to a target: `origin`, `local`, a platform's home or a chat. Throws `target.invalid`. */
  async deliver(target: string, message: string | { readonly text: string }, options: DeliverOptions = {}): Promise<Delivery> {
    check.deliver(options)
    return await deliver(this.#exchange, target, message, options)
  }

  /** Starts adapters, and goes on with what a process before this one left. */
  async start(options: { readonly adapters?: readonly GatewayAdapter[] } = {}): Promise<void> {
    check.start(options)
    await this.#exchange.start(options.adapters ?? [])
  }

  /** Takes nothing more in, gives turns `drainMs` (60,000), and leaves the rest to the next start. */
  async stop(options: { readonly drainMs?: number } = {}): Promise<void> {
    check.stop(options)
    await this.#exchange.stop(options.drainMs ?? 60_000)
  }

  /** The route of a key, canonical or legacy; `null` for an unknown one. Throws `key.invalid`, `key.ambiguous`. */
  async get(key: string): Promise<Route | null> {
    const found = await findRoute(this.#front.store, key)
    return found === undefined ? null : await asShown(this.#front, found)
  }

  /** Something happened on the route. `null` for an unknown key. */
  async touch(key: string): Promise<Route | null> {
    return await touchRoute(this.#front, key)
  }

  /** Begins afresh, as somebody asked. `null` for an unknown key. */
  async reset(key: string, options: { readonly title?: string | null } = {}): Promise<Route | null> {
    check.reset(options)
    return await resetRoute(this.#front, key, options.title, { unpauses: true })
  }

  /** The route speaks to another session from now on. `null` for an unknown key. */
  async switch(key: string, sessionId: string, options: Switching = {}): Promise<Route | null> {
    check.switch(options)
    return await switchRoute(this.#front, key, sessionId, options)
  }

  /** Makes a route's conversation exactly these messages; what was said before stays beside. `null` for an unknown key. */
  async rewrite(key: string, messages: unknown, options: RewriteOptions = {}): Promise<Rewritten | null> {
    return await rewriteRoute(this.#front, key, messages, options)
  }

  /** The next message begins afresh. False for an unknown key. */
  async suspend(key: string, reason?: string): Promise<boolean> {
    return await suspend(this.#front, key, reason)
  }

  /** Messages are stored and wait, until they may go on; a turn that goes on ends as it would. False for an unknown key. */
  async pause(key: string, reason?: string): Promise<boolean> {
    return await pause(this.#front, key, reason)
  }

  /** What waited goes on. False where nothing was paused. */
  async unpause(key: string): Promise<boolean> {
    const unpaused = await unpause(this.#front, key)
    if (unpaused !== undefined) this.#exchange.goOn(unpaused)
    return unpaused !== undefined
  }

  /** The next message finds its session, whatever the policy says. False for unknown and suspended routes. */
  async markResumePending(key: string, reason?: string): Promise<boolean> {
    return await markResumePending(this.#front, key, reason)
  }

  async clearResumePending(key: string): Promise<boolean> {
    return await clearResumePending(this.#front, key)
  }

  /** Marks routes that were active within the window (120 s) before something went wrong; how many. */
  async recover(maxAgeMs: number = 120_000, options: GatewayRecoverOptions = {}): Promise<number> {
    check.recover(options)
    return await recoverRoutes(this.#front, maxAgeMs, options)
  }

  /** Removes routes that were quiet for so many days; how many. Sessions stay. */
  async prune(maxAgeDays?: number, options: { readonly dryRun?: boolean } = {}): Promise<number> {
    check.prune(options)
    return await pruneRoutes(this.#front, maxAgeDays, { ...options, isWaiting: key => hasWaiting(this.#front, key) })
  }

  /** Newest activity first, then by key. */
  async list(filter: RouteFilter = {}): Promise<Page<Route>> {
    checkRouteFilter(filter)
    return await listRoutes(this.#front, filter)
  }

  /** Whether the tenant ever had more than one session; with `except`, whether there are others. */
  async hasAny(options: { readonly except?: string } = {}): Promise<boolean> {
    check.hasAny(options)
    return await hasAnySessions(this.#front, options.except)
  }

  /** What a message of this source would meet, and why; writes nothing. */
  async explain(source: SourceInput): Promise<Explanation> {
    const decoded = decodeSource(source)
    const explained = await explainSource(this.#front, decoded)
    return { ...explained, authorisation: await this.#exchange.authorisation(decoded) }
  }

  /** What the model is told of where it speaks, as data; writes nothing. */
  async context(source: SourceInput): Promise<SourceContext> {
    return await contextOf(this.#front, decodeSource(source))
  }

  /** The same as a text. */
  async prompt(source: SourceInput, options: { readonly redact?: boolean } = {}): Promise<string> {
    check.prompt(options)
    return await promptOf(this.#front, decodeSource(source), options.redact)
  }

  /** What happens from now on, until the signal is aborted. The rows are the truth. */
  events(
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<GatewayEvent & { readonly at: number }, void, undefined> {
    return this.#front.desk.events.follow(this.#front.tenant, options.signal)
  }
}
