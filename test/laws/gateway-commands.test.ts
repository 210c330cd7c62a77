import { verifies } from '#verifies'
import { describe, expect } from 'vitest'
import { gate } from './agent-talk.ts'
import { answering, dmKey, fates, lastSaid, openRoom, type Room, spoken } from './gateway-talk.ts'
import { memoryPlace, onEveryStore } from './stores.ts'

async function asked(room: Room, text: string, more: object = {}): Promise<string> {
  const { inboxId } = await room.say(text, more)
  const { items } = await room.gateway.outbox.list()
  return items.find(({ inbox }) => inbox === inboxId)?.text ?? ''
}

onEveryStore('commands', place => {
  verifies('G65', 'undo and retry move the leaf and delete nothing', async () => {
    const room = await openRoom(await place())
    expect([await asked(room, '/undo'), await asked(room, '/retry')]).toEqual(['Nothing to undo.', 'Nothing to retry.'])
    const { sessionId = '' } = await room.say('one')
    for (const text of ['two', 'three']) {
      await room.quiet()
      await room.say(text)
    }
    await room.quiet()
    const before = (await (await room.skein.sessions.open(sessionId)).entries()).length
    await asked(room, '/undo 2')
    const talk = async (): Promise<unknown> => (await (await room.skein.sessions.open(sessionId)).conversation()).length
    expect(await talk()).toBe(2)
    expect((await (await room.skein.sessions.open(sessionId)).entries()).length).toBeGreaterThanOrEqual(before)
    expect(await spoken(room.skein, sessionId)).toHaveLength(6)
    await asked(room, '/retry')
    await room.quiet()
    expect((await spoken(room.skein, sessionId)).slice(-2)).toEqual(['user: one', 'assistant: re: one'])
    expect(await talk()).toBe(2)
    expect(room.adapter.texts.at(-1)).toBe('re: one')
    await asked(room, '/undo 50')
    expect(await talk()).toBe(0)
    expect(await asked(room, '/undo')).toBe('Nothing to undo.')
  })

  verifies('G66', 'resume goes back to what sessions shows, and never to somebody else’s', async () => {
    const room = await openRoom(await place())
    const theirs = await room.say('secret', { source: { chatId: '7', userId: '7' } })
    await room.say('/title Secret plans', { source: { chatId: '7', userId: '7' } })
    const first = await room.say('first')
    await room.quiet()
    await room.say('/new')
    const second = await room.say('second')
    await room.quiet()
    await room.say('/new Third one')
    await room.say('third')
    await room.quiet()
    const listed = await asked(room, '/sessions')
    expect(listed.split('\n').map(line => /\((ses_\w+)\)/.exec(line)?.[1])).toEqual([second.sessionId, first.sessionId])
    for (const name of [theirs.sessionId, 'Secret plans', '9', 'nobody', '../x'])
      expect(await asked(room, `/resume ${name}`)).toBe('No such session.')
    expect(await asked(room, '/resume 1')).toContain(second.sessionId)
    expect((await room.gateway.get(dmKey))?.sessionId).toBe(second.sessionId)
    expect(await asked(room, '/resume third ONE')).toContain('Third one')
  })

  verifies('G67', 'what may not be done during a run is refused as busy and does nothing', async () => {
    const open = gate()
    const room = await openRoom(await place(), {
      model: answering(async request => {
        if (lastSaid(request) === 'wait') await open.promise
        return 'ok'
      }),
    })
    await room.say('before')
    await room.quiet()
    await room.say('wait')
    for (const command of ['/retry', '/undo', '/compact', '/resume 1'])
      expect(await room.say(command)).toMatchObject({ status: 'refused', reason: 'busy' })
    expect(await asked(room, '/UNDO')).toBe('busy')
    const status = await asked(room, '/status')
    for (const form of ['/STATUS', '/status@bot', ' /Status@My_Bot ']) expect(await asked(room, form)).toBe(status)
    expect(status).toContain(dmKey)
    expect(await asked(room, '/title \u200b')).not.toContain('Title:')
    expect(await asked(room, '/title A\u202eB\n\u0007trip')).toBe('Title: A B trip')
    // Others are texts, and so part of the conversation.
    expect(await room.say('/etc/hosts is odd', { busy: 'next' })).toMatchObject({ status: 'queued' })
    expect(await room.say('/unknown', { busy: 'next' })).toMatchObject({ status: 'queued' })
    open.open()
    await room.quiet()
    const { sessionId = '' } = (await room.gateway.get(dmKey)) ?? {}
    const heard = (await spoken(room.skein, sessionId)).filter(text => text.startsWith('user'))
    expect(heard).toEqual(['user: before', 'user: wait', 'user: /etc/hosts is odd', 'user: /unknown'])
  })

  verifies('G67 G38', 'stop ends the turn and drops what waits, and keeps a healthy session', async () => {
    const room = await openRoom(await place(), {
      model: answering(async request => {
        if (lastSaid(request) === 'hang') await new Promise(() => undefined)
        return `re: ${lastSaid(request)}`
      }),
    })
    const { sessionId } = await room.say('hang')
    await room.say('a', { busy: 'next' })
    await room.say('b', { busy: 'next' })
    expect(await room.say('/stop')).toMatchObject({ status: 'handled' })
    expect((await fates(room.skein)).slice(0, 3)).toEqual([
      'hang: done: user_cancelled',
      'a: dropped: stopped',
      'b: dropped: stopped',
    ])
    expect(await room.say('again')).toMatchObject({ status: 'started', sessionId })
    await room.quiet()
    // One that breaks off is left.
    await room.gateway.markResumePending(dmKey)
    await room.say('/stop')
    expect((await room.gateway.get(dmKey))?.holds).toMatchObject([{ kind: 'suspended', reason: 'stop' }])
    const next = await room.say('fresh')
    expect(next.sessionId).not.toBe(sessionId)
    await room.quiet()
    expect(room.adapter.texts.slice(-2)).toEqual([
      'New session: the last one was stopped. Send /resume 1 to go back.',
      're: fresh',
    ])
  })

  verifies('G43 G67', 'a new session cancels the turn of the old one, also of another process', async () => {
    const at = await place()
    const hanging = answering(async request => {
      if (lastSaid(request) === 'hang') await new Promise(() => undefined)
      return `re: ${lastSaid(request)}`
    })
    const room = await openRoom(at, { model: hanging })
    const other = await openRoom(at, { start: false })
    await room.say('hang')
    await other.say('/new')
    await room.quiet()
    expect((await fates(room.skein)).toSorted()).toEqual(['/new: handled', 'hang: done: route.stale'])
    await room.say('hang')
    await room.say('wait', { busy: 'next' })
    expect(await asked(other, '/stop')).toContain('Stopped.')
    expect(await fates(room.skein)).toEqual(expect.arrayContaining(['hang: done: user_cancelled', 'wait: dropped: stopped']))
  })
})

describe('the status', () => {
  verifies('G67', 'tells what a session has used: turns, tokens and money, as far as they are known', async () => {
    const model = answering(request => ({
      text: [`re: ${lastSaid(request)}`],
      usage: { inputTokens: 1_200, cacheReadTokens: 300, outputTokens: 40 },
    }))
    const room = await openRoom(await memoryPlace(), { model })
    expect(await asked(room, '/status')).not.toContain('Usage:')
    const { sessionId = '' } = await room.say('hello')
    await room.quiet()
    expect(await asked(room, '/status')).toContain('\nUsage: 1 turn, 1,500 tokens in, 40 tokens out, cost unknown\n')
    const usage = { inputTokens: 100, outputTokens: 10 }
    await (await room.skein.sessions.open(sessionId)).record({ user: 'a', assistant: 'b', usage, cost: 12_300_000 })
    expect(await asked(room, '/status')).toContain('Usage: 2 turns, 1,600 tokens in, 50 tokens out, $0.0123 and more\n')
  })
})
