import { execFileSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { applicationId, formatVersion } from '#stores/sqlite'
import { verifies } from '#verifies'
import { describe, expect, it } from 'vitest'
import { begin, contents, freshFile, freshFolder, openStore, runChild, sql } from './setting.ts'

/** A store with some entries in it, closed. */
async function someStore(entries = 20): Promise<string> {
  const file = freshFile()
  const store = await openStore(file, { search: 'off' })
  const author = await begin(store)
  for (let n = 0; n < entries; n++) await author.say(`${n} ${'x'.repeat(3_000)}`, { durability: 'relaxed' })
  await store.close()
  return file
}

function overwrite(file: string, at: number, bytes: Uint8Array): void {
  const descriptor = openSync(file, 'r+')
  writeSync(descriptor, bytes, 0, bytes.length, at)
  closeSync(descriptor)
}

/** Whether this machine lets a test make a file immutable, which stops root, too. */
function canFreeze(): boolean {
  const file = freshFile()
  writeFileSync(file, '')
  try {
    execFileSync('chattr', ['+i', file], { stdio: 'ignore' })
    execFileSync('chattr', ['-i', file], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

describe('opening a file', () => {
  it('creates an absent one, private, marked and in this format', async () => {
    const file = freshFile()
    const store = await openStore(file)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(statSync(`${file}-wal`).mode & 0o777).toBe(0o600)
    await store.close()
    expect(sql(file, 'PRAGMA application_id')).toEqual([{ application_id: applicationId }])
    expect(sql(file, 'PRAGMA user_version')).toEqual([{ user_version: formatVersion }])
    expect(sql(file, 'PRAGMA journal_mode')).toEqual([{ journal_mode: 'wal' }])
  })

  it('creates an empty one', async () => {
    const file = freshFile()
    writeFileSync(file, '')
    await begin(await openStore(file))
  })

  verifies('J30', 'a text file is store.foreign and stays as it is, alone', async () => {
    const folder = freshFolder()
    const file = join(folder, 'notes.db')
    writeFileSync(file, 'just some notes\n'.repeat(500))
    const before = contents(folder)
    await expect(openStore(file)).rejects.toMatchObject({ code: 'store.foreign' })
    expect(contents(folder)).toEqual(before)
  })

  verifies('J30', 'a folder is store.foreign and stays as it is', async () => {
    const folder = freshFolder()
    await expect(openStore(folder)).rejects.toMatchObject({ code: 'store.foreign' })
    expect(contents(folder)).toEqual({})
  })

  verifies('J30', "another program's database is store.foreign and stays as it is, alone", async () => {
    for (const mode of ['delete', 'wal']) {
      const folder = freshFolder()
      const file = join(folder, 'other.db')
      const database = new DatabaseSync(file)
      database.exec(`PRAGMA journal_mode = ${mode}; CREATE TABLE t (a); INSERT INTO t VALUES (1)`)
      database.close()
      const before = contents(folder)
      await expect(openStore(file)).rejects.toMatchObject({ code: 'store.foreign' })
      await expect(openStore(file, { readOnly: true })).rejects.toMatchObject({ code: 'store.foreign' })
      expect(contents(folder)).toEqual(before)
    }
  })

  verifies('J30', 'a newer format is store.version and stays as it is, alone', async () => {
    const file = await someStore()
    sql(file, `PRAGMA user_version = ${formatVersion + 1}`)
    const before = contents(join(file, '..'))
    await expect(openStore(file)).rejects.toMatchObject({ code: 'store.version', details: { format: formatVersion + 1 } })
    expect(contents(join(file, '..'))).toEqual(before)
  })

  verifies('J30', 'a newer format that stands only in the log is store.version, and file and log stay as they are', async () => {
    const file = await someStore()
    const child = runChild(
      `import { DatabaseSync } from 'node:sqlite'
      const database = new DatabaseSync(file)
      database.exec('PRAGMA user_version = ${formatVersion + 1}')
      process.kill(process.pid, 'SIGKILL')`,
      [file],
    )
    await child.ended
    const before = [readFileSync(file), readFileSync(`${file}-wal`)]
    await expect(openStore(file)).rejects.toMatchObject({ code: 'store.version' })
    const after = [readFileSync(file), readFileSync(`${file}-wal`)]
    expect(after.map((bytes, index) => bytes.equals(before[index] ?? Buffer.alloc(0)))).toEqual([true, true])
  })

  verifies('J30', 'a damaged or truncated file is store.corrupt, names skein doctor, and stays as it is, alone', async () => {
    const cut = await someStore()
    writeFileSync(cut, readFileSync(cut).subarray(0, 30_000))
    const garbled = await someStore()
    for (let page = 2; page < 12; page++) overwrite(garbled, page * 4_096, Buffer.alloc(64, 0xa5))
    const large = await someStore(2_000)
    overwrite(large, 4_096, Buffer.alloc(4_096, 0xa5))
    for (const file of [cut, garbled, large]) {
      const before = contents(join(file, '..'))
      await expect(openStore(file)).rejects.toMatchObject({
        code: 'store.corrupt',
        message: expect.stringContaining('skein doctor'),
      })
      expect(contents(join(file, '..'))).toEqual(before)
    }
  })

  it('refuses a folder that is not there, and an absent file for reading only', async () => {
    const folder = freshFolder()
    await expect(openStore(join(folder, 'none', 'store.db'))).rejects.toMatchObject({ code: 'store.unavailable' })
    await expect(openStore(join(folder, 'store.db'), { readOnly: true })).rejects.toMatchObject({ code: 'store.unavailable' })
    expect(existsSync(join(folder, 'store.db'))).toBe(false)
  })

  it.skipIf(!canFreeze())('a file that cannot be written is store.read_only, but may be read', async () => {
    const file = await someStore(3)
    execFileSync('chattr', ['+i', file])
    try {
      await expect(openStore(file)).rejects.toMatchObject({ code: 'store.read_only' })
      const store = await openStore(file, { readOnly: true })
      expect((await store.in('default').sessions()).items).toHaveLength(1)
      await expect(begin(store)).rejects.toMatchObject({ code: 'store.read_only' })
      await store.close()
    } finally {
      execFileSync('chattr', ['-i', file])
    }
  })

  it('opened for reading only, reads what a writer beside it writes, and writes nothing', async () => {
    const file = await someStore(1)
    const writer = await openStore(file)
    const reader = await openStore(file, { readOnly: true })
    const author = await begin(writer)
    await author.say('seen')
    expect(await reader.in('default').entries(author.session)).toHaveLength(2)
    await expect(reader.in('default').commit([author.note('x')])).rejects.toMatchObject({ code: 'store.read_only' })
    await expect(reader.in('default').acquire(author.session, 'o', 1_000)).rejects.toMatchObject({ code: 'store.read_only' })
  })

  verifies(
    'J33',
    'one file opened twice, by whatever name, is one writer; closing one handle leaves the other working',
    async () => {
      const folder = freshFolder()
      mkdirSync(join(folder, 'real'))
      symlinkSync(join(folder, 'real'), join(folder, 'link'))
      const [one, two] = await Promise.all([openStore(join(folder, 'real', 's.db')), openStore(join(folder, 'link', 's.db'))])
      const author = await begin(one)
      const before = two.stats().transactions
      await Promise.all([author.t.commit([author.note('a')]), two.in('default').commit([author.note('b')])])
      expect(two.stats().transactions - before).toBe(1)
      await one.close()
      await expect(author.t.commit([author.note('c')])).rejects.toMatchObject({ code: 'store.closed' })
      await two.in('default').commit([author.note('d')])
      expect(await two.in('default').entries(author.session)).toHaveLength(4)
      const three = await openStore(join(folder, 'real', 's.db'))
      await two.close()
      expect(await three.in('default').entries(author.session)).toHaveLength(4)
    },
  )
})
