import type { AgentSessions, Operators } from '#agent'
import { type House, openHouse, type SkeinOptions } from '#house'
import type { Jobs } from '#jobs'
import type { Store } from '#journal'
import { parseTenant, shape, wholeNumber } from '#kernel'
import type { Memories, MemorySession } from '#memory'
import type { Models } from '#models'

export type { MemorySession as Session } from '#memory'
export type { SkeinOptions } from '#house'

const checkClose = shape<{ waitMs?: number }>({ waitMs: wholeNumber() })

/** Everything of one tenant; `in` gives the same face for another. */
export class Skein implements AsyncDisposable {
  readonly sessions: AgentSessions<MemorySession>
  readonly memory: Memories
  readonly jobs: Jobs
  readonly models: Models
  readonly operators: Operators
  readonly store: Store
  readonly #house: House

  constructor(house: House, tenant: string) {
    this.#house = house
    this.store = house.store
    this.models = house.models
    this.sessions = house.sessionsOf(tenant)
    this.memory = house.memoryOf(tenant)
    this.operators = house.operatorsOf(tenant, this.sessions)
    this.jobs = house.jobsOf(tenant)
  }

  in(tenant: string): Skein {
    return new Skein(this.#house, parseTenant(tenant))
  }

  /** Stops, waits for runs up to `waitMs` (10,000), releases what it holds and closes the store that it opened. */
  async close(options: { readonly waitMs?: number } = {}): Promise<void> {
    checkClose(options)
    await this.#house.close(options.waitMs ?? 10_000)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/** Opens the store and wires the rooms. Rejects with what is wrong with the store; then nothing is left open. */
export async function openSkein(options: SkeinOptions = {}): Promise<Skein> {
  return new Skein(await openHouse(options), 'default')
}
