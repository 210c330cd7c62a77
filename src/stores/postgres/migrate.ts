import { SkeinError } from '#kernel'
import { asStoreError, isDuplicate, isRetryable, sqlState } from './faults.ts'
import type { Lent, Link } from './link.ts'
import { pause } from './pause.ts'
import { application, format, tables } from './schema.ts'

/**
 * Makes or lifts the schema `skein`, once, however many nodes start together: who holds the lock on `meta` does it, the
 * others find it done. Throws `store.version` for a newer schema and `store.foreign` for one that isn't Skein's,
 * untouched. Law J39.
 */
export async function migrate(link: Link): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      if (await link.lend(isCurrent, true)) return
      await link.lend(lift, true)
      return
    } catch (error) {
      // Two nodes that create the schema or the first table at one moment: the catalogue takes one of them.
      const raced = isDuplicate(error) || isRetryable(error) || ['42P06', '42P07', 'XX000'].includes(sqlState(error) ?? '')
      if (!raced || attempt >= 20) throw asStoreError(error)
      await pause(attempt)
    }
  }
}

const readMeta = `SELECT
  (SELECT value FROM skein.meta WHERE tenant = '_' AND name = 'application') AS application,
  (SELECT value FROM skein.meta WHERE tenant = '_' AND name = 'format') AS format`

async function isCurrent(lent: Lent): Promise<boolean> {
  const { rows } = await lent.query({
    text: `SELECT to_regnamespace('skein') IS NOT NULL AS schema, to_regclass('skein.meta') IS NOT NULL AS meta,
      (SELECT count(*)::int FROM pg_class c WHERE c.relnamespace = to_regnamespace('skein')) AS relations`,
  })
  const [found] = rows
  if (found?.['meta'] === true) return judge(await meta(lent))
  if (found?.['schema'] === true && found['relations'] !== 0) throw foreign()
  return false
}

async function meta(lent: Lent): Promise<{ readonly application: unknown; readonly format: unknown }> {
  try {
    const { rows } = await lent.query({ text: readMeta })
    return { application: rows[0]?.['application'] ?? null, format: rows[0]?.['format'] ?? null }
  } catch (error) {
    if (['42703', '42883', '42804'].includes(sqlState(error) ?? '')) throw foreign()
    throw error
  }
}

function judge(found: { readonly application: unknown; readonly format: unknown }): boolean {
  if (found.application !== application) throw foreign()
  const stored = Number(found.format)
  if (stored > format) {
    throw new SkeinError(
      'store.version',
      `The schema skein has format ${stored}; this release reads up to ${format}. Upgrade Skein.`,
      {
        details: { format: stored, known: format },
      },
    )
  }
  return stored === format
}

async function lift(lent: Lent): Promise<void> {
  await lent.query({ text: 'BEGIN' })
  try {
    await lent.query({ text: 'CREATE SCHEMA IF NOT EXISTS skein' })
    await lent.query({
      text: `CREATE TABLE IF NOT EXISTS skein.meta (
        tenant text COLLATE "C" NOT NULL, name text COLLATE "C" NOT NULL, value text NOT NULL, PRIMARY KEY (tenant, name))`,
    })
    await lent.query({ text: 'LOCK TABLE skein.meta IN ACCESS EXCLUSIVE MODE' })
    const found = await meta(lent)
    if (found.application === null) {
      for (const table of tables) await lent.query({ text: table })
      await lent.query({
        text: `INSERT INTO skein.meta (tenant, name, value) VALUES ('_', 'application', $1), ('_', 'format', $2)`,
        values: [application, String(format)],
      })
    } else judge(found)
    await lent.query({ text: 'COMMIT' })
  } catch (error) {
    await lent.query({ text: 'ROLLBACK' }).catch(() => undefined)
    throw error
  }
}

const foreign = (): SkeinError =>
  new SkeinError('store.foreign', "This database has a schema skein that isn't Skein's. Use another database.")
