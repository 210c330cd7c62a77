import { type Clock, isSkeinError } from '#kernel'
import type { TenantStore } from '#journal'
import type { SessionCore } from '#session'
import { type MapHeader, type MapId, readHeader } from './map-rows.ts'
import { type MapWrite, planWrites, type WritePlan } from './plan-writes.ts'

interface Waiting {
  readonly write: MapWrite
  readonly resolve: (written: boolean) => void
  readonly reject: (error: unknown) => void
}

const maxBatch = 256

/**
 * The only writer of a map's records in this process. What comes while a commit is under way shares the next one. A write
 * that somebody else came before resolves `false` and has changed nothing.
 */
export class Ledger {
  readonly #store: TenantStore
  readonly #map: MapId
  readonly #parent: SessionCore | undefined
  readonly #clock: Clock
  readonly #waiting: Waiting[] = []
  #now: { header: MapHeader; version: number }
  #writing = false
  /** Called after each commit. */
  onWritten: () => void = () => undefined

  constructor(parts: {
    readonly store: TenantStore
    readonly map: MapId
    readonly parent: SessionCore | undefined
    readonly clock: Clock
    readonly header: MapHeader
    readonly version: number
  }) {
    this.#store = parts.store
    this.#map = parts.map
    this.#parent = parts.parent
    this.#clock = parts.clock
    this.#now = { header: parts.header, version: parts.version }
  }

  get header(): MapHeader {
    return this.#now.header
  }

  /** Reads the map's record again: others may have written it. */
  async refresh(): Promise<MapHeader> {
    const read = await readHeader(this.#store, this.#map)
    if (read.version > this.#now.version) this.#now = read
    return this.#now.header
  }

  async write(write: MapWrite): Promise<boolean> {
    return await new Promise<boolean>((resolve, reject) => {
      this.#waiting.push({ write, resolve, reject })
      if (!this.#writing) void this.#drain()
    })
  }

  async #drain(): Promise<void> {
    this.#writing = true
    // Whatever else is about to be written in this turn of the loop comes along.
    await Promise.resolve()
    while (this.#waiting.length > 0) await this.#commit(this.#waiting.splice(0, maxBatch))
    this.#writing = false
  }

  async #commit(batch: Waiting[]): Promise<void> {
    for (let left = batch; left.length > 0;) {
      const plan = planWrites(
        this.#map,
        this.#now,
        left.map(({ write }) => write),
        this.#clock.now(),
      )
      try {
        await this.#put(plan)
        this.#took(plan)
        for (const { resolve } of left) resolve(true)
        this.onWritten()
        return
      } catch (error) {
        const owner = this.#refused(error, plan)
        try {
          if (owner === undefined) throw error
          if (owner !== 'header' && owner.type === 'item') {
            for (const { write, resolve } of left) if (write === owner) resolve(false)
            left = left.filter(({ write }) => write !== owner)
          } else {
            // Somebody else ended items, or stored these inputs, which shows in the map's record, too.
            const { version } = this.#now
            await this.refresh()
            if (this.#now.version === version) throw error
          }
        } catch (failure) {
          for (const { reject } of left) reject(failure)
          return
        }
      }
    }
  }

  /** Parent and rows in one commit. Claims and prolonged leases are worth no sync: whoever lost them claims again. */
  async #put({ changes, drafts, owners }: WritePlan): Promise<void> {
    if (changes.length === 0) return
    const durability = owners.includes('header') || drafts.length > 0 ? 'full' : 'relaxed'
    if (this.#parent === undefined || drafts.length === 0) await this.#store.commit(changes, { durability })
    else await this.#parent.side(() => ({ drafts, alongside: changes }), { durability })
  }

  #took({ changes, owners, header }: WritePlan): void {
    for (const [index, owner] of owners.entries()) {
      const version = (changes[index]?.expectVersion ?? 0) + 1
      if (owner === 'header') this.#now = { header, version }
      else if (owner.type === 'item') owner.hold.version = version
    }
  }

  /** Whose change it is that a commit was refused for; entries of the parent are a change before them all. */
  #refused(error: unknown, { owners, drafts }: WritePlan): WritePlan['owners'][number] | undefined {
    if (!isSkeinError(error) || error.code !== 'store.conflict' || typeof error.details['change'] !== 'number') return undefined
    return owners[error.details['change'] - (this.#parent === undefined || drafts.length === 0 ? 0 : 1)]
  }
}
