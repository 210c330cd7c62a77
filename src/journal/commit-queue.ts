import { SkeinError } from '#kernel'
import type { Change } from './change.ts'
import { checkCommit } from './check-changes.ts'
import type { CommitOptions, Committed } from './store.ts'

export const maxGroup = 256
export const maxGroupBytes: number = 4 * 2 ** 20

/** One commit that waits for its group. */
export interface Waiting {
  readonly tenant: string
  readonly changes: readonly Change[]
  readonly options: CommitOptions
  readonly bytes: number
}

/** What became of a member: its answer, or why it was refused. */
export type Outcome = { readonly committed: Committed } | { readonly error: unknown }

/** Carries out a group in one transaction and one sync; answers in order. A rejection fails every member. */
export type RunGroup = (group: readonly Waiting[]) => Promise<readonly Outcome[]> | readonly Outcome[]

interface Member extends Waiting {
  readonly resolve: (committed: Committed) => void
  readonly reject: (error: unknown) => void
  /** Stops listening for an abort; called when the member is taken. */
  readonly taken: () => void
}

/**
 * Takes the commits that wait in this process together, up to 256 or 4 MiB, without a delay of its own: while one group
 * is being synced the next one gathers. A commit aborted while it waits writes nothing; later its signal has no effect.
 * Commits with one key that are in flight wait for the first. Laws J19, J23, J26.
 */
export class CommitQueue {
  readonly #run: RunGroup
  readonly #inFlight = new Map<string, Promise<unknown>>()
  #waiting: Member[] = []
  #pump: Promise<void> | undefined
  #closed = false

  constructor(run: RunGroup) {
    this.#run = run
  }

  async commit(tenant: string, changes: readonly Change[], options: CommitOptions): Promise<Committed> {
    const bytes = checkCommit(changes, options)
    if (options.key === undefined) return await this.#wait({ tenant, changes, options, bytes })
    const key = `${tenant} ${options.key}`
    for (let first = this.#inFlight.get(key); first !== undefined; first = this.#inFlight.get(key))
      await first.catch(() => undefined)
    const mine = this.#wait({ tenant, changes, options, bytes })
    this.#inFlight.set(key, mine)
    try {
      return await mine
    } finally {
      this.#inFlight.delete(key)
    }
  }

  /** Refuses new commits and waits for those under way. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#pump
  }

  #wait(waiting: Waiting): Promise<Committed> {
    if (this.#closed) return Promise.reject(new SkeinError('store.closed', 'The store is closed.'))
    const { signal } = waiting.options
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error)
    return new Promise<Committed>((resolve, reject) => {
      const abort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(member), 1)
        reject(signal?.reason as Error)
      }
      const taken = (): void => signal?.removeEventListener('abort', abort)
      const member: Member = { ...waiting, resolve, reject, taken }
      signal?.addEventListener('abort', abort, { once: true })
      this.#waiting.push(member)
      this.#pump ??= this.#drain()
    })
  }

  async #drain(): Promise<void> {
    // Everything that this turn of the event loop brings belongs to the first group.
    await new Promise<void>(resolve => setImmediate(resolve))
    while (this.#waiting.length > 0) {
      const group = this.#take()
      try {
        const outcomes = await this.#run(group)
        for (const [index, member] of group.entries()) {
          const outcome = outcomes[index]
          if (outcome === undefined) member.reject(new SkeinError('skein.bug', 'A commit was left without an outcome.'))
          else if ('error' in outcome) member.reject(outcome.error)
          else member.resolve(outcome.committed)
        }
      } catch (error) {
        for (const member of group) member.reject(error)
      }
      // Lets readers and timers in between two groups.
      if (this.#waiting.length > 0) await new Promise<void>(resolve => setImmediate(resolve))
    }
    this.#pump = undefined
  }

  #take(): Member[] {
    let bytes = 0
    let count = 0
    for (const member of this.#waiting) {
      if (count > 0 && (count >= maxGroup || bytes + member.bytes > maxGroupBytes)) break
      bytes += member.bytes
      count++
    }
    const group = this.#waiting.splice(0, count)
    for (const member of group) member.taken()
    return group
  }
}
