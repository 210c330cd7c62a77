import { describe, expect, it } from 'vitest'
import type { Extractor } from '#memory'
import type { SkeinOptions } from '#skein'
import { verifies } from '#verifies'
import { archiveRoom, assistant, hastyTimers, sealed, user } from './archive-room.ts'
import { codeOf } from './compacting-room.ts'
import { everyEntry } from './branch-proof.ts'
import { onEveryStore } from './stores.ts'

const off: SkeinOptions = { memory: { commit: 'manual', extractor: 'off' } }
const wrong = 'f'.repeat(32)

onEveryStore('a prepared commit', makePlace => {
  verifies('M39 M74', 'works by its token once, and by no other', async () => {
    const { session } = await archiveRoom(off, makePlace)
    await session.append([user('a'), assistant('b')])
    expect(await session.prepared()).toBeNull()
    const first = await session.prepareCommit()
    expect(first.token).toMatch(/^[0-9a-f]{32}$/)
    const second = await session.prepareCommit()
    expect(await codeOf(session.commit({ token: first.token }))).toBe('commit.token_invalid')
    for (const token of [wrong, '', 'short']) expect(await codeOf(session.commit({ token }))).toBe('commit.token_invalid')
    const { token, archive, expiresAt } = second
    expect(await session.prepared()).toEqual({ token, archive, expiresAt })
    expect(await sealed(session.commit({ token, wait: true }))).toMatchObject({ archive, status: 'ready', messages: 2 })
    expect(await session.prepared()).toBeNull()
    expect(await codeOf(session.commit({ token }))).toBe('commit.token_invalid')
    expect((await session.archives()).map(({ id }) => id)).toEqual([archive])
  })

  verifies('M40', 'is as valid after a restart as before', async () => {
    const { session, place, skein } = await archiveRoom(off, makePlace)
    await session.append(user('a'))
    const { token, archive } = await session.prepareCommit()
    await skein.close()
    const again = await (await place.open(off)).sessions.open(session.id)
    expect((await again.prepared())?.token).toBe(token)
    expect(await sealed(again.commit({ token }))).toMatchObject({ archive })
  })

  verifies('M39', 'is taken by one of several', async () => {
    const { session, place } = await archiveRoom(off, makePlace)
    await session.append(user('a'))
    const { token } = await session.prepareCommit()
    const other = await (await place.open(off)).sessions.open(session.id)
    const codes = await Promise.all([session, other, session].map(one => codeOf(one.commit({ token }))))
    expect(codes.sort()).toEqual(['commit.token_invalid', 'commit.token_invalid', 'resolved'])
    expect(await session.archives()).toHaveLength(1)
  })
})

describe('a prepared commit', () => {
  verifies('M40 M74', 'is spoilt by whatever changes what it would seal, and by nothing else', async () => {
    const { session } = await archiveRoom({ memory: { commit: 'manual' } })
    const { entries } = await session.append([user('a'), assistant('b'), user('c'), assistant('d')])
    const [first, second, , last] = entries.map(({ id }) => id)
    const spoils: Record<string, () => Promise<unknown>> = {
      append: () => session.append(user('e')),
      'a move there and back': async () => {
        const { leafId } = await session.info()
        await session.moveTo(second ?? 'ent_')
        await session.moveTo(leafId ?? 'ent_')
      },
      'a model': () => session.setModel('demo/echo'),
      'a commit': () => session.commit({ through: first ?? 'ent_' }),
    }
    for (const [what, spoil] of Object.entries(spoils)) {
      const { token } = await session.prepareCommit()
      expect((await session.prepared())?.token, what).toBe(token)
      await spoil()
      expect(await session.prepared(), what).toBeNull()
      expect(await codeOf(session.commit({ token })), what).toBe('commit.token_invalid')
    }
    const { token } = await session.prepareCommit()
    await session.label(last ?? 'ent_', 'a label')
    await session.rename('a title')
    await session.annotate({ tags: ['x'] })
    expect((await session.prepared())?.token).toBe(token)
    expect((await sealed(session.commit({ token }))).archived).toBe(true)
  })

  verifies('M40', 'is spoilt by a rewind and by a new range', async () => {
    const { session, skein } = await archiveRoom({ memory: { commit: 'manual' } })
    await session.append([user('My name is Ada.'), assistant('Hello.')])
    const first = await session.prepareCommit()
    expect((await session.prepared())?.token).toBe(first.token)
    expect(await skein.memory.rewind(session.id, 1)).not.toBe(false)
    expect(await session.prepared()).toBeNull()
    expect(await codeOf(session.commit({ token: first.token }))).toBe('commit.token_invalid')
  })

  verifies('M41', 'works younger than its time, not as old', async () => {
    const { session, place } = await archiveRoom(off)
    await session.append(user('a'))
    for (const ttlMs of [0, -1, 1.5, 3_600_001]) expect(await codeOf(session.prepareCommit({ ttlMs }))).toBe('input.invalid')
    const old = await session.prepareCommit({ ttlMs: 1_000 })
    expect(old.expiresAt).toBe(place.clock.now() + 1_000)
    place.clock.advance(1_000)
    expect(await session.prepared()).toBeNull()
    expect(await codeOf(session.commit({ token: old.token }))).toBe('commit.token_expired')
    const young = await session.prepareCommit({ ttlMs: 1_000 })
    place.clock.advance(999)
    expect((await session.prepared())?.token).toBe(young.token)
    place.clock.set(place.clock.now() - 999 - 5_001)
    expect(await codeOf(session.commit({ token: young.token }))).toBe('commit.token_expired')
    place.clock.advance(1)
    expect((await sealed(session.commit({ token: young.token }))).archive).toBe(young.archive)
  })

  verifies('M74', 'is withdrawn as often as one likes, and that changes no entry', async () => {
    const { session } = await archiveRoom(off)
    await session.append(user('a'))
    const { token } = await session.prepareCommit()
    const before = await everyEntry(session, false)
    expect(await session.discardPrepared()).toEqual({ discarded: true })
    expect(await session.discardPrepared()).toEqual({ discarded: false })
    expect(await session.prepared()).toBeNull()
    expect(await codeOf(session.commit({ token }))).toBe('commit.token_invalid')
    expect(await everyEntry(session, false)).toEqual(before)
  })

  verifies('M42', 'is held up by no extraction, and tells how that went', async () => {
    const failing: Extractor = { name: 'failing', version: '1', extract: () => Promise.reject(new Error('no')) }
    const { session, skein } = await archiveRoom({
      memory: { commit: 'manual', extractor: failing },
      timers: hastyTimers,
    })
    await session.append([user('a'), assistant('b')])
    const preparing = session.prepareCommit()
    await expect.poll(async () => (await skein.jobs.list({ kind: 'memory.extract' })).length).toBe(1)
    const [job] = await skein.jobs.list({ kind: 'memory.extract' })
    const done = await preparing.catch((error: unknown) => error as never)
    expect(JSON.stringify(done.extraction)).toMatch(/failed|pending|parked/)
    const committed = await sealed(session.commit({ token: done.token, wait: true, maxOverviewChars: 12 }))
    expect(committed).toMatchObject({ status: 'ready', archive: done.archive })
    expect(committed.overview?.length).toBeLessThanOrEqual(12)
    expect((await session.archives())[0]?.overview.startsWith(committed.overview ?? '?')).toBe(true)
    expect(job?.kind).toBe('memory.extract')
  })
})

describe('after a turn', () => {
  verifies('M43', 'says what became of it', async () => {
    const memory = { commit: { maxMessages: 4 }, extractor: 'off' } as const
    const { session } = await archiveRoom({ memory })
    const said = [user('a'), assistant('b')]
    expect(await session.afterTurn({ messages: said, already: 2 })).toEqual({ status: 'no_new_messages' })
    expect(await session.afterTurn({ messages: [] })).toEqual({ status: 'no_new_messages' })
    const first = await session.afterTurn({ messages: said })
    expect(first).toEqual({ status: 'accumulating', liveTokens: (await session.info()).liveTokens })
    const again = await session.afterTurn({ messages: [...said, user('c'), assistant('d')], already: 2 })
    const [archive] = await session.archives()
    expect(again).toMatchObject({
      status: 'queued',
      archive: archive?.id,
      cause: 'messages',
      jobs: [expect.stringMatching(/^job_/)],
    })
    expect((await session.conversation()).length).toBe(4)
    for (const already of [-1, 0.5]) expect(await codeOf(session.afterTurn({ messages: said, already }))).toBe('input.invalid')
    expect(await codeOf(session.afterTurn({ messages: 'a' }))).toBe('input.invalid')
  })
})

describe('closing', () => {
  verifies('M44', 'seals all that is live, be it one token, and waits for nothing', async () => {
    const { session, place } = await archiveRoom({ worker: false, ...off })
    await session.append(user('a'))
    expect(await session.close({ commit: true })).toMatchObject({
      archived: true,
      status: 'sealed',
      messages: 1,
      cause: 'close',
      extraction: 'none',
    })
    expect(await codeOf(session.info())).toBe('session.closed')
    const learns = await place.open({ memory: { commit: 'manual' } })
    const again = await learns.sessions.open(session.id)
    await again.append(user('My name is Ada.'))
    expect(await again.close({ commit: true })).toMatchObject({ archived: true, extraction: 'queued', messages: 1 })
    const third = await learns.sessions.open(session.id)
    expect(await third.close({ commit: true })).toEqual({ archived: false, reason: 'empty' })
    expect(await (await learns.sessions.open(session.id)).close()).toBeUndefined()
  })

  it('leaves the session open when sealing fails', async () => {
    const { session, place, skein } = await archiveRoom(off)
    await session.append(user('a'))
    // Somebody else deletes it.
    await (await place.open()).sessions.delete(session.id)
    expect(await codeOf(session.close({ commit: true }))).toBe('session.not_found')
    await skein.sessions.restore(session.id)
    expect(await session.info()).toMatchObject({ liveMessages: 1 })
    expect(await session.close({ commit: true })).toMatchObject({ messages: 1 })
  })
})
