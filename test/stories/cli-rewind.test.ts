import { readFileSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makePlace, type Place } from './command-line.ts'

let place: Place
beforeAll(() => {
  place = makePlace()
})
afterAll(() => place.remove())

const call = (tool: string, input: object): string => `/call ${tool} ${JSON.stringify(input)}`

describe('the file tools of the command line', () => {
  it('work in the folder where it runs, and what they wrote is shown and taken back', async () => {
    const file = join(place.cwd, 'a.txt')
    writeFileSync(file, 'before')
    const { code, stderr } = await place.skein(['run', call('write', { path: 'a.txt', content: 'after' })])
    expect([code, readFileSync(file, 'utf8')]).toEqual([0, 'after'])
    const id = /session (ses_\w+)/.exec(stderr)?.[1] ?? ''
    await place.skein(['run', '--session', id, call('write', { path: 'b.txt', content: 'new' })])
    expect((await place.skein(['run', '--session', id, call('read', { path: '../x' })])).stdout).toContain(
      'outside of the working folder',
    )

    const turns = JSON.parse((await place.skein(['turns', id, '--json'])).stdout) as { items: { turn: string }[] }
    const to = turns.items[0]?.turn ?? ''
    const shown = await place.skein(['rewind', id, '--to', to])
    expect(shown.stdout).toMatch(/restore\s+a\.txt\s+changed/)
    expect(shown.stdout).toMatch(/remove\s+b\.txt\s+created/)
    expect(readFileSync(file, 'utf8')).toBe('after')
    expect((await place.skein(['rewind', id, '--to', to, '--apply'])).code).toBe(0)
    expect([readFileSync(file, 'utf8'), existsSync(join(place.cwd, 'b.txt'))]).toEqual(['before', false])
    expect((await place.skein(['rewind', id, '--to', 'nowhere'])).code).toBe(7)
  })
})
