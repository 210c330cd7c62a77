import { type SessionId, SkeinError, type Timers, within } from '#kernel'
import type { SessionCore } from './core.ts'
import type { Runtime } from './runtime.ts'

export interface LiveLimits {
  readonly liveMax: number
  readonly idleMs: number
}

export const liveDefaults: LiveLimits = { liveMax: 1_000, idleMs: 900_000 }
const loadMs = 5_000

interface Live<S> {
  readonly core: SessionCore
  readonly session: S
}

/**
 * The objects of open sessions: one per tenant and session; concurrent opens share one load. Dropping one loses memory and
 * lease only, never data, and never one with a verb or run in progress.
 */
export class LiveSessions<S> {
  /** The least recently used stands first. */
  readonly #live = new Map<string, Live<S>>()
  /** Objects that were dropped from memory and that somebody still holds: opening gives the same one, so no two write. */
  readonly #asleep = new Map<string, WeakRef<Live<S>>>()
  readonly #loading = new Map<string, Promise<Live<S>>>()
  readonly #runtime: Runtime
  readonly #limits: LiveLimits
  readonly #forgotten = new FinalizationRegistry<string>(key => {
    if (this.#asleep.get(key)?.deref() === undefined) this.#asleep.delete(key)
  })
  #cancelSweep: (() => void) | undefined

  constructor(runtime: Runtime, limits: LiveLimits) {
    this.#runtime = runtime
    this.#limits = limits
  }

  get size(): number {
    return this.#live.size
  }

  ids(tenant: string): SessionId[] {
    return [...this.#live].filter(([key]) => key.startsWith(`${tenant} `)).map(([, live]) => live.core.id)
  }

  get(tenant: string, id: SessionId): S | undefined {
    const key = `${tenant} ${id}`
    return (this.#live.get(key) ?? this.#asleep.get(key)?.deref())?.session
  }

  /** The core of a session's live object. */
  core(tenant: string, id: SessionId): SessionCore | undefined {
    return this.#live.get(`${tenant} ${id}`)?.core
  }

  /** The object of a session; `load` runs once however many ask, and has 5 s. A load that failed is tried again by the next. */
  async open(tenant: string, id: SessionId, load: () => Promise<Live<S>>): Promise<S> {
    const key = `${tenant} ${id}`
    const known = this.#live.get(key)
    if (known !== undefined && !known.core.closed) return known.session
    const asleep = this.#asleep.get(key)?.deref()
    if (asleep !== undefined && !asleep.core.closed) {
      // Still there? An object that slept knows nothing.
      await asleep.core.row()
      this.#wake(key, asleep)
      return asleep.session
    }
    const loading = this.#loading.get(key) ?? this.#load(key, load)
    return (await loading).session
  }

  #load(key: string, load: () => Promise<Live<S>>): Promise<Live<S>> {
    const loading = inTime(this.#runtime.timers, load())
      .then(live => {
        live.core.onUse = () => this.#wake(key, live)
        live.core.onClose = () => {
          if (this.#live.get(key) === live) this.#live.delete(key)
        }
        this.#wake(key, live)
        return live
      })
      .finally(() => this.#loading.delete(key))
    this.#loading.set(key, loading)
    return loading
  }

  /** An object is used: takes it in, or in again when it was dropped meanwhile. */
  #wake(key: string, live: Live<S>): void {
    if (live.core.closed) return
    const known = this.#live.get(key)
    if (known !== undefined && known !== live && !known.core.closed) return
    this.#live.delete(key)
    this.#live.set(key, live)
    if (known === live) return
    this.#asleep.delete(key)
    this.#evictOverflow()
    this.#scheduleSweep()
  }

  #drop(key: string, live: Live<S>): Promise<void> {
    this.#live.delete(key)
    this.#asleep.set(key, new WeakRef(live))
    this.#forgotten.register(live, key)
    return live.core.releaseLease()
  }

  /** Drops what was idle for longer, or one session; returns whose objects went. */
  async evict(tenant: string | undefined, filter: { readonly idleMs?: number; readonly id?: SessionId }): Promise<SessionId[]> {
    const now = this.#runtime.clock.now()
    const gone: SessionId[] = []
    for (const [key, live] of [...this.#live]) {
      const { core } = live
      if (tenant !== undefined && !key.startsWith(`${tenant} `)) continue
      if (!core.evictable || (filter.id !== undefined && core.id !== filter.id)) continue
      if (filter.idleMs !== undefined && !(filter.idleMs > 0 && now - core.lastUsedAt > filter.idleMs)) continue
      gone.push(core.id)
      await this.#drop(key, live)
    }
    return gone
  }

  forget(tenant: string, id: SessionId): void {
    this.#live.delete(`${tenant} ${id}`)
    this.#asleep.delete(`${tenant} ${id}`)
  }

  /** Every live object, to be closed. */
  drain(): Live<S>[] {
    this.#cancelSweep?.()
    const all = [...this.#live.values()]
    this.#live.clear()
    return all
  }

  #evictOverflow(): void {
    for (const [key, live] of this.#live) {
      if (this.#live.size <= this.#limits.liveMax) return
      if (live.core.evictable) void this.#drop(key, live)
    }
  }

  #scheduleSweep(): void {
    this.#cancelSweep ??= this.#runtime.timers.after(Math.max(1_000, this.#limits.idleMs / 4), () => {
      this.#cancelSweep = undefined
      void this.evict(undefined, { idleMs: this.#limits.idleMs }).finally(() => {
        if (this.#live.size > 0) this.#scheduleSweep()
      })
    })
  }
}

/** What a read gives within 5 s, else `store.unavailable`; whoever asks then reads again. */
export async function inTime<T>(timers: Timers, read: Promise<T>): Promise<T> {
  return await within(timers, loadMs, read, (): never => {
    throw new SkeinError('store.unavailable', `The session could not be read within ${loadMs} ms.`)
  })
}
