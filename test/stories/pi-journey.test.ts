import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makePlace, type Place } from './command-line.ts'

const real = fileURLToPath(new URL('../../../shared/data/pi/large-session.jsonl', import.meta.url))
const small = fileURLToPath(new URL('../fixtures/pi/v3.jsonl', import.meta.url))
const files = existsSync(real) ? [real, small] : [small]

interface Shown {
  readonly id: string
  readonly messages: number
  readonly turns: number
  readonly usage: { readonly requests: number }
}

/** The lines of a JSON Lines text, each with its members in one order. */
const linesOf = (text: string): unknown[] =>
  text
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as unknown)

describe.each(files)('a pi session from elsewhere (%#)', file => {
  let place: Place
  let id = ''
  const json = async <T>(...args: string[]): Promise<T> => {
    const { code, stdout, stderr } = await place.skein([...args, '--json'])
    expect(stderr.replace(/^.*demo model.*$/m, '').trim()).toBe('')
    expect(code).toBe(0)
    return JSON.parse(stdout) as T
  }

  beforeAll(() => {
    place = makePlace()
  })
  afterAll(() => place.remove())

  it('is imported whole, and is exported again line for line', async () => {
    const imported = await json<{ id: string; created: boolean; badLines: number }>('sessions', 'import', '--format', 'pi', file)
    expect(imported.created).toBe(true)
    id = imported.id
    const exported = await place.skein(['sessions', 'export', id, '--format', 'pi'])
    expect(exported.code).toBe(0)
    const parsed = (text: string): unknown[] =>
      text
        .trimEnd()
        .split('\n')
        .flatMap(line => {
          try {
            return [JSON.parse(line) as unknown]
          } catch {
            return [line]
          }
        })
    expect(parsed(exported.stdout)).toEqual(parsed(readFileSync(file, 'utf8')))
    expect(await json<{ id: string; created: boolean }>('sessions', 'import', '--format', 'pi', file)).toMatchObject({
      id,
      created: false,
    })
  })

  it('is listed, shown and found', async () => {
    const { items } = await json<{ items: Shown[] }>('sessions', 'ls')
    expect(items.map(item => item.id)).toEqual([id])
    const { messages } = await json<Shown>('sessions', 'show', id)
    expect(messages).toBeGreaterThan(3)
    const exported = await place.skein(['sessions', 'export', id, '--format', 'messages'])
    const said = JSON.parse(exported.stdout) as { role: string; content: unknown }[]
    const words = said.flatMap(({ role, content }) =>
      role === 'user' && typeof content === 'string' ? (content.match(/\b[a-z]{4,}\b/g) ?? []) : [],
    )
    const word = words.sort((one, other) => other.length - one.length)[0] ?? ''
    const { hits, behind } = await json<{ hits: { session: string }[]; behind?: unknown }>('sessions', 'search', word)
    expect(behind).toBeUndefined()
    expect(hits.length).toBeGreaterThan(0)
    expect(hits.every(hit => hit.session === id)).toBe(true)
  })

  it('goes on under a server, through a kill and a restart, to where it was', async () => {
    const before = (await json<{ items: Shown[] }>('sessions', 'ls')).items[0]
    const serve = async (): Promise<{ url: string; kill: () => Promise<unknown> }> => {
      const going = place.start(['serve', '--port', '0'], { open: true })
      const [, url = ''] = await going.sees(/(http:\/\/127\.0\.0\.1:\d+)/)
      return { url, kill: () => (going.process.kill('SIGKILL'), going.ended) }
    }
    const first = await serve()
    const send = async (url: string, input: string): Promise<number> =>
      (
        await fetch(`${url}/v1/sessions/${id}/inputs`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ input, model: 'demo/echo' }),
        })
      ).status
    expect(await send(first.url, 'before the kill')).toBe(202)
    await first.kill()

    const second = await serve()
    const last = async (): Promise<string> => {
      const { items } = (await (await fetch(`${second.url}/v1/sessions/${id}/messages?limit=3`)).json()) as {
        items: { parts: { text?: string }[] }[]
      }
      return items.map(message => message.parts[0]?.text).join(' | ')
    }
    expect(await last()).toContain('before the kill')
    // The new server carries on what the kill cut off; until that is over, the session is busy.
    await expect.poll(last).toContain('You said: before the kill')
    await expect.poll(() => send(second.url, 'after the kill')).toBe(202)
    await expect.poll(last).toContain('You said: after the kill')
    const after = (await (await fetch(`${second.url}/v1/sessions/${id}`)).json()) as Shown
    expect(after.turns).toBe((before?.turns ?? 0) + 2)
    await second.kill()

    const { code, stdout } = await place.skein(['doctor', '--deep', '--json'])
    expect([code, stdout]).toEqual([0, expect.stringContaining('"findings":[]')])
    expect(linesOf((await place.skein(['sessions', 'export', id, '--format', 'skein'])).stdout).length).toBeGreaterThan(5)
  })
})
