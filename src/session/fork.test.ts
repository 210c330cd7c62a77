import { openSkein, type Skein } from '#skein'
import { manualClock } from '#kernel'
import { verifies } from '#verifies'
import { afterEach, describe, expect, it } from 'vitest'

const opened: Skein[] = []
afterEach(async () => {
  for (const skein of opened.splice(0)) await skein.close()
})

describe('forking at an earlier entry', () => {
  verifies('J13', 'gives the title, tags, metadata, preview and times that held there', async () => {
    const clock = manualClock(1_700_000_000_000)
    const skein = await openSkein({ store: 'memory:', worker: false, clock })
    opened.push(skein)
    const marks = { title: 'born', tags: ['a'], metadata: { deep: { x: 1, gone: true }, kept: 1 } }
    const session = await skein.sessions.create(marks)
    const places: { at: string; told: unknown }[] = []
    const told = async (of = session): Promise<unknown> => {
      const { title, tags, metadata, preview, lastMessageAt, messages } = await of.info()
      return { title, tags, metadata, preview, lastMessageAt, messages }
    }
    const mark = async (): Promise<void> => {
      const [newest] = (await session.entries()).slice(-1)
      places.push({ at: newest?.id ?? '', told: await told() })
      clock.advance(1_000)
    }
    await mark()
    await session.annotate({ tags: ['b', 'c'], metadata: { deep: { gone: null, y: 2 } } })
    await mark()
    await session.append({ role: 'system', content: 'first of all' })
    await mark()
    await session.append({ role: 'user', content: 'hello' })
    await mark()
    await session.rename('later')
    await mark()
    await session.annotate({ metadata: { kept: null } })
    await session.annotate({ tags: [] })
    await session.append({ role: 'user', content: 'again' })
    await mark()
    await session.rename(null)
    await mark()
    for (const { at, told: expected } of places) {
      const fork = await session.fork({ at: at as never })
      expect(await told(fork)).toEqual(expected)
    }
    const twice = await (await session.fork()).fork({ at: places[1]?.at as never, title: 'mine' })
    expect(await told(twice)).toEqual({ ...(places[1]?.told as object), title: 'mine' })
  })

  it('finds a phrase far inside a long text in the fork, too', async () => {
    const skein = await openSkein({ store: 'memory:', worker: false })
    opened.push(skein)
    const session = await skein.sessions.create()
    await session.append({ role: 'user', content: `${'word '.repeat(20_000)} hidden needle` })
    const fork = await session.fork()
    expect((await fork.search('"hidden needle"')).hits).toHaveLength(1)
  })
})
