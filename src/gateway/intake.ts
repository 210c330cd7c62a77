import { canonical, given, type Id, isObject, isSkeinError, type Json, sha256 } from '#kernel'
import type { Placed } from '#agent'
import type { Change } from '#journal'
import type { MemorySession } from '#memory'
import type { Authority } from './authority.ts'
import { type Front, sendingOf } from './desk.ts'
import { type Inbound, type InboxReceipt, isBlank, readInbound, type ReadInbound } from './inbound.ts'
import { inboxLifeMs, type InboxRow, openInbox, putInbox, type StoredInbox } from './inbox-row.ts'
import { KeyedLocks } from './keyed-locks.ts'
import { outboxChanges } from './outbox-row.ts'
import { type Command, readCommand } from './read-command.ts'
import { resolveSource } from './resolve.ts'
import type { BusyMode } from './settings.ts'
import type { Source } from './source.ts'
import { replyRow } from './turn-end.ts'
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

const eventCollection = 'gateway.event'
const waits: ReadonlySet<string> = new Set(['queued', 'collected', 'interrupted'])

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
    const { session, route, isShared } = await resolveSource(this.#front, source, { clocks: isHosts ? 'activity' : 'user' })
    const speaker = isShared && !isHosts ? await this.#ports.speaker(row) : undefined
    const keyed: InboxRow = { ...row, key: route.key, ...given({ speaker }) }
    desk.events.tell(tenant, desk.now, { type: 'message_received', id, key: route.key, sessionId: session.id })
    const open = await openInbox(this.#front.store, route.key)
    if (open.length === 0) {
      const begun = await this.#begin(write, keyed)
      if (begun !== undefined) return begun
    }
    return await this.#wait(write, keyed, open, session)
  }

  /** Begins the turn in the commit that stores the message; undefined where the session is another's for now. */
  async #begin(write: Writing, row: InboxRow): Promise<InboxReceipt | undefined> {
    let receipt: InboxReceipt | undefined
    try {
      const step = await this.#ports.turns.begin([{ row, version: 0 }], ({ turn }, { id, session }) => {
        receipt = { inboxId: id, status: 'started', ...given({ sessionId: session }), turnId: turn }
        return write.event(receipt)
      })
      if (step === 'begun') return receipt
      return undefined
    } catch (error) {
      if (!isSkeinError(error) || error.code === 'store.conflict') throw error
      if (error.retryable || error.code === 'session.held' || error.code.startsWith('session.')) return undefined
      const told = replyRow(this.#front.desk.runtime.ids, row, `The turn failed: ${error.code}.`, this.#front.desk.now)
      return await this.#refuse(write, row, error.code, outboxChanges(sendingOf(this.#front), [told]))
    }
  }

  async #wait(write: Writing, row: InboxRow, open: readonly StoredInbox[], session: MemorySession): Promise<InboxReceipt> {
    const { turns } = this.#ports
    const key = row.key ?? ''
    const busy = open.some(({ row: other }) => other.state === 'running')
    const sessionId = session.id
    if (busy && row.mode === 'reject') return await this.#refuse(write, row, 'busy')
    if (busy && (row.mode === 'steer' || row.mode === 'followUp')) {
      const steered = await steerInto(session, row, write)
      if (steered !== undefined) return steered
    }
    const waiting = open.filter(({ row: other }) => waits.has(other.state))
    if (waiting.length >= this.#front.desk.settings.queueMax) return await this.#refuse(write, row, 'queue_full')
    if (busy && row.mode === 'collect') {
      const receipt = { inboxId: row.id, status: 'collected', sessionId } as const
      await write.commit([putInbox({ ...row, state: 'collected' }, 0)], receipt)
      turns.pumpIn(key, quietMs)
      return receipt
    }
    const interrupts = busy && row.mode === 'interrupt' && !(await this.#hasUnstoppable(session))
    // Whoever interrupts comes before those that wait, behind those that interrupted before.
    const kept: InboxRow = {
      ...row,
      mode: interrupts ? 'interrupt' : row.mode === 'interrupt' ? 'next' : row.mode,
      state: 'queued',
    }
    const position = 1 + (interrupts ? waiting.filter(({ row: other }) => other.mode === 'interrupt').length : waiting.length)
    const status = interrupts ? 'interrupting' : 'queued'
    const receipt: InboxReceipt = { inboxId: row.id, status, position, sessionId }
    await write.commit([putInbox(kept, 0)], receipt)
    if (interrupts)
      void turns
        .goingOn(key)
        ?.cancel()
        .catch(() => undefined)
    void turns.pump(key)
    return receipt
  }

  /** Child runs and compactions are not cut off by a message. */
  async #hasUnstoppable({ id }: MemorySession): Promise<boolean> {
    const { store } = this.#front
    const row = await store.session(id)
    const children = row?.data['children']
    if (isObject(children) && Object.keys(children).length > 0) return true
    return (await store.record('compaction', id)) !== undefined
  }

  async #handleCommand(write: Writing, row: InboxRow, command: Command): Promise<InboxReceipt> {
    const { ids } = this.#front.desk.runtime
    const handled = await this.#ports.command(command, row)
    const kept: InboxRow = {
      ...row,
      state: handled.refused === undefined ? 'handled' : 'refused',
      endedAt: this.#front.desk.now,
      ...given({ key: handled.key, reason: handled.refused }),
    }
    const receipt: InboxReceipt = {
      inboxId: row.id,
      status: handled.refused === undefined ? 'handled' : 'refused',
      ...given({ reason: handled.refused }),
    }
    const answer = { ...replyRow(ids, row, handled.answer, this.#front.desk.now), ...given({ key: handled.key }) }
    const behind = handled.behind === undefined ? [] : [putInbox(handled.behind, 0)]
    await write.commit([putInbox(kept, 0), ...behind, ...outboxChanges(sendingOf(this.#front), [answer])], receipt)
    this.#ports.wakeDeliveries()
    if (handled.key !== undefined) void this.#ports.turns.pump(handled.key)
    return receipt
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

  event(receipt: InboxReceipt): Change[] {
    if (this.#event === undefined) return []
    const expiresAt = this.#front.desk.now + inboxLifeMs
    const value = receipt as unknown as Json
    return [{ type: 'put_record', collection: eventCollection, key: this.#event, value, expiresAt, expectVersion: 0 }]
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
  return { id, state: 'received', source, text, mode, said: 0, at, ...given({ parts, context, replyTo, internal, sender }) }
}

const placeOf = ({ platform, scopeId, chatId, threadId, userId }: Source): string =>
  JSON.stringify([platform, scopeId, chatId === '' ? userId : chatId, threadId])

const eventKey = ({ platform, scopeId, chatId }: Source, eventId: string): string =>
  sha256(canonical([platform, scopeId ?? null, chatId, eventId]))
