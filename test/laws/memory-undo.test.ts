import type { Skein } from '#skein'
import { expect, it } from 'vitest'
import { verifies } from '#verifies'
import { codeOf } from './agent-talk.ts'
import { fact, learn, say, telling } from './learning-room.ts'
import { memoryPlace, onEveryStore, type Place } from './stores.ts'

const day = 86_400_000
const opened = async (place: Place): Promise<Skein> => await place.open({ worker: true, memory: { commit: 'manual' } })

/** Says where somebody lives, in a session of its own; the job that learnt it. */
async function livesIn(skein: Skein, city: string, at: number): Promise<{ readonly session: string; readonly job: string }> {
  const session = await skein.sessions.create({ user: 'ada' })
  await session.append([{ role: 'user', content: `I live in ${city}.`, at }])
  const { jobs } = await skein.memory.extract(session.id)
  await skein.jobs.idle({ kind: 'memory.extract' }, { waitMs: 20_000 })
  return { session: session.id, job: String(jobs[0]) }
}

const home = async (skein: Skein): Promise<string[]> => (await skein.memory.list('ada')).items.map(({ content }) => content)

onEveryStore('taking back', makePlace => {
  verifies('M58 M60', 'what was said last of what remains holds again, in whatever order it was learnt', async () => {
    const place = await makePlace()
    const skein = await opened(place)
    await livesIn(skein, 'Berlin', 1_000)
    const rome = await livesIn(skein, 'Rome', 4_000)
    const paris = await livesIn(skein, 'Paris', 3_000)
    await livesIn(skein, 'Oslo', 2_000)
    expect(await home(skein)).toEqual(['Rome'])
    await skein.memory.undo({ job: rome.job })
    expect(await home(skein)).toEqual(['Paris'])
    await skein.memory.undo({ job: paris.job })
    expect(await home(skein)).toEqual(['Oslo'])
    const [found] = await skein.memory.search({ query: 'Oslo', owner: 'ada' })
    expect(found).toMatchObject({ content: 'Oslo', validFrom: 2_000, validTo: null })
  })

  verifies(
    'M58 M61',
    'what was said last of what remains holds again once others are erased, also several of one session',
    async () => {
      const place = await makePlace()
      const skein = await opened(place)
      await livesIn(skein, 'Rome', 5_000)
      await livesIn(skein, 'Berlin', 1_000)
      const oslo = await skein.sessions.create({ user: 'ada' })
      await oslo.append([{ role: 'user', content: 'I live in Oslo.', at: 6_000 }])
      await learn(skein, oslo)
      await oslo.append([{ role: 'user', content: 'I live in Bergen.', at: 7_000 }])
      await learn(skein, oslo)
      const paris = await livesIn(skein, 'Paris', 3_000)
      expect(await home(skein)).toEqual(['Bergen'])
      await skein.memory.erase({ session: oslo.id })
      expect(await home(skein)).toEqual(['Rome'])
      await skein.memory.erase({ session: paris.session })
      expect(await home(skein)).toEqual(['Rome'])
      expect(await skein.memory.search({ query: 'Paris', owner: 'ada', at: 3_500 })).toEqual([])
    },
  )

  verifies('M5 M7', 'no text that is no id reaches a store: it is unknown, whatever stands in it', async () => {
    const place = await makePlace()
    const skein = await opened(place)
    await livesIn(skein, 'Berlin', 1_000)
    const { memory } = skein
    for (const text of ['\0', '\ud800', 'x'.repeat(10_000), '../x', 'skein://%', `mem_${'0'.repeat(26)}`]) {
      const codes = [memory.history(text), memory.undo(text), memory.undo({ archive: text }), memory.undo({ job: text })]
      expect(await Promise.all(codes.map(codeOf))).toEqual([
        'memory.not_found',
        'memory.not_found',
        'archive.not_found',
        'job.not_found',
      ])
      expect(await codeOf(memory.erase({ memory: text }))).toBe('memory.not_found')
      expect(await memory.receipt(text)).toBeNull()
      expect(await memory.list(text)).toEqual({ items: [] })
    }
    expect(await codeOf(memory.list('ada', { cursor: '' }))).toBe('input.invalid')
    expect(await codeOf(memory.list('ada', { cursor: 'zzz' }))).toBe('input.invalid')
    expect(await home(skein)).toEqual(['Berlin'])
  })
})

verifies('M60 Q16', 'a job may be taken back long after its row was forgotten', async () => {
  const place = await memoryPlace()
  const skein = await opened(place)
  const { job } = await livesIn(skein, 'Berlin', 1_000)
  place.clock.advance(8 * day)
  const store = (await place.store()).in('default')
  for (let n = 0; n < 600; n++) await store.commit([{ type: 'put_record', collection: 'touch', key: String(n), value: n }])
  expect(await skein.jobs.get(job)).toBeNull()
  expect((await skein.memory.undo({ job })).retired).toHaveLength(1)
  expect(await home(skein)).toEqual([])
  expect(await codeOf(skein.memory.undo({ job: `job_${'0'.repeat(26)}` }))).toBe('job.not_found')
})

verifies('M76', 'a receipt tells who is bound to an owner nothing of others', async () => {
  const skein = await opened(await memoryPlace())
  const sessions = [await skein.sessions.create({ user: 'ada' }), await skein.sessions.create({ user: 'ben' })]
  for (const session of sessions) {
    await say(session, 'I like zebras.')
    await learn(skein, session)
  }
  const [memory] = (await skein.memory.list('ben')).items
  const { id } = await skein.memory.undo(String(memory?.id))
  expect(await skein.in('default', { owners: ['ada'] }).memory.receipt(id)).toBeNull()
  for (const owners of [['ben'], ['ada', 'ben'], 'all'] as const)
    expect(await skein.in('default', { owners }).memory.receipt(id)).toMatchObject({ retired: [{ id: memory?.id }] })
})

verifies('M52 Q14', 'a session may be named by its alias wherever jobs, ranges and objects are asked for', async () => {
  const skein = await opened(await memoryPlace())
  const session = await skein.sessions.open('chat-1', { orCreate: { user: 'ada' } })
  await say(session, 'I like zebras.')
  const { jobs } = await skein.memory.extract('chat-1')
  await skein.jobs.idle({ session: 'chat-1' }, { waitMs: 20_000 })
  expect((await skein.jobs.list({ session: 'chat-1' })).map(({ id }) => id)).toEqual(jobs)
  expect((await skein.memory.ranges({ session: 'chat-1' })).items).toMatchObject([{ session: session.id, state: 'ok' }])
  expect(await skein.jobs.list({ session: 'chat-2' })).toEqual([])
  expect(await skein.memory.ranges({ session: 'chat-2' })).toEqual({ items: [] })
  await skein.jobs.idle({ session: 'chat-2' }, { waitMs: 0 })
  expect(await skein.sessions.evict({ id: 'chat-2' })).toEqual([])
  expect(await skein.sessions.evict({ id: 'chat-1' })).toEqual([session.id])
  for (const name of ['', 'a b', 'ses_1', '../x']) {
    expect(await codeOf(skein.jobs.list({ session: name }))).toBe('input.invalid')
    expect(await codeOf(skein.jobs.idle({ session: name }))).toBe('input.invalid')
    expect(await codeOf(skein.memory.ranges({ session: name }))).toBe('input.invalid')
  }
})

it('erases of a user who has the name of an agent nothing that the agent has learnt from others', async () => {
  const candidates = [fact({ category: 'case', owner: 'agent', content: 'A restart solved it.' })]
  const skein = await (
    await memoryPlace()
  ).open({ worker: true, memory: { commit: 'manual', extractor: telling([candidates, [fact()]]) } })
  const sessions = [
    await skein.sessions.create({ user: 'ada', agent: 'helper' }),
    await skein.sessions.create({ user: 'helper' }),
  ]
  for (const session of sessions) {
    await say(session, 'Hello.')
    await learn(skein, session)
  }
  expect(await skein.memory.erase({ user: 'helper' })).toMatchObject({ sessions: 1, memories: 1 })
  expect((await skein.memory.list('helper')).items).toMatchObject([{ category: 'case' }])
})
