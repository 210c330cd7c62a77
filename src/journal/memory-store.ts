import { type Clock, given, parseStoreTenant, SkeinError, systemClock } from '#kernel'
import { applyChanges, live, routeCollection } from './apply.ts'
import { checkStore } from './check.ts'
import { jobLifeMs, keyLifeMs } from './check-changes.ts'
import { CommitQueue, type Outcome, type Waiting } from './commit-queue.ts'
import type { Entry } from './entry.ts'
import { renewLease } from './lease.ts'
import { MemoryRows } from './memory-rows.ts'
import { checkLimit, pageOfRecords, pageOfSessions } from './paging.ts'
import { fetchParts } from './parts.ts'
import { unknownSession } from './refusal.ts'
import { findIn } from './search.ts'
import type { ClaimKinds, Committed, JobRow, RecordRow, RouteRow, Store, StoreStats, TenantStore } from './store.ts'
import { Bell, watchEntries } from './watch.ts'

interface Keyed {
  readonly digest: string | undefined
  readonly committed: Committed
  readonly until: number
}

interface Tenant {
  readonly rows: MemoryRows
  readonly keys: Map<string, Keyed>
  /** Which claim served it last; the least recently served tenant comes first. */
  served: number
}

/** Options that every adapter takes. */
export interface StoreOptions {
  readonly clock?: Clock
  /** Called with a name before and after each statement, commit, sync and publication; a crash test kills the process there. */
  readonly probe?: (name: string) => void
}

/** After how many commits old jobs are looked for. */
const sweepEvery = 256

/** The reference: the whole port in memory, for tests and throw-away sessions. Nothing outlives the process. */
export function memoryStore({ clock = systemClock, probe }: StoreOptions = {}): Store {
  const tenants = new Map<string, Tenant>()
  const bell = new Bell()
  const counts = { transactions: 0, commits: 0 }
  let served = 0
  let closed = false

  const tenantOf = (name: string): Tenant => {
    const known = tenants.get(name) ?? { rows: new MemoryRows(), keys: new Map<string, Keyed>(), served: 0 }
    tenants.set(name, known)
    return known
  }
  const open = (name: string): Tenant => {
    if (closed) throw new SkeinError('store.closed', 'The store is closed.')
    return tenantOf(name)
  }

  const runMember = ({ tenant, changes, options }: Waiting): Outcome => {
    const now = clock.now()
    const { rows, keys } = tenantOf(tenant)
    try {
      const known = options.key === undefined ? undefined : replayed(keys.get(options.key), options.digest, now)
      if (known !== undefined) return { committed: known }
      const results = rows.transaction(() => applyChanges(rows, changes, { tenant, now }))
      const committed: Committed = {
        at: now,
        durability: 'none',
        replayed: false,
        results,
        ...given({ memo: options.memo }),
      }
      if (++counts.commits % sweepEvery === 0) sweepJobs(rows, now)
      if (options.key !== undefined) keys.set(options.key, { digest: options.digest, committed, until: now + keyLifeMs })
      for (const change of changes)
        if (change.type === 'append' || change.type === 'erase_session' || change.type === 'erase_entries')
          bell.ring(tenant, change.session)
      return { committed }
    } catch (error) {
      return { error }
    }
  }
  const queue = new CommitQueue(group => {
    probe?.('commit')
    counts.transactions++
    return group.map(runMember)
  })

  const tenantStore = (tenant: string): TenantStore => {
    const store: TenantStore = {
      tenant,
      async commit(changes, options = {}) {
        if (closed) throw new SkeinError('store.closed', 'The store is closed.')
        if (changes.length === 0 && options.key === undefined)
          return { at: clock.now(), durability: 'none', replayed: false, results: [] }
        return queue.commit(tenant, structuredCloneChanges(changes), options)
      },
      async replay(key, digest) {
        return replayed(open(tenant).keys.get(key), digest, clock.now())
      },
      async session(ref) {
        const { rows } = open(tenant)
        const id = typeof ref === 'string' ? ref : rows.sessionByAlias(ref.alias)
        return id === undefined ? undefined : rows.session(id)
      },
      async sessions(filter = {}) {
        return pageOfSessions(open(tenant).rows.sessions.values(), filter)
      },
      async entries(session, { after = 0, before = Infinity, types, limit, order = 'asc' } = {}) {
        const max = checkLimit(limit, 100, 1_000_000)
        const journal = open(tenant).rows.journals.get(session) ?? []
        const range = journal.slice(after, before === Infinity ? undefined : Math.max(0, before - 1))
        const fitting = types === undefined ? range : range.filter(entry => types.includes(entry.type))
        return order === 'asc' ? fitting.slice(0, max) : fitting.slice(-max).reverse()
      },
      async branch(session, { from, types, limit } = {}) {
        const max = checkLimit(limit, 100, 1_000_000)
        const { rows } = open(tenant)
        const journal = rows.journals.get(session) ?? []
        const places = rows.places.get(session)
        const found: Entry[] = []
        let id = from ?? rows.session(session)?.leafId ?? null
        while (id !== null && found.length < max) {
          const entry = journal[(places?.get(id) ?? 0) - 1]
          if (entry === undefined) break
          if (types === undefined || types.includes(entry.type)) found.push(entry)
          id = entry.parentId
        }
        return found
      },
      async entry(session, id) {
        const { rows } = open(tenant)
        const seq = rows.places.get(session)?.get(id)
        return seq === undefined ? undefined : rows.journals.get(session)?.[seq - 1]
      },
      async blobs(ids) {
        const { rows } = open(tenant)
        return ids.flatMap(id => rows.blobs.get(id) ?? [])
      },
      async hasBlob(session, id) {
        return open(tenant).rows.blobRefs.get(session)?.has(id) === true
      },
      async view(session, name) {
        return open(tenant).rows.view(session, name)
      },
      async archives(session) {
        return [...open(tenant).rows.archivesMeeting(session, 0, Infinity)].sort(
          (a, b) => a.fromSeq - b.fromSeq || b.toSeq - a.toSeq,
        )
      },
      async archive(id) {
        return open(tenant).rows.archive(id)
      },
      async route(key) {
        const record = open(tenant).rows.record(routeCollection, key)
        return record === undefined ? undefined : routeOf(record)
      },
      async routes(query = {}) {
        const page = pageOfRecords(open(tenant).rows.records.get(routeCollection)?.values() ?? [], query, clock.now())
        return { ...page, items: page.items.map(routeOf) }
      },
      async record(collection, key) {
        return live(open(tenant).rows.record(collection, key), clock.now())
      },
      async records(collection, query = {}) {
        return pageOfRecords(open(tenant).rows.records.get(collection)?.values() ?? [], query, clock.now())
      },
      async memory(id) {
        return open(tenant).rows.memories.get(id) ?? []
      },
      async memories({ owner, after = '', limit } = {}) {
        const newest = [...open(tenant).rows.memories.values()].flatMap(versions => versions.at(-1) ?? [])
        return newest
          .filter(row => row.id > after && (owner === undefined || row.owner === owner))
          .sort((a, b) => (a.id < b.id ? -1 : 1))
          .slice(0, checkLimit(limit, 100, 1_000))
      },
      async job(id) {
        return open(tenant).rows.job(id)
      },
      async jobs({ states, kind, session, before, limit } = {}) {
        const fitting = [...open(tenant).rows.jobs.values()].filter(
          job =>
            (states === undefined || states.includes(job.state)) &&
            (kind === undefined || job.kind === kind) &&
            (session === undefined || job.session === session) &&
            (before === undefined || job.id < before),
        )
        return fitting.sort((a, b) => (a.id < b.id ? 1 : -1)).slice(0, checkLimit(limit, 50, 200))
      },
      async watermark(session, reader) {
        return open(tenant).rows.watermark(session, reader)
      },
      async lagging(reader, limit) {
        const { rows } = open(tenant)
        const behind = [...rows.sessions.values()].map(row => ({
          session: row.id,
          seq: row.seq,
          watermark: rows.watermark(row.id, reader),
        }))
        return behind
          .filter(row => row.watermark < row.seq)
          .sort((a, b) => (a.session < b.session ? -1 : 1))
          .slice(0, checkLimit(limit, 100, 10_000))
      },
      async search(query) {
        const { rows } = open(tenant)
        const sessions = query.session === undefined ? [...rows.sessions.keys()] : [query.session]
        const visible = sessions.filter(
          id => ['active', 'ended'].includes(rows.session(id)?.state ?? 'deleted') && rows.session(id)?.hidden === false,
        )
        const { entries } = await fetchParts(
          store,
          visible.flatMap(id => rows.journals.get(id) ?? []),
          { files: 'trust' },
        )
        return { hits: findIn(entries, query, id => rows.session(id)?.title ?? null) }
      },
      async acquire(session, owner, leaseMs) {
        const { results } = await store.commit([{ type: 'acquire', session, owner, leaseMs }])
        return results[0] as { session: typeof session; owner: string; token: number; until: number }
      },
      async renew(fence, leaseMs) {
        const { rows } = open(tenant)
        const row = rows.session(fence.session)
        if (row === undefined) throw unknownSession(fence.session)
        const lease = renewLease(row.lease, fence, leaseMs, clock.now())
        rows.transaction(() => rows.putSession({ ...row, lease }))
        return { ...fence, until: lease.until }
      },
      async release(fence) {
        await store.commit([{ type: 'release', fence }])
      },
      watch: (session, after, { signal } = {}) => watchEntries(store, bell, session, after, signal),
    }
    return store
  }

  return {
    adapter: 'memory',
    in: name => tenantStore(parseStoreTenant(name)),
    tenants: async () => [...tenants.keys()].filter(name => (tenants.get(name)?.rows.sessions.size ?? 0) > 0).sort(),
    claim: async (kinds, owner, leaseMs) => {
      if (closed) throw new SkeinError('store.closed', 'The store is closed.')
      const inTurn = [...tenants.values()].sort((a, b) => a.served - b.served)
      for (const tenant of inTurn) {
        const job = claimIn(tenant.rows, kinds, owner, leaseMs, clock.now())
        if (job === undefined) continue
        tenant.served = ++served
        return job
      }
      return undefined
    },
    heartbeat: async (claim, leaseMs) => {
      const { rows } = open(claim.tenant)
      const job = rows.job(claim.id)
      if (job?.state !== 'running' || job.fence !== claim.fence) {
        throw new SkeinError('store.conflict', `Job ${claim.id} has another owner now.`, {
          details: { expected: { fence: claim.fence }, actual: { fence: job?.fence ?? null } },
        })
      }
      rows.transaction(() => rows.putJob({ ...job, leaseUntil: clock.now() + leaseMs }))
    },
    async check(options) {
      return checkStore(this, options)
    },
    backup: async () => {
      throw new SkeinError('input.unsupported', 'A memory store has no file to copy. Export its sessions instead.')
    },
    ping: async () => {
      if (closed) throw new SkeinError('store.closed', 'The store is closed.')
    },
    stats: (): StoreStats => ({ adapter: 'memory', format: 1, fullTransactions: 0, roundTrips: 0, bytes: null, ...counts }),
    close: async () => {
      if (closed) return
      await queue.close()
      closed = true
      bell.close()
    },
  }
}

/** Looks a key up: its first answer, nothing, or `idempotency.mismatch`. */
function replayed(known: Keyed | undefined, digest: string | undefined, now: number): Committed | undefined {
  if (known === undefined || known.until <= now) return undefined
  if (known.digest !== digest) throw new SkeinError('idempotency.mismatch', 'This idempotency key was used for something else.')
  return { ...known.committed, replayed: true }
}

function routeOf({ collection: _collection, expiresAt: _expires, ...route }: RecordRow): RouteRow {
  return route
}

/** Claims a tenant's next job. Lost ones whose attempts are used up are parked on the way. */
function claimIn(rows: MemoryRows, kinds: ClaimKinds, owner: string, leaseMs: number, now: number): JobRow | undefined {
  for (let job = claimable(rows, kinds, now); job !== undefined; job = claimable(rows, kinds, now)) {
    const lost = job.state === 'running' && job.attempts >= job.maxAttempts
    const next: JobRow = lost
      ? { ...job, state: 'parked', owner: null, leaseUntil: 0, endedAt: now, lastError: job.lastError ?? { code: 'job.lost' } }
      : {
          ...job,
          state: 'running',
          owner,
          attempts: job.attempts + 1,
          fence: job.fence + 1,
          leaseUntil: now + leaseMs,
          startedAt: now,
        }
    rows.transaction(() => rows.putJob(next))
    if (!lost) return next
  }
  return undefined
}

/** The next job that may run: earliest `runAfter`, then enqueue order, none behind an unfinished one of its key. */
function claimable(rows: MemoryRows, kinds: ClaimKinds, now: number): JobRow | undefined {
  const held = new Set<string>()
  let next: JobRow | undefined
  for (const job of rows.jobs.values()) {
    if (!holdsBack(job)) continue
    const line = JSON.stringify([job.kind, job.key])
    const isFree = !held.has(line)
    held.add(line)
    const isKnown = Object.hasOwn(kinds, job.kind) && job.schema <= (kinds[job.kind] ?? 0)
    if (isFree && isKnown && isDue(job, now) && (next === undefined || job.runAfter < next.runAfter)) next = job
  }
  return next
}

const isDue = (job: JobRow, now: number): boolean =>
  (job.state === 'queued' && job.runAfter <= now) || (job.state === 'running' && job.leaseUntil <= now)

const holdsBack = (job: JobRow): boolean =>
  job.state === 'queued' || job.state === 'running' || (job.state === 'parked' && job.parkedBlocks)

/** Forgets what ended long ago, now and then. */
function sweepJobs(rows: MemoryRows, now: number): void {
  for (const job of rows.jobs.values())
    if ((job.state === 'done' || job.state === 'skipped') && (job.endedAt ?? now) + jobLifeMs <= now) rows.jobs.delete(job.id)
}

/** Callers may go on changing what they handed in. */
function structuredCloneChanges<T>(changes: T): T {
  return structuredClone(changes)
}
