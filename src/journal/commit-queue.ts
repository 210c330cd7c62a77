import { SkeinError } from '#kernel'
import type { Change } from './change.ts'
import { checkCommit } from './check-changes.ts'
import type { CommitOptions, Committed } from './store.ts'

export const maxGroup = 256
export const maxGroupBytes: number = 4 * 2 ** 20
/** Up to so many are not spread over several groups. */
const minShare = 50

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

/** How many groups may be under way at a time, and what keeps two commits in their order. */
export interface Flights {
  readonly most: number
  /** Names of what a commit depends on: two that share one are in one group, or the later waits for the earlier's end. */
  bonds(waiting: Waiting): readonly string[]
}

interface Member extends Waiting {
  readonly bonds: readonly string[]
  readonly resolve: (committed: Committed) => void
  readonly reject: (error: unknown) => void
  /** Stops listening for an abort; called when the member is taken. */
  readonly taken: () => void
}

/**
 * Takes the commits that wait in this process together, up to 256 or 4 MiB, without a delay of its own: while one group
 * is being synced the next one gathers. Where several groups may be under way, commits that depend on nothing in them go
 * meanwhile, in a group of their own. A commit aborted while it waits writes nothing; later its signal has no effect.
 * Commits with one key that are in flight wait for the first. Laws J19, J23, J26.
 */
export class CommitQueue {
  readonly #run: RunGroup
  readonly #flights: Flights
  readonly #underWay = new Set<readonly Member[]>()
  readonly #inFlight = new Map<string, Promise<unknown>>()
  #waiting: Member[] = []
  #pump: Promise<void> | undefined
  /** Lets the pump look again, while it rests. */
  #wake: (() => void) | undefined
  #closed = false

  constructor(run: RunGroup, flights: Flights = { most: 1, bonds: () => [] }) {
    this.#run = run
    this.#flights = flights
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
      const member: Member = { ...waiting, bonds: this.#flights.bonds(waiting), resolve, reject, taken }
      signal?.addEventListener('abort', abort, { once: true })
      this.#waiting.push(member)
      if (this.#pump === undefined) this.#pump = this.#drain()
      else if (this.#underWay.size < this.#flights.most) this.#wake?.()
    })
  }

  async #drain(): Promise<void> {
    // Everything that this turn of the event loop brings belongs to the first group.
    await turnOfLoop()
    while (this.#waiting.length > 0 || this.#underWay.size > 0) {
      const group = this.#take()
      if (group.length > 0) void this.#fly(group)
      else {
        await new Promise<void>(resolve => (this.#wake = resolve))
        this.#wake = undefined
        // Lets readers and timers in between two groups, and what else this turn brings.
        if (this.#waiting.length > 0) await turnOfLoop()
      }
    }
    this.#pump = undefined
  }

  async #fly(group: readonly Member[]): Promise<void> {
    this.#underWay.add(group)
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
    this.#underWay.delete(group)
    this.#wake?.()
  }

  /** The next group: nothing while as many as may be are under way, or while all that waits depends on them. */
  #take(): Member[] {
    const free = this.#flights.most - this.#underWay.size
    if (free < 1) return []
    const held = new Set([...this.#underWay].flatMap(group => group.flatMap(({ bonds }) => bonds)))
    const most = Math.min(maxGroup, Math.max(minShare, Math.ceil(this.#waiting.length / free)))
    const group: Member[] = []
    const left: Member[] = []
    let bytes = 0
    let full = false
    for (const member of this.#waiting) {
      full ||= group.length > 0 && (group.length >= most || bytes + member.bytes > maxGroupBytes)
      if (full) left.push(member)
      else if (member.bonds.some(bond => held.has(bond))) {
        // What depends on one that waits waits, too.
        for (const bond of member.bonds) held.add(bond)
        left.push(member)
      } else {
        group.push(member)
        bytes += member.bytes
      }
    }
    this.#waiting = left
    for (const member of group) member.taken()
    return group
  }
}

const turnOfLoop = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
