import { type SessionId, SkeinError } from '#kernel'
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
  readonly #live = new Map<string, Live<S>>()
  readonly #loading = new Map<string, Promise<Live<S>>>()
  readonly #runtime: Runtime
  readonly #limits: LiveLimits
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
    return this.#live.get(`${tenant} ${id}`)?.session
  }

  /** The cores of a session's live objects, in whatever tenant. */
  cores(id: SessionId): SessionCore[] {
    return [...this.#live.values()].flatMap(({ core }) => (core.id === id ? [core] : []))
  }

  /** The object of a session; `load` runs once however many ask, and has 5 s. A load that failed is tried again by the next. */
  async open(tenant: string, id: SessionId, load: () => Promise<Live<S>>): Promise<S> {
    const key = `${tenant} ${id}`
    const known = this.#live.get(key)
    if (known !== undefined && !known.core.closed) return known.session
    const loading = this.#loading.get(key) ?? this.#load(key, load)
    return (await loading).session
  }

  #load(key: string, load: () => Promise<Live<S>>): Promise<Live<S>> {
    let cancel = (): void => undefined
    const late = new Promise<never>((_, reject) => {
      cancel = this.#runtime.timers.after(loadMs, () =>
        reject(new SkeinError('store.unavailable', `The session could not be read within ${loadMs} ms.`)),
      )
    })
    const loading = Promise.race([load(), late])
      .then(live => {
        this.#live.set(key, live)
        this.#evictOverflow()
        this.#scheduleSweep()
        return live
      })
      .finally(() => {
        cancel()
        this.#loading.delete(key)
      })
    this.#loading.set(key, loading)
    return loading
  }

  /** Drops what was idle for longer, or one session; returns whose objects went. */
  async evict(tenant: string | undefined, filter: { readonly idleMs?: number; readonly id?: SessionId }): Promise<SessionId[]> {
    const now = this.#runtime.clock.now()
    const gone: SessionId[] = []
    for (const [key, { core }] of this.#live) {
      if (tenant !== undefined && !key.startsWith(`${tenant} `)) continue
      if (!core.evictable || (filter.id !== undefined && core.id !== filter.id)) continue
      if (filter.idleMs !== undefined && !(filter.idleMs > 0 && now - core.lastUsedAt > filter.idleMs)) continue
      this.#live.delete(key)
      gone.push(core.id)
      await core.releaseLease()
    }
    return gone
  }

  forget(tenant: string, id: SessionId): void {
    this.#live.delete(`${tenant} ${id}`)
  }

  /** Every live object, to be closed. */
  drain(): Live<S>[] {
    this.#cancelSweep?.()
    const all = [...this.#live.values()]
    this.#live.clear()
    return all
  }

  #evictOverflow(): void {
    if (this.#live.size <= this.#limits.liveMax) return
    const byAge = [...this.#live]
      .filter(([, { core }]) => core.evictable)
      .sort(([, a], [, b]) => a.core.lastUsedAt - b.core.lastUsedAt)
    for (const [key, { core }] of byAge.slice(0, this.#live.size - this.#limits.liveMax)) {
      this.#live.delete(key)
      void core.releaseLease()
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
