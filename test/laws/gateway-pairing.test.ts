import { verifies } from '#verifies'
import { expect } from 'vitest'
import { codeOf, gate } from './agent-talk.ts'
import { answering, dm, dmKey, fakeAdapter, fates, lastSaid, openRoom } from './gateway-talk.ts'
import { onEveryStore } from './stores.ts'

const closed = { platforms: { telegram: { allow: ['1'] }, whatsapp: { allow: ['+15551234567'] }, email: {} } }
const minute = 60_000
const codeIn = (text = ''): string => /code is ([A-HJ-NP-Z2-9]{8})\b/.exec(text)?.[1] ?? 'none'

onEveryStore('who may speak', place => {
  verifies('G76', 'a denied message changes nothing but its own row, even amid another’s run', async () => {
    const at = await place()
    const open = gate()
    const group = { chatType: 'group', chatId: '-1', threadId: 't' }
    const room = await openRoom(at, {
      gateway: closed,
      model: answering(async request => {
        if (lastSaid(request).includes('wait')) await open.promise
        return 'ok'
      }),
    })
    const first = await room.say('wait', { source: { ...group, userId: '1' } })
    const [route] = (await room.gateway.list()).items
    at.clock.advance(minute)
    for (const text of ['steer', '/stop', '/new'])
      expect(await room.say(text, { source: { ...group, userId: '2' } })).toMatchObject({
        status: 'refused',
        reason: 'unauthorized',
      })
    expect(await room.say('beep', { source: { ...group, userId: '1', isBot: true } })).toMatchObject({ reason: 'bot' })
    expect((await room.gateway.list()).items).toEqual([route])
    open.open()
    await room.quiet()
    expect(await fates(room.skein)).toContain('steer: refused: unauthorized')
    expect((await (await room.skein.sessions.open(first.sessionId ?? '')).info()).turns).toBe(1)
    // Strangers in groups, bots and mail get silence.
    await room.say('hi', { source: { platform: 'email', userId: 'x@y' } })
    await room.quiet()
    expect(room.adapter.texts).toEqual(['ok'])
  })

  verifies('G77', 'codes are kept as salted hashes alone, and their limits hold over restarts', async () => {
    const at = await place()
    const notices: unknown[] = []
    const adapter = fakeAdapter()
    const first = await openRoom(at, { gateway: closed, adapter, onNotice: notice => void notices.push(notice) })
    const stranger = (userId: string) => ({ source: { chatId: userId, userId } })
    await first.say('hello', stranger('42'))
    await first.quiet()
    const code = codeIn(adapter.texts[0])
    expect(code).toHaveLength(8)
    // Once in ten minutes, and for three strangers at a time.
    await first.say('hello?', stranger('42'))
    await first.quiet()
    expect(adapter.texts).toHaveLength(1)
    await first.skein.close()
    const room = await openRoom(at, { gateway: closed, adapter })
    for (const user of ['42', '43', '44', '45']) await room.say('hello', stranger(user))
    await room.quiet()
    expect(adapter.sent.map(({ chat }) => chat).toSorted()).toEqual(['42', '43', '44'])
    const store = (await at.store()).in('default')
    const kept: unknown[] = []
    for (const collection of ['gateway.pairing', 'gateway.pairing-lock', 'gateway.outbox', 'gateway.inbox', 'gateway.event'])
      kept.push(...(await store.records(collection, { limit: 200 })).items)
    const codes = adapter.texts.map(codeIn)
    expect(new Set(codes).size).toBe(3)
    for (const one of codes) expect(JSON.stringify([kept, notices, await room.gateway.pairings.list()])).not.toContain(one)
    // Five wrong ones lock for an hour, here and elsewhere.
    for (let n = 0; n < 4; n++) expect(await codeOf(room.gateway.pairings.approve('AAAAAAAA'))).toBe('pairing.not_found')
    expect(await codeOf(room.gateway.pairings.approve('AAAAAAAA'))).toBe('rate.limited')
    const other = await openRoom(at, { gateway: closed, adapter, start: false })
    expect(await codeOf(other.gateway.pairings.approve(code))).toBe('rate.limited')
    at.clock.advance(60 * minute + 1)
    // By then the codes are worth nothing.
    expect(await codeOf(other.gateway.pairings.approve(code))).toBe('pairing.not_found')
    expect(await room.gateway.pairings.list()).toEqual([])
    await room.say('hello again', stranger('42'))
    await room.quiet()
    await other.gateway.pairings.approve(codeIn(adapter.texts.at(-1)).toLowerCase())
    expect(await room.say('now', stranger('42'))).toMatchObject({ status: 'started' })
    // Groups are not opened by it.
    expect(await room.say('now', { source: { chatType: 'group', chatId: '-9', userId: '42' } })).toMatchObject({
      status: 'refused',
    })
    expect((await room.gateway.explain({ ...dm, chatId: '42' })).authorisation).toEqual({ allowed: true, reason: 'pairing' })
    await room.quiet()
  })

  verifies('G78', 'a list with one alias admits all of them', async () => {
    const room = await openRoom(await place(), { gateway: closed, adapter: fakeAdapter('whatsapp') })
    const lid = { platform: 'whatsapp', chatId: '900000000000001@lid', userId: '900000000000001@lid' }
    expect(await room.say('hello', { source: lid })).toMatchObject({ status: 'refused', reason: 'unauthorized' })
    await room.gateway.identities.learn('whatsapp', '900000000000001@lid', '15551234567@s.whatsapp.net')
    expect(await room.say('hello', { source: lid })).toMatchObject({ status: 'started' })
    await room.quiet()
    expect(await room.gateway.get(dmKey)).toBeNull()
  })
})
