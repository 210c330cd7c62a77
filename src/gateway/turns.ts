import { every, given, isSkeinError, type SessionId, wait } from '#kernel'
import type { Run } from '#agent'
import { draft } from '#session'
import { askToCancel, isAskedToCancel } from './cancel-asked.ts'
import { carryOn, type CarryOnPorts } from './carry-on.ts'
import type { Front } from './desk.ts'
import { endRunMs } from './end-run.ts'
import { routeAt } from './find-route.ts'
import { busyInbox, type InboxRow, type InboxState, movedTo, putInbox, type StoredInbox } from './inbox-row.ts'
import { letGo } from './let-go.ts'
import { queueGroup, queueHead, queuePage } from './queue.ts'
import { interrupt } from './recover.ts'
import { type Resolved, resolveSource } from './resolve.ts'
import { holdOf } from './route.ts'
import { sideEntries } from './session-bond.ts'
import { type Arrival, beginTurn } from './turn-begin.ts'
import { sayAgain } from './stranded.ts'

/** What turns need of the rest of the gateway. */
export interface TurnPorts extends CarryOnPorts {
  /** Messages may be on their way. */
  wakeDeliveries(): void
}

interface Going {
  readonly run: Run
  readonly session: SessionId
  readonly turn: string
  readonly over: Promise<void>
}

interface Pumping {
  again: boolean
  over: Promise<void>
}

/** `later`: the session is another's for now. `again`: something changed on the way. */
type Step = 'begun' | 'none' | 'later' | 'again'

/** How long a message waits whose session is another's. Milliseconds. */
const laterMs = 1_000
export const quietMs = 500
/** How often it is looked whether another process wants a turn to end. */
const askedMs = 2_000
const stopLookMs = 250
const stopLooks = 60
/** How many waiting messages are dropped in one commit. */
const dropPage = 500

/** Runs what waits in the inbox, one turn of a route at a time, in the order of arrival. */
export class Turns {
  readonly #ports: TurnPorts
  readonly #front: Front
  /** Turns of this process, by their routes' keys. */
  readonly #going = new Map<string, Going>()
  readonly #pumping = new Map<string, Pumping>()
  readonly #timers = new Set<() => void>()
  /** Routes where nothing is begun just now. */
  readonly #held = new Map<string, number>()
  /** The newest message of a group that came quietly enough after it. */
  readonly #quiet = new Map<string, string>()
  #stopAsking: (() => void) | undefined
  #stopped = false

  constructor(ports: TurnPorts) {
    this.#ports = ports
    this.#front = ports.front
  }

  /** The turn of a route that goes on in this process. */
  goingOn(key: string): Run | undefined {
    return this.#going.get(key)?.run
  }

  get going(): readonly { readonly key: string; readonly session: SessionId; readonly turn: string }[] {
    return [...this.#going].map(([key, { session, turn }]) => ({ key, session, turn }))
  }

  /** Begins what is due of a route, unless its turn goes on; the end of a turn does so by itself. */
  async pump(key: string): Promise<void> {
    const pumping = this.#pumping.get(key)
    if (pumping !== undefined) {
      pumping.again = true
      return
    }
    const mine: Pumping = { again: true, over: Promise.resolve() }
    this.#pumping.set(key, mine)
    mine.over = this.#work(key, mine)
    await mine.over
  }

  async #work(key: string, mine: Pumping): Promise<void> {
    try {
      while (mine.again && !this.#stopped && !this.#held.has(key) && !this.#going.has(key)) {
        mine.again = false
        const step = await this.#next(key).catch(orAgain)
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

  pumpIn(key: string, ms: number, before: () => void = () => undefined): void {
    if (this.#stopped) return
    const cancel = this.#front.desk.runtime.timers.after(ms, () => {
      this.#timers.delete(cancel)
      before()
      void this.pump(key)
    })
    this.#timers.add(cancel)
  }

  /** Ends the turn of a route, wherever it goes on, and drops what waits. Nothing is begun there meanwhile. */
  async stop(key: string): Promise<{ readonly stopped: boolean; readonly dropped: number }> {
    this.#held.set(key, (this.#held.get(key) ?? 0) + 1)
    try {
      return await this.#end(key)
    } finally {
      const others = (this.#held.get(key) ?? 1) - 1
      if (others > 0) this.#held.set(key, others)
      else this.#held.delete(key)
    }
  }

  async #end(key: string): Promise<{ readonly stopped: boolean; readonly dropped: number }> {
    const { store, desk } = this.#front
    let stopped = false
    let dropped = 0
    for (let looks = 1; ; looks++) {
      await this.#pumping.get(key)?.over
      const going = this.#going.get(key)
      if (going !== undefined) {
        stopped = true
        await going.run.cancel()
        await going.over
        continue
      }
      const busy = await busyInbox(store, key)
      const running = busy.find(({ row }) => row.state === 'running')
      if (running !== undefined && (await this.#lookAfter(key, [running])) === 'again') continue
      const cutOff = busy.filter(({ row }) => row.state === 'interrupted')
      const stranded = running === undefined ? busy.filter(({ row }) => row.state === 'steered') : []
      // What waits goes first: the process that has the turn would begin it.
      const waiting = await queuePage(store, key, dropPage)
      try {
        await this.drop(key, [...waiting, ...cutOff, ...stranded], 'stopped')
      } catch (error) {
        if (isSkeinError(error) && error.code === 'store.conflict' && looks < stopLooks) continue
        throw error
      }
      stopped ||= cutOff.length > 0
      dropped += waiting.length + stranded.length
      if (waiting.length === dropPage) continue
      if (running === undefined || looks >= stopLooks) return { stopped, dropped }
      stopped = true
      await askToCancel(this.#front, running.row.turn ?? '')
      await wait(desk.runtime.timers, stopLookMs)
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
    await Promise.all([...this.#pumping.values()].map(({ over }) => over))
    await Promise.all([...this.#going.values()].map(({ over }) => over))
  }

  async #next(key: string): Promise<Step> {
    const { store, desk } = this.#front
    const [busy, head] = await Promise.all([busyInbox(store, key), queueHead(store, key)])
    const of = (state: InboxState): StoredInbox[] => busy.filter(({ row }) => row.state === state)
    const [running, cutOff, stranded] = [of('running'), of('interrupted'), of('steered')]
    if (running.length > 0) return await this.#lookAfter(key, running)
    if (cutOff.length > 0) return await this.#carryOn(key, cutOff, head !== undefined)
    if (stranded.length > 0) return await this.#sayAgain(key, stranded)
    if (head === undefined) return await this.#follow(key)
    if (head.row.state === 'queued') return await this.begin([head])
    const group = await queueGroup(store, key, head)
    if (group.length === 0) return 'again'
    const newest = group.at(-1)?.row ?? head.row
    const quietInMs = Math.max(...group.map(({ row }) => row.at)) + quietMs - desk.now
    if (quietInMs <= 0 || this.#quiet.get(key) === newest.id) return await this.begin(group as [StoredInbox])
    this.pumpIn(key, Math.min(quietInMs, quietMs), () => this.#quiet.set(key, newest.id))
    return 'none'
  }

  /** Two persons turned out to be one: what waits is under another key now. */
  async #follow(key: string): Promise<Step> {
    const moved = (await routeAt(this.#front.store, key))?.route.key
    if (moved !== undefined && moved !== key) void this.pump(moved)
    return 'none'
  }

  /** A turn goes on elsewhere as long as its route says so and its process lives. */
  async #lookAfter(key: string, running: readonly StoredInbox[]): Promise<Step> {
    const { store } = this.#front
    const found = await routeAt(store, key)
    const dead = running.filter(({ row }) => found?.route.openTurn?.turnId !== row.turn)
    if (dead.length === 0) return (await interrupt(this.#front, key)) ? 'again' : 'none'
    await store.commit(dead.map(({ row, version }) => putInbox(movedTo(row, 'interrupted'), version)))
    return 'again'
  }

  async #sayAgain(key: string, rows: readonly StoredInbox[]): Promise<Step> {
    await sayAgain(this.#front, key, rows)
    return 'again'
  }

  /**
   * Begins one turn of these rows, stored ones or a new one (version 0), which lands with it, as does what arrives with it. Throws
   * what the session refuses with where the row is new; else such rows are dropped with the reason, and the sender is told.
   */
  async begin(rows: readonly [StoredInbox, ...StoredInbox[]], resolved?: Resolved, arrival?: Arrival): Promise<Step> {
    const [{ row: head, version }] = rows
    const isNew = version === 0
    if (!isNew && !(await this.#ports.mayGoOn(head))) return await this.drop(keyOf(head), rows, 'unauthorized')
    const place = resolved ?? (await resolveSource(this.#front, head.source, { clocks: 'none', settled: true }))
    if (holdOf(place.route, 'paused') !== undefined) return 'none'
    try {
      const run = await beginTurn(this.#ports, rows, place, arrival)
      if (run === undefined) return 'again'
      this.#attend(place.route.key, place.session.id, run)
      return 'begun'
    } catch (error) {
      if (isNew || !isSkeinError(error)) throw error
      if (error.code === 'store.conflict' || error.code === 'session.not_found') return 'again'
      if (error.code === 'session.ended') return await this.#reopen(place.session.id)
      if (error.retryable || error.code === 'session.held') return 'later'
      return await this.drop(keyOf(head), rows, error.code, `The turn failed: ${error.code}.`)
    }
  }

  /** Somebody ended the session; its route still leads there. */
  async #reopen(id: SessionId): Promise<Step> {
    const { store, desk } = this.#front
    const row = await store.session(id)
    if (row?.state === 'ended') await store.commit(sideEntries(desk.runtime, row, [draft('session_reopened', {})]))
    return 'again'
  }

  #attend(key: string, session: SessionId, run: Run): void {
    const ended = run.result().then(
      () => undefined,
      () => undefined,
    )
    const going: { -readonly [K in keyof Going]: Going[K] } = { run, session, turn: '', over: ended }
    this.#going.set(key, going)
    void run.receipt.then(({ turnId }) => (going.turn = turnId))
    this.#stopAsking ??= every(this.#front.desk.runtime.timers, askedMs, () => void this.#heed())
    going.over = ended.then(() => {
      // Another may have begun since.
      if (this.#going.get(key) === going) this.#going.delete(key)
      if (this.#going.size === 0) this.#stopAsking = void this.#stopAsking?.()
      this.#ports.wakeDeliveries()
      void this.pump(key)
    })
  }

  /** Cancels what other processes want to end, and aborts it after 10 s. */
  async #heed(): Promise<void> {
    const { store, desk } = this.#front
    for (const { run, turn } of [...this.#going.values()]) {
      const asked = await isAskedToCancel(store, turn).catch(() => false)
      if (!asked) continue
      const stopWaiting = desk.runtime.timers.after(endRunMs, () => void run.abort().catch(() => undefined))
      run
        .cancel()
        .catch(() => undefined)
        .finally(stopWaiting)
        .catch(() => undefined)
    }
  }

  /** A turn that died goes on by itself where it may; else the next message ends it and goes before it. Law G41. */
  async #carryOn(key: string, cutOff: readonly StoredInbox[], othersWait: boolean): Promise<Step> {
    const carried = await carryOn(this.#ports, key, cutOff)
    if (carried === 'again' || carried === 'later') return carried
    if (carried === 'paused') return 'none'
    if (carried === 'may_not') return othersWait ? await this.drop(key, cutOff, 'interrupted') : 'none'
    if ('gone' in carried) return await this.drop(key, cutOff, carried.gone, carried.told)
    const { route } = carried.found
    this.#attend(route.key, route.sessionId, carried.run)
    return 'begun'
  }

  /** Ends messages without a turn, and says why where somebody should know. */
  async drop(key: string, rows: readonly StoredInbox[], reason: string, told?: string): Promise<Step> {
    await letGo(this.#front, key, rows, { reason, ...given({ told }) })
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

/** The route under which a message waits. */
const keyOf = ({ key = '' }: InboxRow): string => key

/** Who was overtaken looks again. */
function orAgain(error: unknown): Step {
  if (isSkeinError(error) && error.code === 'store.conflict') return 'again'
  throw error
}
