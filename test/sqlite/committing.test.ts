import { copyFileSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { verifies } from '#verifies'
import { describe, expect, it } from 'vitest'
import { begin, freshFile, freshFolder, openStore, runChild } from './setting.ts'

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

describe('committing to a file', () => {
  verifies('J20', 'a single durable append is exactly one transaction, FULL', async () => {
    const probes: string[] = []
    const store = await openStore(freshFile(), { search: 'off', probe: name => void probes.push(name) })
    const author = await begin(store)
    const before = store.stats()
    probes.length = 0
    await author.say('hello')
    expect(store.stats().transactions - before.transactions).toBe(1)
    expect(store.stats().fullTransactions - before.fullTransactions).toBe(1)
    expect(probes).toEqual([
      'begin:before',
      'begin:after',
      'putSession:before',
      'putSession:after',
      'addEntry:before',
      'addEntry:after',
      'commit:before',
      'commit:after',
      'published',
    ])
  })

  verifies('J19', '100 commits waiting together are one transaction, also when one of several changes fails alone', async () => {
    const store = await openStore(freshFile(), { search: 'off' })
    const author = await begin(store)
    const before = store.stats().transactions
    const outcomes = await Promise.allSettled(
      numbers(100).map(n =>
        n === 40
          ? author.t.commit([author.note('gone'), { type: 'require', that: { route: 'none', version: 7 } }])
          : author.t.commit([author.note(`${n}`)]),
      ),
    )
    expect(outcomes.filter(outcome => outcome.status === 'rejected')).toHaveLength(1)
    expect(store.stats().transactions - before).toBeLessThanOrEqual(2)
    expect((await author.t.session(author.session))?.seq).toBe(100)
  })

  verifies('J22', 'a relaxed commit alone is no FULL transaction; grouped with a full one both are', async () => {
    const store = await openStore(freshFile(), { search: 'off' })
    const author = await begin(store)
    const before = store.stats().fullTransactions
    expect((await author.say('a', { durability: 'relaxed' })).durability).toBe('relaxed')
    expect(store.stats().fullTransactions).toBe(before)
    const group = await Promise.all([
      author.t.commit([author.note('b')], { durability: 'relaxed' }),
      author.t.commit([author.note('c')]),
    ])
    expect(group.map(committed => committed.durability)).toEqual(['full', 'full'])
    expect(store.stats().fullTransactions).toBe(before + 1)
    expect((await author.say('d', { durability: 'relaxed' })).durability).toBe('relaxed')
    expect(store.stats().fullTransactions).toBe(before + 1)
  })

  verifies('J21', 'what was acknowledged as full is there after kill -9, whatever the log is cut to beyond it', async () => {
    const file = freshFile()
    const child = runChild(
      `import { statSync } from 'node:fs'
      const store = await sqliteStore(file, { search: 'off' })
      const author = await begin(store)
      const wal = () => statSync(file + '-wal').size
      print({ session: author.session, seq: 1, wal: wal() })
      for (let n = 2; ; n++) {
        await author.say('message ' + n + 'x'.repeat(n * 37 % 3000))
        print({ session: author.session, seq: n, wal: wal() })
      }`,
      [file],
    )
    const acknowledged: { session: string; seq: number; wal: number }[] = []
    while (acknowledged.length < 40) acknowledged.push(JSON.parse((await child.line()) ?? '{}') as (typeof acknowledged)[number])
    child.process.kill('SIGKILL')
    await child.ended
    const whole = statSync(`${file}-wal`).size
    for (const { session, seq, wal } of acknowledged.filter((_, index) => index % 7 === 4)) {
      for (const length of [wal, wal + 1, wal + 24, wal + 4_120, Math.floor((wal + whole) / 2), whole]) {
        const copy = join(freshFolder(), 'cut.db')
        copyFileSync(file, copy)
        copyFileSync(`${file}-wal`, `${copy}-wal`)
        truncateSync(`${copy}-wal`, Math.min(length, whole))
        const store = await openStore(copy, { search: 'off' })
        const row = await store.in('default').session(session as `ses_${string}`)
        expect(row?.seq).toBeGreaterThanOrEqual(seq)
        expect((await store.check({ deep: true })).findings).toEqual([])
        await store.close()
      }
    }
  })

  verifies(
    'J18',
    'a session, its entry, a route and a job of one commit are all there or none, killed at any probe',
    async () => {
      let seen = { none: 0, all: 0 }
      for (let at = 1; ; at++) {
        const file = freshFile()
        await (await openStore(file, { search: 'off' })).close()
        const child = runChild(
          `let left = Number(rest[0])
        const probe = () => { if (--left === 0) process.kill(process.pid, 'SIGKILL') }
        const store = await sqliteStore(file, { search: 'off', probe })
        await begin(store, 'default', 'me', [
          { type: 'put_route', key: 'r', value: 1, expectVersion: 0 },
          { type: 'enqueue', job: { id: ids('job'), kind: 'k', key: 'x', payload: 1, maxAttempts: 3 } },
        ])
        process.exit(7)`,
          [file, String(at)],
        )
        const ended = await child.ended
        expect(['SIGKILL', 7], child.stderr()).toContain(ended)
        const store = await openStore(file, { search: 'off' })
        const t = store.in('default')
        const sessions = (await t.sessions()).items
        const there = [sessions.length, sessions[0]?.seq ?? 0, (await t.routes()).items.length, (await t.jobs()).length]
        expect([
          [0, 0, 0, 0],
          [1, 1, 1, 1],
        ]).toContainEqual(there)
        seen = { none: seen.none + (there[0] === 0 ? 1 : 0), all: seen.all + (there[0] ?? 0) }
        expect((await store.check({ deep: true })).findings).toEqual([])
        await store.close()
        if (ended === 7) break
      }
      expect(seen.none).toBeGreaterThan(10)
      expect(seen.all).toBeGreaterThanOrEqual(3)
    },
  )

  verifies('J32', 'two processes appending 1,000 entries each to one file both succeed', async () => {
    const file = freshFile()
    await (await openStore(file)).close()
    const script = `const store = await sqliteStore(file)
      const author = await begin(store)
      print('ready')
      await new Promise(resolve => process.stdin.once('data', resolve))
      for (let n = 0; n < 1000; n++) await author.say('message ' + n)
      print({ session: author.session })
      await store.close()
      process.exit(0)`
    const both = [runChild(script, [file]), runChild(script, [file])]
    for (const child of both) expect(await child.line()).toBe('"ready"')
    for (const child of both) child.process.stdin?.write('go\n')
    const sessions = await Promise.all(
      both.map(async child => JSON.parse((await child.line()) ?? child.stderr()) as { session: `ses_${string}` }),
    )
    const store = await openStore(file)
    for (const { session } of sessions) expect((await store.in('default').session(session))?.seq).toBe(1_001)
    expect((await store.check({ deep: true })).findings).toEqual([])
  })

  it('waits for another process only between turns of the event loop, and says store.busy after busyMs', async () => {
    const file = freshFile()
    const store = await openStore(file, { busyMs: 1_000, search: 'off' })
    const author = await begin(store)
    const child = runChild(
      `import { DatabaseSync } from 'node:sqlite'
      const database = new DatabaseSync(file)
      database.exec('BEGIN IMMEDIATE')
      print('held')
      process.stdin.once('data', () => { database.exec('COMMIT'); print('free') })`,
      [file],
    )
    await child.line()
    let turns = 0
    const counting = setInterval(() => turns++, 1)
    await expect(author.say('refused')).rejects.toMatchObject({ code: 'store.busy', retryable: true })
    clearInterval(counting)
    expect(turns).toBeGreaterThan(5)
    expect(await author.t.entries(author.session)).toHaveLength(1)
    child.process.stdin?.write('go\n')
    await child.line()
    await author.say('taken')
  })
})
