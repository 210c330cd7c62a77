import { canonical, given, type Id, isObject, isSkeinError, type Json, sha256, SkeinError } from '#kernel'
import type { Placed, Run } from '#agent'
import type { Change } from '#journal'
import type { MemorySession } from '#memory'
import type { Authority } from './authority.ts'
import { askToCancel } from './cancel-asked.ts'
import { changeRoute } from './change-route.ts'
import { type Front, sendingOf } from './desk.ts'
import { type Inbound, type InboxReceipt, isBlank, readInbound, type ReadInbound } from './inbound.ts'
import { routeAt } from './find-route.ts'
import { busyInbox, inboxCollection, inboxLifeMs, type InboxRow, movedTo, putInbox, type StoredInbox } from './inbox-row.ts'
import { KeyedLocks } from './keyed-locks.ts'
import { outboxChanges } from './outbox-row.ts'
import { arrived, joinQueue, markOpen, orderAfter, queueOf } from './queue.ts'
import { type Command, readCommand } from './read-command.ts'
import { type Clocks, type Resolved, resolveSource, touchedBy } from './resolve.ts'
import { type FoundRoute, holdOf, putRoute } from './route.ts'
import { retried } from './retried.ts'
import type { BusyMode } from './settings.ts'
import { type Source, threadOf } from './source.ts'
import { replyRow } from './turn-end.ts'
import type { Arrival } from './turn-begin.ts'
import { turnInput } from './turn-input.ts'
import { quietMs, type Turns } from './turns.ts'

export interface IntakePorts {
  readonly front: Front
  readonly turns: Turns
  readonly authority: Authority
  /** How a sender is called where many may speak. */
  speaker(row: InboxRow): Promise<string>
  /** Carries out a command: what to answer, and what to write in the commit that says it was handled. */
  command(command: Command, row: InboxRow): Promise<Handled>
  wakeDeliveries(): void
}

export interface Handled {
  readonly answer: string
  readonly key?: string
  /** The command was not carried out. */
  readonly refused?: string
  /** A message that waits behind it. */
  readonly behind?: InboxRow
}

/** A message on its way into a route. */
interface Arriving {
  readonly write: Writing
  readonly row: InboxRow
  readonly resolved: Resolved
  /** Its route as it was when the session was resolved. */
  readonly found: FoundRoute
  /** What a turn of the route has. */
  readonly busy: readonly StoredInbox[]
}

const clocksOf = ({ internal }: InboxRow): Clocks => (internal === true ? 'activity' : 'user')
const isAway = ({ code }: SkeinError): boolean => code.startsWith('store.')

const eventCollection = 'gateway.event'

/** Takes messages in: each is stored, once, before anybody is told what becomes of it. */
export class Intake {
  readonly #ports: IntakePorts
  readonly #front: Front
  /** Messages of one place are taken in the order of the calls, however slow the first one's look-ups are. Law G55. */
  readonly #places = new KeyedLocks()

  constructor(ports: IntakePorts) {
    this.#ports = ports
    this.#front = ports.front
  }

  /** Resolves after the commit. Rejects with what is wrong with the message itself; then nothing is stored. */
  async handle(message: Inbound, options: { readonly outside?: boolean } = {}): Promise<InboxReceipt> {
    const inbound = readInbound(message, options)
    const id = this.#front.desk.runtime.ids('inb')
    return await this.#places.run(placeOf(inbound.source), () => this.#take(id, inbound))
  }

  async #take(id: Id<'inb'>, inbound: ReadInbound): Promise<InboxReceipt> {
    const event = inbound.eventId === undefined ? undefined : eventKey(inbound.source, inbound.eventId)
    for (let tries = 1; ; tries++) {
      const known = event === undefined ? undefined : await this.#known(event)
      if (known !== undefined) return known
      try {
        return await this.#store(id, inbound, event)
      } catch (error) {
        // Another process took the same event, or the route changed on the way.
        if (!isSkeinError(error) || error.code !== 'store.conflict' || tries >= 60) throw error
      }
    }
  }

  async #known(event: string): Promise<InboxReceipt | undefined> {
    const record = await this.#front.store.record(eventCollection, event)
    return isObject(record?.value) ? { ...(record.value as unknown as InboxReceipt), duplicate: true } : undefined
  }

  async #store(id: Id<'inb'>, inbound: ReadInbound, event: string | undefined): Promise<InboxReceipt> {
    const { desk, tenant } = this.#front
    const { source, internal } = inbound
    const isHosts = internal === true
    const verdict = isHosts ? undefined : await this.#ports.authority.judge(source)
    const sender = verdict?.sender
    const row = newRow(id, inbound, desk.now, this.#mode(inbound), sender)
    const write = new Writing(this.#front, event)
    if (verdict?.allowed === false) {
      const asked = await this.#ports.authority.pairing(source, row)
      return await this.#refuse(write, row, verdict.reason, asked)
    }
    if (isBlank(inbound)) return await this.#refuse(write, row, 'empty')
    const command = isHosts || inbound.parts !== undefined ? undefined : readCommand(inbound.text, desk.settings.resetTriggers)
    if (command !== undefined) return await this.#handleCommand(write, row, command)
    const resolved = await resolveSource(this.#front, source, { clocks: 'none' })
    const { route, isShared } = resolved
    const speaker = isShared && !isHosts ? await this.#ports.speaker(row) : undefined
    const [found, busy] = await Promise.all([this.#kept(route), busyInbox(this.#front.store, route.key)])
    const keyed: InboxRow = { ...row, key: route.key, order: orderAfter(found.route, row.at), ...given({ speaker }) }
    const arriving: Arriving = { write, row: keyed, resolved, found, busy }
    const isFree = busy.length === 0 && queueOf(found.route).waiting === 0 && holdOf(found.route, 'paused') === undefined
    const receipt = (isFree ? await this.#begin(arriving) : undefined) ?? (await this.#wait(arriving))
    if (receipt.status !== 'refused')
      desk.events.tell(tenant, desk.now, { type: 'message_received', id, key: route.key, sessionId: resolved.session.id })
    return receipt
  }

  /** Begins the turn in the commit that stores the message; undefined where the session is another's for now. */
  async #begin({ write, row, resolved, found }: Arriving): Promise<InboxReceipt | undefined> {
    const { desk } = this.#front
    let receipt: InboxReceipt | undefined
    const alongside: Arrival['alongside'] = ({ turn }, { id, session }) => {
      receipt = { inboxId: id, status: 'started', turnId: turn, ...given({ sessionId: session }) }
      return write.event(receipt)
    }
    try {
      const step = await this.#ports.turns.begin([{ row, version: 0 }], resolved, { found, clocks: clocksOf(row), alongside })
      if (step === 'begun') return receipt
      return undefined
    } catch (error) {
      if (!isSkeinError(error) || error.code === 'store.conflict' || isAway(error)) throw error
      if (error.retryable || error.code.startsWith('session.')) return undefined
      const told = replyRow(desk.runtime.ids, row, `The turn failed: ${error.code}.`, desk.now)
      return await this.#refuse(write, row, error.code, outboxChanges(sendingOf(this.#front), [told]))
    }
  }

  async #wait({ write, row, resolved, found, busy }: Arriving): Promise<InboxReceipt> {
    const { session, route } = resolved
    const { desk } = this.#front
    const { turns } = this.#ports
    const { key } = route
    const isPaused = holdOf(found.route, 'paused') !== undefined
    const running = isPaused ? undefined : busy.find(({ row: other }) => other.state === 'running')
    if (running !== undefined && row.mode === 'reject') return await this.#refuse(write, row, 'busy')
    if (running !== undefined && (row.mode === 'steer' || row.mode === 'followUp')) {
      const steered = await steerInto(session, row, write)
      if (steered !== undefined) {
        await changeRoute(this.#front, key, now => ({
          route: touchedBy(arrived(now.route, row.order), row.source, clocksOf(row), desk.now),
        }))
        return steered
      }
    }
    const queue = queueOf(found.route)
    const cutOff = busy.filter(({ row: other }) => other.state === 'interrupted').length
    if (queue.waiting + cutOff >= desk.settings.queueMax) {
      const told = replyRow(desk.runtime.ids, row, 'Too many messages are waiting here; this one was not taken.', desk.now)
      return await this.#refuse(write, row, 'queue_full', outboxChanges(sendingOf(this.#front), [told]))
    }
    const collects = running !== undefined && row.mode === 'collect'
    const interrupts = running !== undefined && row.mode === 'interrupt' && !(await this.#hasUnstoppable(session))
    const run = interrupts ? turns.goingOn(key) : undefined
    // Whoever interrupts comes before those that wait, behind those that interrupted before.
    const kept: InboxRow = {
      ...row,
      mode: interrupts ? 'interrupt' : row.mode === 'interrupt' ? 'next' : row.mode,
      state: collects ? 'collected' : 'queued',
    }
    const joined = joinQueue(touchedBy(found.route, row.source, clocksOf(row), desk.now), [kept])
    const position = 1 + (interrupts ? queue.interrupting : queue.waiting + cutOff)
    const receipt: InboxReceipt = {
      inboxId: row.id,
      status: interrupts ? 'interrupting' : kept.state === 'collected' ? 'collected' : 'queued',
      ...(collects ? {} : { position }),
      ...(isPaused ? { reason: 'paused' } : {}),
      sessionId: session.id,
    }
    const changed = putRoute({ ...found, route: joined.route })
    await write.commit([putInbox(kept, 0), ...joined.changes, changed, markOpen(route)], receipt)
    if (interrupts) void this.#cutOff(run, running.row)
    if (collects) turns.pumpIn(key, quietMs)
    else void turns.pump(key)
    return receipt
  }

  /** The route as it is kept, of which the version that was read stands. Throws `store.conflict` if it was changed since. */
  async #kept({ key, version }: Resolved['route']): Promise<FoundRoute> {
    const found = await routeAt(this.#front.store, key)
    if (found?.version === version) return found
    throw new SkeinError('store.conflict', `Route ${key} has changed.`)
  }

  /** Ends the turn that a message interrupts, here or wherever it goes on. */
  async #cutOff(run: Run | undefined, { turn }: InboxRow): Promise<void> {
    try {
      if (run !== undefined) await run.cancel()
      else if (turn !== undefined) await askToCancel(this.#front, turn)
    } catch {
      // It ends by itself, and the message that interrupts comes then.
    }
  }

  /** Child runs and compactions are not cut off by a message. */
  async #hasUnstoppable({ id }: MemorySession): Promise<boolean> {
    const { store } = this.#front
    const row = await store.session(id)
    const children = row?.data['children']
    if (isObject(children) && Object.keys(children).length > 0) return true
    return (await store.record('compaction', id)) !== undefined
  }

  /** A command is stored before it is carried out, so that its event is not carried out twice. */
  async #handleCommand(write: Writing, row: InboxRow, command: Command): Promise<InboxReceipt> {
    const { store, desk } = this.#front
    const { ids } = desk.runtime
    const begun: InboxReceipt = { inboxId: row.id, status: 'handled' }
    await write.commit([putInbox(row, 0)], begun)
    const handled = await this.#carriedOut(write, row, command)
    const isRefused = handled.refused !== undefined
    const more = given({ key: handled.key, reason: handled.refused })
    const kept = { ...movedTo(row, isRefused ? 'refused' : 'handled'), endedAt: desk.now, ...more }
    const receipt: InboxReceipt = isRefused ? { ...begun, status: 'refused', ...given({ reason: handled.refused }) } : begun
    const answer = { ...replyRow(ids, row, handled.answer, desk.now), ...given({ key: handled.key }) }
    const changes = [
      putInbox(kept, 1),
      ...(isRefused ? write.event(receipt, 1) : []),
      ...outboxChanges(sendingOf(this.#front), [answer]),
    ]
    await retried(async () => await store.commit([...changes, ...(await this.#behind(handled.behind))]))
    this.#ports.wakeDeliveries()
    if (handled.key !== undefined) void this.#ports.turns.pump(handled.key)
    return receipt
  }

  /** What puts a message behind a command into the queue of its route. */
  async #behind(row: InboxRow | undefined): Promise<Change[]> {
    const found = row?.key === undefined ? undefined : await routeAt(this.#front.store, row.key)
    if (row === undefined || found === undefined) return []
    const kept: InboxRow = { ...row, order: orderAfter(found.route, row.at) }
    const { route, changes } = joinQueue(found.route, [kept])
    return [putInbox(kept, 0), ...changes, putRoute({ ...found, route }), markOpen(route)]
  }

  /** What breaks off, because the store is away, is forgotten, so that it can be said again. */
  async #carriedOut(write: Writing, row: InboxRow, command: Command): Promise<Handled> {
    try {
      return await this.#ports.command(command, row)
    } catch (error) {
      const forget: Change = { type: 'delete_record', collection: inboxCollection, key: row.id }
      await this.#front.store.commit([forget, ...write.forget()]).catch(() => undefined)
      throw error
    }
  }

  async #refuse(write: Writing, row: InboxRow, reason: string, more: readonly Change[] = []): Promise<InboxReceipt> {
    const { desk, tenant } = this.#front
    const receipt: InboxReceipt = { inboxId: row.id, status: 'refused', reason }
    await write.commit([putInbox({ ...row, state: 'refused', reason, endedAt: desk.now }, 0), ...more], receipt)
    desk.events.tell(tenant, desk.now, { type: 'message_refused', id: row.id, reason })
    if (more.length > 0) this.#ports.wakeDeliveries()
    return receipt
  }

  #mode({ busy, source }: ReadInbound): BusyMode {
    const { platforms, busy: otherwise } = this.#front.desk.settings
    return busy ?? (Object.hasOwn(platforms, source.platform) ? platforms[source.platform]?.busy : undefined) ?? otherwise
  }
}

/** Says it to the run that goes on, in the commit that stores it; undefined where that run has ended. */
async function steerInto(session: MemorySession, row: InboxRow, write: Writing): Promise<InboxReceipt | undefined> {
  let receipt: InboxReceipt | undefined
  const options = {
    idempotencyKey: row.id,
    alongside: (placed: Placed): readonly Change[] => {
      receipt = { inboxId: row.id, status: 'steered', sessionId: session.id, turnId: placed.turn }
      return [putInbox({ ...row, ...placed, session: session.id, state: 'steered' }, 0), ...write.event(receipt)]
    },
  }
  try {
    const input = turnInput([row])
    await (row.mode === 'followUp' ? session.followUp(input, options) : session.steer(input, options))
    return receipt
  } catch (error) {
    if (isSkeinError(error) && (error.code === 'run.not_running' || error.code.startsWith('session.'))) return undefined
    throw error
  }
}

/** What is written with a message: its receipt under its event, so that the same one again gets the same answer. Law G54. */
class Writing {
  readonly #front: Front
  readonly #event: string | undefined

  constructor(front: Front, event: string | undefined) {
    this.#front = front
    this.#event = event
  }

  event(receipt: InboxReceipt, expectVersion = 0): Change[] {
    if (this.#event === undefined) return []
    const expiresAt = this.#front.desk.now + inboxLifeMs
    const value = receipt as unknown as Json
    return [{ type: 'put_record', collection: eventCollection, key: this.#event, value, expiresAt, expectVersion }]
  }

  /** The event as if it had never come. */
  forget(): Change[] {
    return this.#event === undefined ? [] : [{ type: 'delete_record', collection: eventCollection, key: this.#event }]
  }

  async commit(changes: readonly Change[], receipt: InboxReceipt): Promise<void> {
    await this.#front.store.commit([...changes, ...this.event(receipt)])
  }
}

function newRow(
  id: Id<'inb'>,
  { source, text, parts, context, replyTo, internal }: ReadInbound,
  at: number,
  mode: BusyMode,
  sender: string | undefined,
): InboxRow {
  return {
    id,
    state: 'received',
    source,
    text,
    mode,
    order: at,
    said: 0,
    at,
    ...given({ parts, context, replyTo, internal, sender }),
  }
}

function placeOf(source: Source): string {
  const { platform, scopeId, chatId, userId } = source
  return JSON.stringify([platform, scopeId, chatId === '' ? userId : chatId, threadOf(source)])
}

const eventKey = ({ platform, scopeId, chatId }: Source, eventId: string): string =>
  sha256(canonical([platform, scopeId ?? null, chatId, eventId]))
