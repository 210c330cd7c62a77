import { SkeinError } from '#kernel'
import { verifies } from '#verifies'
import { expect } from 'vitest'
import { answering, dm, dmKey, fakeAdapter, fates, lastSaid, openRoom, spoken } from './gateway-talk.ts'
import { onEveryStore } from './stores.ts'

const failing = (fault: object): Error => Object.assign(new Error('no'), fault)
const mark = '♻️ Sent again after a restart; may be a duplicate.'

onEveryStore('the outbox', place => {
  verifies('G58', 'gives a message up after three attempts, and the next one of its chat goes on', async () => {
    const at = await place()
    const adapter = fakeAdapter()
    const tried: number[] = []
    adapter.before = ({ text, attempt }) => {
      if (!text.includes('bad')) return
      tried.push(attempt)
      throw failing({ retryAfterMs: 0 })
    }
    const room = await openRoom(at, { adapter, gateway: { busy: 'next' } })
    await room.say('bad')
    await room.say('good')
    await room.quiet()
    expect(tried).toEqual([1, 2, 3])
    expect(adapter.texts).toEqual(['re: good'])
    const { items } = await room.gateway.outbox.list({ state: 'abandoned' })
    expect(items).toMatchObject([{ text: 're: bad', attempts: 3, reason: 'attempts', lastError: { message: 'no' } }])
    adapter.before = () => undefined
    await room.gateway.outbox.retry(items[0]?.id ?? '')
    await room.quiet()
    expect(adapter.texts).toEqual(['re: good', 're: bad'])
  })

  verifies('G58', 'gives it up at once when that is for good, and after a day', async () => {
    const at = await place()
    const adapter = fakeAdapter()
    adapter.before = () => {
      throw failing({ permanent: true })
    }
    const room = await openRoom(at, { adapter })
    await room.say('one')
    await room.quiet()
    expect((await room.gateway.outbox.list()).items).toMatchObject([{ state: 'abandoned', attempts: 1, reason: 'permanent' }])
    await room.skein.close()
    const late = await openRoom(at, { adapter, start: false })
    at.clock.advance(1)
    await late.say('two')
    await expect.poll(async () => (await late.gateway.outbox.list({ state: 'pending' })).items).toHaveLength(1)
    at.clock.advance(86_400_001)
    await late.gateway.start({ adapters: [adapter] })
    await late.quiet()
    expect((await late.gateway.outbox.list()).items[0]).toMatchObject({ state: 'abandoned', reason: 'expired', attempts: 0 })
    expect(adapter.sent).toEqual([])
  })

  for (const idempotentSend of [false, true])
    verifies('G57', `says that it sends again what may have arrived, idempotent: ${idempotentSend}`, async () => {
      const at = await place()
      if (!at.durable) return
      const first = fakeAdapter()
      const begun = Promise.withResolvers<string>()
      first.before = ({ id }) => {
        begun.resolve(id)
        return new Promise(() => undefined)
      }
      const dying = await openRoom(at, { adapter: first })
      await dying.say('hello')
      const id = await begun.promise
      await dying.skein.close({ waitMs: 0 })
      at.clock.advance(60_000)
      const adapter = fakeAdapter('telegram', { idempotentSend })
      const room = await openRoom(at, { adapter })
      await room.quiet()
      expect(adapter.sent).toMatchObject([{ id, attempt: 2, text: idempotentSend ? 're: hello' : `${mark}\nre: hello` }])
    })

  verifies('G57', 'sends once, plain, what was never sent', async () => {
    const at = await place()
    const dying = await openRoom(at, { start: false })
    await dying.say('hello')
    await expect.poll(async () => (await dying.gateway.outbox.list({ state: 'pending' })).items).toHaveLength(1)
    await dying.skein.close()
    const room = await openRoom(at)
    await room.quiet()
    expect(room.adapter.sent).toMatchObject([{ text: 're: hello', attempt: 1 }])
  })

  verifies('G59', 'tells that a turn failed, and why a message has no answer', async () => {
    const failure = new SkeinError('provider.rejected', 'no such thing')
    const room = await openRoom(await place(), {
      model: answering(request => (lastSaid(request) === 'fail' ? { failure } : { text: '' })),
    })
    await room.say('fail')
    await room.quiet()
    await room.say('nothing')
    await room.quiet()
    const [fail, nothing] = await fates(room.skein)
    expect(fail).toBe('fail: failed: provider.rejected')
    expect(room.adapter.texts[0]).toBe('The turn failed: provider.rejected.')
    expect(nothing).toMatch(/^nothing: (done|failed): \w/)
  })

  verifies('G60', 'keeps silent replies back, of internal turns alone', async () => {
    const room = await openRoom(await place(), { model: answering(request => lastSaid(request)) })
    for (const text of ['[SILENT]', 'NO_REPLY', 'SILENT']) {
      const { sessionId } = await room.say(text, { internal: true })
      await room.quiet()
      expect((await spoken(room.skein, sessionId ?? '')).at(-1)).toBe(`assistant: ${text}`)
    }
    expect(room.adapter.sent).toEqual([])
    expect((await room.gateway.outbox.list()).items.map(({ state, reason }) => [state, reason])).toEqual(
      Array.from({ length: 3 }, () => ['suppressed', 'silent']),
    )
    expect((await fates(room.skein))[0]).toBe('[SILENT]: done: silent')
    await room.say('NO_REPLY at all', { internal: true })
    await room.quiet()
    await room.say('SILENT')
    await room.quiet()
    expect(room.adapter.texts).toEqual(['NO_REPLY at all', 'SILENT'])
  })

  verifies('G34', 'one notice goes before the first answer of a session that began by itself', async () => {
    const at = await place()
    const failure = new SkeinError('provider.rejected', 'no')
    const room = await openRoom(at, {
      model: answering(request => (lastSaid(request) === 'fail' ? { failure } : 'ok')),
      gateway: { reset: { default: { mode: 'idle', idleMinutes: 90 } }, busy: 'next' },
    })
    const { sessionId } = await room.say('one')
    await room.quiet()
    at.clock.advance(90 * 60_000 + 1)
    const next = await Promise.all([room.say('fail'), room.say('two')])
    await room.quiet()
    expect(next[0]?.sessionId).not.toBe(sessionId)
    expect(room.adapter.texts).toEqual([
      'ok',
      'New session: the last one was idle for more than 90 min. Send /resume 1 to go back.',
      'The turn failed: provider.rejected.',
      'ok',
    ])
  })

  verifies('G86 G56', 'what waited while nobody could begin it goes to the session of its time', async () => {
    const at = await place()
    const room = await openRoom(at, { gateway: { reset: { default: { mode: 'idle', idleMinutes: 60 } } } })
    const { sessionId = '' } = await room.say('one')
    await room.quiet()
    const session = await room.skein.sessions.open(sessionId)
    const mine = session.send('of the host', { modelOverride: answering(() => new Promise<string>(() => undefined)) })
    await mine.receipt
    expect(await room.say('two')).toMatchObject({ status: 'queued', sessionId })
    at.clock.advance(10 * 60 * 60_000)
    await mine.cancel()
    await room.quiet()
    expect((await spoken(room.skein, sessionId)).slice(-2)).toEqual(['user: two', 'assistant: re: two'])
    expect((await room.gateway.get(dmKey))?.generation).toBe(1)
  })

  verifies('G56', 'a host may answer in place of a model', async () => {
    const at = await place()
    const turns: object[] = []
    const room = await openRoom(at, {
      gateway: {
        reset: 'idle',
        answer: ({ text, fresh, key, source }) => {
          turns.push({ text, fresh: fresh?.reason ?? null, key, from: source?.userId })
          if (text === 'throw') throw new Error('no')
          return text === 'silence' ? null : `host: ${text}`
        },
      },
    })
    const { sessionId = '' } = await room.say('one')
    await room.quiet()
    at.clock.advance(2 * 86_400_000)
    for (const text of ['two', 'throw', 'silence']) {
      await room.say(text)
      await room.quiet()
    }
    expect(turns).toEqual(
      [
        ['one', null],
        ['two', 'idle'],
        ['throw', null],
        ['silence', null],
      ].map(([text, fresh]) => ({
        text,
        fresh,
        key: dmKey,
        from: dm.userId,
      })),
    )
    expect(await spoken(room.skein, sessionId)).toEqual(['user: one', 'assistant: host: one'])
    expect(room.adapter.texts).toEqual([
      'host: one',
      'New session: the last one was idle for more than 24 h. Send /resume 1 to go back.',
      'host: two',
      'The turn failed: provider.rejected.',
    ])
    expect((await fates(room.skein)).at(-1)).toMatch(/^silence: done: \w/)
  })
})
