import type { Store } from '#journal'
import { SkeinError } from '#kernel'
import type { EraseReceipt } from '#memory'
import { scriptedModel } from '#models'
import { openSkein, type Session, type Skein } from '#skein'
import { expect } from 'vitest'
import { verifies } from '#verifies'
import { gate } from './agent-talk.ts'
import { filler, tight } from './compacting-room.ts'
import { entryWith, learn, say } from './learning-room.ts'
import { type Behaviour, scriptedSummarizer } from './scripted-summarizer.ts'
import { memoryPlace, onEveryStore, type Place } from './stores.ts'

const secret = 'qwertzebra'

const opened = async (place: Place, answer: Behaviour = 'extracts'): Promise<Skein> =>
  await place.open({
    worker: true,
    memory: { commit: 'manual', inject: true },
    context: { ...tight, summarizer: scriptedSummarizer([answer]) },
  })

/** A session that is worth summing up, with a secret in its second turn alone. */
async function longTalk(skein: Skein): Promise<Session> {
  const session = await skein.sessions.create({ user: 'ada' })
  for (let n = 0; n < 12; n++)
    await session.record({ user: `question ${n} ${n === 1 ? secret : ''}`, assistant: `answer ${n} ${filler(300)}` })
  return session
}

const told = async (session: Session): Promise<string> => JSON.stringify(await session.entries({ limit: 1_000 }))
const shown = async (session: Session): Promise<string> => JSON.stringify(await session.context({ compact: false }))

onEveryStore('erasing what repeats an entry', makePlace => {
  verifies('M61', 'summaries of erased entries go, and what else they covered is shown again', async () => {
    const skein = await opened(await makePlace(), () => `They spoke of ${secret}.`)
    const session = await longTalk(skein)
    expect(await session.compact()).toMatchObject({ status: 'done' })
    expect(await shown(session)).not.toContain('answer 2 ')
    const summaries = (await session.entries({ types: ['summary_added'], limit: 1_000 })).length
    const erased = await skein.memory.erase({ session: session.id, entries: [await entryWith(session, secret)] })
    expect(erased).toMatchObject({ state: 'done', entries: 1 })
    expect(erased).toHaveProperty('overviews', summaries - (await session.entries({ types: ['summary_added'] })).length)
    expect(await told(session)).not.toContain(`question 1 ${secret}`)
    expect(await shown(session)).not.toContain(`question 1 ${secret}`)
    for (const text of ['question 0 ', 'answer 0 ', 'answer 1 ', 'answer 2 ']) expect(await shown(session)).toContain(text)
    expect(await session.compact()).toMatchObject({ status: 'done' })
  })

  verifies('M61', 'notes that showed what is unlearnt go, wherever they stand', async () => {
    const skein = await opened(await makePlace())
    const first = await skein.sessions.create({ user: 'ada' })
    await say(first, `I like ${secret}.`)
    await learn(skein, first)
    const other = await skein.sessions.create({ user: 'ada', modelOverride: scriptedModel([{ text: 'Yes.' }]) })
    await other.send(`Do I like a ${secret.slice(0, 8)}?`).result()
    expect(await told(other)).toContain(secret)
    const before = await other.messages()
    expect(await skein.memory.erase({ session: first.id })).toMatchObject({ state: 'done', memories: 1 })
    expect(await told(other)).not.toContain(secret)
    expect(await other.messages()).toEqual(before)
  })
})

verifies('M61', 'a compaction that is under way when entries are erased brings nothing of them back', async () => {
  const [held, asked] = [gate(), gate()]
  const skein = await opened(await memoryPlace(), async () => {
    asked.open()
    await held.promise
    return `question 1 ${secret}`
  })
  const session = await longTalk(skein)
  const compacting = session.compact()
  await asked.promise
  await skein.memory.erase({ session: session.id, entries: [await entryWith(session, secret)] })
  held.open()
  expect(['failed', 'superseded']).toContain((await compacting).status)
  expect(await told(session)).not.toContain(secret)
  expect(await session.compact()).toHaveProperty('status', 'done')
})

/** The same store, in which what the nth claimed commit wrote is written, but nobody hears of it. */
function losing(store: Store, nth: number): { readonly store: Store; lost(): boolean } {
  let seen = 0
  const tenant = (name: string): unknown =>
    new Proxy(store.in(name), {
      get(target, member) {
        const value: unknown = Reflect.get(target, member)
        if (member !== 'commit') return typeof value === 'function' ? (value.bind(target) as unknown) : value
        return async (...given: Parameters<typeof target.commit>): ReturnType<typeof target.commit> => {
          const done = await target.commit(...given)
          const isClaimed = given[0].some(change => change.type === 'require' && 'claim' in change.that)
          if (isClaimed && given[0].every(({ type }) => type !== 'fail') && ++seen === nth)
            throw new SkeinError('store.unavailable', 'Gone.')
          return done
        }
      },
    })
  const whole = new Proxy(store, {
    get(target, member) {
      const value: unknown = Reflect.get(target, member)
      if (member === 'in') return tenant
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  return { store: whole, lost: () => seen >= nth }
}

verifies('M61', 'an erasing that breaks off behind any of its commits goes on, and names and counts all the same', async () => {
  const erased = async (nth: number): Promise<{ readonly receipt: object; readonly lost: boolean }> => {
    const place = await memoryPlace()
    const skein = await opened(place)
    const [first, other] = [await skein.sessions.create({ user: 'ada' }), await skein.sessions.create({ user: 'ada' })]
    await say(first, `I like ${secret}.`, 'I like tea.')
    await learn(skein, first)
    await first.commit({ wait: true })
    await say(other, `I like ${secret}.`)
    await learn(skein, other)
    await skein.memory.undo(String((await skein.memory.list('ada')).items.find(({ key }) => key === secret)?.id))
    await skein.close()
    const faulty = losing(await place.store(), nth)
    const again = await openSkein({ store: faulty.store, clock: place.clock, worker: true, memory: { commit: 'manual' } })
    // So that no wait for another attempt is a wait for the test.
    const passing = setInterval(() => place.clock.advance(2_000), 5)
    try {
      const { items } = await again.memory.list('ada')
      expect(items).toHaveLength(1)
      const entry = await entryWith(await again.sessions.open(first.id), secret)
      const { id } = await again.memory.erase({ session: first.id, entries: [entry] })
      await again.memory.erase({ session: other.id })
      const kept = JSON.stringify([
        (await again.memory.ranges({ all: true })).items,
        await (await place.store()).in('default').records('memory_receipt', { limit: 50 }),
        await (await place.store()).in('default').records('memory_summary', { limit: 50 }),
      ])
      expect(kept).not.toContain(secret)
      const { id: _id, at: _at, job: _job, ...receipt } = (await again.memory.receipt(id)) as EraseReceipt
      return { receipt, lost: faulty.lost() }
    } finally {
      clearInterval(passing)
      await again.close()
    }
  }
  const { receipt: whole } = await erased(Infinity)
  expect(whole).toMatchObject({ state: 'done', entries: 1, overviews: 1, quotes: 1 })
  for (let nth = 1; ; nth++) {
    const { receipt, lost } = await erased(nth)
    expect({ nth, ...receipt }).toEqual({ nth, ...whole })
    if (!lost) break
  }
})
