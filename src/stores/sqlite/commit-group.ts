import { applyChanges, type Change, type Committed, keyLifeMs, type Outcome, type Result, type Waiting } from '#journal'
import { type Json, SkeinError } from '#kernel'
import type { Database } from './database.ts'
import { ownerIsDead } from './owner.ts'
import { settle } from './settle.ts'
import { isFull, isIoError, storeError } from './sqlite-errors.ts'

/** What of a group's attempt: done; to be run again without one member, or each by itself; or, after a failed sync, unknown. */
type Attempt = 'done' | 'alone' | { readonly without: number; readonly error: unknown } | { readonly unknown: unknown }

/**
 * Carries out a group in one transaction with one sync. A refused member is undone alone; one whose failure undoes the
 * whole transaction is left out and the others run again. Laws J17, J19, J27.
 */
export async function commitGroup(database: Database, group: readonly Waiting[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  await commitMembers(
    database,
    group,
    outcomes,
    group.map((_, index) => index),
  )
  return outcomes
}

async function commitMembers(
  database: Database,
  group: readonly Waiting[],
  outcomes: Outcome[],
  which: readonly number[],
): Promise<void> {
  let members = [...which]
  while (members.length > 0) {
    const full = members.some(index => group[index]?.options.durability !== 'relaxed')
    try {
      await database.begin(full)
    } catch (error) {
      for (const index of members) outcomes[index] = { error }
      return
    }
    const attempt = tryMembers(database, group, outcomes, members, full)
    if (attempt === 'done') return
    if (attempt === 'alone') {
      for (const index of members) await commitMembers(database, group, outcomes, [index])
      return
    }
    if ('unknown' in attempt) return settleMembers(database, group, outcomes, members, attempt.unknown)
    outcomes[attempt.without] = { error: storeError(attempt.error, database.file) }
    members = members.filter(index => index !== attempt.without)
  }
}

function tryMembers(
  database: Database,
  group: readonly Waiting[],
  outcomes: Outcome[],
  members: readonly number[],
  full: boolean,
): Attempt {
  const { connection } = database
  const writesBefore = connection.writes
  for (const index of members) {
    const member = group[index]
    if (member === undefined) continue
    // One change refuses before it writes. Several may have written by then, which a neighbour must not notice.
    const marked = members.length > 1 && member.changes.length > 1
    const memberWrites = connection.writes
    try {
      if (marked) connection.control('savepoint')
      outcomes[index] = { committed: runMember(database, member, full) }
      if (marked) connection.control('releaseSavepoint')
    } catch (error) {
      outcomes[index] = { error: storeError(error, database.file) }
      if (!connection.inTransaction) {
        database.forget()
        return { without: index, error }
      }
      if (marked) {
        connection.control('rollbackToSavepoint')
        connection.control('releaseSavepoint')
        database.forget()
      } else if (connection.writes !== memberWrites) {
        database.rollback()
        return { without: index, error }
      }
    }
  }
  if (connection.writes > writesBefore) database.sweeper.sweep(database)
  else {
    database.rollback()
    return 'done'
  }
  return finish(database, group, outcomes, members, full)
}

function finish(
  database: Database,
  group: readonly Waiting[],
  outcomes: Outcome[],
  members: readonly number[],
  full: boolean,
): Attempt {
  try {
    database.commit(full)
  } catch (error) {
    database.rollback()
    if (isIoError(error)) return { unknown: error }
    if (members.length > 1 && isFull(error)) return 'alone'
    for (const index of members)
      if ('committed' in (outcomes[index] ?? {})) outcomes[index] = { error: storeError(error, database.file) }
    return 'done'
  }
  publish(database, group, outcomes, members)
  return 'done'
}

async function settleMembers(
  database: Database,
  group: readonly Waiting[],
  outcomes: Outcome[],
  members: readonly number[],
  cause: unknown,
): Promise<void> {
  const taken = members.flatMap(index => group[index] ?? [])
  const settled = members.flatMap(index => outcomes[index] ?? [])
  await settle(database, taken, settled, cause)
  for (const [at, index] of members.entries()) outcomes[index] = settled[at] as Outcome
  publish(database, group, outcomes, members)
}

/** Counts what was committed and rings for whoever watches it. */
function publish(database: Database, group: readonly Waiting[], outcomes: readonly Outcome[], members: readonly number[]): void {
  for (const index of members) {
    const outcome = outcomes[index]
    if (outcome === undefined || !('committed' in outcome) || outcome.committed.replayed) continue
    database.counts.commits++
    const { tenant, changes } = group[index] as Waiting
    for (const change of changes) if (changesJournal(change)) database.ring(tenant, 'to' in change ? change.to : change.session)
  }
  database.probe('published')
}

type Journalling = Extract<Change, { type: 'append' | 'copy_session' | 'erase_session' | 'erase_entries' }>
const journalling: ReadonlySet<string> = new Set(['append', 'copy_session', 'erase_session', 'erase_entries'])
const changesJournal = (change: Change): change is Journalling => journalling.has(change.type)

function runMember(database: Database, { tenant: name, changes, options }: Waiting, full: boolean): Committed {
  const now = database.clock.now()
  const known = options.key === undefined ? undefined : replayedAnswer(database, name, options.key, options.digest, now)
  if (known !== undefined) return known
  const tenant = database.tenantForWriting(name)
  const results = applyChanges(tenant.rows, changes, { tenant: name, now, ownerIsDead })
  const committed: Committed = {
    at: now,
    durability: full ? 'full' : 'relaxed',
    replayed: false,
    results,
    ...(options.memo === undefined ? {} : { memo: options.memo }),
  }
  if (options.key !== undefined) {
    const { at, durability, memo } = committed
    const text = JSON.stringify({ at, durability, results, memo })
    database.connection.run('putAnswer', tenant.key, options.key, options.digest ?? null, now, text)
  }
  return committed
}

/** What a key was answered with. Throws `idempotency.mismatch` if something else was asked with it. Laws J23–J25. */
export function replayedAnswer(
  database: Database,
  tenant: string,
  key: string,
  digest: string | undefined,
  now: number,
): Committed | undefined {
  const row = database.connection.get('answer', database.tenant(tenant).key, key)
  if (row === undefined || (row[1] as number) + keyLifeMs <= now) return undefined
  if (row[0] !== (digest ?? null)) {
    throw new SkeinError('idempotency.mismatch', 'This idempotency key was used for something else.')
  }
  const answer = JSON.parse(row[2] as string) as Omit<Committed, 'replayed'> & {
    readonly memo?: Json
    readonly results: Result[]
  }
  return { ...answer, replayed: true }
}
