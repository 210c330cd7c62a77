import { type Clock, type EntryId, SkeinError } from '#kernel'
import { applyChanges, type Committed, keyLifeMs, type Outcome, type Waiting } from '#journal'
import { asStoreError, ConnectionLost, isDuplicate, isRetryable } from './faults.ts'
import { hotAnswers, hotAppend } from './hot-append.ts'
import { nowSql } from './now-sql.ts'
import { type Chain, planGroup } from './hot-plan.ts'
import { keySelect, replayOf } from './keys.ts'
import type { Lent, Link } from './link.ts'
import { loadRows } from './load-rows.ts'
import type { LoadedRows } from './loaded-rows.ts'
import { needsOf } from './needs.ts'
import { maxAttempts, pause } from './pause.ts'
import { epochSql, evidenceOf, type Sent, settleAppend, settleTransaction } from './settle.ts'
import { snapshotOf, writeRows } from './write-rows.ts'

export interface CommitsOptions {
  readonly databaseClock: Clock | undefined
  /** How long an outcome that can't be known is looked up before it is `store.uncertain`. Milliseconds. */
  readonly uncertainMs: number
}

/**
 * Carries out groups of commits, each tenant's by itself. What only touches sessions' heads goes out as one statement;
 * everything else is one transaction that loads and locks rows, applies the changes to them here and writes what was put.
 */
export class Commits {
  readonly counts = { transactions: 0, fullTransactions: 0, commits: 0 }
  readonly #link: Link
  readonly #options: CommitsOptions
  /** Tenants that stand in the directory, as this node has seen. */
  readonly #tenants = new Set<string>()

  constructor(link: Link, options: CommitsOptions) {
    this.#link = link
    this.#options = options
  }

  async run(group: readonly Waiting[]): Promise<readonly Outcome[]> {
    const relaxed = group.every(({ options }) => options.durability === 'relaxed')
    const outcomes = new Map<Waiting, Outcome>()
    const tenants = Map.groupBy(group, ({ tenant }) => tenant)
    await Promise.all([...tenants].map(([tenant, members]) => this.#runTenant(tenant, members, relaxed, outcomes)))
    for (const outcome of outcomes.values()) if (isNews(outcome)) this.counts.commits++
    return group.map(
      member => outcomes.get(member) ?? { error: new SkeinError('skein.bug', 'A commit was left without an outcome.') },
    )
  }

  async #runTenant(
    tenant: string,
    members: readonly Waiting[],
    relaxed: boolean,
    outcomes: Map<Waiting, Outcome>,
  ): Promise<void> {
    const { chains, rest } = planGroup(members)
    const lost = new Set<Waiting>()
    const refused: Waiting[] = []
    if (chains.length > 0) {
      try {
        const answers = await this.#appendHot(tenant, chains, relaxed, lost)
        for (const [index, chain] of chains.entries()) {
          for (const [place, { waiting }] of chain.members.entries()) {
            const committed = answers[index]?.[place]
            if (committed === undefined) refused.push(waiting)
            else outcomes.set(waiting, { committed })
          }
        }
      } catch (error) {
        for (const chain of chains) for (const { waiting } of chain.members) outcomes.set(waiting, { error })
      }
    }
    // In the order in which they came: a refused chain's members and what waited for them.
    const left = members.filter(member => refused.includes(member) || rest.includes(member))
    if (left.length > 0) await this.#apply(tenant, left, relaxed, lost, outcomes)
  }

  /** The answers of each chain; nothing where it was refused or somebody's key stood in the way. Throws what ends all of them. */
  async #appendHot(
    tenant: string,
    chains: readonly Chain[],
    relaxed: boolean,
    lost: Set<Waiting>,
  ): Promise<(readonly Committed[] | undefined)[]> {
    for (let attempt = 1; ; attempt++) {
      const statement = hotAppend(tenant, chains, relaxed, this.#now())
      this.#count(relaxed)
      try {
        const { rows } = await this.#link.lend(lent => lent.query(statement))
        return hotAnswers(chains, rows, relaxed)
      } catch (error) {
        if (error instanceof ConnectionLost) {
          const settled: (readonly Committed[] | undefined)[] = []
          for (const chain of chains) {
            const committed = await settleAppend(this.#link, tenant, chain, relaxed, this.#options.uncertainMs)
            if (committed === undefined) for (const { waiting } of chain.members) lost.add(waiting)
            settled.push(committed)
          }
          return settled
        }
        if (isDuplicate(error)) return chains.map(() => undefined)
        if (isRetryable(error) && attempt < maxAttempts) {
          await pause(attempt)
          continue
        }
        const fault = asStoreError(error)
        // The other path runs each alone where one of them may be at fault.
        if (fault.code === 'skein.bug') return chains.map(() => undefined)
        throw fault
      }
    }
  }

  async #apply(
    tenant: string,
    members: readonly Waiting[],
    relaxed: boolean,
    lost: ReadonlySet<Waiting>,
    outcomes: Map<Waiting, Outcome>,
  ): Promise<void> {
    try {
      const found = await this.#applyAll(tenant, members, relaxed, lost)
      for (const [index, member] of members.entries()) {
        const outcome = found[index]
        if (outcome !== undefined) outcomes.set(member, outcome)
      }
    } catch (error) {
      const fault = asStoreError(error)
      const shared = fault.category === 'unavailable' && fault.code !== 'store.busy' && fault.code !== 'store.full'
      if (shared || members.length === 1) for (const member of members) outcomes.set(member, { error: fault })
      // One of them undid the transaction: each runs again alone, and only that one fails.
      else for (const member of members) await this.#apply(tenant, [member], relaxed, lost, outcomes)
    }
  }

  async #applyAll(
    tenant: string,
    members: readonly Waiting[],
    relaxed: boolean,
    lost: ReadonlySet<Waiting>,
  ): Promise<readonly Outcome[]> {
    const begin = relaxed ? 'BEGIN; SET LOCAL synchronous_commit = off' : 'BEGIN'
    for (let attempt = 1; ; attempt++) {
      let attempted: Attempted | undefined
      let committing = false
      this.#count(relaxed)
      try {
        const { outcomes } = await this.#link.transaction(
          begin,
          async lent => (attempted = await this.#attempt(lent, tenant, members, relaxed, lost)),
          () => (committing = true),
        )
        // A server that crashes may forget what was relaxed.
        if (!relaxed && outcomes.some(isNews)) this.#tenants.add(tenant)
        return outcomes
      } catch (error) {
        if (error instanceof ConnectionLost && committing && attempted !== undefined) {
          const happened = await settleTransaction(this.#link, attempted.sent, this.#options.uncertainMs)
          if (happened) return attempted.outcomes
        }
        const again = error instanceof ConnectionLost || isRetryable(error) || isDuplicate(error)
        if (!again || attempt >= maxAttempts) throw error
        await pause(attempt)
      }
    }
  }

  async #attempt(
    lent: Lent,
    tenant: string,
    members: readonly Waiting[],
    relaxed: boolean,
    lost: ReadonlySet<Waiting>,
  ): Promise<Attempted> {
    const loaded = await loadRows(lent, tenant, needsOf(members.flatMap(({ changes }) => changes)))
    const keys = members.flatMap(({ options }) => options.key ?? [])
    const known = await loadKeys(lent, tenant, keys)
    const { rows: facts } = await lent.query({
      text: `SELECT ${nowSql} AS now, pg_current_xact_id()::text AS id, ${epochSql} AS epoch, $1::text AS tenant`,
      values: [tenant, this.#now()],
    })
    const now = facts[0]?.['now'] as number
    const { rows } = loaded
    const before = snapshotOf(rows)
    const durability = relaxed ? 'relaxed' : 'full'
    const outcomes = members.map((member): Outcome => {
      const { changes, options } = member
      try {
        const row = options.key === undefined ? undefined : known.get(options.key)
        if (row !== undefined && (row['until'] as number) > now) {
          const replay = replayOf(row, options.digest)
          return { committed: lost.has(member) ? { ...replay, replayed: false } : replay }
        }
        const landed = lost.has(member) ? landedAppend(rows, member) : undefined
        const results = landed ?? rows.transaction(() => applyChanges(rows, changes, { tenant, now }))
        const committed: Committed = {
          at: now,
          durability,
          replayed: false,
          results,
          ...(options.memo === undefined ? {} : { memo: options.memo }),
        }
        return { committed }
      } catch (error) {
        return { error }
      }
    })
    if (outcomes.some(isNews)) {
      if (!this.#tenants.has(tenant))
        await lent.query({ text: 'INSERT INTO skein.tenants (tenant) VALUES ($1) ON CONFLICT DO NOTHING', values: [tenant] })
      await writeRows(lent, tenant, loaded, before)
      await writeKeys(lent, tenant, members, outcomes, now)
    }
    const evidence = evidenceOf(
      tenant,
      now,
      members.filter((_, index) => isNews(outcomes[index] as Outcome)),
    )
    return { outcomes, sent: { id: facts[0]?.['id'] as string, epoch: facts[0]?.['epoch'] as string, evidence } }
  }

  #count(relaxed: boolean): void {
    this.counts.transactions++
    if (!relaxed) this.counts.fullTransactions++
  }

  #now(): number | null {
    return this.#options.databaseClock?.now() ?? null
  }
}

/** Whether a commit did something now. */
const isNews = (outcome: Outcome): boolean => 'committed' in outcome && !outcome.committed.replayed

interface Attempted {
  readonly outcomes: readonly Outcome[]
  readonly sent: Sent
}

/** An append whose first answer was lost and that is there after all; the session's lock is held, so it can't come later. */
function landedAppend(rows: LoadedRows, { changes }: Waiting): Committed['results'] | undefined {
  const append = changes.find(change => change.type === 'append')
  const first = append?.entries[0]?.id
  if (append === undefined || first === undefined || !rows.entryExists(append.session, first)) return undefined
  const row = rows.session(append.session)
  const seq = rows.places.get(append.session)?.get(first) ?? 0
  if (row === undefined) return undefined
  return changes.map(change =>
    change.type === 'acquire'
      ? { session: row.id, owner: change.owner, token: row.lease.token, until: row.lease.until }
      : {
          first: seq,
          last: seq + append.entries.length - 1,
          ids: append.entries.map(entry => entry.id as EntryId),
          leafId: row.leafId,
          token: row.lease.token,
          counters: row.counters,
        },
  )
}

async function loadKeys(lent: Lent, tenant: string, keys: readonly string[]): Promise<Map<string, Record<string, unknown>>> {
  if (keys.length === 0) return new Map()
  const { rows } = await lent.query({
    text: `SELECT ${keySelect} FROM skein.keys WHERE tenant = $1 AND key = ANY($2)`,
    values: [tenant, keys],
  })
  return new Map(rows.map(row => [row['key'] as string, row]))
}

async function writeKeys(
  lent: Lent,
  tenant: string,
  members: readonly Waiting[],
  outcomes: readonly Outcome[],
  now: number,
): Promise<void> {
  const rows = members.flatMap(({ options: { key, digest, memo } }, index) => {
    const outcome = outcomes[index]
    if (key === undefined || outcome === undefined || !('committed' in outcome) || outcome.committed.replayed) return []
    const { durability, results } = outcome.committed
    return [[key, digest ?? null, durability, memo === undefined ? null : JSON.stringify(memo), JSON.stringify(results)] as const]
  })
  if (rows.length === 0) return
  const keys = rows.map(([key]) => key)
  await lent.query({
    text: 'DELETE FROM skein.keys WHERE tenant = $1 AND key = ANY($2) AND until <= $3',
    values: [tenant, keys, now],
  })
  await lent.query({
    text: `INSERT INTO skein.keys (tenant, key, digest, at, until, durability, memo, answer)
      SELECT $1, n.key, n.digest, $2::bigint, $2::bigint + ${keyLifeMs}, n.durability, n.memo, n.answer
      FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[]) AS n(key, digest, durability, memo, answer) ORDER BY n.key`,
    values: [tenant, now, ...[0, 1, 2, 3, 4].map(column => rows.map(row => row[column]))],
  })
}
