import { verifies } from '#verifies'
import { describe, expect } from 'vitest'
import { begin, freshFile, openStore, runChild } from './setting.ts'

describe('watching a file', () => {
  verifies('J44', 'entries that another process writes reach a watcher by the poll, in order and once', async () => {
    const file = freshFile()
    const store = await openStore(file, { search: 'off' })
    const author = await begin(store)
    const child = runChild(
      `const store = await sqliteStore(file, { search: 'off' })
      const t = store.in('default')
      for await (const _ of process.stdin) {
        const entry = { id: ids('ent'), parentId: null, type: 'custom', v: 1, at: 2, data: { name: 'n' } }
        await t.commit([{ type: 'append', session: rest[0], entries: [entry] }])
        print('written')
      }`,
      [file, author.session],
    )
    const controller = new AbortController()
    const seen: number[] = []
    const watch = author.t.watch(author.session, 1, { signal: controller.signal })[Symbol.asyncIterator]()
    for (let seq = 2; seq <= 6; seq++) {
      const next = watch.next()
      child.process.stdin?.write('go\n')
      const { value } = (await next) as { value: { seq: number } }
      seen.push(value.seq)
    }
    expect(seen).toEqual([2, 3, 4, 5, 6])
    const end = watch.next()
    controller.abort()
    expect((await end).done).toBe(true)
  })
})
