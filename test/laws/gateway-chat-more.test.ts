import { createDiscordAdapter } from '@chat-adapter/discord'
import { createWhatsAppAdapter } from '@chat-adapter/whatsapp'
import { chatSdkAdapter, type ChatSdkOptions } from '#gateway'
import { adapterContract } from '#testing'
import { verifies } from '#verifies'
import { describe, expect, it } from 'vitest'
import { hookRequest } from './chat-platforms.ts'
import {
  discordBot,
  discordEvent,
  discordForwarded,
  discordPublicKey,
  discordSigned,
  discordToken,
  openDiscord,
  openWhatsApp,
  whatsAppEvent,
  whatsAppNumber,
  whatsAppSecret,
  whatsAppSigned,
  whatsAppVerify,
} from './chat-platforms-more.ts'
import { type Bridge, closers, logger, room } from './chat-room.ts'
import { quiet } from './gateway-talk.ts'

async function whatsApp(more: Partial<ChatSdkOptions> = {}): Promise<Bridge> {
  const api = await openWhatsApp()
  closers.push(() => api.close())
  const adapter = createWhatsAppAdapter({
    accessToken: 'token',
    appSecret: whatsAppSecret,
    phoneNumberId: whatsAppNumber,
    verifyToken: whatsAppVerify,
    apiUrl: api.url,
    userName: 'skein',
    logger,
  })
  return { api, adapter: chatSdkAdapter({ platform: 'whatsapp', adapter, ...more }) }
}

async function discord(more: Partial<ChatSdkOptions> = {}): Promise<Bridge> {
  const api = await openDiscord()
  closers.push(() => api.close())
  const adapter = createDiscordAdapter({
    botToken: discordToken,
    publicKey: discordPublicKey,
    applicationId: discordBot,
    apiUrl: api.url,
    logger,
  })
  return { api, adapter: chatSdkAdapter({ platform: 'discord', adapter, socket: false, ...more }) }
}

adapterContract(
  'G82 · whatsapp by the Chat SDK',
  async () => {
    const { api, adapter } = await whatsApp({ format: 'plain' })
    return {
      adapter,
      to: { platform: 'whatsapp', chatId: '491701234567' },
      emit: async text => void (await adapter.receive('whatsapp', hookRequest(whatsAppSigned(whatsAppEvent(text))))),
      sent: () => api.of('/messages').map(({ args }) => (args['text'] as { body: string }).body),
    }
  },
  { describe, it },
)

adapterContract(
  'G82 · discord by the Chat SDK',
  async () => {
    const { api, adapter } = await discord({ format: 'plain' })
    return {
      adapter,
      to: { platform: 'discord', chatId: '50' },
      emit: async text => void (await adapter.receive('discord', hookRequest(discordForwarded(discordEvent({ content: text }))))),
      sent: () => api.of('/messages').map(({ args }) => String(args['content'])),
    }
  },
  { describe, it },
)

describe('a place on WhatsApp', () => {
  verifies('G81', 'is believed where Meta signed, and shown to who knows its token', async () => {
    const { post, rows } = await room(await whatsApp())
    const body = whatsAppEvent('hello')
    for (const sent of [
      { body, headers: { 'content-type': 'application/json' } },
      whatsAppSigned(body, 'another secret'),
      { ...whatsAppSigned(`${body} `), body },
    ])
      expect((await post(sent)).status).toBe(401)
    const nothing = { body: '', headers: {} }
    const asked = (token: string) => `?hub.mode=subscribe&hub.verify_token=${encodeURIComponent(token)}&hub.challenge=77`
    expect(await post(nothing, 'GET', asked(whatsAppVerify))).toEqual({ status: 200, text: '77' })
    expect((await post(nothing, 'GET', asked('guessed'))).status).toBe(403)
    expect(await rows()).toEqual([])
    expect((await post(whatsAppSigned(body))).status).toBe(200)
    expect((await rows()).length).toBe(1)
  })

  verifies('G14 G54 G82', 'is the person; all messages of a request are taken, in their order, once', async () => {
    const bridge = await whatsApp()
    const { post, rows, keys, skein } = await room(bridge, { allowAll: true, busy: 'next' })
    const body = whatsAppEvent('one', 'two', 'three')
    for (let times = 0; times < 3; times++) expect((await post(whatsAppSigned(body))).status).toBe(200)
    await quiet(skein)
    expect(await rows()).toEqual(['one: done', 'two: done', 'three: done'])
    expect(await keys()).toEqual(['k1:main:whatsapp:dm:c=491701234567'])
    const [route] = (await skein.gateway.list()).items
    expect(route?.legacyKey).toBe('agent:main:whatsapp:dm:491701234567')
    const sent = bridge.api.of('/messages').map(({ args, path }) => [path, args['to'], (args['text'] as { body: string }).body])
    expect(sent).toEqual(
      ['one', 'two', 'three'].map(text => [`/v25.0/${whatsAppNumber}/messages`, '491701234567', `You said: ${text}`]),
    )
  })

  verifies('G58', 'says what is for ever and what is not', async () => {
    for (const [status, error, told] of [
      [400, { code: 131_026, message: 'Message undeliverable' }, { permanent: true }],
      [400, { code: 131_056, message: 'Pair rate limit hit' }, {}],
      [503, { code: 131_016, message: 'Service unavailable' }, {}],
    ] as const) {
      const { api, adapter } = await whatsApp()
      await adapter.start({ receive: () => Promise.reject(new Error('Nothing comes.')) })
      closers.push(() => adapter.stop())
      api.before = () => ({ status, body: { error } })
      const context = { id: 'out_1', attempt: 1, at: 1, signal: new AbortController().signal }
      const failed = adapter.send({ platform: 'whatsapp', chatId: '4917' }, { text: 'x', kind: 'notice' }, context)
      const found = await failed.then(
        () => 'sent',
        ({ permanent, retryAfterMs }: { permanent?: boolean; retryAfterMs?: number }) => ({ permanent, retryAfterMs }),
      )
      expect([error.code, found]).toEqual([error.code, { permanent: undefined, retryAfterMs: undefined, ...told }])
    }
  })
})

describe('a place on Discord', () => {
  verifies('G81', 'is believed where Discord signed, or whoever knows the token hands it in', async () => {
    const { post, rows } = await room(await discord())
    const ping = JSON.stringify({ type: 1, id: '1', application_id: discordBot })
    expect(await post(discordSigned(ping))).toEqual({ status: 200, text: '{"type":1}' })
    expect((await post({ ...discordSigned(`${ping} `), body: ping })).status).toBe(401)
    expect((await post({ body: ping, headers: { 'content-type': 'application/json' } })).status).toBe(401)
    expect((await post(discordForwarded(discordEvent(), 'guessed'))).status).toBe(401)
    expect(await rows()).toEqual([])
  })

  verifies('G6 G82', 'is the guild, the channel and the thread that was opened for it', async () => {
    const bridge = await discord()
    const { post, rows, keys, skein } = await room(bridge, { allowAll: true, busy: 'next' })
    const guild = { guild_id: '70', channel_id: '71', channel_type: 0 }
    const spoken = { id: '1234', content: `<@${discordBot}> hi`, mentions: [{ id: discordBot, username: 'skein' }] }
    await post(discordForwarded(discordEvent({ content: 'alone' })))
    await post(discordForwarded(discordEvent({ ...guild, content: 'not for a bot' })))
    await post(discordForwarded(discordEvent({ ...guild, ...spoken })))
    const thread = { ...guild, channel_id: '81234', channel_type: 11, thread: { id: '81234', parent_id: '71' } }
    await post(discordForwarded(discordEvent({ ...thread, content: 'goes on' })))
    await post(discordForwarded(discordEvent({ ...thread, content: 'of a bot', author: { id: '61', username: 'b', bot: true } })))
    await quiet(skein)
    expect((await rows()).map(row => row.split(':')[0])).toEqual(['alone', 'hi', 'goes on', 'of a bot'])
    expect((await rows()).at(-1)).toContain('refused: bot')
    expect(await keys()).toEqual(['k1:main:discord:channel:s=70:c=71:t=81234', 'k1:main:discord:dm:c=50'])
    const to = bridge.api.calls.filter(({ path }) => /channels\/\d+\/messages$/.test(path)).map(({ path }) => path)
    expect(to.toSorted()).toEqual(['/channels/50/messages', '/channels/81234/messages', '/channels/81234/messages'])
  })
})
