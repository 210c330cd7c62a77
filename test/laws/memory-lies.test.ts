import type { ExtractionInput } from '#memory'
import { expect, it } from 'vitest'
import { verifies } from '#verifies'
import { fact, knownOf, learn, say, telling } from './learning-room.ts'
import { memoryPlace, onEveryStore } from './stores.ts'

/** A candidate that cites the entry in which a text stands, where that is in the range. */
const citing = ({ entries }: ExtractionInput, text: string, more: object): unknown[] =>
  entries.filter(entry => entry.text.includes(text)).map(({ id }) => fact({ ...more, quote: { entry: id, text } }))

onEveryStore('an extractor that lies', makePlace => {
  verifies('M46 M49', 'costs nobody else a candidate, whatever it gives, and parks nothing', async () => {
    const loop: { again?: unknown } = {}
    loop.again = loop
    const lies = [null, 7, 'too_many', [], loop, { toJSON: () => 1n }, fact({ category: 'constructor' as never })]
    const unsure = [NaN, Infinity, -0.1, 1.1, '0.9'].map(confidence => fact({ confidence: confidence as never }))
    const large = fact({ content: 'x', quote: { entry: 'ent_x' as never, text: 'x'.repeat(300_000) } })
    const odd = [
      fact({ key: 'nul', content: 'holds \0 and \ud800' }),
      fact({ key: '\0\ud800', content: 'has no key' }),
      fact({ key: 'long', content: 'word '.repeat(100_000) }),
    ]
    const skein = await (
      await makePlace()
    ).open({
      worker: true,
      memory: { commit: 'manual', extractor: telling([[...lies, ...unsure, large, ...odd]]) },
    })
    const session = await skein.sessions.create({ user: 'ada' })
    await say(session, 'Hello.')
    await learn(skein, session)
    const [range] = (await skein.memory.ranges({ session: session.id })).items
    expect(range).toMatchObject({ state: 'partial', attempts: 1, counts: { candidates: 16, applied: 3, rejected: 13 } })
    expect(range?.rejected.map(({ code }) => code)).toEqual([
      ...Array<string>(2).fill('not_an_object'),
      'too_many',
      ...Array<string>(3).fill('not_an_object'),
      'category_unknown',
      ...Array<string>(5).fill('confidence_invalid'),
      'too_large',
    ])
    const known = await skein.memory.search({ query: 'holds', owner: 'ada' })
    expect(known).toMatchObject([{ key: 'nul', content: 'holds \0 and \ufffd' }])
    const long = (await skein.memory.list('ada')).items.find(({ key }) => key === 'long')
    expect(long?.content.length).toBeLessThanOrEqual(20_000)
  })

  it('may give ten thousand candidates: as many as one transaction bears are learnt, the others told as rejected', async () => {
    const many = Array.from({ length: 10_000 }, (_, n) => fact({ key: `k${n}`, content: `Number ${n} is called x${n}.` }))
    const skein = await (await makePlace()).open({ worker: true, memory: { commit: 'manual', extractor: telling([many]) } })
    const session = await skein.sessions.create({ user: 'ada' })
    await say(session, 'Hello.')
    await skein.memory.extract(session.id)
    await skein.jobs.idle({ kind: 'memory.extract' }, { waitMs: 100_000 })
    const [range] = (await skein.memory.ranges({ session: session.id })).items
    expect(range).toMatchObject({
      state: 'partial',
      attempts: 1,
      counts: { candidates: 10_000, applied: 5_000, rejected: 5_000 },
    })
    expect(range?.rejected.at(-1)).toEqual({ index: 9_999, code: 'too_many' })
    expect(await skein.memory.search({ query: 'x4999', owner: 'ada', limit: 1 })).toMatchObject([{ key: 'k4999' }])
  })

  verifies('M7 M49', 'learns of a sender by any name that a message may carry', async () => {
    const skein = await (
      await makePlace()
    ).open({
      worker: true,
      memory: { commit: 'manual', extractor: telling([input => citing(input, 'Hello', {})]) },
    })
    const names = ['\ud800', 'a\0b', '../../etc', 'A\u0308da', 'x'.repeat(300), '__proto__']
    for (const from of names) {
      const session = await skein.sessions.create()
      await session.append([{ role: 'user', content: 'Hello.', from }])
      await learn(skein, session)
      expect((await skein.memory.list(from.toWellFormed())).items).toMatchObject([{ content: 'Likes green tea.' }])
    }
  })
})

verifies(
  'M49',
  'the same range again leaves what was superseded since, told alike, or called the same by the model',
  async () => {
    const place = await memoryPlace()
    const tea = 'likes green tea with honey and lemon every morning before the long walk to work'
    const told = telling([
      input => [
        ...citing(input, 'one', { key: 'tea', content: tea }),
        ...citing(input, 'two', { key: 'drink', content: `${tea}!` }),
        ...citing(input, 'three', { key: 'drinks', content: 'green tea as ever', relation: { n: 1, is: 'SAME' } }),
        ...citing(input, 'four', { key: 'tea', content: 'hates tea now' }),
        ...citing(input, 'five', { category: 'profile', key: 'home', content: 'Lives in Oslo' }),
        ...citing(input, 'six', { category: 'profile', key: 'town', content: 'Bergen', relation: { n: 1, is: 'SUPERSEDE' } }),
      ],
    ])
    const skein = await place.open({ worker: true, memory: { commit: 'manual', extractor: told } })
    const session = await skein.sessions.create({ user: 'ada' })
    for (const text of ['one tea', 'two', 'three tea', 'four tea', 'five Oslo', 'six lives in Oslo']) {
      place.clock.advance(1_000)
      await session.append([{ role: 'user', content: text }])
      await learn(skein, session)
    }
    const before = await knownOf(skein, 'ada')
    expect(before.map(({ uri, version, seen }) => [uri.split('/').at(-1), version, seen])).toEqual([
      ['tea', 1, 3],
      ['tea', 2, 1],
      ['home', 1, 1],
      ['home', 2, 1],
    ])
    for (const seq of [1, 4, 1]) {
      expect(await skein.memory.rewind(session.id, seq)).toBe(true)
      await skein.jobs.idle({ kind: 'memory.extract' }, { waitMs: 20_000 })
      expect(await knownOf(skein, 'ada')).toEqual(before)
    }
  },
)

verifies('M49 M60', 'what was told alike and then taken back does not come back with the same range', async () => {
  const tea = 'likes green tea with honey and lemon every morning before the long walk to work'
  const told = telling([
    input => [
      ...citing(input, 'one', { key: 'tea', content: tea }),
      ...citing(input, 'two', { key: 'drink', content: `${tea}!` }),
    ],
  ])
  const skein = await (await memoryPlace()).open({ worker: true, memory: { commit: 'manual', extractor: told } })
  const session = await skein.sessions.create({ user: 'ada' })
  await say(session, 'one', 'two')
  await learn(skein, session)
  const [memory] = (await skein.memory.list('ada')).items
  await skein.memory.undo(String(memory?.id))
  expect(await skein.memory.rewind(session.id, 1)).toBe(true)
  await skein.jobs.idle({ kind: 'memory.extract' }, { waitMs: 20_000 })
  expect((await skein.memory.list('ada')).items).toEqual([])
})
