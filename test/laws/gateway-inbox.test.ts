import { verifies } from '#verifies'
import { expect } from 'vitest'
import { codeOf, gate } from './agent-talk.ts'
import { answering, dm, dmKey, fates, lastSaid, openRoom, spoken } from './gateway-talk.ts'
import { onEveryStore } from './stores.ts'

onEveryStore('the inbox', place => {
  verifies('G56 G55', 'a message is stored, begins its turn, and its answer goes out', async () => {
    const at = await place()
    const room = await openRoom(at)
    const receipt = await room.say('hello', { eventId: 1 })
    expect(receipt).toMatchObject({ status: 'started' })
    await room.quiet()
    expect(room.adapter.sent).toMatchObject([{ chat: '99', text: 're: hello', kind: 'answer', attempt: 1 }])
    expect(await fates(room.skein)).toEqual(['hello: done'])
    expect(await spoken(room.skein, receipt.sessionId ?? '')).toEqual(['user: hello', 'assistant: re: hello'])
    const route = await room.gateway.get(dmKey)
    expect([route?.openTurn, route?.interruptions, route?.lastTurnEndedAt]).toEqual([undefined, 0, at.clock.now()])
  })

  verifies('G54', 'a known event gives its first receipt and changes nothing', async () => {
    const at = await place()
    const open = gate()
    const model = answering(async request => {
      if (lastSaid(request) === 'wait') await open.promise
      if (lastSaid(request) === 'break') throw new Error('no')
      return 'ok'
    })
    const room = await openRoom(at, { model })
    const both = await Promise.all([room.say('wait', { eventId: 'e' }), room.say('wait', { eventId: 'e' })])
    expect(both[1]).toEqual({ ...both[0], duplicate: true })
    // While its turn goes on, and after it, by the id of the message, too.
    expect(await room.say('another text', { source: { messageId: 'e' } })).toEqual({ ...both[0], duplicate: true })
    open.open()
    await room.quiet()
    expect(await room.say('wait', { eventId: 'e' })).toEqual({ ...both[0], duplicate: true })
    const failed = await room.say('break', { eventId: 7 })
    await room.quiet()
    expect((await fates(room.skein))[1]).toMatch(/^break: failed: /)
    expect(await room.say('break', { eventId: '7' })).toEqual({ ...failed, duplicate: true })
    // Elsewhere the same id is another event.
    expect(await room.say('hi', { eventId: 'e', source: { chatId: '7' } })).not.toHaveProperty('duplicate')
    await room.quiet()
    expect(await fates(room.skein)).toHaveLength(3)
    // Another process knows it; after seven days nobody does.
    const other = await openRoom(at, { start: false })
    expect(await other.say('wait', { eventId: 'e' })).toEqual({ ...both[0], duplicate: true })
    at.clock.advance(8 * 86_400_000)
    expect(await room.say('wait', { eventId: 'e' })).not.toHaveProperty('duplicate')
    await room.quiet()
  })

  verifies('G54', 'a command is carried out once for its event, and nothing else is deduplicated', async () => {
    const room = await openRoom(await place())
    const first = await room.say('one')
    await room.quiet()
    await Promise.all([room.say('/new', { eventId: 'n' }), room.say('/new', { eventId: 'n' })])
    expect((await room.gateway.get(dmKey))?.generation).toBe(2)
    const again = await Promise.all([room.say('same'), room.say('same')])
    expect(new Set([first, ...again].map(({ inboxId }) => inboxId)).size).toBe(3)
    await room.quiet()
    expect((await room.gateway.inbox.list()).items).toHaveLength(4)
  })

  verifies('G61', 'blank, endless and forged messages are refused', async () => {
    const room = await openRoom(await place())
    expect(await room.say(' \n')).toMatchObject({ status: 'refused', reason: 'empty' })
    expect(await room.gateway.get(dmKey)).toBeNull()
    expect(await codeOf(room.say('x'.repeat(200_001)))).toBe('input.too_large')
    expect(await codeOf(room.adapter.receive({ source: dm, text: 'x', internal: true }))).toBe('source.invalid')
    expect(await codeOf(room.say('x', { source: { platform: 'tele gram' } }))).toBe('source.invalid')
    expect(await codeOf(room.say('x', { busy: 'never' }))).toBe('input.invalid')
    expect((await room.gateway.inbox.list()).items).toHaveLength(1)
    expect(await room.say('x'.repeat(200_000))).toMatchObject({ status: 'started' })
    expect(await room.say('', { parts: [{ type: 'text', text: 'only a part' }], busy: 'next' })).toMatchObject({
      status: 'queued',
    })
    await room.quiet()
  })
})
