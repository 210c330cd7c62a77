import { given, type RunId, isSkeinError, type SessionId, SkeinError } from '#kernel'
import type { Placed, Run, TurnResult } from '#agent'
import type { Change, Message } from '#journal'
import type { MemorySession } from '#memory'
import type { MessageInput } from '#session'
import { type Front, sendingOf } from './desk.ts'
import { routeAt } from './find-route.ts'
import { freshNotice } from './fresh-notice.ts'
import { inboxRow, type InboxRow, movedTo, openInbox, putInbox, type StoredInbox } from './inbox-row.ts'
import { outboxChanges } from './outbox-row.ts'
import { openTurnRecord } from './rebind.ts'
import { type Resolved, resolveSource } from './resolve.ts'
import { type FoundRoute, holdOf, putRoute } from './route.ts'
import { turnOpened } from './turn-marks.ts'
import { ruleFor } from './settings.ts'
import { type Claim, endTurn, replyRow } from './turn-end.ts'
import { turnInput } from './turn-input.ts'

/** What turns need of the rest of the gateway. */
export interface TurnPorts {
  readonly front: Front
  /** Whether who sent it may speak now. One that throws says no. */
  mayGoOn(row: InboxRow): Promise<boolean>
  /** UTF-16 units of one message of the platform. */
  mostChars(platform: string): number
  /** Messages may be on their way. */
  wakeDeliveries(): void
}

interface Going {
  readonly run: Run
  readonly session: SessionId
  readonly over: Promise<void>
}

/** `later`: the session is another's for now. `again`: something changed on the way. */
type Step = 'begun' | 'none' | 'later' | 'again'

/** How long a message waits whose session is another's. Milliseconds. */
const laterMs = 1_000
export const quietMs = 500

const givenUp = 'This message was given up: its turn was cut short three times in a row.'

/** Runs what waits in the inbox, one turn of a route at a time, in the order of arrival. */
export class Turns {
  readonly #ports: TurnPorts
  readonly #front: Front
  /** Turns of this process, by their routes' keys. */
  readonly #going = new Map<string, Going>()
  readonly #pumping = new Map<string, { again: boolean }>()
  readonly #timers = new Set<() => void>()
  /** Routes where nothing is begun just now. */
  readonly #held = new Set<string>()
  #stopped = false

  constructor(ports: TurnPorts) {
    this.#ports = ports
    this.#front = ports.front
  }

  /** The turn of a route that goes on in this process. */
  goingOn(key: string): Run | undefined {
    return this.#going.get(key)?.run
  }

  get going(): readonly { readonly key: string; readonly run: Run; readonly session: SessionId }[] {
    return [...this.#going].map(([key, { run, session }]) => ({ key, run, session }))
  }

  /** Begins what is due of a route, unless its turn goes on; the end of a turn does so by itself. */
  async pump(key: string): Promise<void> {
    const pumping = this.#pumping.get(key)
    if (pumping !== undefined) {
      pumping.again = true
      return
    }
    const mine = { again: true }
    this.#pumping.set(key, mine)
    try {
      while (mine.again && !this.#stopped && !this.#held.has(key) && !this.#going.has(key)) {
        mine.again = false
        const step = await this.#next(key)
        if (step === 'later') this.pumpIn(key, laterMs)
        mine.again ||= step === 'again'
      }
    } catch (error) {
      if (!isSkeinError(error) || !error.retryable) this.#say(error)
      // The store is away, or a bug of ours: what waits is looked at again.
      this.pumpIn(key, laterMs)
    } finally {
      this.#pumping.delete(key)
    }
  }

  pumpIn(key: string, ms: number): void {
    if (this.#stopped) return
    const cancel = this.#front.desk.runtime.timers.after(ms, () => {
      this.#timers.delete(cancel)
      void this.pump(key)
    })
    this.#timers.add(cancel)
  }

  /** Ends the turn of a route and drops what waits. Nothing is begun there meanwhile. */
  async stop(key: string): Promise<{ readonly stopped: boolean; readonly dropped: number }> {
    const { store } = this.#front
    const going = this.#going.get(key)
    this.#held.add(key)
    try {
      await going?.run.cancel()
      await going?.over
      const left = (await openInbox(store, key)).filter(({ row }) => row.state !== 'running')
      for (const row of left) await this.drop([row], 'stopped')
      return { stopped: going !== undefined, dropped: left.length }
    } finally {
      this.#held.delete(key)
    }
  }

  /** Begins nothing more. */
  halt(): void {
    this.#stopped = true
    for (const cancel of this.#timers) cancel()
    this.#timers.clear()
  }

  /** Resolves when all turns of this process have ended and written so. */
  async idle(): Promise<void> {
    await Promise.all([...this.#going.values()].map(({ over }) => over))
  }

  async #next(key: string): Promise<Step> {
    const { store } = this.#front
    const open = await openInbox(store, key)
    const running = open.filter(({ row }) => row.state === 'running')
    if (running.length > 0) return await this.#lookAfter(key, running)
    const cutOff = open.filter(({ row }) => row.state === 'interrupted')
    if (cutOff.length > 0) return await this.#carryOn(key, cutOff, open)
    const stranded = open.filter(({ row }) => row.state === 'steered')
    if (stranded.length > 0) return await this.#sayAgain(stranded)
    const [head] = open
    if (head === undefined) return 'none'
    if (head.row.state === 'queued') return await this.begin([head])
    const group = open.filter(({ row }) => row.state === 'collected' && row.sender === head.row.sender)
    const quietAt = Math.max(...group.map(({ row }) => row.at)) + quietMs
    if (quietAt > this.#front.desk.now) {
      this.pumpIn(key, quietAt - this.#front.desk.now)
      return 'none'
    }
    return await this.begin(group)
  }

  /** A turn goes on elsewhere as long as its route says so; whoever looks for the dead takes that mark away. */
  async #lookAfter(key: string, running: readonly StoredInbox[]): Promise<Step> {
    const found = await routeAt(this.#front.store, key)
    const isOpen = ({ row }: StoredInbox): boolean => found?.route.openTurn?.turnId === row.turn
    const dead = running.filter(row => !isOpen(row))
    if (dead.length === 0) return 'none'
    await this.#front.store.commit(dead.map(({ row, version }) => putInbox(movedTo(row, 'interrupted'), version)))
    return 'again'
  }

  /** What was said to a run that has ended without a word of it is a turn of its own. */
  async #sayAgain(rows: readonly StoredInbox[]): Promise<Step> {
    await this.#front.store.commit(
      rows.map(({ row, version }) => {
        const { input: _input, run: _run, turn: _turn, ...rest } = row
        return putInbox(movedTo(rest, 'queued', { said: row.said + 1 }), version)
      }),
    )
    return 'again'
  }

  /**
   * Begins one turn of these rows, stored ones or new ones (version 0), which land with it, as does `more`. Throws what the
   * session refuses with where the rows are new; else such rows are dropped with the reason, and the sender is told.
   */
  async begin(rows: readonly StoredInbox[], more?: (placed: Placed, row: InboxRow) => readonly Change[]): Promise<Step> {
    const [head] = rows
    if (head === undefined) return 'none'
    const isNew = head.version === 0
    if (!isNew && !(await this.#ports.mayGoOn(head.row).catch(() => false))) return await this.drop(rows, 'unauthorized')
    const resolved = await resolveSource(this.#front, head.row.source, { clocks: 'none' })
    try {
      return await this.#begin(rows, resolved, more)
    } catch (error) {
      if (isNew || !isSkeinError(error)) throw error
      if (error.code === 'store.conflict' || error.code === 'session.ended' || error.code === 'session.not_found') return 'again'
      if (error.retryable || error.code === 'session.held') return 'later'
      return await this.drop(rows, error.code, `The turn failed: ${error.code}.`)
    }
  }

  async #begin(
    rows: readonly StoredInbox[],
    { session, route }: Resolved,
    more?: (placed: Placed, row: InboxRow) => readonly Change[],
  ): Promise<Step> {
    const { store, desk } = this.#front
    const found = await routeAt(store, route.key)
    if (found === undefined || found.version !== route.version) return 'again'
    const [head] = rows as readonly [StoredInbox, ...StoredInbox[]]
    const { said } = head.row
    const claim = { key: route.key, generation: route.generation, session: session.id }
    let claimed: Claim | undefined
    const run = session.send(await this.#input(session, rows), {
      idempotencyKey: said === 0 ? head.row.id : `${head.row.id}/${said}`,
      alongside: placed => {
        claimed = { ...claim, turn: placed.turn, inbox: rows.map(({ row }) => row.id) }
        return [...this.#claim(rows, found, session.id, placed), ...(more?.(placed, { ...head.row, session: session.id }) ?? [])]
      },
      atEnd: (result, dropped) => this.#ending(claimed, result, dropped),
    })
    // A refusal is the receipt's to tell.
    run.result().catch(() => undefined)
    const receipt = await run.receipt
    if (receipt.disposition !== 'started') throw new SkeinError('skein.bug', `Message ${head.row.id} had been said before.`)
    desk.events.tell(this.#front.tenant, desk.now, { type: 'message_received', id: head.row.id, key: route.key })
    this.#follow(route.key, session.id, run)
    return 'begun'
  }

  async #input(session: MemorySession, rows: readonly StoredInbox[]): Promise<MessageInput> {
    const { again } = rows[0]?.row ?? {}
    if (again === undefined) return turnInput(rows.map(({ row }) => row))
    const { data } = await session.entry(again)
    const { parts, source } = data as Message
    return { role: 'user', parts, ...given({ source }) } as MessageInput
  }

  #follow(key: string, session: SessionId, run: Run): void {
    const over = run
      .result()
      .then(
        () => undefined,
        () => undefined,
      )
      .then(() => {
        this.#going.delete(key)
        this.#ports.wakeDeliveries()
        // A run that could not write its end is dead, and found as such.
        void this.pump(key)
      })
    this.#going.set(key, { run, session, over })
  }

  #claim(rows: readonly StoredInbox[], found: FoundRoute, session: SessionId, { run, turn, token }: Placed): Change[] {
    const { now } = this.#front.desk
    const [head] = rows as readonly [StoredInbox, ...StoredInbox[]]
    const route = turnOpened(found.route, { turnId: turn, inboxId: head.row.id, at: now, fence: token })
    const begun = { key: route.key, session, run, turn, startedAt: now }
    return [
      ...rows.map(({ row, version }) => {
        const waiting = row.state === 'collected' ? movedTo(row, 'queued') : row
        const into = row.id === head.row.id ? {} : { into: head.row.id }
        return putInbox(
          version === 0 ? { ...row, ...begun, state: 'running' } : movedTo(waiting, 'running', { ...begun, ...into }),
          version,
        )
      }),
      putRoute({ ...found, route }),
      ...openTurnRecord(route),
    ]
  }

  async #ending(claim: Claim | undefined, result: TurnResult, dropped: readonly string[]): Promise<readonly Change[]> {
    if (claim === undefined) return []
    const { store, desk } = this.#front
    const found = await routeAt(store, claim.key)
    const read = await Promise.all(claim.inbox.map(id => inboxRow(store, id)))
    // Somebody may have given it up meanwhile; it has ended all the same.
    const mine = read.filter(row => row?.row.turn === claim.turn) as StoredInbox[]
    const rows = mine.flatMap(({ row, version }) =>
      row.state === 'interrupted' ? { row: movedTo(row, 'running'), version } : row.state === 'running' ? { row, version } : [],
    )
    const [head] = rows
    if (head === undefined) return []
    const run = head.row.run as RunId
    const open = await openInbox(store, claim.key)
    const { policy } = ruleFor(desk.settings, head.row.source)
    return endTurn({
      claim,
      result,
      found,
      rows,
      steered: open.filter(({ row }) => row.state === 'steered' && row.run === run),
      dropped,
      notice: freshNotice(found?.route.fresh, policy, head.row.source.platform),
      mostChars: this.#ports.mostChars(head.row.source.platform),
      now: desk.now,
      ids: desk.runtime.ids,
      tenant: this.#front.tenant,
    })
  }

  /** A turn that died goes on by itself where it may; else the next message ends it and goes before it. Laws G41, G42. */
  async #carryOn(key: string, cutOff: readonly StoredInbox[], open: readonly StoredInbox[]): Promise<Step> {
    const { store } = this.#front
    const found = await routeAt(store, key)
    const stuck = found === undefined ? undefined : holdOf(found.route, 'suspended')
    if (stuck?.reason === 'stuck_loop') return await this.drop(cutOff, stuck.reason, givenUp)
    const others = open.some(({ row }) => row.state === 'queued' || row.state === 'collected')
    if (found !== undefined && (await this.#mayResume(found, cutOff))) {
      const session = await this.#front.sessions.open(found.route.sessionId)
      const step = await this.#resume(session, found, cutOff)
      if (step !== 'none') return step
    }
    return others ? await this.drop(cutOff, 'interrupted') : 'none'
  }

  async #mayResume({ route }: FoundRoute, cutOff: readonly StoredInbox[]): Promise<boolean> {
    const { settings, connected, now } = this.#front.desk
    const mark = holdOf(route, 'resume_pending')
    const { autoResume, resumeWindowMinutes } = settings
    if (!autoResume || mark === undefined || cutOff.some(({ row }) => row.session !== route.sessionId)) return false
    if (resumeWindowMinutes > 0 && now - mark.at > resumeWindowMinutes * 60_000) return false
    if (route.platform !== 'local' && !connected.has(route.platform)) return false
    const may = await Promise.all(cutOff.map(({ row }) => this.#ports.mayGoOn(row).catch(() => false)))
    return may.every(Boolean)
  }

  async #resume(session: MemorySession, found: FoundRoute, rows: readonly StoredInbox[]): Promise<Step> {
    const { route } = found
    const { now } = this.#front.desk
    const inbox = rows.map(({ row }) => row.id)
    const turnId = rows[0]?.row.turn ?? ''
    const claim: Claim = { key: route.key, generation: route.generation, session: session.id, turn: turnId, inbox }
    try {
      const { run } = await session.recover({
        apply: true,
        // What may have happened is not done again, and nobody is there to be asked.
        approvals: 'deny',
        alongside: ({ token }) => {
          const again = turnOpened(route, { turnId, inboxId: inbox[0] ?? '', at: now, fence: token })
          return [
            ...rows.map(({ row, version }) => putInbox(movedTo(row, 'running'), version)),
            putRoute({ ...found, route: again }),
            ...openTurnRecord(again),
          ]
        },
        atEnd: (result, dropped) => this.#ending(claim, result, dropped),
      })
      if (run === null) return 'none'
      run.result().catch(() => undefined)
      this.#follow(route.key, session.id, run)
      return 'begun'
    } catch (error) {
      if (!isSkeinError(error)) throw error
      if (error.code === 'store.conflict') return 'again'
      if (error.retryable) return 'later'
      return await this.drop(rows, error.code, `The turn failed: ${error.code}.`)
    }
  }

  /** Ends rows that wait without a turn, and says why where somebody should know. */
  async drop(rows: readonly StoredInbox[], reason: string, told?: string): Promise<Step> {
    const { store, desk, tenant } = this.#front
    const [head] = rows
    if (head === undefined) return 'none'
    const reply =
      told === undefined ? [] : outboxChanges(sendingOf(this.#front), [replyRow(desk.runtime.ids, head.row, told, desk.now)])
    await store.commit([
      ...rows.map(({ row, version }) => {
        const waiting = row.state === 'collected' || row.state === 'steered' ? movedTo(row, 'queued') : row
        return putInbox(movedTo(waiting, 'dropped', { reason, endedAt: desk.now }), version)
      }),
      ...reply,
    ])
    desk.events.tell(tenant, desk.now, ...rows.map(({ row }) => ({ type: 'message_dropped', id: row.id, reason }) as const))
    if (told !== undefined) this.#ports.wakeDeliveries()
    return 'again'
  }

  #say(error: unknown): void {
    const { runtime } = this.#front.desk
    runtime.notice({
      level: 'error',
      code: isSkeinError(error) ? error.code : 'skein.bug',
      message: 'A message that waits could not be begun; it is tried again.',
      tenant: this.#front.tenant,
    })
  }
}
