import { afterAll, beforeAll, expect } from 'vitest'
import { newId, type SessionId } from '#kernel'
import { type Finding, stowParts, type Store } from '#journal'
import { postgresStore } from '#stores/postgres'
import { verifies } from '#verifies'
import { describePostgres, freshDatabase, sql } from './fresh-database.ts'
import { beginJournal } from './journal.ts'
import type { DatabaseConfig } from './server.ts'

describePostgres('checking', () => {
  let database: DatabaseConfig
  let store: Store
  beforeAll(async () => {
    database = await freshDatabase()
    store = await postgresStore(database, { indexes: false, listen: false })
  })
  afterAll(() => store.close())

  const faults: readonly (readonly [what: string, kind: Finding['kind'], plant: (where: string) => string])[] = [
    ['a gap', 'gap', where => `DELETE FROM skein.entries WHERE ${where} AND seq = 3`],
    ['an orphan', 'orphan', where => `UPDATE skein.entries SET parent_id = 'ent_x' WHERE ${where} AND seq = 3`],
    ['a wrong leaf', 'leaf', where => `UPDATE skein.sessions SET leaf_id = 'ent_x' WHERE ${where.replace('session', 'id')}`],
    ['a wrong count', 'count', where => `UPDATE skein.sessions SET seq = seq + 1 WHERE ${where.replace('session', 'id')}`],
    [
      'a missing blob',
      'blob',
      where => `DELETE FROM skein.blobs WHERE tenant = 'a' AND id IN (SELECT blob FROM skein.blob_refs WHERE ${where})`,
    ],
    [
      'an altered blob',
      'blob',
      where =>
        `UPDATE skein.blobs SET bytes = 'x' WHERE tenant = 'a' AND id IN (SELECT blob FROM skein.blob_refs WHERE ${where})`,
    ],
    ['an overlap', 'overlap', where => `UPDATE skein.archives SET from_seq = 1 WHERE ${where} AND from_seq = 3`],
    ['a watermark beyond the end', 'watermark', where => `UPDATE skein.watermarks SET seq = 99 WHERE ${where}`],
    [
      'a lease without a token',
      'fence',
      where => `UPDATE skein.sessions SET lease_token = 0 WHERE ${where.replace('session', 'id')}`,
    ],
    ['entries of no session', 'root', where => `DELETE FROM skein.sessions WHERE ${where.replace('session', 'id')}`],
  ]
  for (const [index, [what, kind, plant]] of faults.entries()) {
    verifies('J48', `finds ${what} and names where`, async () => {
      const t = store.in('a')
      const journal = await beginJournal(t)
      const { session } = journal
      const { blobs } = stowParts([{ type: 'text', text: `${index} `.repeat(5_000) }])
      const append = journal.say('one', 'two', 'three')
      const [first, ...rest] = append.entries
      if (first === undefined) throw new Error('No entry.')
      const parts = stowParts([{ type: 'text', text: `${index} `.repeat(5_000) }]).parts
      await t.commit([
        {
          ...append,
          entries: [{ ...first, data: { role: 'user', parts } }, ...rest],
          blobs,
          blobRefs: blobs.map(blob => blob.id),
        },
      ])
      await t.commit([
        { type: 'put_watermark', session, reader: 'r', seq: 2, expect: 0 },
        { type: 'put_archive', id: newId('arc'), session, fromSeq: 1, toSeq: 2, data: {}, expectVersion: 0 },
        { type: 'put_archive', id: newId('arc'), session, fromSeq: 3, toSeq: 4, data: {}, expectVersion: 0 },
      ])
      expect(of(session, (await store.check({ deep: true })).findings)).toEqual([])
      await sql(database, plant(`tenant = 'a' AND session = '${session}'`))
      expect(of(session, (await store.check({ deep: true })).findings).map(finding => finding.kind)).toContain(kind)
    })
  }
})

const of = (session: SessionId, findings: readonly Finding[]): readonly Finding[] =>
  findings.filter(finding => finding.session === session)
