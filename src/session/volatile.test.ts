import { tmpdir } from 'node:os'
import { manualClock } from '#kernel'
import { openSkein, type Skein } from '#skein'
import { verifies } from '#verifies'
import { afterEach, describe, expect, it } from 'vitest'

const opened: Skein[] = []
afterEach(async () => {
  for (const skein of opened.splice(0)) await skein.close()
})

const clock = manualClock()
async function open(): Promise<Skein> {
  const skein = await openSkein({ store: 'memory:', worker: false, clock })
  opened.push(skein)
  return skein
}

describe('a session that lives in this process only', () => {
  verifies('S7', 'stands in its place among the others, on every page, in every order', async () => {
    const { sessions, store } = await open()
    const made: { id: string; title: string }[] = []
    for (let at = 0; at < 11; at++) {
      clock.advance(1_000)
      const title = `title ${(at * 7) % 11}`
      const { id } = await sessions.create({ durable: at % 3 !== 0, title })
      made.push({ id, title })
    }
    expect((await store.in('default').sessions()).items).toHaveLength(7)
    const orders = {
      '-updatedAt': [...made].reverse(),
      createdAt: made,
      title: [...made].sort((a, b) => (a.title < b.title ? -1 : 1)),
    } as const
    for (const [sort, expected] of Object.entries(orders)) {
      for (const limit of [1, 2, 3, 4, 5, 10, 11, 12, 200]) {
        const seen: string[] = []
        for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
          const page = await sessions.list({ sort: sort as 'title', limit, ...(cursor === undefined ? {} : { cursor }) })
          expect(page.items.length).toBeLessThanOrEqual(limit)
          seen.push(...page.items.map(({ id }) => id))
          cursor = page.next
        }
        expect(seen, `${sort} by ${limit}`).toEqual(expected.map(({ id }) => id))
      }
    }
    expect((await sessions.list({ query: 'title 3' })).items.map(({ title }) => title)).toEqual(['title 3'])
  })

  it('is the latest, is found, listed as open, and evicted without loss', async () => {
    const { sessions } = await open()
    await sessions.create({ cwd: tmpdir() })
    clock.advance(1_000)
    const session = await sessions.create({ durable: false, cwd: tmpdir() })
    await session.append({ role: 'user', content: 'a needle here' })
    expect((await sessions.latest({ cwd: tmpdir() }))?.id).toBe(session.id)
    expect((await sessions.search('needle')).hits.map(hit => hit.session)).toEqual([session.id])
    expect((await sessions.list({ open: true })).items.map(({ id }) => id)).toContain(session.id)
    await sessions.evict({ id: session.id })
    expect(await (await sessions.open(session.id)).messages()).toHaveLength(1)
  })

  verifies('S12', 'is deleted, restored and erased like any other', async () => {
    const { sessions, jobs } = await open()
    const { id } = await sessions.create({ durable: false, id: 'mine' })
    const key = { idempotencyKey: 'k' }
    const gone = await sessions.delete('mine', key)
    expect(gone).toMatchObject({ until: expect.any(Number) as number })
    expect(await sessions.delete('mine', key)).toEqual(gone)
    expect(await sessions.has(id)).toBe(false)
    expect((await sessions.list({ state: 'deleted' })).items.map(info => info.id)).toEqual([id])
    expect((await (await sessions.restore('mine')).info()).state).toBe('active')
    expect(await sessions.delete(id, { erase: true })).toMatchObject({ entries: 3 })
    await expect(sessions.restore(id)).rejects.toMatchObject({ code: 'session.not_found' })
    expect(await jobs.list()).toEqual([])
  })

  verifies('S19', 'shares no alias with a durable one', async () => {
    const { sessions } = await open()
    await sessions.create({ durable: false, id: 'one' })
    await sessions.create({ id: 'two' })
    await expect(sessions.create({ id: 'one' })).rejects.toMatchObject({ code: 'session.exists' })
    await expect(sessions.create({ durable: false, id: 'two' })).rejects.toMatchObject({ code: 'session.exists' })
  })
})
