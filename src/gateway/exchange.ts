import { every, isSkeinError, messageOf, type SessionId, SkeinError, wait, within } from '#kernel'
import { type JobWork, startWorker, type Worker } from '#jobs'
import type { AdapterHost, GatewayAdapter } from './adapter.ts'
import type { Authorisation } from './authorise.ts'
import { Authority } from './authority.ts'
import { changeRoute } from './change-route.ts'
import { deliveryWork, sendMs } from './deliver-job.ts'
import { type Front, sendingOf } from './desk.ts'
import { routeAt } from './find-route.ts'
import type { Inbound, InboxReceipt } from './inbound.ts'
import { busyInbox, type InboxRow, movedTo, putInbox } from './inbox-row.ts'
import { type Handled, Intake } from './intake.ts'
import { withHold } from './holds.ts'
import { deliverKind, outboxChanges, type OutboxRow, outboxRow, placeOf, writeFileKind } from './outbox-row.ts'
import { fileAdapter } from './output-file.ts'
import { Pairings } from './pairings.ts'
import { hasQueue, openMarks, unmarkOpen } from './queue.ts'
import { pseudonymKey } from './pseudonym-key.ts'
import type { Command } from './read-command.ts'
import { withoutTurn } from './rebind.ts'
import { recoverRoutes } from './recover.ts'
import { contextOf } from './source-context.ts'
import { decodeSource, type Source } from './source.ts'
import { destinationOf, replyRow } from './turn-end.ts'
import { Turns } from './turns.ts'
import { isHookAdapter } from './webhook.ts'

const lookMs = 60_000
const textDefault = 4_000
const partingLookMs = 50
const partingLooks = 60

export interface ExchangeParts {
  readonly front: Front
  /** The same for any tenant. */
  frontOf(tenant: string): Front
  command(exchange: Exchange, command: Command, row: InboxRow): Promise<Handled>
  /** How a sender is called where many may speak. */
  speaker(row: InboxRow): Promise<string>
}

/** One tenant's messages in this process: taken in, answered in turn, carried out by the adapters that were started here. */
export class Exchange {
  readonly front: Front
  readonly pairings: Pairings
  readonly turns: Turns
  readonly #frontOf: (tenant: string) => Front
  readonly #authority: Authority
  readonly #intake: Intake
  readonly #adapters = new Map<string, GatewayAdapter>()
  /** Messages that are being taken in. */
  readonly #taking = new Set<Promise<void>>()
  #hasTaken = false
  #worker: Worker | undefined
  #stopLooking: (() => void) | undefined
  #state: 'idle' | 'started' | 'stopping' = 'idle'

  constructor({ front, frontOf, command, speaker }: ExchangeParts) {
    const { store, desk } = front
    const { clock, random, ids } = desk.runtime
    this.front = front
    this.#frontOf = frontOf
    this.pairings = new Pairings({ store, clock, random, ids, key: () => pseudonymKey(front) })
    this.#authority = new Authority(front, this.pairings)
    const wakeDeliveries = (): void => this.#worker?.wake()
    this.turns = new Turns({
      front,
      wakeDeliveries,
      mayGoOn: row => this.#mayGoOn(row),
      mostChars: platform => this.#adapters.get(platform)?.capabilities.maxTextChars ?? textDefault,
    })
    this.#intake = new Intake({
      front,
      wakeDeliveries,
      speaker,
      turns: this.turns,
      authority: this.#authority,
      command: (asked, row) => command(this, asked, row),
    })
  }

  /** Resolves after the commit. `server.stopping` once the gateway ends. */
  async handle(message: Inbound, options: { readonly outside?: boolean } = {}): Promise<InboxReceipt> {
    if (this.#state === 'stopping') throw new SkeinError('server.stopping', 'The gateway is stopping.')
    this.#hasTaken = true
    const taken = this.#intake.handle(message, options)
    const over = taken.then(
      () => undefined,
      () => undefined,
    )
    this.#taking.add(over)
    void over.then(() => this.#taking.delete(over))
    return await taken
  }

  /** A check that throws says no; that the store is away says nothing, and is asked again later. */
  async #mayGoOn(row: InboxRow): Promise<boolean> {
    try {
      return await this.#authority.mayGoOn(row)
    } catch (error) {
      if (isSkeinError(error) && error.retryable) throw error
      return false
    }
  }

  /** Starts adapters, carries on what a process before left, and looks for the dead every minute. An adapter that fails is a notice. */
  async start(adapters: readonly GatewayAdapter[]): Promise<void> {
    if (this.#state !== 'idle') throw new SkeinError('input.invalid', 'The gateway was started before.')
    this.#state = 'started'
    const { desk } = this.front
    const { store, clock, random, owner, timers } = desk.runtime
    await recoverRoutes(this.front, 0, { only: 'unfinished' })
    const enabled = adapters.filter(({ platform }) => desk.settings.platforms[platform]?.enabled !== false)
    for (const adapter of enabled) await this.#startOne(adapter)
    const writeFiles = deliveryWork(this.#frontOf, ({ tenant }) => fileAdapter(desk.outputFolder, tenant))
    const works = Object.fromEntries(
      [...this.#adapters].map(([platform, adapter]) => [this.#kind(platform), this.#delivering(adapter)]),
    )
    this.#worker = startWorker({ store, clock, random, owner, timers, works: { ...works, [writeFileKind]: writeFiles } })
    await this.#look()
    const again = (): void => void this.#look().catch(error => this.#notLooked(error))
    // As long as a lease of a process that died may last, and from then on each minute.
    const cancelFirst = timers.after(desk.runtime.leaseMs, again)
    const stopLooking = every(timers, lookMs, again)
    this.#stopLooking = () => (cancelFirst(), stopLooking())
  }

  /** Takes nothing more in, gives turns `drainMs`, marks and leaves the rest to the next start, and tells their chats. */
  async stop(drainMs: number): Promise<void> {
    if (this.#state === 'stopping') return
    const wasStarted = this.#state === 'started'
    this.#state = 'stopping'
    this.#stopLooking?.()
    const { timers } = this.front.desk.runtime
    await Promise.all(this.#taking)
    this.turns.halt()
    await within(timers, drainMs, this.turns.idle(), () => undefined)
    const told = new Map<string, string>()
    for (const { key, session, turn } of this.turns.going) await this.#leave(key, session, turn, told)
    await this.#sent([...told.values()])
    this.#worker?.wake()
    await this.#worker?.stop(Math.min(drainMs, sendMs))
    if (wasStarted) for (const adapter of this.#adapters.values()) await this.#stopOne(adapter)
    this.#adapters.clear()
  }

  /** Whether who speaks from there may do so now. A check that throws says no. */
  async maySpeak(source: Source): Promise<boolean> {
    try {
      return (await this.#authority.judge(source)).allowed
    } catch (error) {
      if (isSkeinError(error) && error.retryable) throw error
      return false
    }
  }

  /** What waits of a route may begin, if turns are this process's to begin; else whoever begins them sees it within a minute. */
  goOn(key: string): void {
    if (this.#state === 'started' || (this.#state === 'idle' && this.#hasTaken)) void this.turns.pump(key)
  }

  /** Messages may be on their way. */
  wake(): void {
    this.#worker?.wake()
  }

  /** Whether a source may speak, and by which rule; writes nothing. */
  async authorisation(source: Source): Promise<Authorisation> {
    const { allowed, reason } = await this.#authority.judge(source)
    return { allowed, reason }
  }

  get isStarted(): boolean {
    return this.#state === 'started'
  }

  adapterOf(platform: string): GatewayAdapter | undefined {
    return this.#adapters.get(platform)
  }

  /** Sends rows out, here or wherever their platform's adapter runs. */
  async send(rows: readonly OutboxRow[]): Promise<void> {
    await this.front.store.commit(outboxChanges(sendingOf(this.front), rows))
    this.#worker?.wake()
  }

  async #look(): Promise<void> {
    await recoverRoutes(this.front, 0, { only: 'unfinished' })
    for await (const { key, version } of openMarks(this.front.store)) {
      await this.turns.pump(key)
      await this.#unmark(key, version)
    }
  }

  /** The next look sees to what this one could not. */
  #notLooked(error: unknown): void {
    const { desk, tenant } = this.front
    const code = isSkeinError(error) ? error.code : 'skein.bug'
    const message = `Turns that were cut short could not be looked for; it is tried again in a minute: ${messageOf(error)}`
    desk.runtime.notice({ level: 'error', code, message, tenant })
  }

  /** Where all is over, nobody looks any more. */
  async #unmark(key: string, version: number): Promise<void> {
    const { store } = this.front
    const route = (await routeAt(store, key))?.route
    if (route?.openTurn !== undefined || (await hasQueue(store, key)) || (await busyInbox(store, key)).length > 0) return
    await store.commit([unmarkOpen({ key }, version)]).catch(unlessConflict)
  }

  async #startOne(adapter: GatewayAdapter): Promise<void> {
    const { desk, tenant } = this.front
    const { platform, capabilities } = adapter
    const host: AdapterHost = {
      now: () => desk.now,
      receive: message => this.handle(message, { outside: true }),
      maySpeak: source => this.maySpeak(decodeSource(source)),
      knows: async source => (await contextOf(this.front, decodeSource(source))).sessionId !== undefined,
    }
    try {
      await adapter.start(host)
      this.#adapters.set(platform, adapter)
      desk.connected.add(platform)
      if (capabilities.piiSafe) desk.piiSafe.add(platform)
      if (isHookAdapter(adapter)) for (const name of adapter.hooks) desk.hooks.set(name, adapter)
    } catch (error) {
      const message = `The adapter of ${platform} could not be started: ${messageOf(error)}`
      desk.runtime.notice({ level: 'error', code: 'adapter.unavailable', message, tenant })
    }
  }

  async #stopOne(adapter: GatewayAdapter): Promise<void> {
    const { desk, tenant } = this.front
    desk.connected.delete(adapter.platform)
    for (const [name, hook] of desk.hooks) if ((hook as object) === adapter) desk.hooks.delete(name)
    try {
      await adapter.stop()
    } catch (error) {
      const message = `The adapter of ${adapter.platform} could not be stopped: ${messageOf(error)}`
      desk.runtime.notice({ level: 'warn', code: 'adapter.unavailable', message, tenant })
    }
  }

  #kind(platform: string): string {
    return deliverKind(this.front.tenant, platform)
  }

  #delivering(adapter: GatewayAdapter): JobWork {
    return deliveryWork(
      () => this.front,
      () => adapter,
      id => this.pairings.codeOf(id),
    )
  }

  /** What chats are told of the end is worth most before it; it is waited for a little. */
  async #sent(ids: readonly string[]): Promise<void> {
    const { timers } = this.front.desk.runtime
    if (this.#worker === undefined) return
    for (let looks = 0; looks < partingLooks; looks++) {
      this.#worker.wake()
      const rows = await Promise.all(ids.map(id => outboxRow(this.front.store, id)))
      if (!rows.some(found => found?.row.state === 'pending' || found?.row.state === 'sending')) return
      await wait(timers, partingLookMs)
    }
  }

  /** A turn that could not end in time is the next start's to go on with. */
  async #leave(key: string, session: SessionId, turn: string, told: Map<string, string>): Promise<void> {
    const { desk, store, sessions } = this.front
    const hold = { kind: 'resume_pending', reason: 'shutdown_timeout', at: desk.now } as const
    await changeRoute(this.front, key, async ({ route }) => {
      const { openTurn } = route
      // Another process may have taken the turn over.
      const row = await store.session(session)
      if (openTurn === undefined || openTurn.turnId !== turn || row?.lease.owner !== desk.runtime.owner) return undefined
      const rows = (await busyInbox(store, route.key)).filter(
        ({ row }) => row.state === 'running' && row.turn === openTurn.turnId,
      )
      const [head] = rows
      const text = 'The gateway is stopping. Your message goes on when it is back.'
      const place = head === undefined ? '' : placeOf(destinationOf(head.row.source))
      // One for each chat and thread.
      const notice = head === undefined || told.has(place) ? [] : [replyRow(desk.runtime.ids, head.row, text, desk.now)]
      for (const { id } of notice) told.set(place, id)
      return {
        route: withHold(withoutTurn(route), hold),
        alongside: [
          ...rows.map(({ row, version }) => putInbox(movedTo(row, 'interrupted'), version)),
          ...outboxChanges(sendingOf(this.front), notice),
        ],
      }
    })
    await (await sessions.open(session)).close({ graceMs: 0 })
  }
}

/** Something has begun there since. */
function unlessConflict(error: unknown): void {
  if (!isSkeinError(error) || error.code !== 'store.conflict') throw error
}
