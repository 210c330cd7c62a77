import { openSkein } from '#skein'
import { expect, it } from 'vitest'
import { verifies } from '#verifies'
import { assistant, sealed, user } from './archive-room.ts'
import { fact, learn, telling } from './learning-room.ts'
import { onEveryStore } from './stores.ts'

/** Turns, more of them than a call reads. */
const manyTurns = (from: number, count: number): object[] =>
  Array.from({ length: count }, (_, n) => [user(`turn ${from + n} tells of it.`), assistant(`answer ${from + n}`)]).flat()

onEveryStore('a range that is long', makePlace => {
  verifies('M50 M52', 'is cut by a job, learnt from in order with what comes behind it, and waited for', async () => {
    const place = await makePlace()
    const extractor = telling([[]], { maxInputTokens: 400 })
    const memory = { commit: 'manual', extractor } as const
    const idle = await place.open({ memory })
    const session = await idle.sessions.create({ user: 'ada' })
    await session.append(manyTurns(0, 60))
    const long = await sealed(session.commit())
    expect(long.extraction).toBe('queued')
    expect((await idle.memory.ranges()).items).toMatchObject([{ fromSeq: 1, toSeq: long.toSeq, state: 'pending' }])
    await session.append(manyTurns(60, 1))
    const short = await sealed(session.commit())
    const { extraction } = await session.info()
    expect(extraction).toMatchObject({ queuedTo: short.toSeq, extractedTo: 0, state: 'pending' })
    expect((await idle.memory.pending()).map(pending => pending.session)).toEqual([session.id])
    const working = await place.open({ worker: true, memory })
    await working.jobs.idle({ kind: 'memory.extract' }, { waitMs: 20_000 })
    const ranges = (await idle.memory.ranges({ limit: 200 })).items
    expect(ranges.length).toBeGreaterThan(4)
    for (const [index, range] of ranges.entries()) {
      expect(range).toMatchObject({ state: 'empty', attempts: 1, fromSeq: (ranges[index - 1]?.toSeq ?? 0) + 1 })
    }
    const said = extractor.inputs.flatMap(({ entries }) => entries.filter(({ role }) => role === 'user').map(({ text }) => text))
    expect(said).toEqual(Array.from({ length: 61 }, (_, n) => `turn ${n} tells of it.`))
    expect((await session.info()).extraction).toMatchObject({ extractedTo: short.toSeq, state: 'idle' })
  })

  verifies('M40 M60', 'is one for tokens and for undoing, cut or not', async () => {
    const place = await makePlace()
    let said = 0
    const extractor = telling([() => [fact({ key: `k${said}`, content: `Fact ${said++} is unlike all others.` })]], {
      maxInputTokens: 400,
    })
    const memory = { commit: 'manual', extractor } as const
    const idle = await openSkein({ store: await place.store(), clock: place.clock, worker: false, memory })
    const session = await idle.sessions.create({ user: 'ada' })
    await session.append(manyTurns(0, 60))
    const { jobs } = await idle.memory.extract(session.id)
    expect(jobs).toHaveLength(1)
    const working = await place.open({ worker: true, memory })
    const mine = await working.sessions.open(session.id)
    await working.jobs.idle({ session: session.id }, { waitMs: 20_000 })
    const { items } = await idle.memory.list('ada', { limit: 200 })
    expect(items.length).toBeGreaterThan(3)
    const { token } = await mine.prepareCommit()
    expect((await mine.prepared())?.token).toBe(token)
    await idle.memory.undo({ job: jobs[0] as `job_${string}` })
    expect((await idle.memory.list('ada')).items).toEqual([])
    await idle.close()
  })

  verifies('M51', 'is begun again from anywhere, before it is cut and after', async () => {
    const place = await makePlace()
    const extractor = telling([[]], { maxInputTokens: 400 })
    const memory = { commit: 'manual', extractor } as const
    const idle = await place.open({ memory })
    const session = await idle.sessions.create({ user: 'ada' })
    await session.append(manyTurns(0, 60))
    await idle.memory.extract(session.id)
    const { queuedTo } = (await session.info()).extraction as { queuedTo: number }
    expect(await idle.memory.rewind(session.id, 50)).toBe(true)
    const working = await place.open({ worker: true, memory })
    await working.jobs.idle({ kind: 'memory.extract' }, { waitMs: 20_000 })
    const cover = async (): Promise<void> => {
      const ranges = (await idle.memory.ranges({ limit: 200 })).items
      let end = 0
      for (const { fromSeq, toSeq, state } of ranges) {
        expect([fromSeq, state]).toEqual([end + 1, 'empty'])
        end = toSeq
      }
      expect(end).toBe(queuedTo)
      expect((await session.info()).extraction).toMatchObject({ extractedTo: queuedTo, queuedTo, state: 'idle' })
    }
    await cover()
    expect(await idle.memory.rewind(session.id, 2)).toBe(true)
    await working.jobs.idle({ kind: 'memory.extract' }, { waitMs: 20_000 })
    await cover()
  })

  it('is skipped by its caller, or by its job where no user says anything', async () => {
    const place = await makePlace()
    const extractor = telling([[]])
    const skein = await place.open({ worker: true, memory: { commit: 'manual', extractor } })
    const session = await skein.sessions.create({ user: 'ada' })
    await session.append(manyTurns(0, 30))
    expect(await session.commit({ extract: false })).toMatchObject({ extraction: 'skipped' })
    await session.append(Array.from({ length: 60 }, (_, n) => assistant(`alone ${n}`)))
    await learn(skein, session)
    expect((await skein.memory.ranges()).items.map(({ state, reason }) => [state, reason])).toEqual([
      ['skipped', 'by_caller'],
      ['skipped', 'no_user_text'],
    ])
    expect(extractor.inputs).toEqual([])
    expect(await skein.memory.pending()).toEqual([])
  })

  verifies('M26', 'is counted by role for whoever asks before its overview is written', async () => {
    const place = await makePlace()
    const skein = await place.open()
    const session = await skein.sessions.create()
    const { entries } = await session.append([...manyTurns(0, 40), user('one more')])
    const { archive, messages } = await sealed(session.commit({ extract: false }))
    expect(messages).toBe(81)
    const counts = { user: 41, assistant: 40, tool: 0, tokens: entries.reduce((sum, { tokens = 0 }) => sum + tokens, 0) }
    const times = { startedAt: entries[0]?.at, endedAt: entries.at(-1)?.at }
    expect(await session.archive(archive)).toMatchObject({ state: 'sealed', counts, ...times })
    expect(await session.archives()).toMatchObject([{ state: 'sealed', counts, ...times }])
    expect(Object.keys(await session.archive(archive))).not.toContain('uncounted')
    await place.open({ worker: true })
    await expect.poll(async () => (await session.archive(archive)).state).toBe('ready')
    expect(await session.archives()).toMatchObject([{ counts, ...times }])
    expect((await (await place.store()).in('default').archives(session.id))[0]?.data).not.toHaveProperty('uncounted')
  })
})
