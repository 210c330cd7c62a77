import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { verifies } from '#verifies'
import { makePlace, type Place } from './command-line.ts'

let place: Place
let url = ''
let folder = ''
let stateDb = ''
let database: DatabaseSync
beforeAll(async () => {
  place = makePlace()
  mkdirSync(join(place.home, 'serving'), { recursive: true })
  const server = place.start(['serve', '--port', '0', '--store', `sqlite:${join(place.home, 'serving', 'served.db')}`])
  url = (await server.sees(/Skein listens on (\S+)/))[1] ?? ''
  folder = join(place.home, '.hermes')
  mkdirSync(join(folder, 'sessions'), { recursive: true })
  const put = (name: string, text: string): void => writeFileSync(join(folder, 'sessions', name), text)
  const entry = { session_id: 'old-1', created_at: '2026-01-05T10:00:00', updated_at: '2026-01-06T11:30:00' }
  const origin = { platform: 'telegram', chat_id: '99', chat_type: 'dm', user_id: '42' }
  put('sessions.json', JSON.stringify({ 'agent:main:telegram:dm:99': { ...entry, origin } }))
  put('old-1.jsonl', '{"role":"user","content":"Hello"}\n{"role":"assistant","content":"Hi."}\nbroken\n')
  stateDb = join(folder, 'state.db')
  // What is in its log alone is read, too.
  database = new DatabaseSync(stateDb)
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;
    CREATE TABLE sessions (id TEXT PRIMARY KEY, source TEXT, user_id TEXT, title TEXT, started_at REAL, ended_at REAL, end_reason TEXT);
    CREATE TABLE messages (id INTEGER PRIMARY KEY, session_id TEXT, role TEXT, content TEXT, timestamp REAL);
    INSERT INTO sessions (id, source, started_at) VALUES ('old-2', 'discord', 1700000000);
    INSERT INTO messages VALUES (1, 'old-2', 'user', 'From the database', 1700000100)`)
})
afterAll(() => {
  database.close()
  return place.remove()
})

const form = (
  ...parts: readonly (readonly [field: string, name: string, content: string | Uint8Array<ArrayBuffer>])[]
): FormData => {
  const made = new FormData()
  for (const [field, name, content] of parts) made.append(field, new Blob([content]), name)
  return made
}
const post = async (body: FormData | string, query = ''): Promise<{ status: number; value: Record<string, unknown> }> => {
  const answered = await fetch(`${url}/v1/sessions/import?format=hermes${query}`, { method: 'POST', body })
  return { status: answered.status, value: (await answered.json()) as Record<string, unknown> }
}

describe('sessions of Hermes at the command line', () => {
  verifies('G52 G51', 'are imported from their folder, here and by a server, and add nothing the second time', async () => {
    const before = readFileSync(stateDb)
    for (const where of [[], ['--url', url]]) {
      const importing = async (...more: string[]): Promise<unknown> => {
        const args = ['sessions', 'import', folder, '--format', 'hermes', '--state-db', stateDb, '--zone', 'UTC', ...more]
        return JSON.parse((await place.here([...args, '--json', ...where])).stdout)
      }
      const added = { routes: 1, sessions: 2, messages: 3, branches: 0 }
      const skipped = [{ what: 'old-1.jsonl:3', why: expect.any(String) as unknown }]
      expect(await importing('--dry-run')).toEqual({ ...added, skipped })
      expect(await importing()).toEqual({ ...added, skipped })
      expect(await importing()).toMatchObject({ routes: 0, sessions: 0, messages: 0 })
      const routes = JSON.parse((await place.here(['gateway', 'routes', '--json', ...where])).stdout) as { items: object[] }
      expect(routes.items).toMatchObject([{ legacyKey: 'agent:main:telegram:dm:99', platform: 'telegram' }])
      for (const [id, text] of [
        ['old-1', 'Hello'],
        ['old-2', 'From the database'],
      ] as const)
        // prettier-ignore
        expect((await place.here(['sessions', 'export', id, '--format', 'markdown', ...where])).stdout).toContain(text)
    }
    expect(readFileSync(stateDb).equals(before)).toBe(true)
    const told = await place.here(['sessions', 'import', folder, '--format', 'hermes', '--dry-run'])
    expect([told.stdout, told.stderr]).toEqual(['Would add 0 routes, 0 sessions, 0 messages.\n', ''])
  })

  verifies('G52', 'are refused where nothing is named, and a server reads no path of its own', async () => {
    const code = async (...args: string[]): Promise<number | null> => (await place.here(['sessions', 'import', ...args])).code
    expect(await code('--format', 'hermes')).toBe(2)
    expect(await code('-', '--format', 'hermes')).toBe(2)
    expect(await code(folder, '--format', 'hermes', '--as-new')).toBe(2)
    expect(await code(folder, '--format', 'hermes', '--zone', 'Nowhere')).toBe(2)
    expect(await code('x.jsonl', '--dry-run')).toBe(2)
    expect(await code()).toBe(2)
    expect((await post('dir=/etc')).status).toBe(415)
    const text = form(['file', 'sessions.json', '{}'])
    text.append('dir', folder)
    expect((await post(text)).status).toBe(400)
    expect((await post(form(['file', 'passwd', 'x']))).status).toBe(400)
    expect((await post(form(['file', 'sessions.json', '{}']), '&as=new')).status).toBe(400)
    expect((await post(form(), '&zone=UTC')).status).toBe(400)
    expect((await fetch(`${url}/v1/sessions/import?zone=UTC`, { method: 'POST', body: 'x' })).status).toBe(400)
    const odd = form(['file', '../escape.jsonl', '{"role":"user","content":"x"}\n'], ['stateDb', 'state.db', new Uint8Array(10)])
    expect(await post(odd)).toMatchObject({
      status: 200,
      value: { sessions: 0, skipped: [{ what: 'state database' }, { what: '../escape.jsonl', why: 'unsafe session id' }] },
    })
  })
})
