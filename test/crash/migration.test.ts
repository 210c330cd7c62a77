import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { seededRandom } from '#kernel'
import { openSkein } from '#skein'
import { sqliteStore } from '#stores/sqlite'
import { verifies } from '#verifies'
import { afterAll, describe, expect } from 'vitest'
import { Crew } from './crew.ts'
import type { MigrationTask } from './migrator.ts'
import { age, migrationFrom0, readFormat } from './old-format.ts'

const folder = mkdtempSync(join(tmpdir(), 'skein-migration-'))
const crew = new Crew<MigrationTask>('migrator.ts')
afterAll(async () => {
  await crew.close()
  rmSync(folder, { recursive: true, force: true })
})

/** A file of the older format with so many entries. */
async function oldFile(name: string, entries: number, mode: 'wal' | 'delete'): Promise<string> {
  const file = join(folder, name)
  const store = await sqliteStore(file, { search: 'off' })
  const skein = await openSkein({ store, worker: false })
  const session = await skein.sessions.create()
  for (let n = 0; n < entries; n += 20)
    await session.append(Array.from({ length: 20 }, (_, m) => ({ role: 'user', content: `${n + m} ${'x'.repeat(m * 150)}` })))
  await skein.close()
  await store.close()
  age(file, mode)
  return file
}

/** Whatever the kill left is a whole file of one format or the other, with a copy of the old one beside a new one, and opens. */
async function expectWhole(file: string, before: string): Promise<number> {
  const left = readFormat(file)
  expect(left.entries).toBe(before)
  const backup = `${file}.v0.bak`
  if (left.format === 1) expect(existsSync(backup)).toBe(true)
  const store = await sqliteStore(file, { search: 'off', migrations: [migrationFrom0(() => undefined)] })
  try {
    expect((await store.check({ deep: true })).findings).toEqual([])
  } finally {
    await store.close()
  }
  expect(readFormat(file)).toEqual({ format: 1, entries: before })
  expect(readFormat(backup)).toEqual({ format: 0, entries: before })
  return left.format
}

/** Lets a child migrate a copy of the file in a folder of its own. */
async function migrateCopy(
  old: string,
  death: { readonly killAt: number } | { readonly afterMs: number } | undefined,
): Promise<{ file: string; died: boolean; points: readonly string[] }> {
  const place = mkdtempSync(join(folder, 'copy-'))
  const file = join(place, 'store.db')
  copyFileSync(old, file)
  const child = await crew.next()
  child.begin({ file, ...(death !== undefined && 'killAt' in death ? death : {}) })
  if (death !== undefined && 'afterMs' in death) {
    await new Promise(resolve => setTimeout(resolve, death.afterMs))
    child.kill()
  }
  const died = (await child.ended) === 'SIGKILL'
  const said = await child.opened
  return { file, died, points: died || said === undefined ? [] : (JSON.parse(said) as string[]) }
}

describe('a migration that is killed', () => {
  for (const mode of ['wal', 'delete'] as const) {
    verifies('J31', `leaves the old file or the new one, whole, at every point (journal mode ${mode})`, async () => {
      const old = await oldFile(`${mode}.db`, 100, mode)
      const before = readFormat(old).entries
      const whole = await migrateCopy(old, undefined)
      expect(await expectWhole(whole.file, before)).toBe(1)
      expect(whole.points.length).toBeGreaterThan(15)
      const formats: number[] = []
      for (const [index] of whole.points.entries()) {
        const { file, died } = await migrateCopy(old, { killAt: index + 1 })
        expect(died).toBe(true)
        formats.push(await expectWhole(file, before))
      }
      // Old up to the one moment from which on it is new.
      expect(formats).toEqual(formats.toSorted())
      expect(new Set(formats)).toEqual(new Set([0, 1]))
    })
  }

  verifies('J31', 'leaves the old file or the new one, whole, at any moment', async () => {
    const old = await oldFile('large.db', 2_000, 'wal')
    const before = readFormat(old).entries
    const random = seededRandom(31)
    let kills = 0
    // How long one takes here tells only when to kill.
    let lastsMs = Infinity
    for (let n = 0; n < 3; n++) {
      const began = performance.now()
      await migrateCopy(old, undefined)
      lastsMs = Math.min(lastsMs, performance.now() - began)
    }
    for (let n = 0; n < 25; n++) {
      const { file, died } = await migrateCopy(old, { afterMs: Math.floor(random.number() * lastsMs) })
      if (died) kills++
      await expectWhole(file, before)
      rmSync(join(file, '..'), { recursive: true })
    }
    expect(kills).toBeGreaterThan(5)
  })
})
