import { existsSync, rmSync, statSync } from 'node:fs'
import { searchWords, type Store } from '#journal'
import { verifies } from '#verifies'
import { describe, expect, it } from 'vitest'
import { begin, freshFile, openStore, runChild, sql } from './setting.ts'

const found = async (store: Store, query: string, limit = 100): Promise<number> =>
  (await store.in('default').search({ query, limit })).hits.length

/** Up to which entry the index has read; 0 while there is none. */
function watermark(file: string): number {
  try {
    return sql(`${file}-search`, 'SELECT watermark FROM progress')[0]?.['watermark'] as number
  } catch {
    return 0
  }
}

describe('searching a file', () => {
  verifies('J46', 'with the indexer stopped an acknowledged entry is found; a lag over 500 entries shows as behind', async () => {
    const file = freshFile()
    const store = await openStore(file, { search: 'off' })
    const author = await begin(store)
    await author.say('the first needle')
    expect(await found(store, 'needle')).toBe(1)
    await Promise.all(Array.from({ length: 600 }, (_, n) => author.t.commit([author.note(`hay ${n}`)])))
    await author.say('the last needle')
    const late = await store.in('default').search({ query: 'needle' })
    expect(late.hits.map(hit => hit.seq)).toEqual([603])
    expect(late.behind?.entries).toBe(603)
    await store.close()
    const again = await openStore(file)
    await again.indexed()
    const whole = await again.in('default').search({ query: 'needle' })
    expect(whole.hits).toHaveLength(2)
    expect(whole.behind).toBeUndefined()
  })

  verifies('J45', 'the index splits a text where a scan of it does, whatever ASCII character stands between', async () => {
    const store = await openStore(freshFile())
    const author = await begin(store)
    const codes = Array.from({ length: 128 }, (_, code) => code)
    const text = codes.map(code => `Left${code}x${String.fromCharCode(code)}right${code}X`).join(' ')
    await author.say(text)
    await store.indexed()
    const words = new Set(searchWords(text))
    const wanted = codes.flatMap(code => [`left${code}x`, `RIGHT${code}x`])
    const hits = await Promise.all(wanted.map(word => found(store, word)))
    expect(hits).toEqual(wanted.map(word => (words.has(word.toLowerCase()) ? 1 : 0)))
  })

  verifies('J46', 'killing the indexer loses no hit', async () => {
    const store = await openStore(freshFile())
    const author = await begin(store)
    await Promise.all(Array.from({ length: 900 }, (_, n) => author.t.commit([author.note(`word${n} common`)])))
    const indexing = store.indexed().catch(() => undefined)
    await store.killBackground()
    await indexing
    await store.indexed()
    for (const n of [0, 1, 99, 100, 101, 450, 898, 899]) expect(await found(store, `word${n}`)).toBe(1)
    expect((await store.in('default').search({ query: 'common', limit: 100 })).hits).toHaveLength(100)
  })

  // Closed between two batches, the thread once took its own closed files for a broken index, and built a new one.
  it('keeps what is indexed when the store is closed in the midst of it', async () => {
    const file = freshFile()
    const silent = await openStore(file, { search: 'off' })
    const author = await begin(silent)
    for (let n = 0; n < 20; n++) await author.t.commit(Array.from({ length: 100 }, (_, at) => author.note(`word${n * 100 + at}`)))
    await silent.close()
    const store = await openStore(file)
    await expect.poll(() => watermark(file)).toBeGreaterThan(0)
    const before = watermark(file)
    await store.close()
    expect(watermark(file)).toBeGreaterThanOrEqual(before)
  })

  it('finds the same by the index as by scanning', async () => {
    const texts = [
      'alpha beta',
      'beta alpha',
      'Alphabet soup',
      '私は東京に住む',
      'foo-bar baz',
      'a "quoted" thing',
      'ÄPFEL und Öl',
      '２ａ',
      'x'.repeat(70_000),
    ]
    const queries = [
      'alpha',
      '"alpha beta"',
      'alpha*',
      'alpha -beta',
      '東京',
      '京',
      'foo-bar',
      'bar-baz',
      'äpfel',
      '2a',
      '-alpha',
      '"',
      '*',
      'x*',
      'soup OR alpha',
      'NEAR(alpha)',
      'text:alpha',
    ]
    const results = await Promise.all(
      (['inline', 'worker', 'off'] as const).map(async search => {
        const store = await openStore(freshFile(), { search })
        const author = await begin(store)
        for (const text of texts) await author.say(text, { durability: 'relaxed' })
        await store.indexed()
        const answers: Record<string, number[]> = {}
        for (const query of queries) {
          for (const match of ['all', 'any'] as const) {
            const { hits } = await author.t.search({ query, match })
            answers[`${match} ${query}`] = hits.map(hit => hit.seq).sort()
          }
        }
        return answers
      }),
    )
    expect(results[0]).toEqual(results[2])
    expect(results[1]).toEqual(results[2])
    expect(results[2]?.['all 東京']).toEqual([5])
  })

  it('builds the index anew when it was deleted, replaced by something else, or belongs to another store', async () => {
    const file = freshFile()
    const store = await openStore(file)
    const author = await begin(store)
    await author.say('needle')
    await store.indexed()
    const inode = statSync(`${file}-search`).ino
    rmSync(`${file}-search`)
    expect(await found(store, 'needle')).toBe(1)
    await store.indexed()
    expect(existsSync(`${file}-search`)).toBe(true)
    expect(await found(store, 'needle')).toBe(1)
    await store.close()
    const { writeFileSync } = await import('node:fs')
    writeFileSync(`${file}-search`, 'not an index at all'.repeat(500))
    const again = await openStore(file)
    expect(await found(again, 'needle')).toBe(1)
    await again.indexed()
    expect(await found(again, 'needle')).toBe(1)
    expect(inode).toBeGreaterThan(0)
  })

  verifies(
    'J47',
    'what was erased is found no more, whether or not the index has read it, and its places are not given again',
    async () => {
      const store = await openStore(freshFile())
      const kept = await begin(store)
      await kept.say('kept needle')
      const erased = await begin(store)
      await erased.say('erased needle')
      await store.indexed()
      expect(await found(store, 'needle')).toBe(2)
      await erased.t.commit([{ type: 'erase_session', session: erased.session }])
      expect(await found(store, 'needle')).toBe(1)
      const later = await begin(store)
      await later.say('something else')
      await later.say('later needle')
      await store.indexed()
      expect((await store.in('default').search({ query: 'needle' })).hits.map(hit => hit.session).sort()).toEqual(
        [kept.session, later.session].sort(),
      )
      expect(await found(store, 'something')).toBe(1)
    },
  )

  verifies('J47', 'a session that another process erased is gone from reads, search and watch at once', async () => {
    const file = freshFile()
    const store = await openStore(file)
    const author = await begin(store)
    await author.say('secret words')
    await store.indexed()
    const watched: number[] = []
    const watching = (async () => {
      for await (const entry of author.t.watch(author.session, 0)) watched.push(entry.seq)
    })()
    const child = runChild(
      `const store = await sqliteStore(file, { search: 'off' })
      await store.in('default').commit([{ type: 'erase_session', session: rest[0] }])
      print('erased')
      await store.close()`,
      [file, author.session],
    )
    expect(await child.line()).toBe('"erased"')
    expect(await author.t.session(author.session)).toBeUndefined()
    expect(await author.t.entries(author.session)).toEqual([])
    expect(await found(store, 'secret')).toBe(0)
    await watching
    expect(watched).toEqual([1, 2])
  })
})
