import type { SkeinOptions } from '#skein'
import { verifies } from '#verifies'
import { describe, expect } from 'vitest'
import { slackBot, slackEvent, slackSigned, telegramSigned, telegramUpdate } from './chat-platforms.ts'
import { type Bridge, closers, inChannel, room, slack, telegram } from './chat-room.ts'
import { quiet } from './gateway-talk.ts'
import { memoryPlace, onEveryStore } from './stores.ts'

onEveryStore('answers by the Chat SDK', place => {
  verifies('G58 G82', 'go to the chat and thread of the message, whole and in order', async () => {
    const at = await place()
    const bridge = await slack()
    const { post, skein } = await room(
      bridge,
      { allowAll: true, answer: ({ text }) => (text === 'long' ? long : `**re** ${text}`) },
      at,
    )
    const long = Array.from({ length: 40 }, (_, n) => `${n} ${'x'.repeat(600)}`).join('\n\n')
    await post(slackSigned(inChannel(`<@${slackBot}> hi`, { ts: '2.5' })))
    await quiet(skein)
    await post(slackSigned(slackEvent({ text: 'long' })))
    await quiet(skein)
    const calls = bridge.api.of('chat.postMessage').map(({ args }) => args)
    expect(calls[0]).toMatchObject({ channel: 'C1', thread_ts: '2.5', markdown_text: '**re** [Name of U1] hi' })
    const parts = calls.slice(1)
    expect(parts.every(({ channel, thread_ts }) => channel === 'D1' && thread_ts === undefined)).toBe(true)
    expect(parts.length).toBeGreaterThan(2)
    expect(Math.max(...parts.map(({ markdown_text }) => String(markdown_text).length))).toBeLessThanOrEqual(12_000)
    expect(parts.map(({ markdown_text }) => markdown_text).join('\n\n')).toBe(long)
    const { items } = await skein.gateway.outbox.list({ limit: 200 })
    expect(items.every(({ state, messageId }) => state === 'delivered' && /^9\.\d{6}$/.test(messageId ?? ''))).toBe(true)
  })
})

describe('what a platform says of a message that it does not take', () => {
  const send = async (bridge: { readonly adapter: Bridge['adapter'] }, to: string): Promise<unknown> => {
    await bridge.adapter.start({ receive: () => Promise.reject(new Error('Nothing comes.')) })
    closers.push(() => bridge.adapter.stop())
    const context = { id: 'out_1', attempt: 1, at: 1, signal: new AbortController().signal }
    return await bridge.adapter
      .send({ platform: bridge.adapter.platform, chatId: to }, { text: 'x', kind: 'notice' }, context)
      .then(
        () => 'sent',
        (error: { permanent?: boolean; retryAfterMs?: number }) => ({
          permanent: error.permanent,
          retryAfterMs: error.retryAfterMs,
        }),
      )
  }

  verifies('G58', 'Slack: too much waits as long as it says, lasting faults are permanent, all else is tried again', async () => {
    for (const [answer, told] of [
      [{ status: 429, headers: { 'retry-after': '7' }, body: { ok: false, error: 'ratelimited' } }, { retryAfterMs: 7_000 }],
      [{ body: { ok: false, error: 'channel_not_found' } }, { permanent: true }],
      [{ body: { ok: false, error: 'is_archived' } }, { permanent: true }],
      [{ body: { ok: false, error: 'invalid_auth' } }, { permanent: true }],
      [{ body: { ok: false, error: 'internal_error' } }, {}],
      [{ status: 500, body: { ok: false } }, {}],
      [{ body: { ok: true, ts: '1.1' } }, 'sent'],
    ] as const) {
      const bridge = await slack()
      bridge.api.before = ({ path }) => (path.endsWith('chat.postMessage') ? answer : undefined)
      expect([answer, await send(bridge, 'C1')]).toEqual([
        answer,
        told === 'sent' ? told : { permanent: undefined, retryAfterMs: undefined, ...told },
      ])
    }
  })

  verifies('G58', 'Telegram: the same', async () => {
    for (const [answer, told] of [
      [
        { status: 429, body: { ok: false, error_code: 429, description: 'Too Many Requests', parameters: { retry_after: 3 } } },
        { retryAfterMs: 3_000 },
      ],
      [
        { status: 403, body: { ok: false, error_code: 403, description: 'Forbidden: bot was blocked by the user' } },
        { permanent: true },
      ],
      [{ status: 400, body: { ok: false, error_code: 400, description: 'Bad Request: chat not found' } }, { permanent: true }],
      [{ status: 502, body: { ok: false, error_code: 502, description: 'Bad Gateway' } }, {}],
    ] as const) {
      const bridge = await telegram()
      bridge.api.before = ({ path }) => (path.endsWith('/sendMessage') ? answer : undefined)
      expect([answer, await send(bridge, '42')]).toEqual([answer, { permanent: undefined, retryAfterMs: undefined, ...told }])
    }
  })

  verifies('G58', 'is heeded by the outbox: waited for, or given up', async () => {
    const at = await memoryPlace()
    const bridge = await slack()
    let times = 0
    bridge.api.before = ({ path, args }) => {
      if (!path.endsWith('chat.postMessage')) return undefined
      if (args['channel'] === 'D2') return { body: { ok: false, error: 'channel_not_found' } }
      return ++times === 1
        ? { status: 429, headers: { 'retry-after': '90' }, body: { ok: false, error: 'ratelimited' } }
        : undefined
    }
    const { post, skein } = await room(bridge, { allowAll: true }, at)
    await post(slackSigned(slackEvent({ text: 'one' })))
    const first = async () => (await skein.gateway.outbox.list()).items.find(({ to }) => to.chatId === 'D1')
    await expect.poll(async () => (await first())?.lastError?.code).toBe('adapter.unavailable')
    await post(slackSigned(slackEvent({ text: 'two', channel: 'D2' })))
    const given = async () => (await skein.gateway.outbox.list()).items.find(({ to }) => to.chatId === 'D2')
    await expect.poll(async () => (await given())?.state).toBe('abandoned')
    expect((await given())?.reason).toBe('permanent')
    expect(times).toBe(1)
    at.clock.advance(90_000)
    await expect.poll(async () => (await first())?.state, { timeout: 60_000 }).toBe('delivered')
    expect(times).toBe(2)
  })
})

describe('what comes with a message', () => {
  const photo = {
    photo: [{ file_id: 'F1', file_unique_id: 'f1', width: 1, height: 1, file_size: 3 }],
    caption: 'look',
    text: undefined,
  }
  const withFiles = async (gateway: SkeinOptions['gateway']) => {
    const bridge = await telegram()
    const { adapter } = bridge
    let fetched = 0
    bridge.api.before = ({ path }) => {
      if (path.endsWith('/getFile'))
        return { body: { ok: true, result: { file_id: 'F1', file_path: 'photos/1.jpg', file_size: 3 } } }
      if (!path.includes('/file/')) return undefined
      fetched++
      return { body: 'jpg' }
    }
    return { ...(await room({ ...bridge, adapter }, gateway)), fetched: () => fetched }
  }

  verifies('G56', 'is a part of it, as bytes', async () => {
    const { post, skein, rows } = await withFiles({ allowAll: true })
    await post(telegramSigned(telegramUpdate(photo)))
    await quiet(skein)
    expect(await rows()).toEqual(['look: done'])
    const [row] = (await skein.gateway.inbox.list()).items
    expect(row?.parts).toMatchObject([{ type: 'file', mediaType: 'image/jpeg' }])
  })

  verifies('G76', 'is not fetched for who may not speak', async () => {
    const { post, fetched, skein } = await withFiles({})
    await post(telegramSigned(telegramUpdate(photo)))
    expect(fetched()).toBe(0)
    expect((await skein.gateway.inbox.list()).items.map(({ state, parts }) => [state, parts])).toEqual([['refused', undefined]])
  })
})
