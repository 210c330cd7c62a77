import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { openSkein, type Skein } from '#skein'
import { expect, it } from 'vitest'
import { verifies } from '#verifies'
import { codeOf } from './agent-talk.ts'
import { entryWith, fact, learn, say, telling } from './learning-room.ts'
import { freshFolder, onEveryStore, type Place } from './stores.ts'

type Candidates = Parameters<typeof telling>[0]

const opened = async (place: Place, ...answers: Candidates): Promise<Skein> =>
  await place.open({
    worker: true,
    memory: { commit: 'manual', ...(answers.length === 0 ? {} : { extractor: telling(answers) }) },
  })
const names = async (skein: Skein, owner: string): Promise<string[]> =>
  (await skein.memory.list(owner)).items.map(({ content }) => content).sort()

onEveryStore('erasing', makePlace => {
  verifies('M61', 'a session goes whole, with what was learnt from it alone, and the receipt only counts', async () => {
    const place = await makePlace()
    const skein = await opened(place)
    const first = await skein.sessions.create({ user: 'ada' })
    await say(first, 'I like zebras.', 'I prefer green tea.')
    await learn(skein, first)
    await first.commit({ wait: true })
    const other = await skein.sessions.create({ user: 'ada' })
    await say(other, 'I prefer green tea.')
    await learn(skein, other)
    const fork = await first.fork()
    const receipt = await skein.memory.erase({ session: first.id })
    expect(receipt).toMatchObject({
      of: 'erase',
      state: 'done',
      sessions: 1,
      archives: 1,
      memories: 1,
      quotes: 2,
      forks: [fork.id],
    })
    expect(JSON.stringify(receipt)).not.toMatch(/zebra|tea/)
    expect(await skein.memory.receipt(receipt.id)).toEqual(receipt)
    expect(await codeOf(skein.sessions.open(first.id))).toBe('session.not_found')
    expect(await names(skein, 'ada')).toEqual(['I prefer green tea.'])
    const [tea] = (await skein.memory.list('ada')).items
    expect(tea?.evidence.map(({ session }) => session)).toEqual([other.id])
    expect(await skein.memory.search({ query: 'zebras', owner: 'ada' })).toEqual([])
    expect((await skein.memory.ranges({ session: first.id, all: true })).items).toEqual([])
    // The same again finds nothing.
    expect(await codeOf(skein.memory.erase({ session: first.id }))).toBe('session.not_found')
    expect(await codeOf(skein.in('other').memory.erase({ session: other.id }))).toBe('session.not_found')
  })

  verifies('M61', 'a user goes with all sessions and memories, and nobody else', async () => {
    const place = await makePlace()
    const skein = await opened(place)
    for (const user of ['ada', 'ben']) {
      for (const text of ['I like zebras.', 'My name is Ada.']) {
        const session = await skein.sessions.create({ user })
        await say(session, text)
        await learn(skein, session)
      }
    }
    const bound = skein.in('default', { owners: ['ben'] })
    expect(await bound.memory.erase({ user: 'ada' })).toMatchObject({ sessions: 0, memories: 0 })
    expect(await names(skein, 'ada')).toHaveLength(2)
    expect(await skein.memory.erase({ user: 'ada' })).toMatchObject({ state: 'done', sessions: 2, memories: 2, versions: 2 })
    expect(await names(skein, 'ada')).toEqual([])
    expect(await names(skein, 'ben')).toHaveLength(2)
    expect((await skein.sessions.list({ user: 'ada' })).items).toEqual([])
    expect((await skein.sessions.list({ user: 'ben' })).items).toHaveLength(2)
    expect(await skein.memory.erase({ user: 'ada' })).toMatchObject({ state: 'done', sessions: 0, memories: 0 })
  })

  verifies('M61', 'single entries keep their place, overviews are remade, and what only they said is unlearnt', async () => {
    const place = await makePlace()
    const skein = await opened(place)
    const session = await skein.sessions.create({ user: 'ada' })
    await say(session, 'I like zebras.', 'I prefer green tea.')
    await learn(skein, session)
    await session.commit({ wait: true })
    await say(session, 'And now?')
    await session.commit({ wait: true })
    const zebra = await entryWith(session, 'zebras')
    const before = (await session.archives()).items
    expect(JSON.stringify(before)).toContain('zebras')
    const receipt = await skein.memory.erase({ session: session.id, entries: [zebra] })
    expect(receipt).toMatchObject({ state: 'done', sessions: 0, entries: 1, overviews: 2, memories: 1 })
    expect(await names(skein, 'ada')).toEqual(['I prefer green tea.'])
    const after = (await session.archives()).items
    expect(JSON.stringify(after)).not.toContain('zebras')
    expect(after.map(({ id, fromSeq, toSeq, state }) => [id, fromSeq, toSeq, state])).toEqual(
      before.map(({ id, fromSeq, toSeq, state }) => [id, fromSeq, toSeq, state]),
    )
    const erased = (await session.entries({ types: ['erased'] })).map(({ id }) => id)
    expect(erased).toEqual([zebra])
    expect(await codeOf(skein.memory.erase({ session: session.id, entries: ['ent_none'] }))).toBe('input.invalid')
  })

  verifies('M61', 'a memory goes with all its versions, what it closed for others stays, and no record names it', async () => {
    const place = await makePlace()
    const skein = await opened(
      place,
      [fact({ key: 'tea', content: 'Likes green tea.' })],
      [fact({ key: 'tea', content: 'Hates tea.' })],
    )
    const session = await skein.sessions.create({ user: 'ada' })
    for (const text of ['one', 'two']) {
      await say(session, text)
      await learn(skein, session)
    }
    const [tea] = (await skein.memory.list('ada')).items
    const id = String(tea?.id)
    await skein.memory.undo(id)
    const receipt = await skein.memory.erase({ memory: id })
    expect(receipt).toMatchObject({ state: 'done', memories: 1, versions: 2 })
    expect(await codeOf(skein.memory.history(id))).toBe('memory.not_found')
    expect(await codeOf(skein.memory.erase({ memory: id }))).toBe('memory.not_found')
    expect(JSON.stringify((await skein.memory.ranges({ all: true })).items)).not.toContain('/tea')
    for (const target of [{}, { user: '' }, { user: 'a', memory: id }, { session: 7 }, { entries: [] }, null, 'x'])
      expect(await codeOf(skein.memory.erase(target as never))).toBe('input.invalid')
  })

  it('unlearns a session that was deleted for good, and lets what that had closed hold again', async () => {
    const place = await makePlace()
    const skein = await opened(place)
    const [first, second] = [await skein.sessions.create({ user: 'ada' }), await skein.sessions.create({ user: 'ada' })]
    await first.append([{ role: 'user', content: 'I live in Berlin.', at: 1_000 }])
    await learn(skein, first)
    await second.append([{ role: 'user', content: 'I live in Paris.', at: 2_000 }])
    await learn(skein, second)
    expect(await names(skein, 'ada')).toEqual(['Paris'])
    await skein.sessions.delete(second.id, { erase: true })
    await skein.jobs.idle({ kind: 'store.sweep' }, { waitMs: 20_000 })
    expect(await names(skein, 'ada')).toEqual(['Berlin'])
    expect(await skein.memory.search({ query: 'Paris', owner: 'ada', at: 3_000 })).toEqual([])
  })

  it('waits for a process that works jobs off, and goes on where another one died', async () => {
    const place = await makePlace()
    const skein = await opened(place)
    const session = await skein.sessions.create({ user: 'ada' })
    await say(session, 'I like zebras.')
    await learn(skein, session)
    await skein.close()
    const idle = await place.open({ worker: false, memory: { commit: 'manual' } })
    const receipt = await idle.memory.erase({ user: 'ada' })
    expect(receipt).toMatchObject({ state: 'queued', sessions: 0 })
    expect(await names(idle, 'ada')).toHaveLength(1)
    const working = await place.open({ worker: true, memory: { commit: 'manual' } })
    await working.jobs.idle({ kind: 'memory.erase' }, { waitMs: 20_000 })
    expect(await idle.memory.receipt(receipt.id)).toMatchObject({ state: 'done', sessions: 1, memories: 1 })
    expect(await names(idle, 'ada')).toEqual([])
  })
})

verifies('M61', 'no file of the store has the bytes once the job is done', async () => {
  const file = join(freshFolder(), 'erased.db')
  const skein = await openSkein({ store: `sqlite:${file}`, worker: true, memory: { commit: 'manual' } })
  try {
    const secret = 'qwertzebra'
    const session = await skein.sessions.create({ user: 'ada', title: 'Kept' })
    await say(session, `I like ${secret}.`, `Please find the ${secret}.`, 'x'.repeat(200_000), `again ${secret}`)
    await learn(skein, session)
    await session.commit({ wait: true })
    await skein.sessions.search(secret)
    const kept = await skein.sessions.create({ user: 'ben' })
    await say(kept, 'I prefer green tea.')
    const holding = (): string[] =>
      readdirSync(dirname(file)).filter(name => readFileSync(join(dirname(file), name)).includes(secret))
    expect(holding()).not.toEqual([])
    expect(await skein.memory.erase({ user: 'ada' })).toMatchObject({ state: 'done', sessions: 1 })
    expect(holding()).toEqual([])
    expect((await skein.sessions.search('green')).hits).toHaveLength(1)
    expect((await skein.sessions.search(secret)).hits).toEqual([])
  } finally {
    await skein.close()
  }
})
