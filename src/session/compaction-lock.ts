import { every, isObject, isSkeinError, wait } from '#kernel'
import type { Change, CompactionId, CompactionResult, CompactionTrigger } from '#journal'
import type { SessionCore } from './core.ts'

export type CompactionState = 'idle' | 'queued' | 'planning' | 'summarizing' | 'swapping'

/** Where a session's compaction is, for every process. `until` says how long its owner is believed. */
interface Marker {
  readonly state: CompactionState
  readonly id: CompactionId
  readonly owner: string
  readonly trigger: CompactionTrigger
  readonly since: number
  readonly until: number
  /** How the last one ended, for who waited for it elsewhere. */
  readonly last?: CompactionResult
}

const collection = 'compaction'
const leaseMs = 30_000
const renewMs = 10_000
const lookMs = 200

/** Those of this process, so that what another opening of the store does here is told from what an ended one left. */
const held = new Set<CompactionId>()

/** What `info()` says: the state of a compaction whose owner is alive. */
export interface CompactionInfo {
  readonly state: CompactionState
  readonly id?: CompactionId
  readonly since?: number
}

export async function compactionInfo(core: SessionCore): Promise<CompactionInfo> {
  const marker = (await readMarker(core)).marker
  if (marker === undefined || !isHeld(core, marker)) return { state: 'idle' }
  const { state, id, since } = marker
  return { state, id, since }
}

/** One compaction of a session at a time, over all processes: a record that is put by compare-and-set. Laws C57, C91. */
export class CompactionLock {
  readonly id: CompactionId
  readonly #core: SessionCore
  readonly #trigger: CompactionTrigger
  readonly #since: number
  readonly #stopRenewing: () => void
  #version: number
  #state: CompactionState = 'planning'
  #last: CompactionResult | undefined
  /** One write of the record at a time, since each expects the version of the one before. */
  #turn: Promise<unknown> = Promise.resolve()

  private constructor(core: SessionCore, id: CompactionId, trigger: CompactionTrigger, version: number) {
    this.#core = core
    this.id = id
    this.#trigger = trigger
    this.#version = version
    this.#since = core.runtime.clock.now()
    // A record that was taken over shows in the next commit, which is refused.
    this.#stopRenewing = every(core.runtime.timers, renewMs, () => void this.#renew().catch(() => undefined))
  }

  /** Taken; or what another's compaction came to, once it has ended. */
  static async take(
    core: SessionCore,
    trigger: CompactionTrigger,
    signal: AbortSignal,
  ): Promise<CompactionLock | CompactionResult> {
    for (;;) {
      const { marker, version } = await readMarker(core)
      if (marker !== undefined && isHeld(core, marker)) {
        const outcome = await outcomeElsewhere(core, marker.id, signal)
        if (outcome !== undefined) return outcome
        continue
      }
      const lock = new CompactionLock(core, core.runtime.ids('cmp'), trigger, version)
      held.add(lock.id)
      try {
        await lock.#put('planning')
        return lock
      } catch (error) {
        held.delete(lock.id)
        lock.#stopRenewing()
        if (!isSkeinError(error) || error.code !== 'store.conflict') throw error
      }
    }
  }

  /** Runs a commit that carries the change of the record to a state; it is that state once the commit has landed. */
  async commit<T>(state: CompactionState, write: (change: Change) => Promise<T>, last?: CompactionResult): Promise<T> {
    const mine = this.#turn.then(async () => {
      const written = await write(this.#change(state, last ?? this.#last))
      this.#version++
      this.#state = state
      this.#last = last ?? this.#last
      return written
    })
    this.#turn = mine.catch(() => undefined)
    return await mine
  }

  /** Gives it up, and says how it ended to who waits elsewhere. */
  async release(last?: CompactionResult): Promise<void> {
    this.#stopRenewing()
    held.delete(this.id)
    if (this.#state !== 'idle') await this.#put('idle', last).catch(() => undefined)
  }

  /** Says that its owner is alive, with the state that it has when its turn comes. */
  async #renew(): Promise<void> {
    const mine = this.#turn.then(async () => {
      if (this.#state === 'idle') return
      await this.#core.store.commit([this.#change(this.#state, this.#last)], { durability: 'relaxed' })
      this.#version++
    })
    this.#turn = mine.catch(() => undefined)
    await mine
  }

  async #put(state: CompactionState, last?: CompactionResult): Promise<void> {
    await this.commit(state, async change => void (await this.#core.store.commit([change], { durability: 'relaxed' })), last)
  }

  #change(state: CompactionState, last: CompactionResult | undefined): Change {
    const { clock, owner } = this.#core.runtime
    const value: Marker = {
      state,
      id: this.id,
      owner,
      trigger: this.#trigger,
      since: this.#since,
      until: clock.now() + leaseMs,
      ...(last === undefined ? {} : { last }),
    }
    return {
      type: 'put_record',
      collection,
      key: this.#core.id,
      value: value as never,
      tags: [this.#core.id],
      expectVersion: this.#version,
    }
  }
}

function isHeld(core: SessionCore, marker: Marker): boolean {
  if (marker.state === 'idle' || marker.until < core.runtime.clock.now()) return false
  return marker.owner !== core.runtime.owner || held.has(marker.id)
}

async function readMarker(core: SessionCore): Promise<{ marker: Marker | undefined; version: number }> {
  const record = await core.store.record(collection, core.id)
  const marker = isObject(record?.value) ? (record.value as unknown as Marker) : undefined
  return { marker, version: record?.version ?? 0 }
}

/** Waits for another process's compaction; undefined when its owner was lost, so that one may begin anew. */
async function outcomeElsewhere(core: SessionCore, id: CompactionId, signal: AbortSignal): Promise<CompactionResult | undefined> {
  for (;;) {
    signal.throwIfAborted()
    const { marker } = await readMarker(core)
    if (marker === undefined || marker.id !== id) return undefined
    if (marker.state === 'idle') return marker.last
    if (!isHeld(core, marker)) return undefined
    await wait(core.runtime.timers, lookMs, signal)
  }
}
