import { newId } from '#kernel'
import { describe, expect } from 'vitest'
import { verifies } from '#verifies'
import { grantLease, type Lease, noLease, renewLease } from '#journal'

const session = newId('ses')
const now = 1_000
const held: Lease = { owner: 'a', token: 4, until: now + 500 }
const expired: Lease = { ...held, until: now }
const acquire = (lease: Lease, owner: string, ownerIsDead?: (owner: string) => boolean): Lease =>
  grantLease(session, lease, owner, 300, { now, ...(ownerIsDead === undefined ? {} : { ownerIsDead }) })
const renew = (lease: Lease, owner: string, token: number): Lease => renewLease(lease, { session, owner, token }, 300, now)

describe('the table of leases', () => {
  verifies('J40', 'a free or expired lease is granted with the next token, a held one only to its owner, never shorter', () => {
    expect(acquire(noLease, 'a')).toEqual({ owner: 'a', token: 1, until: 1_300 })
    expect(acquire({ owner: null, token: 7, until: 0 }, 'b')).toEqual({ owner: 'b', token: 8, until: 1_300 })
    expect(acquire(expired, 'b')).toEqual({ owner: 'b', token: 5, until: 1_300 })
    expect(acquire(expired, 'a')).toEqual({ owner: 'a', token: 4, until: 1_300 })
    expect(acquire(held, 'a')).toEqual(held)
    expect(acquire({ ...held, until: now + 100 }, 'a')).toEqual({ ...held, until: 1_300 })
    expect(() => acquire(held, 'b')).toThrow(
      expect.objectContaining({
        code: 'session.busy',
        details: { by: 'lease', session, until: 1_500, retryAfterMs: 500 },
      }) as Error,
    )
  })

  verifies('J41', 'only who holds the newest token renews, also late', () => {
    expect(renew(held, 'a', 4)).toEqual(held)
    expect(renew(expired, 'a', 4)).toEqual({ ...expired, until: 1_300 })
    for (const [lease, owner, token] of [
      [held, 'a', 3],
      [held, 'b', 4],
      [noLease, 'a', 0],
      [{ ...held, owner: null }, 'a', 4],
    ] as const)
      expect(() => renew(lease, owner, token)).toThrow(
        expect.objectContaining({ code: 'store.fenced', details: { session, token, current: lease.token } }) as Error,
      )
  })

  verifies('J40', 'the lease of an owner that is known to be dead counts as run out', () => {
    expect(acquire(held, 'b', owner => owner === 'a')).toEqual({ owner: 'b', token: 5, until: 1_300 })
    expect(() => acquire(held, 'b', owner => owner === 'b')).toThrow(expect.objectContaining({ code: 'session.busy' }) as Error)
  })
})
