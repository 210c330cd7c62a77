import { describe, expect, it } from 'vitest'
import { scriptedModel } from '#models'
import type { Store, TenantStore } from '#journal'
import { SkeinError } from '#kernel'
import type { Session } from '#skein'
import { verifies } from '#verifies'
import { addArchive, archiveRoom, assistant, call, overviewWith, result, scriptedArchiver, sealed, user } from './archive-room.ts'
import { codeOf } from './compacting-room.ts'
import { everyEntry } from './branch-proof.ts'
import { onEveryStore, type Place } from './stores.ts'

/** The same store, in which some verbs of every tenant are others. */
function altered(store: Store, verbs: (inside: TenantStore) => Partial<TenantStore>): Store {
  const over = <T extends object>(target: T, others: Partial<T>): T =>
    new Proxy(target, {
      get: (_, name) => {
        const value: unknown = Reflect.get(name in others ? others : target, name)
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
  return over(store, {
    in: (tenant: string) => {
      const inside = store.in(tenant)
      return over(inside, verbs(inside))
    },
  })
}

/** The same store, of which some commits fail. */
async function breaking(place: Place, fails: () => boolean): Promise<Store> {
  return altered(await place.store(), inside => ({
    commit: async (...given) => {
      if (fails()) throw new SkeinError('store.unavailable', 'Away.')
      return await inside.commit(...given)
    },
  }))
}

/** Lets so many come before the first goes on; the others go on when the first has said so. */
function startingGate(most: number): { readonly pass: () => Promise<void>; readonly firstIsDone: () => void } {
  const [all, first] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let came = 0
  return {
    pass: async () => {
      const place = ++came
      if (place === most) all.resolve()
      await all.promise
      if (place > 1 && place <= most) await first.promise
    },
    firstIsDone: first.resolve,
  }
}

/** A session in several processes, each of whose commits with a key learns that the key is new before one of them seals. */
async function racing(place: Place, handles: number): Promise<readonly Session[]> {
  const gate = startingGate(handles)
  const { openSkein } = await import('#skein')
  const sessions: Session[] = []
  for (let n = 0; n < handles; n++) {
    const store = altered(await place.store(), inside => ({
      replay: async (...given) => {
        const known = await inside.replay(...given)
        if (given[0].startsWith('commit ')) await gate.pass()
        return known
      },
      commit: async (changes, options) => {
        const committed = await inside.commit(changes, options)
        if (options?.key?.startsWith('commit ') === true) gate.firstIsDone()
        return committed
      },
    }))
    const skein = await openSkein({ store, clock: place.clock, worker: false })
    const [one] = sessions
    sessions.push(one === undefined ? await skein.sessions.create() : await skein.sessions.open(one.id))
  }
  return sessions
}

onEveryStore('sealing what is live', makePlace => {
  verifies('M2 M9', 'counts what is live, and seals nothing where nothing is', async () => {
    const skein = await (await makePlace()).open()
    const session = await skein.sessions.create()
    expect(await session.commit()).toEqual({ archived: false, reason: 'empty' })
    await session.append(user('hello'))
    const first = await session.info()
    expect(first).toMatchObject({ liveMessages: 1, liveTurns: 1, archivedTo: 0, commits: 0, lastCommitAt: null, archives: 0 })
    const { entries } = await session.append(assistant('hi'))
    const before = await session.info()
    expect(before).toMatchObject({ liveMessages: 2, liveTurns: 1 })
    expect(before.liveTokens).toBeGreaterThan(first.liveTokens)
    const done = await sealed(session.commit({ extract: false }))
    expect(done).toMatchObject({ status: 'sealed', fromSeq: 1, toSeq: entries[0]?.seq, messages: 2, cause: 'manual' })
    expect([done.tokensBefore, done.tokensAfter]).toEqual([before.liveTokens, 0])
    expect(await session.info()).toMatchObject({ liveMessages: 0, liveTurns: 0, liveTokens: 0, commits: 1, archives: 1 })
    const jobs = (await skein.jobs.list()).length
    expect(await session.commit()).toEqual({ archived: false, reason: 'empty' })
    expect(await session.commit({ through: entries[0]?.id ?? 'ent_' })).toEqual({ archived: false, reason: 'empty' })
    expect(await skein.jobs.list()).toHaveLength(jobs)
    expect(await codeOf(session.commit({ through: 'ent_00000000000000000000000000' }))).toBe('entry.not_found')
    expect(await codeOf(session.commit({ through: 'nothing' as never }))).toBe('input.invalid')
    expect(await codeOf(session.commit({ sessionTime: 'yesterday' }))).toBe('input.invalid')
    expect(await codeOf(session.commit({ what: 1 } as never))).toBe('input.invalid')
  })

  verifies('M10', 'is sealed at once, and ready after whoever sealed it died', async () => {
    const place = await makePlace()
    const first = await place.open()
    const session = await first.sessions.create()
    await session.append([user('a'), assistant('b')])
    const { archive } = await sealed(session.commit())
    expect((await session.archives()).map(({ id, state }) => [id, state])).toEqual([[archive, 'sealed']])
    await first.close()
    const second = await place.open({ worker: true })
    const again = await second.sessions.open(session.id)
    await expect.poll(async () => (await again.archives()).map(({ id, state }) => [id, state])).toEqual([[archive, 'ready']])
  })

  verifies('M12 M13', 'seals once for two at a time, and leaves what is said meanwhile live', async () => {
    const place = await makePlace()
    const [one, two] = [await place.open(), await place.open()]
    const session = await one.sessions.create()
    const other = await two.sessions.open(session.id)
    for (let n = 0; n < 4; n++) await session.append(user(`m${n}`))
    const both = await Promise.all([session.commit(), other.commit()])
    const outcomes = both.map(done => (done.archived ? done.messages : done.reason)).sort()
    expect(outcomes).toEqual([4, 'empty'])
    const [, late] = await Promise.all([session.append(user('late')), other.commit()])
    if (!late.archived) {
      expect(await session.info()).toMatchObject({ liveMessages: 1 })
    } else expect(late.messages).toBe(1)
  })

  verifies('M16', 'ends where it is asked to, never between a call and its result', async () => {
    const skein = await (await makePlace()).open()
    const session = await skein.sessions.create()
    const { entries } = await session.append([user('a'), call('c1'), result('c1'), assistant('b'), user('c'), assistant('d')])
    const [asked, calling, returned] = entries
    expect(await sealed(session.commit({ through: calling?.id ?? 'ent_' }))).toMatchObject({ messages: 1, toSeq: asked?.seq })
    expect(await session.commit({ through: calling?.id ?? 'ent_' })).toEqual({ archived: false, reason: 'empty' })
    expect(await sealed(session.commit({ through: returned?.id ?? 'ent_' }))).toMatchObject({ messages: 2, toSeq: returned?.seq })
    expect(await session.info()).toMatchObject({ liveMessages: 3, archivedTo: returned?.seq })
  })

  verifies('M16', 'keeps the last turns live', async () => {
    const skein = await (await makePlace()).open()
    const session = await skein.sessions.create()
    for (let n = 0; n < 4; n++) await session.record({ user: `q${n}`, assistant: `a${n}` })
    expect(await sealed(session.commit({ keepTurns: 2 }))).toMatchObject({ messages: 4 })
    expect(await session.info()).toMatchObject({ liveTurns: 2, liveMessages: 4 })
    expect(await session.commit({ keepTurns: 2 })).toEqual({ archived: false, reason: 'empty' })
    expect(await sealed(session.commit({ keepTurns: 1 }))).toMatchObject({ messages: 2 })
  })

  verifies('M18', 'gives the first answer to a key again, whatever is live by now', async () => {
    const skein = await (await makePlace()).open()
    const session = await skein.sessions.create()
    const { entries } = await session.append([user('a'), assistant('b'), user('c')])
    const idempotencyKey = '../../x'
    const first = await session.commit({ through: entries[1]?.id ?? 'ent_', idempotencyKey })
    await session.append(user('d'))
    expect(await session.commit({ through: entries[1]?.id ?? 'ent_', idempotencyKey })).toEqual(first)
    expect(await session.commit({ idempotencyKey })).toEqual(first)
    expect(await codeOf(session.commit({ through: entries[2]?.id ?? 'ent_', idempotencyKey }))).toBe('idempotency.mismatch')
    expect((await session.archives()).map(archive => archive.idempotencyKey)).toEqual([idempotencyKey])
    // It means nothing in another session.
    const other = await skein.sessions.create()
    await other.append(user('e'))
    expect(await sealed(other.commit({ idempotencyKey }))).toMatchObject({ messages: 1 })
    const together = await Promise.all([1, 2, 3].map(() => session.commit({ idempotencyKey: 'together' })))
    expect(new Set(together.map(done => JSON.stringify(done))).size).toBe(1)
    expect(await session.archives()).toHaveLength(2)
  })

  verifies('M18', 'gives those the first answer who asked with its key before it was sealed, and planned after', async () => {
    const sessions = await racing(await makePlace(), 3)
    const [session] = sessions
    await session?.append([user('a'), assistant('b')])
    const answers = await Promise.all(sessions.map(one => one.commit({ idempotencyKey: 'together' })))
    expect(answers[0]).toMatchObject({ archived: true, messages: 2 })
    expect(new Set(answers.map(answer => JSON.stringify(answer))).size).toBe(1)
    expect(await session?.archives()).toHaveLength(1)
  })

  verifies('M18 M39', 'gives the first answer to a key beside a token, which is used up by then', async () => {
    const place = await makePlace()
    const sessions = await racing(place, 2)
    const [session] = sessions
    await session?.append([user('a'), assistant('b')])
    const learner = await place.open({ worker: true })
    const token = (await session?.prepareCommit())?.token ?? ''
    await learner.close()
    const answers = await Promise.all(sessions.map(one => one.commit({ token, idempotencyKey: 'together' })))
    expect(answers[0]).toMatchObject({ archived: true, messages: 2 })
    expect(new Set(answers.map(answer => JSON.stringify(answer))).size).toBe(1)
  })

  verifies('M18', 'keeps to a key that there was nothing to seal, too', async () => {
    const skein = await (await makePlace()).open()
    const session = await skein.sessions.create()
    const nothing = await session.commit({ idempotencyKey: 'early' })
    expect(nothing).toEqual({ archived: false, reason: 'empty' })
    await session.append(user('a'))
    expect(await session.commit({ idempotencyKey: 'early' })).toEqual(nothing)
    expect(await session.archives()).toEqual([])
    expect(await sealed(session.commit({ idempotencyKey: 'later' }))).toMatchObject({ messages: 1 })
  })

  verifies('M14', 'changes nothing when the store fails, and seals the same entries the next time', async () => {
    const place = await makePlace()
    let fails = false
    const store = await breaking(place, () => fails)
    const { openSkein } = await import('#skein')
    const skein = await openSkein({ store, clock: place.clock, worker: false })
    const session = await skein.sessions.create()
    await session.append([user('a'), assistant('b')])
    await session.state.update({ objective: 'to hold' })
    const learner = await place.open({ worker: true })
    const { token } = await session.prepareCommit()
    await learner.close()
    const before = await session.info()
    fails = true
    expect(await codeOf(session.commit())).toBe('store.unavailable')
    fails = false
    expect(await session.info()).toEqual(before)
    expect(await session.archives()).toEqual([])
    expect((await session.state.get()).objective).toBe('to hold')
    expect((await session.prepared())?.token).toBe(token)
    expect(await sealed(session.commit({ token }))).toMatchObject({ messages: 2, fromSeq: 1 })
    expect(await session.commit()).toEqual({ archived: false, reason: 'empty' })
    await skein.close()
  })

  verifies('M5', 'answers for an archive of another tenant or session as for an unknown one', async () => {
    const place = await makePlace()
    const skein = await place.open()
    const session = await skein.sessions.create()
    await session.append(user('mine'))
    const { archive } = await sealed(session.commit())
    const mate = await skein.sessions.create()
    const foreign = await skein.in('other').sessions.create()
    const unknown = 'arc_00000000000000000000000000'
    for (const [who, ref] of [
      [mate, archive],
      [foreign, archive],
      [mate, unknown],
    ] as const) {
      expect(await codeOf(who.expand(ref))).toBe('archive.not_found')
      expect(await codeOf(who.archive(ref))).toBe('archive.not_found')
    }
    expect(await codeOf(skein.in('other').sessions.open(session.id))).toBe('session.not_found')
  })
})

describe('sealing', () => {
  verifies('M3 M4', 'refuses content that is none with its path, and keeps the times that are given', async () => {
    const { session, place } = await archiveRoom()
    for (const content of [null, undefined, 7]) {
      const error: unknown = await session.append({ role: 'user', content }).catch((refused: unknown) => refused)
      expect(error).toMatchObject({ code: 'input.invalid' })
      expect(String((error as SkeinError).details['path'])).toMatch(/content|parts/)
    }
    expect((await session.info()).messages).toBe(0)
    const { entries } = await session.append([user('a', { at: 1_763_683_200_000 }), user('b')])
    expect(entries.map(({ at }) => at)).toEqual([1_763_683_200_000, place.clock.now()])
    for (const at of ['soon', 1.5, Number.NaN]) expect(await codeOf(session.append(user('c', { at })))).toBe('input.invalid')
    expect((await session.info()).messages).toBe(2)
  })

  verifies('M16', 'seals nothing of a turn whose run is going', async () => {
    let goOn = (): void => undefined
    const waiting = new Promise<void>(resolve => (goOn = resolve))
    const model = scriptedModel(['first', async () => (await waiting, 'second')])
    const { session } = await archiveRoom()
    await session.send('one', { model }).result()
    const run = session.send('two', { model })
    await run.receipt
    await expect.poll(async () => (await session.info()).running !== null).toBe(true)
    const done = await sealed(session.commit({ extract: false }))
    expect(done.messages).toBe(2)
    expect(await session.commit()).toEqual({ archived: false, reason: 'empty' })
    goOn()
    await run.result()
    expect(await sealed(session.commit({ extract: false }))).toMatchObject({ messages: 2, fromSeq: done.toSeq + 1 })
  })

  verifies('M16', 'leaves a call live whose result may still come', async () => {
    const { session } = await archiveRoom()
    await session.append([user('a'), call('c1'), call('c2')])
    const before = await session.append(call('c3'))
    expect(await sealed(session.commit({ extract: false }))).toMatchObject({ messages: 3 })
    expect((await session.info()).archivedTo).toBe((before.entries[0]?.seq ?? 0) - 1)
    await session.append([result('c3'), assistant('b')])
    expect(await sealed(session.commit({ extract: false }))).toMatchObject({ messages: 3 })
  })

  verifies('M13 M17', 'is told as sealed when the time passes, while appends go on beside a slow archiver', async () => {
    let release = (): void => undefined
    const waiting = new Promise<void>(resolve => (release = resolve))
    const archiver = scriptedArchiver(async () => (await waiting, { overview: overviewWith('x'), abstract: 'x' }))
    const { session, skein } = await archiveRoom({ memory: { archiver, commit: 'manual' } })
    await session.append(user('a'))
    const first = await sealed(session.commit({ wait: { ms: 60 } }))
    expect(first).toMatchObject({ status: 'sealed' })
    expect(first).not.toHaveProperty('overview')
    // Neither waits for what the first one waits for.
    await session.append(user('b'))
    expect(await sealed(session.commit())).toMatchObject({ status: 'sealed', messages: 1 })
    const stop = new AbortController()
    const waited = session.append(user('c')).then(() => session.commit({ wait: true, signal: stop.signal }))
    await expect.poll(async () => (await session.archives()).length).toBe(3)
    stop.abort(new Error('enough'))
    await expect(waited).rejects.toThrow('enough')
    release()
    await skein.jobs.idle({ kind: 'archive.summarize' })
    expect((await session.archives()).map(({ state }) => state)).toEqual(['ready', 'ready', 'ready'])
  })

  verifies('M15 M17', 'stays sealed when its job is parked, and says why', async () => {
    const { session, skein, place } = await archiveRoom({ worker: false })
    const { entries } = await session.append([user('a'), assistant('b')])
    const { archive, jobs } = await sealed(session.commit({ extract: false }))
    const store = (await place.store()).in('default')
    const claimed = await (await place.store()).claim({ 'archive.summarize': 1 }, 'other', 10_000)
    const error = { code: 'provider.rejected', message: 'No.' }
    await store.commit([{ type: 'park', job: jobs[0] ?? 'job_', fence: claimed?.fence ?? 0, error }])
    const again = await session.append([user('c')])
    const second = await sealed(session.commit({ extract: false }))
    expect(second).toMatchObject({ fromSeq: (entries.at(-1)?.seq ?? 0) + 1, messages: 1 })
    expect((await session.archives({ all: true })).map(({ fromSeq, toSeq }) => [fromSeq, toSeq])).toEqual([
      [second.fromSeq, again.entries[0]?.seq],
      [1, entries.at(-1)?.seq],
    ])
    await session.append(user('d'))
    const third = await sealed(session.commit({ extract: false }))
    const parked = await (await place.store()).claim({ 'archive.summarize': 1 }, 'other', 10_000)
    expect(parked?.id).toBe(second.jobs[0])
    await store.commit([{ type: 'complete', job: parked?.id ?? 'job_', fence: parked?.fence ?? 0 }])
    const last = await (await place.store()).claim({ 'archive.summarize': 1 }, 'other', 10_000)
    await store.commit([{ type: 'park', job: last?.id ?? 'job_', fence: last?.fence ?? 0, error }])
    expect(third.jobs[0]).toBe(last?.id)
    expect(await skein.jobs.list({ state: 'parked' })).toHaveLength(2)
    await session.append(user('e'))
    const waiting = session.commit({ extract: false, wait: true })
    await expect.poll(async () => (await session.archives()).length).toBe(4)
    const job = await (await place.store()).claim({ 'archive.summarize': 1 }, 'other', 10_000)
    await store.commit([{ type: 'park', job: job?.id ?? 'job_', fence: job?.fence ?? 0, error }])
    expect(await waiting).toMatchObject({ status: 'sealed', error })
    // Trying again makes it ready.
    await skein.jobs.retry(jobs[0] ?? '')
    const worker = await place.open({ worker: true })
    await expect.poll(async () => (await (await worker.sessions.open(session.id)).archive(archive)).state).toBe('ready')
  })

  it('takes a lock of nobody: it goes on while another process writes the session', async () => {
    const { place, session } = await archiveRoom({ worker: false })
    await session.append(user('a'))
    const other = await place.open()
    expect(await sealed((await other.sessions.open(session.id)).commit())).toMatchObject({ messages: 1 })
  })

  verifies('M1', 'counts by subtraction what a recount of the journal gives', async () => {
    const { session } = await archiveRoom()
    const recount = async (): Promise<unknown> => {
      const { archivedTo } = await session.info()
      const live = (await session.conversation()).filter(({ seq }) => seq > archivedTo)
      const tokens = (await everyEntry(session, false))
        .filter(({ id }) => live.some(message => message.id === id))
        .reduce((sum, { tokens: own = 0 }) => sum + own, 0)
      return { liveMessages: live.length, liveTurns: live.filter(({ role }) => role === 'user').length, liveTokens: tokens }
    }
    const ids: string[] = []
    for (let n = 0; n < 12; n++) {
      const { entries } = await session.append([user(`q${n} ${'word '.repeat(n)}`), assistant(`a${n}`)])
      ids.push(...entries.map(({ id }) => id))
      if (n % 3 === 2) await session.commit({ keepTurns: n % 2, extract: false })
      if (n === 6) await session.moveTo(ids[4] as `ent_${string}`)
      if (n === 9) await session.moveTo(ids.at(-3) as `ent_${string}`)
      expect(await session.info()).toMatchObject((await recount()) as object)
    }
  })

  verifies('M19', 'seals by the first trigger that is due, in this order', async () => {
    const memory = { commit: { maxTokens: 200, maxMessages: 5, maxAgeMs: 50_000, idleMs: 10_000 }, extractor: 'off' } as const
    const { session, place } = await archiveRoom({ memory })
    const causes = async (): Promise<(string | undefined)[]> =>
      (await (await place.store()).in('default').archives(session.id)).map(({ data }) => data['cause'] as string)
    await session.append(user('few'))
    expect(await causes()).toEqual([])
    // Both are due: one commit, by tokens.
    await session.append([1, 2, 3, 4].map(n => user(`${'many words of it '.repeat(20)} ${n}`)))
    expect(await causes()).toEqual(['tokens'])
    await session.append([1, 2, 3, 4, 5].map(n => user(`${n}`)))
    expect(await causes()).toEqual(['tokens', 'messages'])
    await session.append(user('old'))
    place.clock.advance(50_000)
    await session.append(user('just as old'))
    expect(await causes()).toEqual(['tokens', 'messages'])
    place.clock.advance(1)
    await session.append(user('too old'))
    expect(await causes()).toEqual(['tokens', 'messages', 'age'])
  })

  verifies('M19', 'reaches sessions that nobody has open, by idleness', async () => {
    const place = await (await import('./stores.ts')).memoryPlace()
    const { manualTimers, systemTimers } = await import('#kernel')
    const swept = manualTimers()
    const timers = { after: (ms: number, run: () => void) => (ms === 60_000 ? swept : systemTimers).after(ms, run) }
    const memory = { commit: { idleMs: 5_000 }, extractor: 'off' } as const
    const first = await place.open({ memory, worker: false })
    const session = await first.sessions.create()
    await session.append(user('a'))
    await first.close()
    const skein = await place.open({ memory, worker: true, timers })
    const archives = async () => await (await place.store()).in('default').archives(session.id)
    swept.ring(60_000)
    await expect.poll(() => swept.count).toBe(1)
    expect(await archives()).toEqual([])
    place.clock.advance(5_001)
    swept.ring(60_000)
    await expect.poll(async () => (await archives()).map(({ data }) => data['cause'])).toEqual(['idle'])
    await skein.close()
  })

  verifies('M19', 'seals what ended as a turn ends, and nothing before `memory` is configured', async () => {
    const words = 'many words of it '.repeat(40)
    for (const memory of [{ commit: { maxTokens: 100 }, extractor: 'off' } as const, undefined]) {
      const { session } = await archiveRoom(memory === undefined ? {} : { memory })
      await session.send(words, { model: scriptedModel(['yes']) }).result()
      expect((await session.info()).commits).toBe(memory === undefined ? 0 : 1)
      await session.record({ user: words, assistant: 'yes' })
      expect((await session.info()).commits).toBe(memory === undefined ? 0 : 2)
    }
  })

  it('keeps a policy of its own for a session', async () => {
    const { skein } = await archiveRoom()
    expect(await codeOf(skein.sessions.create({ memory: { commit: { maxTokens: 0 } } }))).toBe('config.invalid')
    const session = await skein.sessions.create({ memory: { commit: { maxMessages: 2 } } })
    await session.append([user('a'), user('b')])
    expect(await session.info()).toMatchObject({ commits: 1, liveMessages: 0 })
    const fork = await session.fork()
    await fork.append([user('c'), user('d')])
    expect((await fork.info()).commits).toBeGreaterThan(0)
  })

  it('tells of what changed to whoever listens', async () => {
    const { session, skein } = await archiveRoom({ memory: { mergeAt: 2, maxArchives: 1, commit: 'manual' } })
    const heard: string[] = []
    for (const type of ['archive_sealed', 'archive_ready', 'archives_merged']) session.on(type, event => heard.push(event.type))
    await addArchive(session, 'a')
    await addArchive(session, 'b')
    await skein.jobs.idle({ session: session.id })
    await expect.poll(() => [...new Set(heard)].sort()).toEqual(['archive_ready', 'archive_sealed', 'archives_merged'])
  })
})
