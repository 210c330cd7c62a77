import type { CommitResult } from '#memory'
import { openSkein, type Session, type Skein, type SkeinOptions } from '#skein'
import { expect } from 'vitest'
import { verifies } from '#verifies'
import { assistant, call, result, sealed, user } from './archive-room.ts'
import { type Asked, countingStore } from './counting-store.ts'
import { onEveryStore, type Place } from './stores.ts'

interface Room {
  readonly skein: Skein
  readonly session: Session
  readonly ids: readonly `ent_${string}`[]
  counted(work: () => Promise<unknown>): Promise<Asked>
}

/** A session in which so many messages are live, over a store that counts what is asked of it. */
async function roomWith(place: Place, live: number, memory: SkeinOptions['memory']): Promise<Room> {
  const { store, counted } = countingStore(await place.store())
  const skein = await openSkein({ store, clock: place.clock, worker: false, ...(memory === undefined ? {} : { memory }) })
  const session = await skein.sessions.create({ user: 'ada' })
  const messages: object[] = []
  for (let n = 0; messages.length < live; n++)
    messages.push(user(`ask ${n}`), call(`c${n}`), result(`c${n}`), assistant(`answer ${n}`))
  const { entries } = await session.append(messages)
  return { skein, session, counted, ids: entries.map(({ id }) => id) }
}

const few = 200
const many = 2_000

onEveryStore('what a commit reads', makePlace => {
  verifies('M1 M9', 'is the same however much is live: to seal all of it, some of it, or the newest turns not', async () => {
    const ways: Record<string, (room: Room) => Promise<CommitResult>> = {
      all: ({ session }) => session.commit(),
      unlearnt: ({ session }) => session.commit({ extract: false }),
      'up to the first turn': ({ session, ids }) => session.commit({ through: ids[3] as `ent_${string}` }),
      'up to a late turn': ({ session, ids }) => session.commit({ through: ids.at(-5) as `ent_${string}` }),
      'up to the middle of a turn': ({ session, ids }) => session.commit({ through: ids.at(-7) as `ent_${string}` }),
      'without the last two': ({ session }) => session.commit({ keepTurns: 2 }),
    }
    for (const [name, commit] of Object.entries(ways)) {
      const asked: Asked[] = []
      for (const live of [few, many]) {
        const room = await roomWith(await makePlace(), live, { commit: 'manual' })
        asked.push(await room.counted(async () => await sealed(commit(room))))
        await room.skein.close()
      }
      expect(asked[1], name).toEqual(asked[0])
      expect(asked[1]?.entries, name).toBeLessThan(few)
    }
  })

  verifies('M1 M19 M43', 'is the same however much is live as a turn is looked at, and by whoever comes new', async () => {
    const memory = { commit: { maxTokens: 1_000_000, maxMessages: 1_000_000 } }
    const asked: Record<string, Asked[]> = { first: [], next: [], moved: [], afterMove: [] }
    for (const live of [few, many]) {
      const place = await makePlace()
      const { session, counted, ids, skein } = await roomWith(place, live, memory)
      const turn = async (): Promise<void> => {
        expect(await session.afterTurn({ messages: [user('one more'), assistant('yes')] })).toMatchObject({
          status: 'accumulating',
        })
      }
      asked['first']?.push(await counted(turn))
      asked['next']?.push(await counted(turn))
      await sealed(session.commit({ through: ids[3] as `ent_${string}` }))
      await session.moveTo(ids.at(-1) as `ent_${string}`)
      asked['moved']?.push(await counted(turn))
      asked['afterMove']?.push(await counted(turn))
      await skein.close()
    }
    for (const [name, [short, long]] of Object.entries(asked)) {
      expect(long, name).toEqual(short)
      expect(long?.entries, name).toBeLessThan(60)
    }
  })
})
