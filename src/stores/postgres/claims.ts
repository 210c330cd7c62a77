import { SkeinError } from '#kernel'
import type { ClaimKinds, JobRow } from '#journal'
import { nowSql } from './now-sql.ts'
import type { Link } from './link.ts'
import { jobOf } from './rows-from.ts'
import { toText } from './text-column.ts'

/**
 * Takes the job that is due first among the heads of the lines, which are read once, in the order of their index. One that was lost by its last
 * allowed attempt is parked instead, and the answer says so by its state. Rows that another node is taking are passed over.
 */
const claimSql = `WITH t AS MATERIALIZED (SELECT ${nowSql} AS now), heads AS MATERIALIZED (
  SELECT DISTINCT ON (kind, key) id, kind, schema, state, run_after, lease_until FROM skein.jobs
  WHERE tenant = $1 AND state IN ('queued', 'running', 'parked') AND (state <> 'parked' OR parked_blocks)
  ORDER BY kind, key, position), due AS (
  SELECT j.id FROM heads h JOIN skein.jobs j ON j.tenant = $1 AND j.id = h.id, t
  WHERE EXISTS (SELECT 1 FROM unnest($3::text[], $4::bigint[]) AS k(kind, schema) WHERE k.kind = h.kind AND h.schema <= k.schema)
    AND ((h.state = 'queued' AND h.run_after <= t.now) OR (h.state = 'running' AND h.lease_until <= t.now))
    AND ((j.state = 'queued' AND j.run_after <= t.now) OR (j.state = 'running' AND j.lease_until <= t.now))
  ORDER BY j.run_after, j.created_at, j.id LIMIT 1 FOR UPDATE OF j SKIP LOCKED)
UPDATE skein.jobs j SET
  state = CASE WHEN over THEN 'parked' ELSE 'running' END,
  owner = CASE WHEN over THEN NULL ELSE $5 END,
  attempts = CASE WHEN over THEN j.attempts ELSE j.attempts + 1 END,
  fence = CASE WHEN over THEN j.fence ELSE j.fence + 1 END,
  lease_until = CASE WHEN over THEN 0 ELSE t.now + $6::bigint END,
  started_at = CASE WHEN over THEN j.started_at ELSE t.now END,
  ended_at = CASE WHEN over THEN t.now ELSE j.ended_at END,
  last_error = CASE WHEN over AND j.last_error = 'null' THEN '{"code":"job.lost"}' ELSE j.last_error END
FROM t, due, LATERAL (SELECT (o.state = 'running' AND o.attempts >= o.max_attempts) AS over FROM skein.jobs o WHERE o.tenant = $1 AND o.id = due.id) o
WHERE j.tenant = $1 AND j.id = due.id
RETURNING j.*`

/** Serves tenants in turn, the one that has waited longest first. */
export class Claims {
  readonly #link: Link
  readonly #now: () => number | null
  readonly #served = new Map<string, number>()
  #turn = 0

  constructor(link: Link, now: () => number | null) {
    this.#link = link
    this.#now = now
  }

  async claim(kinds: ClaimKinds, owner: string, leaseMs: number): Promise<JobRow | undefined> {
    const names = Object.keys(kinds)
    if (names.length === 0) return undefined
    const tenants = (
      await this.#link.read({ name: 'tenants', text: 'SELECT tenant FROM skein.tenants WHERE jobs ORDER BY tenant' })
    ).map(row => row['tenant'] as string)
    tenants.sort((a, b) => (this.#served.get(a) ?? 0) - (this.#served.get(b) ?? 0))
    for (const tenant of tenants) {
      const job = await this.#claimOf(tenant, kinds, names, owner, leaseMs)
      if (job === undefined) continue
      this.#served.set(tenant, (this.#turn += 1))
      return job
    }
    return undefined
  }

  async #claimOf(
    tenant: string,
    kinds: ClaimKinds,
    names: readonly string[],
    owner: string,
    leaseMs: number,
  ): Promise<JobRow | undefined> {
    for (;;) {
      const [row] = await this.#link.once({
        name: 'claim',
        text: claimSql,
        values: [tenant, this.#now(), names.map(toText), names.map(name => kinds[name] ?? 0), toText(owner), leaseMs],
      })
      if (row === undefined) return undefined
      const job = jobOf(row)
      if (job.state === 'running') return job
    }
  }

  /** Throws `store.conflict` if the claim is somebody else's now. */
  async heartbeat(claim: Pick<JobRow, 'id' | 'tenant' | 'fence'>, leaseMs: number): Promise<void> {
    const rows = await this.#link.read({
      name: 'heartbeat',
      text: `UPDATE skein.jobs SET lease_until = ${nowSql} + $5::bigint WHERE tenant = $1 AND id = $3 AND state = 'running' AND fence = $4 RETURNING id`,
      values: [claim.tenant, this.#now(), claim.id, claim.fence, leaseMs],
    })
    if (rows.length > 0) return
    const [actual] = await this.#link.read({
      text: 'SELECT fence FROM skein.jobs WHERE tenant = $1 AND id = $2',
      values: [claim.tenant, claim.id],
    })
    throw new SkeinError('store.conflict', `Job ${claim.id} has another owner now.`, {
      details: { expected: { fence: claim.fence }, actual: { fence: actual?.['fence'] ?? null } },
    })
  }
}
