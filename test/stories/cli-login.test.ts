import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import { main, processIo } from '#cli'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { makePlace, type Place } from './command-line.ts'

let place: Place
let file: string
beforeEach(() => {
  place = makePlace()
  file = join(place.home, '.config/skein/credentials.json')
})
afterEach(() => place.remove())

const key = 'sk-ant-very-secret-1'
const stored = (): unknown => JSON.parse(readFileSync(file, 'utf8'))

describe('skein login', () => {
  verifies('P12, P13', 'keeps a key from stdin for its owner alone and says nothing of it; logout forgets it', async () => {
    const told = [await place.here(['login', 'Anthropic'], { input: `${key}\n` })]
    expect(told[0]).toMatchObject({ code: 0, stdout: '', stderr: expect.stringContaining(file) })
    expect(stored()).toEqual({ anthropic: { apiKey: key } })
    expect(statSync(file).mode & 0o777).toBe(0o600)
    told.push(await place.here(['models', 'check', 'sonnet']), await place.here(['doctor']), await place.here(['config']))
    expect(told[1]).toMatchObject({ code: 0, stdout: expect.stringContaining('ready (apiKey)') })
    expect(told[2]).toMatchObject({ code: 0, stdout: expect.stringContaining('anthropic (stored)') })
    told.push(await place.here(['logout', 'anthropic']))
    expect(stored()).toEqual({})
    told.push(await place.here(['models', 'check', 'sonnet']), await place.here(['logout', 'anthropic', '--json']))
    expect(told[6]).toMatchObject({ code: 0, stdout: '{"provider":"anthropic","removed":false}\n' })
    expect(told[5]).toMatchObject({ code: 6, stdout: expect.stringContaining('Auth failed for anthropic') })
    expect(JSON.stringify(told)).not.toContain(key)
  })

  it('asks at a terminal and shows nothing of what is typed', async () => {
    const shown: string[] = []
    const sink = (isTTY: boolean): Writable & { isTTY: boolean } =>
      Object.assign(new Writable({ write: (piece, _encoding, done) => (shown.push(String(piece)), done()) }), { isTTY })
    const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined })
    const io = { ...processIo(), stdin, stdout: sink(true), stderr: sink(true), cwd: place.cwd, env: { HOME: place.home } }
    const asked = main(['login', 'groq'], { ...io, onSignal: () => () => undefined })
    await expect.poll(() => shown.join('')).toContain('Key for groq: ')
    stdin.write(`${key}\r`)
    expect(await asked).toBe(0)
    expect(stored()).toEqual({ groq: { apiKey: key } })
    expect(shown.join('')).not.toContain(key)
  })

  it('refuses an unknown provider, no key, what is no key, a provider that takes none, and a server', async () => {
    const refused = async (args: readonly string[], input: string): Promise<string> => {
      const { code, stderr } = await place.here(args, { input })
      expect(code).toBe(2)
      return stderr
    }
    expect(await refused(['login', 'antropic'], key)).toContain('Known are anthropic,')
    expect(await refused(['login', 'groq'], ' \n')).toContain('no key')
    expect(await refused(['login', 'groq'], `${key} ${key}`)).toContain('one word')
    expect(await refused(['login', 'openai-codex'], key)).toContain('takes a login, no key')
    expect(await refused(['login', 'groq', '--url', 'http://127.0.0.1:1'], key)).toContain('--url')
    expect(() => stored()).toThrow('ENOENT')
  })

  it('says when the environment has one, too', async () => {
    const { stderr } = await place.here(['logout', 'groq'], { env: { GROQ_API_KEY: 'from-env' } })
    expect(stderr).toContain('GROQ_API_KEY')
    expect(stderr).not.toContain('from-env')
  })

  it("the file is SKEIN_CREDENTIALS, or what the user's file says, from its own folder", async () => {
    await place.here(['login', 'groq'], { input: key, env: { SKEIN_CREDENTIALS: 'mine.json' } })
    expect(JSON.parse(readFileSync(join(place.cwd, 'mine.json'), 'utf8'))).toEqual({ groq: { apiKey: key } })
    mkdirSync(join(place.home, '.config/skein'), { recursive: true })
    writeFileSync(join(place.home, '.config/skein/config.toml'), 'credentials = "keys/c.json"\n')
    await place.here(['login', 'zai'], { input: key })
    expect(JSON.parse(readFileSync(join(place.home, '.config/skein/keys/c.json'), 'utf8'))).toEqual({ zai: { apiKey: key } })
  })

  verifies(
    'P14',
    'a damaged file is told, exits 1, and stays as it is; doctor finds it, and that others can read it',
    async () => {
      mkdirSync(join(place.home, '.config/skein'), { recursive: true })
      writeFileSync(file, '{"groq":', { mode: 0o644 })
      expect(await place.here(['login', 'groq'], { input: key })).toMatchObject({
        code: 1,
        stderr: expect.stringContaining(file),
      })
      const doctor = await place.here(['doctor', '--json'])
      expect(doctor.code).toBe(1)
      const { findings } = JSON.parse(doctor.stdout) as { findings: { kind: string }[] }
      expect(findings.map(({ kind }) => kind).sort()).toEqual(['auth.store_corrupt', 'mode'])
      expect(readFileSync(file, 'utf8')).toBe('{"groq":')
    },
  )
})
