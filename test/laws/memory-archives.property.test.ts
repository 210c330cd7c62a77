import fc from 'fast-check'
import type { EntryId } from '#kernel'
import type { Session, Skein, SkeinOptions } from '#skein'
import { verifies } from '#verifies'
import { proveArchives } from './archive-proof.ts'
import { assistant, call, result, user } from './archive-room.ts'
import { onEveryStore, type Place } from './stores.ts'

type Deed =
  | { readonly do: 'append'; readonly count: number }
  | { readonly do: 'call' }
  | { readonly do: 'commit'; readonly keepTurns: number }
  | { readonly do: 'through'; readonly share: number }
  | { readonly do: 'together'; readonly count: number }
  | { readonly do: 'extract' }
  | { readonly do: 'evict' }
  | { readonly do: 'reopen' }
  | { readonly do: 'move'; readonly share: number }
  | { readonly do: 'prepared' }

const share = fc.double({ min: 0, max: 0.999, noNaN: true })
const deed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('append' as const), count: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('call' as const) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('commit' as const), keepTurns: fc.integer({ min: 0, max: 2 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('through' as const), share }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('together' as const), count: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('extract' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('evict' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('move' as const), share }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('prepared' as const) }) },
)

const options: SkeinOptions = { worker: true, memory: { commit: 'manual', maxArchives: 2, mergeAt: 3 } }

interface World {
  readonly place: Place
  skein: Skein
  session: Session
  said: number
}

const at = async (session: Session, part: number): Promise<EntryId | undefined> => {
  const said = await session.conversation()
  return said[Math.floor(part * said.length)]?.id
}

async function perform(world: World, one: Deed): Promise<void> {
  const { session, skein } = world
  const word = (): string => `said ${world.said++}`
  switch (one.do) {
    case 'append':
      for (let n = 0; n < one.count; n++) await session.append([user(word()), assistant(word())])
      return
    case 'call':
      await session.append([user(word()), call(`c${world.said}`), result(`c${world.said}`), assistant(word())])
      return
    case 'commit':
      await session.commit({ keepTurns: one.keepTurns })
      return
    case 'through': {
      const through = await at(session, one.share)
      if (through !== undefined) await session.commit({ through })
      return
    }
    case 'together':
      await Promise.all([
        session.append(user(word())),
        ...Array.from({ length: one.count }, () => session.commit()),
        session.append(assistant(word())),
      ])
      return
    case 'extract':
      await skein.memory.extract(session.id)
      return
    case 'evict':
      await skein.sessions.evict({ id: session.id })
      return
    case 'reopen':
      await skein.close()
      world.skein = await world.place.open(options)
      world.session = await world.skein.sessions.open(session.id)
      return
    case 'move': {
      const to = await at(session, one.share)
      if (to !== undefined) await session.moveTo(to)
      return
    }
    case 'prepared': {
      const { token } = await session.prepareCommit()
      await session.commit({ token })
      return
    }
    default:
      one satisfies never
  }
}

onEveryStore('any history of appends and commits', makePlace => {
  verifies('M11', 'leaves each message live or in exactly one archive, in order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(deed, { minLength: 6, maxLength: 25 }), async deeds => {
        const place = await makePlace()
        const skein = await place.open(options)
        const world: World = { place, skein, session: await skein.sessions.create({ user: 'u1' }), said: 0 }
        for (const one of deeds) {
          await perform(world, one)
          await proveArchives(world.session)
        }
        await world.skein.jobs.idle({ session: world.session.id })
        await proveArchives(world.session)
        const states = (await world.session.archives()).map(({ state }) => state)
        if (states.some(state => state !== 'ready')) throw new Error(`Not all became ready: ${states.join(', ')}.`)
        await world.skein.close()
      }),
      { numRuns: 12, seed: 20_261, endOnFailure: true },
    )
  })
})
