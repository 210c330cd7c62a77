import { every, type Timers } from '#kernel'
import type { SessionRow, Store } from '#journal'
import { cursorOf } from './commit-cursor.ts'
import type { MemoryParts } from './memory-parts.ts'
import { policyOf } from './commit-triggers.ts'

export const sweepMs = 60_000
const pageSize = 200

interface SweepParts {
  readonly places: readonly SweptPlace[]
  readonly timers: Timers
  readonly parts: MemoryParts
  now(): number
}

export interface SweptPlace {
  readonly store: Store
  /** Looks at one session, and seals what is due there. */
  readonly check: (tenant: string, session: SessionRow['id']) => Promise<void>
}

/**
 * Looks every 60 s at the sessions of some stores, closed ones too. The first time at all of them; then at those that may have
 * become due since, which is bounded by the longest trigger. Returns what ends it. Law M19.
 */
export function startSweep(sweep: SweepParts): () => void {
  let last: number | undefined
  let going = false
  return every(sweep.timers, sweepMs, () => {
    if (going) return
    going = true
    const began = sweep.now()
    Promise.all(sweep.places.map(place => sweepOnce(sweep.parts, place, last)))
      .then(() => (last = began))
      // The store is away; the next one looks from where this one began.
      .catch(() => undefined)
      .finally(() => (going = false))
  })
}

async function sweepOnce(parts: MemoryParts, { store, check }: SweptPlace, last: number | undefined): Promise<void> {
  const policy = parts.settings.commit
  const reach = policy === 'manual' ? 0 : Math.max(policy.idleMs, policy.maxAgeMs, policy.minIntervalMs)
  const since = last === undefined ? 0 : Math.max(0, last - reach - 2 * sweepMs)
  for (const tenant of await store.tenants()) {
    if (tenant.startsWith('_')) continue
    for (let cursor: string | undefined; ;) {
      const query = { sort: 'updatedAt', limit: pageSize, since, ...(cursor === undefined ? {} : { cursor }) } as const
      const page = await store.in(tenant).sessions(query)
      for (const row of page.items) if (mayBeDue(parts, row)) await check(tenant, row.id)
      if (page.next === undefined) break
      cursor = page.next
    }
  }
}

/** Something stands behind the newest archive, and a policy may seal it. */
const mayBeDue = (parts: MemoryParts, row: SessionRow): boolean =>
  row.lastMessageAt !== null && row.seq > cursorOf(row).archivedTo && policyOf(parts, row) !== 'manual'
