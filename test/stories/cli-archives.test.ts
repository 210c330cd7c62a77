import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openSkein } from '#skein'
import { type Ended, makePlace, type Place } from './command-line.ts'

let place: Place
let id = ''
let first = ''
beforeAll(async () => {
  place = makePlace()
  mkdirSync(dirname(place.store), { recursive: true })
  await using skein = await openSkein({ store: `sqlite:${place.store}`, worker: false })
  const session = await skein.sessions.create({ title: 'long talk' })
  const { entries } = await session.append(
    ['one', 'two', 'three', 'four'].map((content, n) => ({ role: n % 2 === 0 ? 'user' : 'assistant', content })),
  )
  id = session.id
  first = entries[1]?.id ?? ''
})
afterAll(() => place.remove())

const skein = (...args: string[]): Promise<Ended> => place.here(args)

describe('a session at the command line', () => {
  it('is committed, with or without waiting, and its archives are listed', async () => {
    const sealed = await skein('commit', id, '--through', first, '--no-extract')
    expect(sealed).toMatchObject({ code: 0, stdout: expect.stringMatching(/^sealed: arc_\w+, 2 messages, \d+ to \d+ tokens\n$/) })
    const ready = await skein('commit', 'long talk', '--wait')
    expect(ready).toMatchObject({ code: 0, stdout: expect.stringMatching(/^ready: arc_\w+, 2 messages/) })
    expect((await skein('commit', id)).stdout).toBe('nothing is live\n')
    const { stdout } = await skein('archives', id)
    expect(stdout.trimEnd().split('\n')).toHaveLength(2)
    expect(stdout).toContain('three... → four')
    const { items } = JSON.parse((await skein('archives', id, '--limit', '1', '--json')).stdout) as { items: { id: string }[] }
    expect((await skein('expand', id, items[0]?.id ?? '')).stdout).toContain('three')
    expect((await skein('commit', id, '--through', 'ent_01HF7YAT00AAAAAAAAAAAAAAAA')).code).toBe(7)
    expect((await skein('close', id, '--commit')).stdout).toBe('nothing is live\n')
    expect((await skein('close', id)).stdout).toBe('closed\n')
  })
})
