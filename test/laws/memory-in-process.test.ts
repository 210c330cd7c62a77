import { expect } from 'vitest'
import { manualTimers, systemTimers } from '#kernel'
import { verifies } from '#verifies'
import { addArchive, assistant, sealed, user } from './archive-room.ts'
import { onEveryStore } from './stores.ts'

onEveryStore('a session that lives in one process only', makePlace => {
  verifies('M10 M29 S19', 'has its archives written and merged there, and its jobs asked for with all others', async () => {
    const place = await makePlace()
    const skein = await place.open({ worker: true, memory: { commit: 'manual', maxArchives: 1, mergeAt: 2 } })
    const session = await skein.sessions.create({ durable: false, user: 'ada' })
    const kept = await skein.sessions.create({ user: 'ada' })
    const first = await addArchive(session, 'one')
    const other = await addArchive(kept, 'two')
    expect(await skein.jobs.get(first.jobs[0] as string)).toMatchObject({ state: 'done', kind: 'archive.summarize' })
    expect((await skein.jobs.list({ kind: 'archive.summarize' })).map(({ id }) => id)).toEqual([other.jobs[0], first.jobs[0]])
    expect((await skein.jobs.list({ session: session.id })).map(({ id }) => id)).toEqual([first.jobs[0]])
    expect((await skein.jobs.list({ limit: 1 })).map(({ id }) => id)).toEqual([other.jobs[0]])
    await addArchive(session, 'three')
    await skein.jobs.idle({ session: session.id })
    expect(await session.archives()).toMatchObject([{ state: 'ready', children: expect.any(Array) as unknown }])
    const elsewhere = await place.open()
    expect(await elsewhere.jobs.get(first.jobs[0] as string)).toBe(null)
    expect((await elsewhere.jobs.list({ kind: 'archive.merge' })).length).toBe(0)
  })

  verifies('Q2 M17', 'waits for a worker that nobody has, and its jobs go with it', async () => {
    const skein = await (await makePlace()).open({ worker: false })
    const session = await skein.sessions.create({ durable: false })
    await session.append([user('a'), assistant('b')])
    const { jobs, status } = await sealed(session.commit({ wait: { ms: 40 }, extract: false }))
    expect(status).toBe('sealed')
    expect(await skein.jobs.get(jobs[0] as string)).toMatchObject({ state: 'queued' })
    await expect(skein.jobs.idle({}, { waitMs: 0 })).rejects.toMatchObject({ code: 'job.not_idle', details: { queued: 1 } })
    await expect(skein.jobs.skip(jobs[0] as string)).rejects.toMatchObject({ code: 'job.wrong_state' })
  })

  verifies('M19', 'is sealed by idleness as all others are', async () => {
    const place = await makePlace()
    const swept = manualTimers()
    const timers = { after: (ms: number, run: () => void) => (ms === 60_000 ? swept : systemTimers).after(ms, run) }
    const skein = await place.open({ worker: true, timers, memory: { commit: { idleMs: 5_000 }, extractor: 'off' } })
    const both = [await skein.sessions.create({ durable: false }), await skein.sessions.create()]
    for (const session of both) await session.append(user('a'))
    place.clock.advance(5_001)
    swept.ring(60_000)
    for (const session of both)
      await expect.poll(async () => (await session.archives()).map(({ state }) => state)).toEqual(['ready'])
  })
})
