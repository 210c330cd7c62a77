import { setTimeout as delay } from 'node:timers/promises'
import type { Outcome, Waiting } from '#journal'
import { SkeinError } from '#kernel'
import { shortId } from './columns.ts'
import type { Database } from './database.ts'

/** How long an outcome is looked for before it is called unknown. Milliseconds. */
const settleMs = 30_000
const pauseMs = 250

/**
 * Finds out what became of a transaction whose sync failed. What this connection keeps in memory proves nothing, so the file
 * is opened afresh and has to take and sync a write; then one key, or one entry, of any member tells for all of them, since
 * they were one transaction. Still unknown after 30 s: `store.uncertain`. Source: spec/foundation.md 3.3.
 */
export async function settle(database: Database, group: readonly Waiting[], outcomes: Outcome[], cause: unknown): Promise<void> {
  const details = { file: database.file }
  const there = await look(database, group, outcomes)
  for (const [index, outcome] of outcomes.entries()) {
    if (there === true || !('committed' in outcome)) continue
    outcomes[index] = {
      error:
        there === false
          ? new SkeinError('store.unavailable', `${database.file} could not be synced. Nothing was written; try again.`, {
              details,
              cause,
            })
          : new SkeinError(
              'store.uncertain',
              `Whether this was written to ${database.file} is not known. Try again with the same key.`,
              {
                details,
                cause,
              },
            ),
    }
  }
}

async function look(database: Database, group: readonly Waiting[], outcomes: readonly Outcome[]): Promise<boolean | undefined> {
  const until = performance.now() + settleMs
  while (performance.now() < until) {
    try {
      database.reopen()
      for (const [index, member] of group.entries()) {
        const outcome = outcomes[index]
        if (outcome === undefined || !('committed' in outcome) || outcome.committed.replayed) continue
        const found = isThere(database, member)
        if (found !== undefined) return found
      }
      return undefined
    } catch {
      await delay(pauseMs)
    }
  }
  return undefined
}

/** Undefined if the member wrote nothing that has a name. */
function isThere(database: Database, { tenant, changes, options }: Waiting): boolean | undefined {
  const { connection } = database
  const { key } = database.tenant(tenant)
  if (options.key !== undefined) return connection.get('answer', key, options.key) !== undefined
  for (const change of changes) {
    const first = change.type === 'append' ? change.entries[0] : undefined
    if (change.type !== 'append' || first === undefined) continue
    const session = connection.get('sessionKey', key, shortId('ses', change.session))?.[0]
    return session !== undefined && connection.get('seqOf', session as number, shortId('ent', first.id))?.[0] != null
  }
  return undefined
}
