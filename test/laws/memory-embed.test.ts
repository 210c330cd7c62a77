import type { Skein } from '#skein'
import { expect, it } from 'vitest'
import { fact, learn, say, telling } from './learning-room.ts'
import { onEveryStore, type Place } from './stores.ts'

/** By meaning, for two things: animals and drinks. */
const embedder = (id: string, asked: string[][] = []) => ({
  id,
  embed(texts: readonly string[]) {
    asked.push([...texts])
    const vector = (text: string): number[] => [/zebra|horse/i.test(text) ? 1 : 0, /tea|coffee/i.test(text) ? 1 : 0, 0.1]
    return Promise.resolve(texts.map(vector))
  },
})

const facts = telling([
  [fact({ key: 'pet', content: 'Keeps a zebra.' }), fact({ key: 'drink', content: 'Drinks coffee.' })],
  [fact({ key: 'pet', content: 'Keeps a horse.' })],
])

async function taught(place: Place, id = 'one', asked: string[][] = []): Promise<Skein> {
  const skein = await place.open({ worker: true, memory: { commit: 'manual', extractor: facts, embedder: embedder(id, asked) } })
  const session = await skein.sessions.create({ user: 'ada' })
  await say(session, 'hello')
  await learn(skein, session)
  await skein.jobs.idle({ kind: 'memory.embed' }, { waitMs: 20_000 })
  return skein
}

onEveryStore('vectors', makePlace => {
  it('are made behind the learning, once for each text, and add a leg beside words', async () => {
    const place = await makePlace()
    facts.inputs.length = 0
    const asked: string[][] = []
    const skein = await taught(place, 'one', asked)
    const [horse] = await skein.memory.search({ query: 'horses', owner: 'ada' })
    expect(horse).toMatchObject({ content: 'Keeps a zebra.', legs: { vector: 1 } })
    const [zebra] = await skein.memory.search({ query: 'zebra', owner: 'ada' })
    expect(zebra).toMatchObject({ content: 'Keeps a zebra.', legs: { fts: 1, ngram: 1, vector: 1 } })
    expect(zebra).not.toHaveProperty('embedder')
    const learnt = (): string[] => asked.flat().filter(text => text.startsWith('Keeps') || text.startsWith('Drinks'))
    expect(learnt().sort()).toEqual(['Drinks coffee.', 'Keeps a zebra.'])
    const again = await skein.sessions.create({ user: 'ada' })
    await say(again, 'hello again')
    await learn(skein, again)
    await skein.jobs.idle({ kind: 'memory.embed' }, { waitMs: 20_000 })
    expect(learnt().sort()).toEqual(['Drinks coffee.', 'Keeps a horse.', 'Keeps a zebra.'])
    const [pet] = await skein.memory.search({ query: 'zebra', owner: 'ada' })
    expect(pet).toMatchObject({ content: 'Keeps a horse.', version: 2, legs: { vector: 1 } })
  })

  it('of another embedder are never compared with its own', async () => {
    const place = await makePlace()
    facts.inputs.length = 0
    await (await taught(place)).close()
    const other = await place.open({ memory: { commit: 'manual', embedder: embedder('two') } })
    expect(await other.memory.search({ query: 'horses', owner: 'ada' })).toEqual([])
    const [zebra] = await other.memory.search({ query: 'zebra', owner: 'ada' })
    expect(Object.keys(zebra?.legs ?? {}).sort()).toEqual(['fts', 'ngram'])
  })
})
