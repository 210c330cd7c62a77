import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openSkein } from '#skein'
import { type Ended, makePlace, type Place } from './command-line.ts'

let place: Place
let id = ''
beforeAll(async () => {
  place = makePlace()
  mkdirSync(dirname(place.store), { recursive: true })
  await using skein = await openSkein({ store: `sqlite:${place.store}`, worker: true, memory: { commit: 'manual' } })
  const session = await skein.sessions.create({ user: 'ada', title: 'tea time' })
  id = session.id
  await session.append([{ role: 'user', content: 'My name is Ada. I prefer green tea.' }])
  await skein.memory.extract(id)
  await skein.jobs.idle({ kind: 'memory.extract' })
  await session.append([{ role: 'user', content: 'I dislike zebras.' }])
})
afterAll(() => place.remove())

const skein = (...args: string[]): Promise<Ended> => place.here(['memory', ...args])
const parsed = async (...args: string[]): Promise<{ readonly items: readonly Record<string, unknown>[] }> =>
  JSON.parse((await skein(...args, '--json')).stdout) as never

describe('memory at the command line', () => {
  it('says why there is none: nothing is learnt yet, or nobody is named whose it would be', async () => {
    const empty = makePlace()
    try {
      const said = async (): Promise<string> => (await empty.here(['memory', 'ls'])).stderr
      expect(await said()).toBe('No memories.\n')
      mkdirSync(dirname(empty.store), { recursive: true })
      const told: string[] = []
      const open = () =>
        openSkein({
          store: `sqlite:${empty.store}`,
          worker: true,
          memory: { commit: 'manual' },
          onNotice: ({ code, session }) => void told.push(`${code} ${session}`),
        })
      {
        await using skein = await open()
        const session = await skein.sessions.create()
        await session.append([{ role: 'user', content: 'My name is Ada. I live in Rome.' }])
        expect(await said()).toMatch(/^No memories\.\nNot wholly learnt from: 1 session\. .*skein memory extract/)
        await skein.memory.extract(session.id)
        await skein.jobs.idle({ kind: 'memory.extract' })
        expect(told).toEqual([`memory.owner_unknown ${session.id}`])
      }
      expect(await said()).toMatch(/^No memories\.\nLearnt for nobody: 2 things .*skein run --user NAME/)
      const { stderr } = await empty.here(['run', 'My name is Ada.', '--user', 'ada', '--print'])
      const [id = ''] = /ses_\w+/.exec(stderr) ?? []
      const shown = JSON.parse((await empty.here(['sessions', 'show', id, '--json'])).stdout) as Record<string, unknown>
      expect(shown).toMatchObject({ user: 'ada' })
      const chat = await empty.skein(['chat', '--user', 'ben'], { input: 'hello' })
      const listed = (await empty.here(['sessions', 'ls', '--user', 'ben', '--json'])).stdout
      expect(listed).toContain(/ses_\w+/.exec(chat.stderr)?.[0] ?? 'none')
    } finally {
      await empty.remove()
    }
  })

  it('is listed, found, and told with its history, ranges and what is pending', async () => {
    expect((await skein('ls', 'ada')).stdout).toMatch(/ada +profile.*Ada/)
    expect((await parsed('ls', 'ada', '--category', 'profile')).items).toMatchObject([{ content: 'Ada' }])
    expect((await skein('search', 'tea', '--owner', 'ada')).stdout).toMatch(/green tea.*fts 1, ngram 1/)
    const [name] = (await parsed('ls', 'ada', '--category', 'profile')).items
    expect((await skein('history', String(name?.['uri']))).stdout).toMatch(/^1 .*seen 1 +Ada\n$/)
    expect((await skein('history', 'mem_nothing')).code).toBe(7)
    expect((await skein('ranges', '--session', 'tea time')).stdout).toContain(' 2/2')
    expect((await parsed('pending')).items).toMatchObject([{ session: id }])
  })

  it('is extracted, rewound, undone and, only when that is confirmed, erased', async () => {
    expect((await skein('extract', 'tea time')).code).toBe(0)
    expect((await parsed('ranges', '--session', id)).items).toHaveLength(2)
    expect(JSON.parse((await skein('rewind', id, '999', '--json')).stdout)).toBe(false)
    expect(JSON.parse((await skein('rewind', id, '1', '--json')).stdout)).toBe(true)
    const [name] = (await parsed('ls', 'ada', '--category', 'profile')).items
    expect((await skein('undo', String(name?.['id']))).stdout).toContain('retired')
    expect((await parsed('ls', 'ada', '--category', 'profile')).items).toEqual([])
    expect((await skein('erase', '--user', 'ada')).code).toBe(2)
    expect((await skein('erase', '--user', 'ada', '--session', id, '--yes')).code).toBe(2)
    expect((await parsed('ls', 'ada')).items).not.toEqual([])
    const erased = JSON.parse((await skein('erase', '--user', 'ada', '--yes', '--json')).stdout) as Record<string, unknown>
    expect(erased).toMatchObject({ of: 'erase', state: 'done', sessions: 1, forks: [] })
    expect((await parsed('ls', 'ada')).items).toEqual([])
  })
})
