import type { Memory } from '#memory'
import type { Session, Skein } from '#skein'
import { expect, it } from 'vitest'
import { verifies } from '#verifies'
import { codeOf } from './agent-talk.ts'
import { entryWith, fact, learn, say, telling, type Told } from './learning-room.ts'
import { onEveryStore, type Place } from './stores.ts'

const opened = async (place: Place, extractor: Told): Promise<{ readonly skein: Skein; readonly session: Session }> => {
  const skein = await place.open({ worker: true, memory: { commit: 'manual', extractor } })
  return { skein, session: await skein.sessions.create({ user: 'ada', agent: 'helper' }) }
}
const versions = async (skein: Skein, uri: string): Promise<unknown[]> =>
  (await skein.memory.history(uri)).map(({ version, content, validFrom, validTo }) => [version, content, validFrom, validTo])
const rangesOf = async (skein: Skein) => (await skein.memory.ranges()).items

onEveryStore('reconciling', makePlace => {
  verifies(
    'M57',
    'the same adds evidence, another supersedes, a contradiction links both ways; nothing is overwritten',
    async () => {
      const place = await makePlace()
      const t = place.clock.now()
      const lake = fact({ key: 'lake', content: 'Swims in the cold lake each morning before work.' })
      const { skein, session } = await opened(
        place,
        telling([
          [fact({ category: 'profile', key: 'home', content: 'Berlin' }), lake],
          [fact({ category: 'profile', key: 'home', content: '  BERLIN ' })],
          [fact({ category: 'profile', key: 'home', content: 'Paris' })],
          ({ known }) => [
            fact({
              key: 'water',
              content: 'Hates water.',
              relation: { n: known.find(({ text }) => text.includes('lake'))?.n ?? 0, is: 'CONTRADICT' },
            }),
          ],
        ]),
      )
      for (const [index, content] of ['lake one', 'lake two', 'lake three', 'lake four'].entries()) {
        await session.append([{ role: 'user', content, at: t + index * 1_000 }])
        await learn(skein, session)
      }
      const actions = (await rangesOf(skein)).map(({ applied }) => applied.map(({ action }) => action).join())
      expect(actions).toEqual(['add,add', 'same', 'supersede', 'contradict'])
      const home = 'skein://default/user/ada/profile/home'
      expect(await versions(skein, home)).toEqual([
        [2, 'Paris', t + 2_000, null],
        [1, 'Berlin', t, t + 2_000],
      ])
      const [paris, berlin] = await skein.memory.history(home)
      expect([paris?.id, paris?.uri]).toEqual([berlin?.id, berlin?.uri])
      expect([berlin?.seen, berlin?.evidence.length, paris?.seen]).toEqual([2, 2, 1])
      const [one] = await skein.memory.history('skein://default/user/ada/preference/lake')
      const [other] = await skein.memory.history('skein://default/user/ada/preference/water')
      expect([one?.contradicts, other?.contradicts]).toEqual([[other?.id], [one?.id]])
      expect([one?.validTo, other?.validTo]).toEqual([null, null])
    },
  )

  it('counts words alike as the same, but never in a profile, and events only of the same entry', async () => {
    const place = await makePlace()
    const long = 'The deploy of the billing service goes out on each Friday at noon in May.'
    const alike = `${long.slice(0, -1)}!`
    let entries: `ent_${string}`[] = []
    const event = (content: string, entry: number) =>
      fact({ category: 'event', content, quote: { entry: entries[entry] as never, text: 'met' } })
    const { skein, session } = await opened(
      place,
      telling([
        () => [
          fact({ category: 'entity', key: 'deploy', content: long }),
          fact({ category: 'entity', key: 'release', content: alike }),
          fact({ category: 'profile', key: 'a', content: long }),
          fact({ category: 'profile', key: 'b', content: alike }),
          event('They met in Rome.', 0),
          event('They met in Rome.', 1),
          event('They met in Rome!', 1),
        ],
      ]),
    )
    await say(session, 'we met first', 'we met again')
    entries = [await entryWith(session, 'met first'), await entryWith(session, 'met again')]
    await learn(skein, session)
    expect((await rangesOf(skein))[0]?.applied.map(({ action }) => action)).toEqual([
      'add',
      'same',
      'add',
      'add',
      'add',
      'add',
      'same',
    ])
    const { items } = await skein.memory.list('ada')
    expect(new Set(items.map(({ uri }) => uri)).size).toBe(items.length)
    expect(items).toHaveLength(5)
  })

  it('supersedes skills and tools of the agent and adds up how often they were used', async () => {
    const place = await makePlace()
    const skill = (content: string): unknown => ({ ...fact({ category: 'skill', owner: 'agent', key: 'Git Bisect', content }) })
    const { skein, session } = await opened(
      place,
      telling([[skill('Halve.')], [skill('Halve, then test.')], [skill('Halve, then test.')]]),
    )
    for (const text of ['1', '2', '3']) {
      await say(session, text)
      await learn(skein, session)
    }
    expect((await skein.memory.list('helper')).items).toMatchObject([
      { uri: 'skein://default/agent/helper/skill/git-bisect', version: 2, uses: 3, content: 'Halve, then test.' },
    ])
  })

  verifies('M58', 'an older range that comes late closes nothing newer, its own version is stored closed', async () => {
    const place = await makePlace()
    const t = place.clock.now()
    const home = (content: string) => fact({ category: 'profile', key: 'home', content })
    const extractor = telling([
      ({ entries }) => entries.map(({ id, text }) => ({ ...home(text.split(' ')[1] ?? ''), quote: { entry: id, text } })),
    ])
    const { skein, session } = await opened(place, extractor)
    const older = await skein.sessions.create({ user: 'ada' })
    const oldest = await skein.sessions.create({ user: 'ada' })
    const tell = async (where: Session, city: string, at: number): Promise<void> => {
      await where.append([{ role: 'user', content: `Home ${city}`, at }])
      await learn(skein, where)
    }
    await tell(session, 'Berlin', t + 10_000)
    await tell(older, 'Paris', t + 5_000)
    await tell(oldest, 'Rome', t)
    const uri = 'skein://default/user/ada/profile/home'
    const found = new Map((await skein.memory.history(uri)).map(memory => [memory.content, memory]))
    expect(found.get('Berlin')).toMatchObject({ version: 1, validFrom: t + 10_000, validTo: null })
    expect(found.get('Paris')).toMatchObject({ version: 2, validFrom: t + 5_000, validTo: t + 10_000 })
    expect(found.get('Rome')).toMatchObject({ version: 3, validFrom: t, validTo: t + 5_000 })
    const at = async (time?: number): Promise<string[]> =>
      (await skein.memory.search({ query: 'home', owner: 'ada', ...(time === undefined ? {} : { at: time }) })).map(
        ({ content }) => content,
      )
    expect([await at(), await at(t + 6_000), await at(t + 1), await at(t - 1)]).toEqual([['Berlin'], ['Paris'], ['Rome'], []])
    expect((await skein.memory.list('ada')).items.map(({ content }) => content)).toEqual(['Berlin'])
    // Told once more, it is known already.
    expect(await skein.memory.rewind(older.id, 1)).toBe(true)
    await skein.jobs.idle()
    expect(await skein.memory.history(uri)).toHaveLength(3)
  })

  it('holds from the time that a candidate names', async () => {
    const place = await makePlace()
    const { skein, session } = await opened(place, telling([[fact({ when: '2020-03-01' })]]))
    await say(session, 'hello')
    await learn(skein, session)
    expect((await skein.memory.list('ada')).items[0]?.validFrom).toBe(Date.UTC(2020, 2, 1))
  })

  verifies('M59', 'a relation to what was not offered, or is of somebody else, is told and treated as none', async () => {
    const place = await makePlace()
    const extractor = telling([
      [
        fact({ content: 'Likes the zebra song.' }),
        fact({ category: 'case', owner: 'agent', content: 'The zebra was fed with hay.' }),
      ],
      ({ known }) => {
        const n = (category: Memory['category']): number => known.find(one => one.category === category)?.n ?? 0
        return [
          fact({ key: 'x', content: 'Has a dog.', relation: { n: 99, is: 'SUPERSEDE' } }),
          fact({ key: 'y', content: 'Has a cat.', relation: { n: n('case'), is: 'SUPERSEDE' } }),
          fact({ key: 'z', content: 'Dislikes the zebra.', relation: { n: n('preference'), is: 'SUPERSEDE' } }),
        ]
      },
    ])
    const { skein, session } = await opened(place, extractor)
    for (const text of ['zebra one', 'zebra two']) {
      await say(session, text)
      await learn(skein, session)
    }
    expect(extractor.inputs[1]?.known.map(({ category }) => category).sort()).toEqual(['case', 'preference'])
    const range = (await rangesOf(skein))[1]
    expect(range).toMatchObject({ state: 'ok', rejected: [], counts: { candidates: 3, applied: 3 } })
    expect(range?.applied.map(({ action }) => action)).toEqual(['add', 'add', 'supersede'])
    expect(range?.ignored).toEqual([
      { index: 0, code: 'relation_not_offered' },
      { index: 1, code: 'relation_other_owner' },
    ])
    expect((await skein.memory.list('helper')).items).toMatchObject([{ content: 'The zebra was fed with hay.', validTo: null }])
    const tea = await skein.memory.history('skein://default/user/ada/preference/tea')
    expect(tea.map(({ version, content }) => [version, content])).toEqual([
      [2, 'Dislikes the zebra.'],
      [1, 'Likes the zebra song.'],
    ])
  })

  it('loses nothing when many sessions of one user are learnt from at once', async () => {
    const place = await makePlace()
    const extractor = telling([
      ({ entries }) => [fact({ key: entries[0]?.text ?? '', content: `Likes ${entries[0]?.text}.` }), fact()],
    ])
    const { skein } = await opened(place, extractor)
    const other = await place.open({ worker: true, memory: { commit: 'manual', extractor } })
    const sessions = await Promise.all(Array.from({ length: 12 }, () => skein.sessions.create({ user: 'ada' })))
    for (const [index, session] of sessions.entries()) await say(session, `dish${index}`)
    await Promise.all(sessions.map(async ({ id }) => await skein.memory.extract(id)))
    await Promise.all([skein.jobs.idle(), other.jobs.idle()])
    const { items } = await skein.memory.list('ada')
    expect(items).toHaveLength(13)
    expect(items.find(({ key }) => key === 'tea')).toMatchObject({ seen: 12, version: 1 })
  })

  verifies(
    'M60',
    'an undo retires what was added and opens what it closed, once; extracting again does not bring it back',
    async () => {
      const place = await makePlace()
      const t = place.clock.now()
      const skein = await place.open({ worker: true, memory: { commit: 'manual' } })
      const session = await skein.sessions.create({ user: 'ada' })
      const jobs: string[] = []
      const archives: string[] = []
      for (const [index, city] of ['Berlin', 'Paris', 'Rome'].entries()) {
        await session.append([{ role: 'user', content: `I live in ${city}. I like ${city} tea.`, at: t + index }])
        const sealed = await session.commit()
        archives.push(sealed.archived ? sealed.archive : '')
        await skein.jobs.idle()
        jobs.push(String((await rangesOf(skein)).at(-1)?.job))
      }
      const home = 'skein://default/user/ada/profile/home'
      const now = async (): Promise<string[]> => (await skein.memory.list('ada')).items.map(({ content }) => content).sort()
      expect(await now()).toEqual(['I like Berlin tea.', 'I like Paris tea.', 'I like Rome tea.', 'Rome'])
      // Rome stands on Paris, which is kept; the tea is not.
      const middle = await skein.memory.undo({ job: String(jobs[1]) })
      expect(middle).toMatchObject({ retired: [{ version: 1 }], reopened: [], kept: [{ uri: home, version: 2 }] })
      const last = await skein.memory.undo({ archive: String(archives[2]) })
      expect(last.retired).toHaveLength(2)
      expect(last).toMatchObject({ reopened: [{ uri: home, version: 2 }], kept: [] })
      expect(await now()).toEqual(['I like Berlin tea.', 'Paris'])
      expect(await skein.memory.undo({ archive: String(archives[2]) })).toMatchObject({ retired: [], reopened: [], kept: [] })
      const [paris] = (await skein.memory.list('ada', { categories: ['profile'] })).items
      // Its newest version is undone already.
      expect(await skein.memory.undo(String(paris?.id))).toMatchObject({ retired: [] })
      expect(await skein.memory.receipt(last.id)).toEqual(last)
      expect(await skein.memory.rewind(session.id, 1)).toBe(true)
      await skein.jobs.idle()
      expect(await now()).toEqual(['I like Berlin tea.', 'Paris'])
      expect(await skein.memory.search({ query: 'Rome', owner: 'ada' })).toEqual([])
      expect(await skein.memory.history(home)).toMatchObject([
        { version: 3, content: 'Rome', retiredAt: t },
        { version: 2, content: 'Paris', validTo: null },
        { version: 1, content: 'Berlin', validTo: t + 1 },
      ])
      await session.append([{ role: 'user', content: 'I live in Rome.', at: t + 9 }])
      await learn(skein, session)
      expect(await now()).toEqual(['I like Berlin tea.', 'Rome'])
      for (const [target, code] of [
        ['mem_01ARZ3NDEKTSV4RRFFQ69G5FAV', 'memory.not_found'],
        [{ job: 'job_01ARZ3NDEKTSV4RRFFQ69G5FAV' }, 'job.not_found'],
        [{ archive: 'arc_01ARZ3NDEKTSV4RRFFQ69G5FAV' }, 'archive.not_found'],
        [{}, 'input.invalid'],
      ] as const)
        expect(await codeOf(skein.memory.undo(target as never))).toBe(code)
      expect(await codeOf(skein.in('other').memory.undo(String(paris?.id)))).toBe('memory.not_found')
    },
  )
})
