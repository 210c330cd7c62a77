import { execFileSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ownerIsDead, processOwner } from '#stores/sqlite'
import { verifies } from '#verifies'
import { describe, expect, it } from 'vitest'
import { begin, freshFile, freshFolder, openStore, runChild, sql } from './setting.ts'

describe('backing a file up', () => {
  verifies('J34', 'during writes it yields a file that passes check and holds every commit acknowledged before', async () => {
    const store = await openStore(freshFile())
    const author = await begin(store)
    let acknowledged = 1
    let writing = true
    const writer = (async () => {
      while (writing) {
        await author.say(`message ${acknowledged}`)
        acknowledged++
      }
    })()
    const folder = freshFolder()
    const copies: [string, number][] = []
    for (const name of ['a.db', 'b.db', 'a.db']) {
      const before = acknowledged
      await store.backup(join(folder, name))
      copies.push([join(folder, name), before])
    }
    writing = false
    await writer
    expect(readdirSync(folder).sort()).toEqual(['a.db', 'b.db'])
    for (const [file, least] of copies) {
      const copy = await openStore(file, { search: 'off' })
      expect((await copy.in('default').session(author.session))?.seq).toBeGreaterThanOrEqual(least)
      expect((await copy.check({ deep: true })).findings).toEqual([])
      await copy.close()
      expect(statSync(file).mode & 0o777).toBe(0o600)
    }
  })

  verifies('J34', 'refuses its own file and one that somebody has open, and leaves nothing where it cannot write', async () => {
    const file = freshFile()
    const store = await openStore(file)
    const other = freshFile()
    await openStore(other)
    await expect(store.backup(file)).rejects.toMatchObject({ code: 'input.invalid' })
    await expect(store.backup(other)).rejects.toMatchObject({ code: 'input.invalid' })
    await expect(store.backup(join(dirname(file), 'none', 'b.db'))).rejects.toMatchObject({ code: 'store.unavailable' })
    expect(readdirSync(dirname(file)).filter(name => name.includes('partial'))).toEqual([])
  })
})

describe('checking a file', () => {
  verifies('J48', 'finds a broken page, and each fault that only the tables show', async () => {
    const plant = async (fault: string): Promise<string[]> => {
      const file = freshFile()
      const store = await openStore(file, { search: 'off' })
      const author = await begin(store)
      await author.say('a')
      await author.t.commit([{ type: 'put_watermark', session: author.session, reader: 'r', seq: 2, expect: 0 }])
      await store.close()
      sql(file, fault)
      const again = await openStore(file, { search: 'off' })
      return (await again.check()).findings.map(finding => finding.kind)
    }
    expect(await plant('SELECT 1')).toEqual([])
    expect(await plant('UPDATE watermark SET seq = 9')).toEqual(['watermark'])
    expect(await plant("UPDATE session SET leaseOwner = 'x', leaseToken = 0")).toEqual(['fence'])
    expect(await plant("INSERT INTO entry (session, seq, uid, type, at, body) VALUES (99, 1, 'x', 't', 1, '{}')")).toEqual([
      'gap',
    ])
    expect(await plant('UPDATE entry SET seq = 5 WHERE seq = 2')).toContain('gap')
  })

  verifies('J48', 'names a page that was damaged while the store was open', async () => {
    const file = freshFile()
    const first = await openStore(file, { search: 'off' })
    const author = await begin(first)
    for (let n = 0; n < 2_000; n++) await author.say('x'.repeat(3_000), { durability: 'relaxed' })
    await first.close()
    const store = await openStore(file, { search: 'off' })
    const page = sql(file, "SELECT pageno FROM dbstat WHERE name = 'entry' AND pagetype = 'leaf' LIMIT 1 OFFSET 900")[0]?.[
      'pageno'
    ] as number
    // By another process: closing a descriptor here would drop the locks of this one.
    execFileSync('dd', ['if=/dev/urandom', `of=${file}`, 'bs=4096', 'count=1', 'conv=notrunc', `seek=${page - 1}`], {
      stdio: 'ignore',
    })
    expect((await store.check()).findings[0]).toMatchObject({ kind: 'physical' })
  })
})

describe('owners', () => {
  it('are alive while their process is, dead after it, and unknown elsewhere', async () => {
    const mine = processOwner()
    expect(processOwner()).not.toBe(mine)
    expect(ownerIsDead(mine)).toBe(false)
    const child = runChild('print(processOwner()); process.stdin.resume()', ['x'])
    const theirs = JSON.parse((await child.line()) ?? '') as string
    expect(ownerIsDead(theirs)).toBe(false)
    child.process.kill('SIGKILL')
    await child.ended
    expect(ownerIsDead(theirs)).toBe(true)
    for (const owner of ['writer', '', 'a/b/c', 'elsewhere/1/x/y', theirs.replace(/^[^/]+/, 'elsewhere')]) {
      expect(ownerIsDead(owner)).toBe(false)
    }
  })

  verifies('S21', 'a process that has the id of a dead owner is not the owner, nor is the live owner robbed for it', async () => {
    const [host, pid, start, own] = processOwner().split('/')
    expect(pid).toBe(String(process.pid))
    expect(ownerIsDead([host, pid, `${start ?? ''}0`, own].join('/'))).toBe(true)
    const store = await openStore(freshFile(), { search: 'off' })
    const author = await begin(store)
    await expect(author.t.acquire(author.session, 'another', 1_000)).rejects.toMatchObject({ code: 'session.busy' })
  })

  verifies('S21', 'after kill -9 the next process gets the lease and the jobs of the dead one at once', async () => {
    const file = freshFile()
    const child = runChild(
      `const store = await sqliteStore(file, { search: 'off' })
      const owner = processOwner()
      const author = await begin(store, 'default', owner)
      await author.t.commit([{ type: 'enqueue', job: { id: ids('job'), kind: 'k', key: 'x', payload: 1, maxAttempts: 3 } }])
      const job = await store.claim({ k: 1 }, owner, 3_600_000)
      print({ session: author.session, job: job.id })
      process.stdin.resume()`,
      [file],
    )
    const { session, job } = JSON.parse((await child.line()) ?? child.stderr()) as { session: `ses_${string}`; job: string }
    const store = await openStore(file, { search: 'off' })
    const t = store.in('default')
    await expect(t.acquire(session, processOwner(), 1_000)).rejects.toMatchObject({ code: 'session.busy' })
    expect(await store.claim({ k: 1 }, processOwner(), 1_000)).toBeUndefined()
    child.process.kill('SIGKILL')
    await child.ended
    expect((await t.acquire(session, processOwner(), 1_000)).token).toBe(2)
    expect(await store.claim({ k: 1 }, processOwner(), 1_000)).toMatchObject({ id: job, fence: 2, attempts: 2 })
  })
})
