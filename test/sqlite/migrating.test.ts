import { existsSync, readFileSync } from 'node:fs'
import { formatVersion, type Migration } from '#stores/sqlite'
import { verifies } from '#verifies'
import { describe, expect } from 'vitest'
import { begin, freshFile, openStore, runChild, sql } from './setting.ts'

/** A store as a format 0 might have been: bodies in a table of their own. */
async function oldStore(entries: number): Promise<{ file: string; session: string }> {
  const file = freshFile()
  const store = await openStore(file, { search: 'off' })
  const author = await begin(store)
  for (let n = 1; n < entries; n++) await author.say(`message ${n}`, { durability: 'relaxed' })
  await store.close()
  sql(file, 'CREATE TABLE body (entry INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT')
  sql(file, 'INSERT INTO body SELECT id, body FROM entry')
  sql(file, "UPDATE entry SET body = ''")
  sql(file, 'PRAGMA user_version = 0')
  return { file, session: author.session }
}

const migrationText = `{
  from: 0,
  entries: \`SELECT s.uid, e.seq, e.uid, e.parent, e.type, e.at, b.text
    FROM entry e JOIN session s ON s.id = e.session JOIN body b ON b.entry = e.id ORDER BY s.uid, e.seq\`,
  run: connection => {
    connection.exec('UPDATE entry SET body = (SELECT text FROM body WHERE body.entry = entry.id)')
    connection.exec('DROP TABLE body')
  },
}`
const fromZero: Migration = {
  from: 0,
  entries: `SELECT s.uid, e.seq, e.uid, e.parent, e.type, e.at, b.text
    FROM entry e JOIN session s ON s.id = e.session JOIN body b ON b.entry = e.id ORDER BY s.uid, e.seq`,
  run: connection => {
    connection.exec('UPDATE entry SET body = (SELECT text FROM body WHERE body.entry = entry.id)')
    connection.exec('DROP TABLE body')
  },
}

describe('opening an older format', () => {
  verifies('J31', 'migrates it, keeps every entry, and leaves the old file beside it', async () => {
    const { file, session } = await oldStore(50)
    const store = await openStore(file, { migrations: [fromZero], search: 'off' })
    const entries = await store.in('default').entries(session as `ses_${string}`, { limit: 100 })
    expect(entries.map(entry => entry.seq)).toEqual(Array.from({ length: 50 }, (_, index) => index + 1))
    expect((await store.check({ deep: true })).findings).toEqual([])
    await store.close()
    expect(sql(file, 'PRAGMA user_version')).toEqual([{ user_version: formatVersion }])
    expect(sql(`${file}.v0.bak`, 'PRAGMA user_version')).toEqual([{ user_version: 0 }])
    expect(sql(`${file}.v0.bak`, 'SELECT count(*) n FROM body')).toEqual([{ n: 50 }])
  })

  verifies('J31', 'one that fails, or changes an entry, is store.migration_failed and the file is as it was', async () => {
    const throwing: Migration = {
      ...fromZero,
      run: connection => {
        connection.exec('DROP TABLE body')
        throw new Error('half way')
      },
    }
    const altering: Migration = {
      ...fromZero,
      run: connection => {
        fromZero.run(connection)
        connection.exec("UPDATE entry SET body = replace(body, 'message 7', 'message 8')")
      },
    }
    const losing: Migration = {
      ...fromZero,
      run: connection => {
        fromZero.run(connection)
        connection.exec('DELETE FROM entry WHERE seq = 9')
      },
    }
    for (const migrations of [[throwing], [altering], [losing], []]) {
      const { file } = await oldStore(20)
      const before = readFileSync(file)
      await expect(openStore(file, { migrations })).rejects.toMatchObject({
        code: 'store.migration_failed',
        details: { format: 0 },
      })
      expect(readFileSync(file).equals(before)).toBe(true)
      await (await openStore(file, { migrations: [fromZero] })).close()
    }
  })

  verifies('J31', 'killed at any probe it leaves a file that opens old or new, with all entries', async () => {
    let kills = 0
    for (let at = 1; ; at++) {
      const { file, session } = await oldStore(5)
      const child = runChild(
        `let left = Number(rest[0])
        const probe = () => { if (--left === 0) process.kill(process.pid, 'SIGKILL') }
        const store = await sqliteStore(file, { search: 'off', probe, migrations: [${migrationText}] })
        await store.close()
        process.exit(7)`,
        [file, String(at)],
      )
      const ended = await child.ended
      expect(['SIGKILL', 7], child.stderr()).toContain(ended)
      const format = sql(file, 'PRAGMA user_version')[0]?.['user_version']
      if (format === formatVersion) expect(existsSync(`${file}.v0.bak`)).toBe(true)
      const store = await openStore(file, { migrations: [fromZero], search: 'off' })
      expect(await store.in('default').entries(session as `ses_${string}`)).toHaveLength(5)
      expect((await store.check({ deep: true })).findings).toEqual([])
      await store.close()
      if (ended === 7) break
      kills++
    }
    expect(kills).toBeGreaterThanOrEqual(6)
  })
})
