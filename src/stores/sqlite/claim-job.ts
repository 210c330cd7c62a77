import type { ClaimKinds, JobRow } from '#journal'
import { SkeinError } from '#kernel'
import { jobColumns, jobFrom, shortId, textIn } from './columns.ts'
import type { Database } from './database.ts'
import { ownerIsDead } from './owner.ts'

/**
 * The next job that may run: of the tenant that was served least recently, the one with the oldest `runAfter`, then in order
 * of enqueueing, none behind an unfinished one of its kind and key. A claim whose lease ran out, or whose owner's process is
 * dead, may be claimed again; with its attempts used up it is parked.
 */
export async function claimJob(
  database: Database,
  kinds: ClaimKinds,
  owner: string,
  leaseMs: number,
): Promise<JobRow | undefined> {
  const names = Object.keys(kinds)
  if (names.length === 0) return undefined
  const { connection, clock } = database
  // Looked for outside a transaction first: an idle queue costs no lock.
  const due = await database.read(() =>
    connection
      .all('tenantsByService')
      .some(([tenant, name]) => nextJob(database, tenant as number, name as string, kinds, clock.now()) !== undefined),
  )
  if (!due) return undefined
  return database.relaxed(() => {
    for (const [key, tenant] of connection.all('tenantsByService')) {
      const { rows } = database.tenant(tenant as string)
      for (;;) {
        const now = clock.now()
        const job = nextJob(database, key as number, tenant as string, kinds, now)
        if (job === undefined) break
        if (job.state === 'running' && job.attempts >= job.maxAttempts) {
          const lastError = job.lastError ?? { code: 'job.lost' }
          rows.putJob({ ...job, state: 'parked', owner: null, leaseUntil: 0, endedAt: now, lastError })
          continue
        }
        const { attempts, fence } = job
        const claimed: JobRow = {
          ...job,
          state: 'running',
          owner,
          attempts: attempts + 1,
          fence: fence + 1,
          leaseUntil: now + leaseMs,
          startedAt: now,
        }
        rows.putJob(claimed)
        connection.run('serveTenant', key as number)
        return claimed
      }
    }
    return undefined
  })
}

/** Of a known kind, and behind no unfinished one of its line. */
const mayBegin = `j.kind IN (SELECT value ->> 0 FROM json_each(?3))
  AND EXISTS (SELECT 1 FROM json_each(?3) k WHERE k.value ->> 0 = j.kind AND j.schema <= k.value ->> 1)
  AND NOT EXISTS (SELECT 1 FROM job e WHERE e.tenant = ?1 AND e.kind = j.kind AND e.key = j.key AND e.id < j.id
    AND e.state IN ('queued', 'running', 'parked') AND (e.state <> 'parked' OR e.parkedBlocks = 1))`

/**
 * In the order of the index of what is due, so that neither jobs that are over nor those that wait behind the first are read.
 * The index is taken only where its condition stands in the query, and well only behind the one state.
 */
const firstOf = (state: 'queued' | 'running', isDue: string): string =>
  `SELECT id FROM (SELECT id FROM job j WHERE tenant = ?1 AND state = '${state}' AND state IN ('queued', 'running')
    AND ${isDue} AND ${mayBegin} ORDER BY runAfter, id LIMIT 1)`

export const nextJobSql: string = `SELECT ${jobColumns} FROM job WHERE id IN (
  ${firstOf('queued', 'runAfter <= ?2')} UNION ALL
  ${firstOf('running', '(leaseUntil <= ?2 OR owner IN (SELECT value FROM json_each(?4)))')})
  ORDER BY runAfter, id LIMIT 1`

function nextJob(database: Database, tenantKey: number, tenant: string, kinds: ClaimKinds, now: number): JobRow | undefined {
  const { connection } = database
  const dead = connection
    .all('runningOwners', tenantKey)
    .flatMap(([owner]) => (ownerIsDead(owner as string) ? [owner as string] : []))
  const known = Object.entries(kinds).map(([kind, schema]) => [textIn(kind), schema])
  const [row] = connection.allText(nextJobSql, [tenantKey, now, JSON.stringify(known), JSON.stringify(dead)])
  return row === undefined ? undefined : jobFrom(tenant, row)
}

/** Prolongs a claim. Throws `store.conflict` if the job is no longer running under this fence. */
export async function prolongJob(
  database: Database,
  claim: Pick<JobRow, 'id' | 'tenant' | 'fence'>,
  leaseMs: number,
): Promise<void> {
  await database.relaxed(() => {
    const { connection, clock } = database
    const { key, reading } = database.tenant(claim.tenant)
    if (connection.run('prolongJob', clock.now() + leaseMs, key, shortId('job', claim.id), claim.fence) > 0) return
    throw new SkeinError('store.conflict', `Job ${claim.id} has another owner now.`, {
      details: { expected: { fence: claim.fence }, actual: { fence: reading.job(claim.id)?.fence ?? null } },
    })
  })
}
