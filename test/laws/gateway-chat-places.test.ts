import { chatSdkAdapter } from '#gateway'
import { createTelegramAdapter } from '@chat-adapter/telegram'
import type { Inbound } from '#gateway'
import { verifies } from '#verifies'
import { describe, expect } from 'vitest'
import {
  openTelegram,
  type Sent,
  slackBot,
  slackEvent,
  slackSigned,
  telegramSigned,
  telegramToken,
  telegramUpdate,
} from './chat-platforms.ts'
import { closers, inChannel, logger, posted, room, slack, telegram } from './chat-room.ts'
import { quiet, spoken } from './gateway-talk.ts'
import { memoryPlace } from './stores.ts'

describe('a place on Slack', () => {
  verifies('G6 G82', 'is the workspace, the chat and the thread of the event itself', async () => {
    const { post, keys, skein } = await room(await slack(), { allowAll: true, busy: 'next' })
    await post(slackSigned(slackEvent({ text: 'alone' })))
    await post(slackSigned(slackEvent({ text: 'alone in a thread', thread_ts: '1.5' })))
    await post(slackSigned(inChannel(`<@${slackBot}> opens`, { ts: '2.5' })))
    await post(slackSigned(inChannel('goes on', { ts: '2.6', thread_ts: '2.5', user: 'U2' })))
    // Somebody of another workspace writes in a channel of both: the channel is where it was.
    await post(slackSigned(inChannel('from afar', { ts: '2.7', thread_ts: '2.5', user: 'U9', team: 'T9', user_team: 'T9' })))
    await post(slackSigned(inChannel(`<@${slackBot}> elsewhere`, { ts: '2.5', team: 'T2' }, { team_id: 'T2' })))
    expect(await keys()).toEqual([
      'k1:main:slack:channel:s=T1:c=C1:t=2.5',
      'k1:main:slack:channel:s=T2:c=C1:t=2.5',
      'k1:main:slack:dm:s=T1:c=D1',
      'k1:main:slack:dm:s=T1:c=D1:t=1.5',
    ])
    await quiet(skein)
    const shared = await skein.gateway.get('k1:main:slack:channel:s=T1:c=C1:t=2.5')
    expect((await spoken(skein, shared?.sessionId ?? '')).filter(line => line.startsWith('user'))).toEqual([
      'user: [Name of U1] opens',
      'user: [Name of U2] goes on',
      'user: [Name of U9] from afar',
    ])
  })

  verifies('G6', 'is the channel and who speaks, where answers go to the channel', async () => {
    const bridge = await slack({ replies: 'channel' })
    const { post, keys, skein } = await room(bridge)
    await post(slackSigned(inChannel(`<@${slackBot}> hi`, { user: 'U1' })))
    await post(slackSigned(inChannel(`<@${slackBot}> hi`, { user: 'U2' })))
    expect(await keys()).toEqual(['k1:main:slack:channel:s=T1:c=C1:u=U1', 'k1:main:slack:channel:s=T1:c=C1:u=U2'])
    await quiet(skein)
    expect(bridge.api.of('chat.postMessage').map(({ args }) => args['thread_ts'])).toEqual([undefined, undefined])
  })

  verifies('G82', 'where many speak is heard when it is spoken to, and in a thread from then on, over restarts', async () => {
    const at = await memoryPlace()
    const first = await room(await slack(), { allowAll: true }, at)
    for (const body of [
      inChannel('not for a bot'),
      inChannel('nor this', { thread_ts: '3.1' }),
      inChannel(`<@U7> for another`),
      inChannel(`<@${slackBot}>, spoken to`, { ts: '4.1' }),
    ])
      expect((await first.post(slackSigned(body))).status).toBe(200)
    expect((await first.rows()).map(row => row.split(':')[0])).toEqual(['spoken to'])
    await quiet(first.skein)
    await first.skein.close()
    at.clock.advance(1_000)
    const second = await room(await slack(), { allowAll: true }, at)
    await second.post(slackSigned(inChannel('still there?', { thread_ts: '4.1', user: 'U2' })))
    await second.post(slackSigned(inChannel('another thread', { thread_ts: '5.1' })))
    expect((await second.rows()).map(row => row.split(':')[0])).toEqual(['spoken to', 'still there?'])
    const all = await room(await slack({ listen: 'all' }))
    await all.post(slackSigned(inChannel('for everybody')))
    expect((await all.rows()).length).toBe(1)
  })

  verifies('G76', 'hears no bot unless it may, never itself, and no edit or deletion', async () => {
    const events = (): string[] => [
      slackEvent({ text: 'of a bot', user: 'U8', bot_id: 'B8' }),
      slackEvent({ text: 'of itself', user: slackBot, bot_id: 'BBOT' }),
      slackEvent({
        subtype: 'message_changed',
        message: { type: 'message', user: 'U1', text: 'changed', ts: '7.1', edited: { user: 'U1', ts: '7.2' } },
        previous_message: { type: 'message', user: 'U1', text: 'was', ts: '7.1' },
      }),
      slackEvent({ subtype: 'message_deleted', deleted_ts: '7.1', previous_message: { user: 'U1', text: 'was', ts: '7.1' } }),
      slackEvent({ subtype: 'channel_join', text: 'has joined' }),
      slackEvent({ type: 'reaction_added', reaction: 'thumbsup', item: { type: 'message', channel: 'D1', ts: '7.1' } }),
    ]
    const strict = await room(await slack())
    for (const body of events()) expect((await strict.post(slackSigned(body))).status).toBe(200)
    expect(await strict.rows()).toEqual(['of a bot: refused: bot'])
    const open = await room(await slack(), { platforms: { slack: { allow: 'all', allowBots: true } } })
    for (const body of events()) await open.post(slackSigned(body))
    await quiet(open.skein)
    expect((await open.rows()).map(row => row.split(':')[0])).toEqual(['of a bot'])
  })

  verifies('G76 G77', 'confirms what a stranger says, refuses it, and sends a code alone to who writes alone', async () => {
    const bridge = await slack()
    const { post, rows } = await room(bridge, {})
    expect((await post(slackSigned(slackEvent({ text: 'let me in' })))).status).toBe(200)
    expect((await post(slackSigned(inChannel(`<@${slackBot}> me too`)))).status).toBe(200)
    expect(await rows()).toEqual(['let me in: refused: unauthorized', 'me too: refused: unauthorized'])
    await expect.poll(() => posted(bridge).length).toBe(1)
    expect(posted(bridge)[0]).toMatch(/Your code is [A-HJ-NP-Z2-9]{8}\./)
  })

  verifies('G67', 'takes commands of its own and those in words', async () => {
    const bridge = await slack()
    const { post, rows, skein } = await room(bridge)
    const form = (text: string, trigger: string): Sent =>
      slackSigned(`team_id=T1&channel_id=D1&channel_name=directmessage&user_id=U1&${text}&trigger_id=${trigger}`, {
        'content-type': 'application/x-www-form-urlencoded',
      })
    expect((await post(form('command=%2Fstatus&text=', 't1'))).status).toBe(200)
    expect((await post(form('command=%2Fstatus&text=', 't1'))).status).toBe(200)
    await post(form('command=%2Fskein&text=what+is+new', 't2'))
    await post(slackSigned(slackEvent({ text: '/title Plan' })))
    await quiet(skein)
    expect((await rows()).sort()).toEqual(['/status: handled', '/title Plan: handled', 'what is new: done'])
  })
})

describe('a place on Telegram', () => {
  verifies('G6 G82', 'is the chat and the topic; an answer to a message makes no thread', async () => {
    const { post, keys, rows, skein } = await room(await telegram(), { allowAll: true, busy: 'next' })
    const group = { chat: { id: -100, type: 'supergroup', title: 'Crew' } }
    const mention = { text: '@skein_bot hey', entities: [{ type: 'mention', offset: 0, length: 10 }] }
    await post(telegramSigned(telegramUpdate({ text: 'alone' })))
    await post(telegramSigned(telegramUpdate({ ...group, ...mention })))
    await post(telegramSigned(telegramUpdate({ ...group, ...mention, message_thread_id: 7, is_topic_message: true })))
    await post(telegramSigned(telegramUpdate({ ...group, text: 'not for a bot' })))
    const answered = { message_id: 3, date: 1, chat: group.chat, from: { id: 123, is_bot: true, first_name: 'Skein' }, text: 'x' }
    await post(telegramSigned(telegramUpdate({ ...group, text: 'to you', message_thread_id: 3, reply_to_message: answered })))
    await post(telegramSigned(telegramUpdate({ text: '/status', entities: [{ type: 'bot_command', offset: 0, length: 7 }] })))
    expect(await keys()).toEqual([
      'k1:main:telegram:dm:c=42',
      'k1:main:telegram:group:c=-100:t=7',
      'k1:main:telegram:group:c=-100:u=42',
    ])
    await quiet(skein)
    expect((await rows()).map(row => row.split(':')[0])).toEqual(['alone', 'hey', 'hey', 'to you', '/status'])
    const prompt = await skein.gateway.prompt({
      platform: 'telegram',
      chatId: '-100',
      chatType: 'group',
      threadId: '7',
      userId: '42',
    })
    expect(prompt).toContain('Telegram (group: Crew, thread: 7)')
  })

  verifies('G54', 'takes an update once, and no edit of it', async () => {
    const { post, rows, skein } = await room(await telegram())
    const body = telegramUpdate({ text: 'once' })
    for (let times = 0; times < 3; times++) expect((await post(telegramSigned(body))).status).toBe(200)
    const { update_id, message } = JSON.parse(body) as { update_id: number; message: object }
    const edited = { update_id: update_id + 1_000, edited_message: { ...message, text: 'changed', edit_date: 1_795_000_100 } }
    expect((await post(telegramSigned(JSON.stringify(edited)))).status).toBe(200)
    const fresh = { update_id: update_id + 1_001, edited_message: { ...message, message_id: 99_999, text: 'old', edit_date: 1 } }
    expect((await post(telegramSigned(JSON.stringify(fresh)))).status).toBe(200)
    await quiet(skein)
    expect(await rows()).toEqual(['once: done'])
  })

  verifies('G82', 'gives its messages by polling, too, and none is passed over while it cannot be stored', async () => {
    const api = await openTelegram()
    closers.push(() => api.close())
    const asked: number[] = []
    const waiting = ['one', 'two', 'three'].map((text, n) => ({
      ...(JSON.parse(telegramUpdate({ text })) as object),
      update_id: 700 + n,
    }))
    api.before = async ({ path, args }) => {
      if (!path.endsWith('/getUpdates')) return undefined
      const offset = Number(args['offset'] ?? 0)
      asked.push(offset)
      const result = waiting.filter(({ update_id }) => update_id >= offset)
      // Telegram holds the request while there is nothing.
      if (result.length === 0) await new Promise(resolve => setTimeout(resolve, 20))
      return { body: { ok: true, result } }
    }
    const chat = createTelegramAdapter({
      botToken: telegramToken,
      apiUrl: api.url,
      mode: 'polling',
      logger,
      longPolling: { timeout: 0 },
    })
    const timers = { after: (_ms: number, run: () => void) => (setImmediate(run), () => undefined) }
    const adapter = chatSdkAdapter({ platform: 'telegram', adapter: chat, timers })
    const taken: string[] = []
    let tries = 0
    await adapter.start({
      receive: async ({ text }: Inbound) => {
        if (++tries <= 3) throw new Error('The store is away.')
        taken.push(text)
        return { inboxId: 'inb_1', status: 'started' }
      },
    })
    await expect.poll(() => taken).toEqual(['one', 'two', 'three'])
    await expect.poll(() => asked.at(-1)).toBe(703)
    // Nothing was confirmed before all of it was stored.
    expect(asked.filter(offset => offset !== 703)).toEqual([0])
    await adapter.stop()
    const polls = asked.length
    await new Promise(resolve => setTimeout(resolve, 60))
    expect(asked.length).toBe(polls)
  })
})
