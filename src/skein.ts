import type { AgentSessions, Operators } from '#agent'
import type { Gateway } from '#gateway'
import { type House, openHouse, type SkeinOptions } from '#house'
import type { Jobs } from '#jobs'
import type { Store } from '#journal'
import { aText, type Check, invalidInput, listOf, parseTenant, shape, wholeNumber } from '#kernel'
import type { Memories, MemorySession } from '#memory'
import type { Models } from '#models'

export type { MemorySession as Session } from '#memory'
export type { SkeinOptions } from '#house'

/** Whose memories may be read. */
export type Owners = readonly string[] | 'all'

const someOwners = listOf(aText, 'owners')
const ofOwners: Check = (value, path) => {
  if (typeof value === 'string' && value !== 'all') throw invalidInput(path, 'Expected all, or a list of owners.')
  if (value !== 'all') someOwners(value, path)
}
const checkIn = shape<{ owners?: Owners }>({ owners: ofOwners })
const checkClose = shape<{ waitMs?: number }>({ waitMs: wholeNumber() })

/** Everything of one tenant; `in` gives the same face for another. */
export class Skein implements AsyncDisposable {
  readonly sessions: AgentSessions<MemorySession>
  readonly memory: Memories
  readonly jobs: Jobs
  readonly models: Models
  readonly operators: Operators
  readonly gateway: Gateway
  readonly store: Store
  readonly #house: House
  readonly #owners: Owners

  constructor(house: House, tenant: string, owners: Owners = 'all') {
    this.#house = house
    this.#owners = owners
    this.store = house.store
    this.models = house.models
    this.sessions = house.sessionsOf(tenant)
    this.memory = house.memoryOf(tenant, owners)
    this.operators = house.operatorsOf(tenant, this.sessions)
    this.gateway = house.gatewayOf(tenant)
    this.jobs = house.jobsOf(tenant)
  }

  /** `owners` bounds what `memory` reads; who is bound already can only be bound further. Law M76. */
  in(tenant: string, options: { readonly owners?: Owners } = {}): Skein {
    checkIn(options)
    return new Skein(this.#house, parseTenant(tenant), narrowed(this.#owners, options.owners ?? 'all'))
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

function narrowed(bound: Owners, asked: Owners): Owners {
  if (bound === 'all') return asked
  return asked === 'all' ? bound : asked.filter(owner => bound.includes(owner))
}
