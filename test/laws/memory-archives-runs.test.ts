import { scriptedModel } from '#models'
import { openSkein } from '#skein'
import { expect } from 'vitest'
import { verifies } from '#verifies'
import { archiveRoom, assistant, sealed, user } from './archive-room.ts'
import { type Asked, countingStore } from './counting-store.ts'
import { onEveryStore } from './stores.ts'

onEveryStore('a run of a session that shows archives', makePlace => {
  verifies('C30', 'is shown what a hook says at the head once more when that was sealed, and no second time', async () => {
    let text = 'The room is blue.'
    const hook = { name: 'room', place: 'head' as const, render: async () => await Promise.resolve(text) }
    const model = scriptedModel(['one', 'two', 'three', 'four'])
    const { session } = await archiveRoom({ contextHooks: [hook], memory: { commit: 'manual', extractor: 'off' } }, makePlace, {
      view: 'archives',
      modelOverride: model,
    })
    const shown = (n: number): number => JSON.stringify(model.requests[n]?.messages).split('The room is ').length - 1
    await session.send('a').result()
    await session.send('b').result()
    await sealed(session.commit({ wait: true, extract: false }))
    await session.send('c').result()
    text = 'The room is red.'
    await session.send('d').result()
    expect([0, 1, 2, 3].map(shown)).toEqual([1, 1, 1, 1])
    expect(JSON.stringify(model.requests[3]?.messages)).toContain('The room is blue.')
  })

  verifies('M35 M36', 'reads what is live, and nothing of what is sealed', async () => {
    const asked: Asked[] = []
    for (const sealing of [100, 1_500]) {
      const place = await makePlace()
      const { store, counted } = countingStore(await place.store())
      const busy = await openSkein({ store, clock: place.clock, worker: true })
      const begun = await busy.sessions.create({ view: 'archives' })
      await begun.append(Array.from({ length: sealing }, (_, n) => (n % 2 === 0 ? user(`ask ${n}`) : assistant(`so ${n}`))))
      await sealed(begun.commit({ wait: true, extract: false }))
      await busy.close()
      const skein = await openSkein({ store, clock: place.clock, worker: false })
      const session = await skein.sessions.open(begun.id)
      // What a session's state is folded of is read once, and kept.
      await session.state.get()
      asked.push(await counted(async () => await session.send('a', { model: scriptedModel(['one']) }).result()))
      await skein.close()
    }
    expect(asked[1]?.entries).toEqual(asked[0]?.entries)
  })
})
