import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { type Going, makePlace, type Place, shell } from './command-line.ts'
import { type SilentModel, startSilentModel } from './silent-model.ts'

let place: Place
let server: Going
let url = ''
let silent: SilentModel

beforeAll(async () => {
  place = makePlace()
  silent = await startSilentModel('Wait for it')
  server = place.start(['serve', '--port', '0'], { env: silent.env })
  url = (await server.sees(/Skein listens on (\S+)/))[1] ?? ''
})
afterAll(async () => {
  await place.remove()
  await silent.close()
})

const body = async (path: string, init?: RequestInit): Promise<string> => await (await fetch(`${url}${path}`, init)).text()

async function output(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await place.here(args)
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}: ${stderr}`)
  return stdout
}

async function newSession(text: string): Promise<string> {
  await output(['run', text, '--url', url])
  return (JSON.parse(await body('/v1/sessions?limit=1')) as { items: { id: string }[] }).items[0]?.id ?? ''
}

describe('serving', () => {
  verifies('H19', 'without credentials it is ready, says so, and that its model is a demo', async () => {
    expect((await fetch(`${url}/ready`)).status).toBe(200)
    const other = place.start(['serve', '--port', '0'])
    const [line] = await other.sees(/curl .*/)
    other.process.kill('SIGTERM')
    const { code, stderr, stdout: said } = await other.ended
    expect([code, line.startsWith('curl -s http://127.0.0.1:')]).toEqual([0, true])
    expect(stderr).toContain('demo model: no language model is connected\n')
    expect(said).toContain(`store  sqlite:${place.store}\n`)
    expect(said).toContain('model  demo/echo\n')
  })

  it('gives a next step that works as it stands', async () => {
    const [line] = await server.sees(/curl .*/)
    const { stdout } = await shell(place, line)
    expect(JSON.parse(stdout)).toMatchObject({ title: 'Hello', state: 'active' })
  })

  it.each([
    ['SIGINT', 0],
    ['SIGTERM', 0],
  ] as const)('ends with 0 on %s', async (signal, expected) => {
    const other = place.start(['serve', '--port', '0'])
    await other.sees(/curl/)
    other.process.kill(signal)
    expect((await other.ended).code).toBe(expected)
  })

  verifies('H8', 'anywhere but loopback without tokens it exits 2 before it listens', async () => {
    const { code, stdout, stderr } = await place.skein([
      'serve',
      '--host',
      '0.0.0.0',
      '--port',
      '0',
      '--store',
      'sqlite:empty.db',
    ])
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain('skein token new')
  })

  it('of a port that is taken exits 2', async () => {
    const { code, stderr } = await place.skein(['serve', '--port', new URL(url).port])
    expect(code).toBe(2)
    expect(stderr).toContain('Choose another port')
  })
})

describe('the same verb', () => {
  verifies('H14', 'prints what HTTP answers, on the store and over --url', async () => {
    const id = await newSession('the same needle everywhere')
    const entry = (JSON.parse(await body(`/v1/sessions/${id}/tree`)) as { id: string }).id
    const reads: [string[], string][] = [
      [['sessions', 'ls'], '/v1/sessions'],
      [
        ['sessions', 'ls', '--limit', '1', '--sort', 'title', '--query', 'needle'],
        '/v1/sessions?limit=1&sort=title&query=needle',
      ],
      [['sessions', 'show', id], `/v1/sessions/${id}`],
      [['sessions', 'tree', id], `/v1/sessions/${id}/tree`],
      [['sessions', 'search', 'needle', 'everywhere'], '/v1/sessions/search?query=needle+everywhere'],
      [['context', id], `/v1/sessions/${id}/context`],
      [['context', id, '--format', 'anthropic'], `/v1/sessions/${id}/context?format=anthropic`],
      [['context', id, '--explain'], `/v1/sessions/${id}/context?explain=true`],
      [['turns', id], `/v1/sessions/${id}/turns`],
      [['expand', id, entry, '--limit', '1'], `/v1/sessions/${id}/expand/${entry}?limit=1`],
      [['explain', id, `${entry}`], `/v1/sessions/${id}/explain/${entry}`],
      [['search', id, 'needle', '--literal'], `/v1/sessions/${id}/recall?query=needle&mode=literal`],
      [['audit', id], `/v1/sessions/${id}/audit`],
      [['usage', id], `/v1/sessions/${id}/usage`],
      [['usage', id, '--by', 'turn'], `/v1/sessions/${id}/usage?by=turn`],
      [['models'], '/v1/models'],
      [['models', 'check', 'demo/echo'], '/v1/models/check?ref=demo/echo'],
      [['version'], '/v1/version'],
      [['sessions', 'label', id, entry, 'here'], `/v1/sessions/${id}/label`],
      [['sessions', 'rename', id, 'Named'], `/v1/sessions/${id}`],
    ]
    for (const [args, path] of reads) {
      const [local, remote] = [await output([...args, '--json']), await output([...args, '--json', '--url', url])]
      const posted = {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ entryId: entry, text: 'here' }),
      }
      const told = await body(path, path.endsWith('/label') ? posted : {})
      expect([args, steady(local)]).toEqual([args, `${steady(told)}\n`])
      expect([args, steady(remote)]).toEqual([args, `${steady(told)}\n`])
    }
  })

  verifies('H14', 'streams as JSON Lines what the event stream says', async () => {
    const lines = (await output(['run', 'line by line', '--json', '--url', url])).trimEnd().split('\n')
    const { entry } = JSON.parse(lines[0] ?? '') as { entry: { session: string; seq: number } }
    const watched = new AbortController()
    const response = await fetch(`${url}/v1/sessions/${entry.session}/events?after=${entry.seq - 1}`, { signal: watched.signal })
    let text = ''
    for await (const piece of response.body ?? []) {
      text += Buffer.from(piece).toString()
      if (text.includes('event: run_ended\n') && text.endsWith('\n\n')) break
    }
    watched.abort()
    const told = [...text.matchAll(/^data: (.*)$/gm)].map(match => match[1] ?? '')
    const durable = (all: readonly string[]): string[] => all.filter(line => 'entry' in (JSON.parse(line) as object))
    expect(durable(lines).length).toBeGreaterThan(5)
    expect(durable(lines)).toEqual(durable(told))
  })

  verifies('H14', 'fails with the body that HTTP answers, on stderr alone', async () => {
    const unknown = 'ses_01HF7YAT00AAAAAAAAAAAAAAAA'
    const told = await body(`/v1/sessions/${unknown}`)
    for (const more of [[], ['--url', url]]) {
      const { code, stdout, stderr } = await place.here(['sessions', 'show', unknown, '--json', ...more])
      expect([code, stdout, withoutRequest(stderr)]).toEqual([7, '', `${withoutRequest(told)}\n`])
    }
  })

  it('carries a session over --url, both ways', async () => {
    const id = await newSession('to travel')
    const bundle = await output(['sessions', 'export', id, '--url', url])
    expect(bundle).toBe(await output(['sessions', 'export', id]))
    const { code, stdout } = await place.here(['sessions', 'import', '-', '--as-new', '--url', url], { input: bundle })
    expect([code, stdout.trim() === id]).toEqual([0, false])
    expect(JSON.parse(await body(`/v1/sessions/${stdout.trim()}`))).toMatchObject({ messages: 2 })
  })
})

describe('a run that takes long', () => {
  it('is cancelled by Ctrl-C, keeps what came, and exits 130', async () => {
    const going = place.start(['run', 'hello', '--model', silent.model], { env: silent.env })
    await going.sees(/Wait for it/)
    going.process.kill('SIGINT')
    const { code, stdout, stderr } = await going.ended
    expect([code, stdout]).toEqual([130, 'Wait for it\n'])
    const id = /session (ses_\w+)/.exec(stderr)?.[1] ?? ''
    expect(await output(['sessions', 'show', id])).toContain('Wait for it')
    expect(JSON.parse(await output(['sessions', 'show', id, '--json']))).toMatchObject({ running: null, messages: 2 })
  })

  it('is cancelled from elsewhere over --url', async () => {
    const going = place.start(['run', 'hello', '--model', silent.model, '--url', url])
    await going.sees(/Wait for it/)
    const [session] = (JSON.parse(await body('/v1/sessions?limit=1')) as { items: { id: string; running: unknown }[] }).items
    expect(session?.running).not.toBeNull()
    expect(await output(['cancel', session?.id ?? '', '--url', url, '--json'])).toBe('{"cancelled":true}\n')
    expect((await going.ended).code).toBe(130)
  })

  verifies('A19', 'is cancelled from elsewhere on the same store, without a server', async () => {
    const going = place.start(['run', 'hello', '--model', silent.model], { env: silent.env })
    await going.sees(/Wait for it/)
    const [session] = (JSON.parse(await output(['sessions', 'ls', '--json'])) as { items: { id: string; running: unknown }[] })
      .items
    expect(session?.running).not.toBeNull()
    expect(await output(['cancel', session?.id ?? '', '--json'])).toBe('{"cancelled":true}\n')
    expect((await going.ended).code).toBe(130)
    expect(await output(['abort', session?.id ?? '', '--json'])).toBe('{"cancelled":false}\n')
  })

  it('is watched from elsewhere', async () => {
    const id = await newSession('first')
    const watching = place.start(['watch', id, '--url', url, '--types', 'message_added', '--json'])
    await watching.sees(/You said: first/)
    await output(['run', 'second', '--session', id, '--url', url])
    await watching.sees(/You said: second/)
    watching.process.kill('SIGINT')
    expect((await watching.ended).code).toBe(130)
  })
})

describe('tokens', () => {
  verifies('H23', 'a token is shown once, opens its tenant alone, and stands nowhere else', async () => {
    const guarded = makePlace()
    try {
      const key = 'sk-ant-very-secret-key'
      const { stdout, code } = await guarded.skein(['token', 'new', 'ci', '--tenant', 'acme', '--scope', 'read,write'])
      const token = stdout.trim()
      expect([code, /^skn_[\w-]{43}$/.test(token)]).toEqual([0, true])
      const env = { ANTHROPIC_API_KEY: key, SKEIN_TOKEN: token }
      const serving = guarded.start(['serve', '--port', '0'], { env })
      const at = (await serving.sees(/Skein listens on (\S+)/))[1] ?? ''
      const refused = await guarded.skein(['sessions', 'ls', '--url', at])
      expect(refused.code).toBe(6)
      const made = await guarded.skein(['run', 'hi', '--model', 'demo/echo', '--url', at], { env })
      expect([made.code, made.stdout]).toEqual([0, 'You said: hi\n'])
      const erased = await guarded.skein(['sessions', 'rm', 'nobody', '--erase', '--yes', '--url', at], { env })
      expect(erased.code).toBe(7)
      const [own, others] = [
        await guarded.skein(['sessions', 'ls', '--json', '--tenant', 'acme']),
        await guarded.skein(['sessions', 'ls', '--json']),
      ]
      expect([own, others].map(({ stdout: listed }) => (JSON.parse(listed) as { items: unknown[] }).items.length)).toEqual([1, 0])
      const doctor = await guarded.skein(['doctor'], { env })
      const config = await guarded.skein(['config', '--json'], { env })
      const id = (JSON.parse(own.stdout) as { items: { id: string }[] }).items[0]?.id ?? ''
      const bundle = await guarded.skein(['sessions', 'export', id, '--tenant', 'acme'], { env })
      expect(bundle.stdout).toContain('You said: hi')
      serving.process.kill('SIGTERM')
      const served = await serving.ended
      expect(served.code).toBe(0)
      for (const { stdout: said, stderr } of [refused, made, erased, doctor, config, bundle, served]) {
        for (const secret of [token, key]) expect(`${said}${stderr}`).not.toContain(secret)
      }
      expect(doctor.stdout).toContain('anthropic (environment)')
    } finally {
      await guarded.remove()
    }
  })

  it('are listed without what opens, and get nobody in once they are removed', async () => {
    const guarded = makePlace()
    try {
      const made = await guarded.here(['token', 'new', 'ci'])
      expect(made.stderr).toContain('asks everybody for a token')
      const second = await guarded.here(['token', 'new', 'ci', '--scope', 'read'])
      expect(second.stderr).not.toContain('asks everybody')
      const [token, reading] = [made.stdout.trim(), second.stdout.trim()]
      const listed = await guarded.here(['token', 'ls'])
      expect(listed.stdout).toMatch(/^[0-9a-f]{12} {2}\S+ \S+Z {2}default {2}read,write {2}ci\n[0-9a-f]{12} .* read {8}ci\n$/)
      expect(listed.stdout).not.toContain(token)
      const several = await guarded.here(['token', 'rm', 'ci', '--yes'])
      expect([several.code, several.stderr.match(/^ {2}[0-9a-f]{12} /gm)?.length]).toEqual([2, 2])
      const digest = listed.stdout.slice(0, 12)
      expect((await guarded.here(['token', 'rm', digest])).code).toBe(2)
      const serving = guarded.start(['serve', '--port', '0'])
      const at = (await serving.sees(/Skein listens on (\S+)/))[1] ?? ''
      const status = async (bearer: string): Promise<number> =>
        (await fetch(`${at}/v1/sessions`, { headers: { authorization: `Bearer ${bearer}` } })).status
      expect([await status(token), await status(reading)]).toEqual([200, 200])
      expect((await guarded.skein(['token', 'rm', digest, '--yes'])).code).toBe(0)
      expect([await status(token), await status(reading)]).toEqual([401, 200])
      expect((await guarded.here(['token', 'rm', digest, '--yes'])).code).toBe(2)
      serving.process.kill('SIGTERM')
      await serving.ended
    } finally {
      await guarded.remove()
    }
  })

  it('come from the configuration, too, by reference', async () => {
    const guarded = makePlace()
    try {
      const file = join(guarded.home, '.config/skein/config.toml')
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, '[server]\nport = 0\n[tokens.ops]\nsecret = "env:OPS_TOKEN"\nscopes = ["admin"]\n')
      const serving = guarded.start(['serve'], { env: { OPS_TOKEN: 'skn_from_the_environment' } })
      const at = (await serving.sees(/Skein listens on (\S+)/))[1] ?? ''
      expect((await fetch(`${at}/v1/sessions`)).status).toBe(401)
      expect((await fetch(`${at}/v1/sessions`, { headers: { authorization: 'Bearer skn_from_the_environment' } })).status).toBe(
        200,
      )
    } finally {
      await guarded.remove()
    }
  })
})

/** Without what the clock says: a rename happens when it happens. */
const steady = (text: string): string => text.replaceAll(/"(updatedAt|lastAccessedAt|seq)":\d+/g, '"$1":0')
const withoutRequest = (text: string): string => text.replace(/"requestId":"[^"]*"/, '"requestId":""')
