import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openSkein } from '#skein'
import { longSession } from '../laws/long-session.ts'
import { type Ended, makePlace, type Place } from './command-line.ts'

let place: Place
let id = ''
let [summary, first] = ['', '']
beforeAll(async () => {
  place = makePlace()
  mkdirSync(dirname(place.store), { recursive: true })
  await using skein = await openSkein({ store: `sqlite:${place.store}`, worker: false })
  const session = await longSession(skein, 20)
  id = session.id
  const shown = (await session.summaries()).find(one => one.shown)
  summary = shown?.id ?? ''
  first = shown?.covers.first ?? ''
})
afterAll(() => place.remove())

const skein = (...args: string[]): Promise<Ended> => place.here(args)

describe('a session that was compacted', () => {
  it('says how an entry is shown, reads it back, and finds it', async () => {
    expect((await skein('explain', id, first)).stdout).toMatch(/^summary via sum_\w+.* since cmp_\w+ \d+ tokens\n$/)
    const { stdout, stderr } = await skein('expand', id, summary, '--limit', '2')
    expect(stdout.split('\n')[0]).toContain(first)
    expect(stderr).toContain('More: --offset 2 --unit lines')
    expect((await skein('expand', id, `${first}#0`)).stdout).toContain('userfact0q')
    expect((await skein('search', id, 'userfact3q', '--limit', '1')).stdout).toContain('userfact3q')
    expect((await skein('search', id, 'walrus')).stderr).toContain('Nothing found.')
    expect((await skein('expand', id, 'sum_01HF7YAT00AAAAAAAAAAAAAAAA')).code).toBe(7)
  })

  it('is audited, listed by turns and places, and compacted further', async () => {
    expect(await skein('audit', id)).toMatchObject({ code: 0, stdout: expect.stringContaining('80 entries') })
    expect((await skein('turns', id)).stdout.trimEnd().split('\n')).toHaveLength(20)
    expect((await skein('context', id, '--explain')).stdout).toContain(summary)
    const dry = await skein('compact', id, '--dry-run', '--target', '500')
    expect(dry).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\w+: \d+ to \d+ tokens/) })
    expect((await skein('compact', id, '--target', '500')).code).toBe(0)
    expect(await skein('audit', id)).toMatchObject({ code: 0, stdout: expect.stringContaining('nothing is lost') })
    expect((await skein('doctor', '--deep')).stdout).toContain('nothing is wrong')
  })
})
