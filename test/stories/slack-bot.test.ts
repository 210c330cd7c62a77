import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { verifies } from '#verifies'
import { afterEach, describe, expect, it } from 'vitest'
import {
  openSlack,
  openTelegram,
  type Sent,
  slackBot,
  slackEvent,
  slackSecret,
  slackSigned,
  telegramUpdate,
} from '../laws/chat-platforms.ts'
import { type Going, makePlace, type Place } from './command-line.ts'

const closers: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

function place(config: string): Place {
  const made = makePlace()
  closers.push(() => made.remove())
  const folder = join(made.home, '.config/skein')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'config.toml'), config)
  return made
}

const platforms = `[gateway.platforms.slack]
allow = ["U1", "U2"]
`

async function start(at: Place, env: Record<string, string>): Promise<{ going: Going; url: string }> {
  const going = at.start(['gateway', 'run', '--port', '0', '--json', '--model', 'demo/echo'], { env })
  const [, url = ''] = await going.sees(/"url":\s*"([^"]+)"/)
  return { going, url }
}

const post = async (url: string, { body, headers }: Sent): Promise<number> => {
  const response = await fetch(`${url}/v1/gateway/hooks/slack`, { method: 'POST', headers, body })
  await response.text()
  return response.status
}

describe('a bot for Slack, from a page of configuration', () => {
  verifies(
    'G81 G82',
    'answers in its thread, and goes on there after its process was killed; what comes again is no news',
    async () => {
      const api = await openSlack()
      closers.push(() => api.close())
      const env = { SLACK_BOT_TOKEN: 'xoxb-1', SLACK_SIGNING_SECRET: slackSecret, SLACK_API_URL: `${api.url}/` }
      const at = place(platforms)
      const answers = (): (readonly unknown[])[] =>
        api
          .of('chat.postMessage')
          .map(({ args }) => [args['channel'], args['thread_ts'], args['markdown_text'] ?? args['text'], args['token']])
      let { going, url } = await start(at, env)
      const asked = slackEvent({ channel: 'C1', channel_type: 'channel', text: `<@${slackBot}> Good morning`, ts: '2.5' })
      expect(await post(url, slackSigned(asked, {}, Date.now(), 'another secret'))).toBe(401)
      expect(await post(url, slackSigned(asked))).toBe(200)
      const first = ['C1', '2.5', expect.stringContaining('Good morning'), 'xoxb-1']
      await expect.poll(answers).toEqual([first])
      const state = async (): Promise<string> => (await at.skein(['gateway', 'outbox', '--json', '--url', url], { env })).stdout
      await expect.poll(state).toContain('"delivered"')
      going.process.kill('SIGKILL')
      await going.ended

      ;({ going, url } = await start(at, env))
      expect(await post(url, slackSigned(asked, { 'x-slack-retry-num': '1', 'x-slack-retry-reason': 'http_timeout' }))).toBe(200)
      const more = { channel: 'C1', channel_type: 'channel', thread_ts: '2.5', user: 'U2' }
      expect(await post(url, slackSigned(slackEvent({ ...more, text: 'And now?' })))).toBe(200)
      await expect.poll(answers).toEqual([first, ['C1', '2.5', expect.stringContaining('And now?'), 'xoxb-1']])
      going.process.kill('SIGTERM')
      expect((await going.ended).code).toBe(0)
    },
  )

  it('says what is missing: tokens, or one of them', async () => {
    const at = place(platforms)
    const some = await at.skein(['gateway', 'run', '--port', '0'], {
      env: { SLACK_BOT_TOKEN: 'xoxb-1', SLACK_SIGNING_SECRET: ' ' },
    })
    expect([some.code, some.stderr]).toEqual([2, expect.stringContaining('set SLACK_SIGNING_SECRET')])
    expect(some.stderr).not.toContain('xoxb-1')
    const going = at.start(['gateway', 'run', '--port', '0', '--model', 'demo/echo'], {})
    await going.sees(/adapters\s+none/)
    going.process.kill('SIGTERM')
    expect((await going.ended).stderr).toContain('SLACK_BOT_TOKEN and SLACK_SIGNING_SECRET are not set')
  })

  it('refuses what it does not know of an adapter', async () => {
    const at = place(`${platforms}[gateway.adapters.slack]\nreplies = "nowhere"\nsmoke = 1\n`)
    const { code, stderr } = await at.skein(['gateway', 'run', '--port', '0'])
    expect(code).toBe(2)
    for (const told of ['adapters.slack.replies: Expected thread or channel', 'adapters.slack.smoke: Unknown'])
      expect(stderr).toContain(told)
  })
})

describe('a bot for Telegram without an address of its own', () => {
  verifies('G82', 'asks for its messages and answers them', async () => {
    const api = await openTelegram()
    closers.push(() => api.close())
    const waiting = [{ ...(JSON.parse(telegramUpdate({ text: 'Good morning' })) as object), update_id: 7 }]
    api.before = async ({ path, args }) => {
      if (!path.endsWith('/getUpdates')) return undefined
      const result = waiting.filter(({ update_id }) => update_id >= Number(args['offset'] ?? 0))
      if (result.length === 0) await new Promise(resolve => setTimeout(resolve, 50))
      return { body: { ok: true, result } }
    }
    const at = place('[gateway.platforms.telegram]\nallow = ["42"]\n')
    const { going } = await start(at, { TELEGRAM_BOT_TOKEN: '123:token', TELEGRAM_API_BASE_URL: api.url })
    await expect
      .poll(() => api.of('/sendMessage').map(({ args }) => [args['chat_id'], args['text']]))
      .toEqual([['42', expect.stringContaining('Good morning')]])
    going.process.kill('SIGTERM')
    expect((await going.ended).code).toBe(0)
  })
})
