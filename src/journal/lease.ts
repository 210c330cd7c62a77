import { type SessionId, SkeinError } from '#kernel'
import type { Fence } from './change.ts'
import type { Lease } from './head.ts'
import type { CommitContext } from './rows.ts'

/** How long a lease lasts unless said otherwise; it is renewed at a third of it. Milliseconds. */
export const defaultLeaseMs = 15_000

/**
 * | lease      | acquire, same owner | acquire, other   | renew          | write with its fence |
 * |------------|---------------------|------------------|----------------|---------------------|
 * | none       | granted, token+1    | granted, token+1 | `store.fenced` | `store.fenced`      |
 * | held       | same token, longer  | `session.busy`   | longer         | ok                  |
 * | expired    | same token, longer  | granted, token+1 | longer         | ok                  |
 * | taken over | `session.busy`      | as held          | `store.fenced` | `store.fenced`      |
 */
export function grantLease(
  session: SessionId,
  lease: Lease,
  owner: string,
  leaseMs: number,
  { now, ownerIsDead }: Pick<CommitContext, 'now' | 'ownerIsDead'>,
): Lease {
  if (lease.owner === owner) return { ...lease, until: Math.max(lease.until, now + leaseMs) }
  if (lease.owner !== null && lease.until > now && ownerIsDead?.(lease.owner) !== true) {
    throw new SkeinError('session.busy', `Session ${session} is being written by another process.`, {
      details: { by: 'lease', session, until: lease.until, retryAfterMs: lease.until - now },
    })
  }
  return { owner, token: lease.token + 1, until: now + leaseMs }
}

export function renewLease(lease: Lease, fence: Fence, leaseMs: number, now: number): Lease {
  if (lease.owner === fence.owner && lease.token === fence.token) return { ...lease, until: Math.max(lease.until, now + leaseMs) }
  throw new SkeinError('store.fenced', `Another owner has taken over session ${fence.session}.`, {
    details: { session: fence.session, token: fence.token, current: lease.token },
  })
}
