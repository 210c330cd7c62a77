import { type Clock, every, type Json, type SessionId, type Timers, unlessAborted, wait } from '#kernel'
import type { RecordRow, TenantStore, Usage } from '#journal'
import type { Draft } from '#session'
import { type InputSource, takeInputs } from './inputs.ts'
import type { Ledger } from './ledger.ts'
import { asItem, mapCollection, type MapErrorKind, type MapId, type MapItem, unended } from './map-rows.ts'
import type { Hold } from './plan-writes.ts'

/** What working on an item came to. `drafts` are told to the parent with it, whatever it came to. */
export interface ItemOutcome {
  readonly output?: Json
  readonly error?: string
  readonly errorKind?: MapErrorKind
  readonly attempts: number
  readonly usage: Usage
  readonly session?: SessionId
  readonly drafts?: readonly Draft[]
}

/** Works on one item. Never rejects for what a model does; a rejection stops the map and leaves the item to be done. */
export type ItemWork = (item: Pick<MapItem, 'index' | 'input'>, signal: AbortSignal) => Promise<ItemOutcome>

export interface RunnerParts {
  readonly store: TenantStore
  readonly map: MapId
  readonly ledger: Ledger
  readonly work: ItemWork
  readonly concurrency: number
  /** Where further inputs come from, and how many are asked for at a time; absent when all are stored. */
  readonly source?: { readonly inputs: InputSource; readonly atATime: number }
  readonly owner: string
  readonly leaseMs: number
  readonly clock: Clock
  readonly timers: Timers
  /** Told of each item that ended here. */
  onEnded(item: MapItem): void
}

interface Held extends Hold {
  readonly item: MapItem
  readonly stop: AbortController
  /** The write of this record that is under way; there is never more than one. */
  writing: Promise<unknown>
  over: boolean
}

/**
 * Takes items that nobody works on, at most `concurrency` at once, until none is left. Only rows within reach of a worker are
 * in memory. An item whose lease was taken over is let go of, and its outcome with it.
 */
export class Runner {
  readonly #parts: RunnerParts
  readonly #held = new Map<number, Held>()
  readonly #abort = new AbortController()
  readonly #drain = new AbortController()
  #rows: RecordRow[] = []
  #cursor: string | undefined
  #after = -1
  #sourceAt = 0
  #source: RunnerParts['source']
  #turn: Promise<unknown> = Promise.resolve()
  /** Items that the abort interrupted, as results of this process alone. */
  readonly interrupted: MapItem[] = []

  constructor(parts: RunnerParts) {
    this.#parts = parts
    this.#source = parts.source
  }

  /** Begins nothing more; what is being worked on may end. */
  drain(): void {
    this.#drain.abort()
  }

  /** Interrupts what is being worked on, too; it stays to be done. */
  abort(reason: unknown): void {
    this.#drain.abort()
    this.#abort.abort(reason)
  }

  get stopped(): boolean {
    return this.#drain.signal.aborted
  }

  /** Resolves when every item has ended, or after a stop. Rejects with what broke it; nothing is being worked on then. */
  async run(): Promise<void> {
    const { timers, leaseMs, concurrency } = this.#parts
    const stopRenewing = every(timers, leaseMs / 3, () => void this.#renew())
    let failure: { readonly error: unknown } | undefined
    const work = async (): Promise<void> => {
      try {
        for (let held = await this.#take(); held !== undefined; held = await this.#take()) await this.#carryOut(held)
      } catch (error) {
        failure ??= { error }
        this.drain()
      }
    }
    await Promise.all(Array.from({ length: concurrency }, work))
    stopRenewing()
    this.#source?.inputs.return().catch(() => undefined)
    if (failure !== undefined) throw failure.error
  }

  /** The next item, claimed. Askers look one at a time; what they claim together is one commit. */
  async #take(): Promise<Held | undefined> {
    for (;;) {
      const mine = this.#turn.then(() => this.#next())
      this.#turn = mine.catch(() => undefined)
      const held = await mine
      if (held === undefined || (await this.#claim(held))) return held
    }
  }

  async #next(): Promise<Held | undefined> {
    const { clock, timers, leaseMs, ledger } = this.#parts
    for (let soonest = Infinity; !this.stopped;) {
      const row = this.#rows.shift()
      if (row !== undefined) {
        const { index, lease, state } = asItem(row)
        const free = state === 'pending' || lease === undefined || lease.until <= clock.now()
        if (this.#held.has(index)) continue
        if (free) return this.#reserve(row)
        soonest = Math.min(soonest, lease.until)
        continue
      }
      if (await this.#readOn()) continue
      if (this.#source !== undefined) {
        await this.#feed(this.#source)
        continue
      }
      if (soonest === Infinity) {
        if ((await ledger.refresh()).state === 'ended' || !this.#othersWork()) return undefined
      } else {
        const left = Math.min(leaseMs, Math.max(1, soonest - clock.now()))
        await wait(timers, left, this.#drain.signal)
      }
      // From the beginning again: what others held may be free by now.
      soonest = Infinity
      this.#after = -1
      this.#cursor = undefined
    }
    return undefined
  }

  /** Whether items are left that are not held here. */
  #othersWork(): boolean {
    const { header } = this.#parts.ledger
    return header.read - header.succeeded - header.failed > this.#held.size
  }

  /** Reads the next rows that have not ended; false when there are no more. */
  async #readOn(): Promise<boolean> {
    const { store, map, concurrency } = this.#parts
    for (let more = true; more && this.#rows.length === 0;) {
      const page = await store.records(mapCollection, {
        keyPrefix: `${map}/`,
        sortFrom: unended,
        sortTo: unended,
        limit: Math.max(16, concurrency),
        ...(this.#cursor === undefined ? {} : { cursor: this.#cursor }),
      })
      this.#rows = page.items.filter(row => asItem(row).index > this.#after)
      this.#after = Math.max(this.#after, ...this.#rows.map(row => asItem(row).index))
      more = page.next !== undefined
      this.#cursor = page.next ?? this.#cursor
    }
    return this.#rows.length > 0
  }

  /** Stores further inputs, no more than are asked for. */
  async #feed({ inputs: from, atATime }: NonNullable<RunnerParts['source']>): Promise<void> {
    const { ledger } = this.#parts
    const taking = takeInputs(from, atATime)
    taking.catch(() => undefined)
    const taken = await unlessAborted(taking, this.#drain.signal).catch((error: unknown) => {
      if (this.stopped) return undefined
      throw error
    })
    if (taken === undefined) return
    const { inputs, done } = taken
    if (inputs.length > 0) await ledger.write({ type: 'inputs', at: this.#sourceAt, inputs })
    this.#sourceAt += inputs.length
    if (!done) return
    this.#source = undefined
    await ledger.write({ type: 'last', total: this.#sourceAt })
  }

  /** From now on nobody else here takes it. */
  #reserve(row: RecordRow): Held {
    const { lease: _lease, ...item } = asItem(row)
    const held: Held = {
      index: item.index,
      version: row.version,
      item,
      stop: new AbortController(),
      writing: Promise.resolve(),
      over: false,
    }
    this.#held.set(held.index, held)
    return held
  }

  /** False if another process came before. */
  async #claim(held: Held): Promise<boolean> {
    const { ledger } = this.#parts
    const claiming = ledger.write({ type: 'item', hold: held, item: { ...held.item, state: 'running', lease: this.#lease() } })
    held.writing = claiming.catch(() => false)
    const claimed = await claiming
    if (!claimed) this.#held.delete(held.index)
    return claimed
  }

  #lease(): NonNullable<MapItem['lease']> {
    const { owner, clock, leaseMs } = this.#parts
    return { owner, until: clock.now() + leaseMs }
  }

  async #renew(): Promise<void> {
    const { ledger } = this.#parts
    await Promise.all(
      [...this.#held.values()].map(async held => {
        await held.writing
        if (held.over || this.#held.get(held.index) !== held) return
        const renewed = ledger.write({ type: 'item', hold: held, item: { ...held.item, state: 'running', lease: this.#lease() } })
        // A store that is away for a moment costs the lease at the most, and then the item's end is refused.
        held.writing = renewed.catch(() => true)
        if (!(await held.writing)) held.stop.abort(new Error('Another process works on this item.'))
      }),
    )
  }

  async #carryOut(held: Held): Promise<void> {
    const { work, ledger } = this.#parts
    const { index, input } = held.item
    try {
      const outcome = await work(held.item, AbortSignal.any([held.stop.signal, this.#abort.signal]))
      held.over = true
      await held.writing
      if (held.stop.signal.aborted) return
      const { drafts = [], ...told } = outcome
      const interrupted = outcome.errorKind === 'aborted' && this.#abort.signal.aborted
      const state = outcome.errorKind === undefined ? 'done' : 'failed'
      const item: MapItem = { index, input, ...told, state }
      if (
        await ledger.write({ type: 'item', hold: held, item: interrupted ? { index, input, state: 'pending' } : item, drafts })
      ) {
        if (interrupted) this.interrupted.push(item)
        else this.#parts.onEnded(item)
      }
    } catch (error) {
      if (!held.over) {
        held.over = true
        await held.writing
        await ledger.write({ type: 'item', hold: held, item: { index, input, state: 'pending' } }).catch(() => false)
      }
      throw error
    } finally {
      this.#held.delete(index)
    }
  }
}
