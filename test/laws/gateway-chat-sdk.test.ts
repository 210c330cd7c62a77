import { chatSdkAdapter } from '#gateway'
import { createSlackAdapter } from '@chat-adapter/slack'
import { adapterContract } from '#testing'
import { verifies } from '#verifies'
import { describe, expect, it } from 'vitest'
import { codeOf } from './agent-talk.ts'
import {
  hookRequest,
  type Sent,
  slackBot,
  slackEvent,
  slackSigned,
  telegramSecret,
  telegramSigned,
  telegramUpdate,
} from './chat-platforms.ts'
import { closers, logger, posted, room, slack, telegram } from './chat-room.ts'

const unescaped = (text: string): string => text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')

for (const format of ['markdown', 'plain'] as const)
  adapterContract(
    `G82 · slack by the Chat SDK, ${format}`,
    async () => {
      const { api, adapter } = await slack({ format })
      return {
        adapter,
        to: { platform: 'slack', chatId: 'D1', scopeId: 'T1' },
        emit: async text => void (await adapter.receive('slack', hookRequest(slackSigned(slackEvent({ text }))))),
        sent: () => (format === 'plain' ? posted({ api }).map(unescaped) : posted({ api })),
      }
    },
    { describe, it },
  )

adapterContract(
  'G82 · telegram by the Chat SDK',
  async () => {
    const { api, adapter } = await telegram({ format: 'plain' })
    return {
      adapter,
      to: { platform: 'telegram', chatId: '42' },
      emit: async text => void (await adapter.receive('telegram', hookRequest(telegramSigned(telegramUpdate({ text }))))),
      sent: () => api.of('/sendMessage').map(({ args }) => String(args['text'])),
    }
  },
  { describe, it },
)

describe('requests of a platform', () => {
  verifies('G81', 'that Slack did not sign, or long ago, or for another body are 401 and store nothing', async () => {
    const { post, rows, keys } = await room(await slack())
    const body = slackEvent()
    const now = Date.now()
    const unsigned: Sent = { body, headers: { 'content-type': 'application/json' } }
    for (const sent of [
      unsigned,
      slackSigned(body, {}, now, 'another secret'),
      slackSigned(body, {}, now - 400_000),
      slackSigned(body, {}, now + 400_000),
      { ...slackSigned(`${body} `), body },
      { ...slackSigned(body), headers: { ...slackSigned(body).headers, 'x-slack-signature': 'v0=' } },
      slackSigned(body, { 'x-slack-socket-token': 'guessed' }, now, 'another secret'),
    ]) {
      const { status, text } = await post(sent)
      expect([status, (JSON.parse(text) as { error: { code: string } }).error.code]).toEqual([401, 'auth.required'])
    }
    expect((await post(slackSigned('x'.repeat(1_048_577)))).status).toBe(413)
    expect((await post(slackSigned('no json'))).status).toBe(400)
    expect([await rows(), await keys()]).toEqual([[], []])
    expect((await post(slackSigned(body))).status).toBe(200)
    expect((await rows()).length).toBe(1)
  })

  verifies('G81', 'without the secret of Telegram are 401 and store nothing', async () => {
    const { post, rows } = await room(await telegram())
    const body = telegramUpdate()
    for (const secret of ['', 'wrong', `${telegramSecret} `.trimEnd().slice(1)])
      expect((await post(telegramSigned(body, secret))).status).toBe(401)
    expect((await post({ body, headers: { 'content-type': 'application/json' } })).status).toBe(401)
    expect(await rows()).toEqual([])
    expect((await post(telegramSigned(body))).status).toBe(200)
    expect((await rows()).length).toBe(1)
  })

  verifies('G82', 'that ask whether the hook is there are answered in the words of the platform', async () => {
    const { post, rows } = await room(await slack())
    const asked = JSON.stringify({ token: 't', type: 'url_verification', challenge: 'c-1' })
    expect(await post(slackSigned(asked))).toEqual({ status: 200, text: '{"challenge":"c-1"}' })
    expect((await post(slackSigned(asked, {}, Date.now(), 'another secret'))).status).toBe(401)
    expect(await rows()).toEqual([])
  })

  verifies('G54 G82', 'that come again, or are told twice, are one message', async () => {
    const { post, rows } = await room(await slack())
    const dm = slackEvent({ text: 'once' })
    for (const num of ['', '1', '2', '3'])
      expect((await post(slackSigned(dm, num === '' ? {} : { 'x-slack-retry-num': num }))).status).toBe(200)
    // A mention is told as a message and as a mention, with ids of their own and one only with its channel's type.
    const ts = '1795000009.000001'
    const mention = { channel: 'C1', text: `<@${slackBot}> twice`, ts, event_ts: ts }
    await Promise.all([
      post(slackSigned(slackEvent({ ...mention, channel_type: 'channel' }))),
      post(slackSigned(slackEvent({ ...mention, type: 'app_mention', channel_type: undefined }))),
    ])
    expect((await rows()).map(row => row.split(':')[0])).toEqual(['once', 'twice'])
  })

  for (const [platform, open, sent] of [
    ['slack', slack, (n: number, text: string) => slackSigned(text, n === 0 ? {} : { 'x-slack-retry-num': String(n) })],
    ['telegram', telegram, (_n: number, text: string) => telegramSigned(text)],
  ] as const)
    verifies(
      'G82',
      `of ${platform} whose message could not be stored are not confirmed, and taken when they come again`,
      async () => {
        const { adapter } = await open()
        const taken: string[] = []
        let isAway = true
        await adapter.start({
          receive: async ({ text }) => {
            if (isAway) throw new Error('The store is away.')
            taken.push(text)
            return { inboxId: 'inb_1', status: 'started' }
          },
        })
        closers.push(() => adapter.stop())
        const body = platform === 'slack' ? slackEvent({ text: 'kept' }) : telegramUpdate({ text: 'kept' })
        await expect(adapter.receive(platform, hookRequest(sent(0, body)))).rejects.toThrow('The store is away.')
        isAway = false
        expect((await adapter.receive(platform, hookRequest(sent(1, body)))).status).toBe(200)
        expect(taken).toEqual(['kept'])
      },
    )

  verifies('G55 G82', 'keep their order, a hundred at once, even where the first one has to look up who speaks', async () => {
    const bridge = await slack()
    let look = (): void => undefined
    const looked = new Promise<void>(resolve => (look = resolve))
    const { post, skein } = await room(bridge, { allowAll: true, busy: 'next', queueMax: 200 })
    const texts = Array.from({ length: 100 }, (_, n) => `m${n}`)
    // The name of who speaks first is asked for long.
    bridge.api.before = async ({ path, args }) =>
      path.endsWith('users.info') && args['user'] === 'U0' ? (await looked, undefined) : undefined
    const answered = Promise.all(
      texts.map((text, n) => post(slackSigned(slackEvent({ text, user: `U${n % 3}`, channel: `D${n % 2}` })))),
    )
    await expect.poll(() => bridge.api.calls.length).toBeGreaterThan(1)
    look()
    expect(new Set((await answered).map(({ status }) => status))).toEqual(new Set([200]))
    for (const chat of [0, 1]) {
      const { items } = await skein.gateway.inbox.list({ limit: 200 })
      const mine = items.filter(({ source }) => source.chatId === `D${chat}`).toSorted((a, b) => a.order - b.order)
      expect(mine.map(({ text }) => text)).toEqual(texts.filter((_, n) => n % 2 === chat))
    }
  })
})

describe('a bridge', () => {
  verifies('G82', 'stores without a name what is said while nobody tells the name', async () => {
    // Whoever waits has waited.
    const timers = { after: (_ms: number, run: () => void) => (setImmediate(run), () => undefined) }
    const { api, adapter } = await slack({ timers })
    const taken: unknown[] = []
    await adapter.start({
      receive: async ({ source, text }) => (
        taken.push([source.userId, source.userName, text]),
        { inboxId: 'inb_1', status: 'started' }
      ),
    })
    closers.push(() => adapter.stop())
    api.before = async ({ path }) => (path.endsWith('users.info') ? await new Promise<never>(() => undefined) : undefined)
    expect((await adapter.receive('slack', hookRequest(slackSigned(slackEvent({ text: 'hello' }))))).status).toBe(200)
    expect(taken).toEqual([['U1', undefined, 'hello']])
  })

  verifies('G76', 'that does not know who it is hears no bot, lest it hears itself', async () => {
    const bridge = await slack()
    bridge.api.before = ({ path }) => (path.endsWith('auth.test') ? { status: 500, body: { ok: false } } : undefined)
    const { post, rows } = await room(bridge, { platforms: { slack: { allow: 'all', allowBots: true } } })
    expect((await post(slackSigned(slackEvent({ text: 'of itself', user: slackBot, bot_id: 'BBOT' })))).status).toBe(200)
    expect((await post(slackSigned(slackEvent({ text: 'of a person' })))).status).toBe(200)
    expect((await rows()).map(row => row.split(':')[0])).toEqual(['of a person'])
  })

  verifies('G82', 'to several workspaces sends by the token of each', async () => {
    const { api, adapter } = await slack({ tokenOf: scopeId => `xoxb-${scopeId}` })
    await adapter.start({ receive: () => Promise.reject(new Error('Nothing comes.')) })
    closers.push(() => adapter.stop())
    const context = { id: 'out_1', attempt: 1, at: 1, signal: new AbortController().signal }
    for (const scopeId of ['T1', 'T2'])
      await adapter.send({ platform: 'slack', chatId: 'C1', scopeId }, { text: 'x', kind: 'notice' }, context)
    await adapter.send({ platform: 'slack', chatId: 'C1' }, { text: 'x', kind: 'notice' }, context)
    expect(api.of('chat.postMessage').map(({ args }) => args['token'])).toEqual(['xoxb-T1', 'xoxb-T2', 'xoxb-1'])
  })

  verifies('G83', 'to what is no adapter, or confirms too early, is refused', async () => {
    expect(() => chatSdkAdapter({ platform: 'slack', adapter: {} as never })).toThrow('adapter: ')
    const { adapter } = await slack()
    expect(() => chatSdkAdapter({ platform: 'Sl ack', adapter: adapter as never })).toThrow('platform: ')
    const socket = createSlackAdapter({ botToken: 'xoxb-1', mode: 'socket', appToken: 'xapp-1', logger })
    expect(() => chatSdkAdapter({ platform: 'slack', adapter: socket })).toThrow('before they are stored')
  })

  verifies('G82', 'edits and shows that it writes, where the platform can', async () => {
    const { api, adapter } = await slack()
    await adapter.start({ receive: () => Promise.reject(new Error('Nothing comes.')) })
    closers.push(() => adapter.stop())
    const to = { platform: 'slack', chatId: 'C1', threadId: '1.1' }
    await adapter.edit?.(to, '9.9', { text: '**new**', kind: 'answer' })
    await adapter.typing?.(to)
    expect(api.of('chat.update').map(({ args }) => [args['channel'], args['ts'], args['markdown_text']])).toEqual([
      ['C1', '9.9', '**new**'],
    ])
    expect(api.of('assistant.threads.setStatus').map(({ args }) => [args['channel_id'], args['thread_ts']])).toEqual([
      ['C1', '1.1'],
    ])
    expect(await codeOf(adapter.receive('slack', { body: '', signature: undefined }))).toBe('adapter.unavailable')
  })
})
