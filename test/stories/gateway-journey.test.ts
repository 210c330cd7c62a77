import { createServer } from 'node:http'
import { mkdirSync, writeFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { hmacSha256 } from '#kernel'
import { verifies } from '#verifies'
import { afterEach, describe, expect, it } from 'vitest'
import { type Going, makePlace, type Place } from './command-line.ts'
import { DocumentedClient } from './http-client.ts'

const closers: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const secret = '0123456789abcdef'
const env = { SHOP_SECRET: secret }

function place(replyUrl: string): Place {
  const made = makePlace()
  closers.push(() => made.remove())
  const folder = join(made.home, '.config/skein')
  mkdirSync(folder, { recursive: true })
  writeFileSync(
    join(folder, 'config.toml'),
    `[gateway]
zone = "Europe/Berlin"
outputDir = "${join(made.home, 'output')}"
[gateway.platforms.slack]
allow = ["U1", "U2"]
[gateway.platforms.webhook]
allow = "all"
[gateway.adapters.webhook.shop]
secret = "env:SHOP_SECRET"
replyUrl = "${replyUrl}"
`,
  )
  return made
}

interface Reply {
  readonly key: string
  readonly text: string
  readonly chatId: string
}

/** Takes replies of the webhook; a signature that is wrong is an error. */
async function receiver(): Promise<{ readonly url: string; readonly replies: Reply[] }> {
  const replies: Reply[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (piece: string) => (body += piece))
    request.on('end', () => {
      const [, at, digest] = /^t=(\d+),v1=(\w+)$/.exec(String(request.headers['skein-signature'])) ?? []
      const isSigned = digest === hmacSha256(secret, `${at}.${body}`)
      if (isSigned) replies.push({ ...(JSON.parse(body) as Reply), key: String(request.headers['idempotency-key']) })
      response.writeHead(isSigned ? 200 : 401).end()
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/replies`, replies }
}

async function start(at: Place): Promise<{ going: Going; client: DocumentedClient }> {
  const going = at.start(['gateway', 'start', '--port', '0', '--json', '--model', 'demo/echo'], { env })
  const [, url = ''] = await going.sees(/"url":\s*"([^"]+)"/)
  return { going, client: await DocumentedClient.of(url) }
}

const slack = (scopeId: string, userId: string): object => ({
  platform: 'slack',
  chatId: 'C1',
  chatType: 'channel',
  scopeId,
  userId,
})

describe('a gateway over HTTP', () => {
  verifies('G10 G81', 'two people in two workspaces go on where they were after its process was killed', async () => {
    const { url, replies } = await receiver()
    const at = place(url)
    let { going, client } = await start(at)
    const say = async (source: object, text: string, eventId: string) =>
      await client.ask('POST', '/v1/gateway/handle', { body: { source, text, eventId } })
    const people = [slack('T1', 'U1'), slack('T1', 'U2'), slack('T2', 'U1'), slack('T2', 'U2')]
    for (const [n, source] of people.entries()) {
      const said = await say(source, `I am ${n}`, `first-${n}`)
      expect([said.status, (said.value as { status: string }).status]).toEqual([202, 'started'])
    }
    const routes = async (): Promise<Map<string, string>> => {
      const { items } = (await client.ask('GET', '/v1/gateway/routes')).value as { items: { key: string; sessionId: string }[] }
      return new Map(items.map(({ key, sessionId }) => [key, sessionId]))
    }
    const before = await routes()
    expect([...before.keys()].sort()).toEqual([
      'k1:main:slack:channel:s=T1:c=C1:u=U1',
      'k1:main:slack:channel:s=T1:c=C1:u=U2',
      'k1:main:slack:channel:s=T2:c=C1:u=U1',
      'k1:main:slack:channel:s=T2:c=C1:u=U2',
    ])
    expect(new Set(before.values()).size).toBe(4)
    const stranger = await say(slack('T1', 'U3'), 'let me in', 'stranger')
    expect([stranger.status, stranger.value]).toMatchObject([
      403,
      { error: { code: 'auth.denied', details: { receipt: { status: 'refused', reason: 'unauthorized' } } } },
    ])
    const schedule = (await client.ask('POST', '/v1/gateway/schedules', { body: { prompt: 'look', everyMs: 86_400_000 } })).value
    going.process.kill('SIGKILL')
    await going.ended

    ;({ going, client } = await start(at))
    expect(await routes()).toEqual(before)
    for (const [n, source] of people.entries()) {
      const again = await say(source, `I am ${n}`, `first-${n}`)
      expect([again.status, again.value]).toMatchObject([200, { duplicate: true }])
    }
    expect(((await client.ask('GET', '/v1/gateway/schedules')).value as { items: unknown[] }).items).toEqual([schedule])
    const states = async (): Promise<string[]> => {
      const { items } = (await client.ask('GET', '/v1/gateway/inbox')).value as { items: { state: string; source: object }[] }
      return items.map(({ state }) => state).sort()
    }
    await expect.poll(states).toEqual(['done', 'done', 'done', 'done', 'refused'])
    for (const [n, source] of people.entries()) await say(source, `Still ${n}?`, `second-${n}`)
    for (const [n, key] of [...before.keys()].sort().entries()) {
      const id = before.get(key) ?? ''
      const said = async (): Promise<string[]> => {
        const { items } = (await client.ask('GET', `/v1/sessions/${id}/messages`)).value as {
          items: { role: string; parts: { text: string }[] }[]
        }
        return items.filter(({ role }) => role === 'user').map(({ parts }) => parts[0]?.text ?? '')
      }
      await expect.poll(said).toEqual([`I am ${n}`, `Still ${n}?`])
    }

    const body = JSON.stringify({ text: 'order 7', chatId: 'customer', eventId: 'o7' })
    const seconds = Math.floor(Date.now() / 1_000)
    const headers = { 'skein-signature': `t=${seconds},v1=${hmacSha256(secret, `${seconds}.${body}`)}` }
    expect((await client.ask('POST', '/v1/gateway/hooks/shop', { raw: body, headers })).status).toBe(202)
    expect((await client.ask('POST', '/v1/gateway/hooks/shop', { raw: body, headers })).status).toBe(200)
    expect((await client.ask('POST', '/v1/gateway/hooks/shop', { raw: `${body} `, headers })).status).toBe(401)
    await expect.poll(() => replies.map(({ text, chatId }) => [text, chatId])).toEqual([['You said: order 7', 'customer']])

    const key = encodeURIComponent('k1:main:slack:channel:s=T1:c=C1:u=U1')
    const verbs = `/v1/gateway/routes/${key}`
    expect((await client.ask('GET', verbs)).value).toMatchObject({ generation: 1 })
    expect((await client.ask('POST', `${verbs}/reset`, { body: { title: 'Afresh' } })).value).toMatchObject({ generation: 2 })
    expect((await client.ask('POST', `${verbs}/suspend`)).value).toEqual({ changed: true })
    expect((await client.ask('POST', `${verbs}/mark-resume-pending`)).value).toEqual({ changed: false })
    expect((await client.ask('GET', '/v1/gateway/routes/k1:main:slack:dm:c=none')).status).toBe(404)
    expect((await client.ask('GET', '/v1/gateway/routes/nonsense')).status).toBe(400)
    for (const [path, asked] of [
      ['explain', { source: people[0] }],
      ['context', { source: people[0] }],
      ['prompt', { source: people[0] }],
      ['resolve', { source: people[0], touch: false }],
      ['recover', { maxAgeMs: 0 }],
      ['prune', { maxAgeDays: 0 }],
      ['identities/learn', { platform: 'whatsapp', a: '1@lid', b: '+49123' }],
    ] as const)
      expect([path, (await client.ask('POST', `/v1/gateway/${path}`, { body: asked })).status]).toEqual([path, 200])
    for (const path of ['outbox', 'pairings', 'has-any', 'check'])
      expect([path, (await client.ask('GET', `/v1/gateway/${path}`)).status]).toEqual([path, 200])
    expect(
      (await client.ask('POST', '/v1/gateway/explain', { body: { source: { platform: 'tele gram' } } })).value,
    ).toMatchObject({
      error: { code: 'source.invalid' },
    })
    going.process.kill('SIGTERM')
    expect((await going.ended).code).toBe(0)
  })
})

describe('the gateway at the command line', () => {
  it('delivers, schedules and looks at what is there, with a store and with a server', async () => {
    const at = place('http://127.0.0.1:9/nowhere')
    const here = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await at.here(['gateway', ...args], { env })
      expect([args, code, stderr]).toEqual([args, 0, ''])
      return stdout
    }
    expect(await here('deliver', 'local', 'to a file')).toMatch(/^out_\w+ +local\n$/)
    const output = join(at.home, 'output')
    const [file = ''] = await readdir(output)
    expect(await readFile(join(output, file), 'utf8')).toBe('to a file\n')
    expect(await here('explain', '{"platform":"slack","chatId":"C1","chatType":"channel","userId":"U1"}')).toContain(
      'k1:main:slack:channel:c=C1:u=U1',
    )
    const added = JSON.parse(await here('schedules', 'add', 'look around', '--cron', '0 9 * * 1', '--json')) as { id: string }
    expect(await here('schedules')).toContain(added.id)
    const { going, client } = await start(at)
    const say = { source: slack('T1', 'U1'), text: 'Hello' }
    expect((await client.ask('POST', '/v1/gateway/handle', { body: say })).status).toBe(202)
    const there = (...args: string[]): Promise<string> => here(...args, '--url', client.url)
    const key = 'k1:main:slack:channel:s=T1:c=C1:u=U1'
    expect(await there('routes')).toContain(key)
    expect(await there('inbox')).toContain('Hello')
    expect(JSON.parse(await there('reset', key, 'New', '--json'))).toMatchObject({ key, generation: 2 })
    expect(await there('schedules', 'disable', added.id)).toContain('false')
    expect(JSON.parse(await there('schedules', 'rm', added.id, '--json'))).toEqual({ removed: true })
    const unknown = await at.here(['gateway', 'route', 'k1:main:slack:dm:c=none', '--url', client.url], { env })
    expect([unknown.code, unknown.stdout]).toEqual([7, ''])
    going.process.kill('SIGTERM')
    expect((await going.ended).code).toBe(0)
    const doctor = await at.here(['doctor'], { env })
    expect([doctor.code, doctor.stdout]).toMatchObject([0, expect.stringContaining('nothing is wrong')])
  })

  it('refuses a configuration whole, and names each problem', async () => {
    const at = place('http://127.0.0.1:9/nowhere')
    const file = join(at.home, '.config/skein/config.toml')
    writeFileSync(
      file,
      '[gateway.adapters]\nsmoke = 1\n[gateway.adapters.webhook.shop]\nsecret = "plain text secret"\nother = 1\n',
    )
    const { code, stderr } = await at.here(['gateway', 'start'], { env })
    expect(code).toBe(2)
    for (const path of ['adapters.smoke', 'webhook.shop.secret', 'webhook.shop.other']) expect(stderr).toContain(path)
    expect(stderr).not.toContain('plain text secret')
    writeFileSync(file, '[gateway]\nqueueMax = -1\nunknown = 2\n')
    const other = await at.here(['gateway', 'routes'], { env })
    expect([other.code, other.stderr]).toEqual([2, expect.stringMatching(/queueMax[^]*unknown/)])
  })
})
