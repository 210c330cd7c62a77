import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makePlace, type Place } from './command-line.ts'

let place: Place
let url = ''
beforeAll(async () => {
  place = makePlace()
  mkdirSync(join(place.home, 'serving'), { recursive: true })
  const server = place.start(['serve', '--port', '0', '--store', `sqlite:${join(place.home, 'serving', 'served.db')}`])
  url = (await server.sees(/Skein listens on (\S+)/))[1] ?? ''
})
afterAll(() => place.remove())

function makeFolder(): string {
  const folder = join(place.home, 'memories')
  const put = (path: string, content: string): void => {
    const file = join(folder, 'users', 'ada', 'sessions', 'tea', path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
  }
  put('history/a1/overview.md', 'Tea was spoken of.')
  put('history/a1/abstract.md', 'Tea.')
  put('history/a1/messages.json', JSON.stringify([{ id: 'm1', role: 'user', content: 'I like tea.' }]))
  put('history/a1/.meta.json', JSON.stringify({ created_at: '2026-01-01T00:00:00Z' }))
  put('history/a2/overview.md', 'Broken.')
  put('history/a2/messages.json', '{')
  return folder
}

describe('archives of another program at the command line', () => {
  it('are imported from their folder, here and by a server, and add nothing the second time', async () => {
    const folder = makeFolder()
    for (const where of [[], ['--url', url]]) {
      const importing = async (): Promise<Record<string, unknown>> => {
        const { stdout } = await place.here(['sessions', 'import', folder, '--format', 'og-memory', '--json', ...where])
        return JSON.parse(stdout) as Record<string, unknown>
      }
      const first = await importing()
      expect(first).toMatchObject({
        created: true,
        archives: 1,
        messages: 1,
        skipped: [{ reason: expect.any(String) as unknown }],
      })
      expect(first).not.toHaveProperty('session')
      const shown = JSON.parse((await place.here(['archives', 'tea', '--json', ...where])).stdout) as { items: unknown[] }
      expect(shown.items).toMatchObject([{ by: 'import', state: 'ready', overview: 'Tea was spoken of.' }])
      expect(await importing()).toMatchObject({ id: first['id'], created: false, archives: 0, messages: 0 })
      const told = await place.here(['sessions', 'import', folder, '--format', 'og-memory', ...where])
      expect(told.stdout).toBe(`${String(first['id'])}\n`)
      expect(told.stderr).toMatch(/Already here:.*\nSkipped .*a2/)
    }
  })

  it('are refused where no folder or no node is named, and a server reads none of its own', async () => {
    const code = async (...args: string[]): Promise<number | null> =>
      (await place.here(['sessions', 'import', ...args, '--format', 'og-memory'])).code
    expect(await code('-')).toBe(2)
    expect(await code(place.home, '--as-new')).toBe(2)
    expect(await code(join(place.home, 'nowhere'))).not.toBe(0)
    const post = async (body: string, query = ''): Promise<number> =>
      (
        await fetch(`${url}/v1/sessions/import?format=og-memory${query}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body,
        })
      ).status
    expect(await post(JSON.stringify(place.home))).toBe(400)
    expect(await post('{')).toBe(400)
    expect(await post('[]')).toBe(400)
    expect(await post('[]', '&as=new')).toBe(400)
  })
})
