import { heartbeatMs, jobLeaseMs, pollMs } from '#jobs'
import { manualClock, newId, SkeinError } from '#kernel'
import { jobLifeMs, type Change, type JobRow, type JobState, type Store } from '#journal'
import { describe, expect } from 'vitest'
import { verifies } from '#verifies'
import { codeOf, gate } from './agent-talk.ts'
import { effectOf, enqueueAll, enqueueOf, numbered, stateOf, workerOn } from './job-room.ts'
import { memoryPlace, onEveryStore, type Place, sqlitePlace } from './stores.ts'

const claim = async (store: Store, owner = 'own_a', leaseMs = jobLeaseMs): Promise<JobRow | undefined> =>
  await store.claim({ work: 1 }, owner, leaseMs)
const claimed = async (store: Store, owner?: string, leaseMs?: number): Promise<JobRow> => {
  const job = await claim(store, owner, leaseMs)
  if (job === undefined) throw new Error('Nothing to claim.')
  return job
}

/** Brings a new job into a state by the moves that lead there. */
async function jobIn(store: Store, state: JobState): Promise<JobRow> {
  const t = store.in('default')
  const enqueue = enqueueOf()
  await t.commit([enqueue])
  if (state === 'queued') return (await t.job(enqueue.job.id)) as JobRow
  const job = await claimed(store)
  const one = { job: job.id, fence: job.fence }
  if (state === 'done') await t.commit([{ type: 'complete', ...one, result: 1 }])
  if (state === 'parked' || state === 'skipped') await t.commit([{ type: 'park', ...one, error: { code: 'x', message: 'y' } }])
  if (state === 'skipped') await t.commit([{ type: 'redrive', job: job.id, action: 'skip' }])
  return (await t.job(job.id)) as JobRow
}

const states: readonly JobState[] = ['queued', 'running', 'done', 'parked', 'skipped']

onEveryStore('jobs', makePlace => {
  const opened = async (): Promise<{ readonly place: Place; readonly store: Store }> => {
    const place = await makePlace()
    return { place, store: await place.store() }
  }

  verifies('Q2', 'move only as they may, whoever asks; what is done has no error and what is parked no result', async () => {
    const { place, store } = await opened()
    const { jobs } = await place.open()
    const t = store.in('default')
    const moves: Readonly<Record<string, { readonly from: JobState; readonly to: JobState }>> = {
      complete: { from: 'running', to: 'done' },
      fail: { from: 'running', to: 'queued' },
      park: { from: 'running', to: 'parked' },
      release_job: { from: 'running', to: 'queued' },
      retry: { from: 'parked', to: 'queued' },
      skip: { from: 'parked', to: 'skipped' },
    }
    for (const state of states) {
      for (const [move, { from, to }] of Object.entries(moves)) {
        const job = await jobIn(store, state)
        const one = { job: job.id, fence: job.fence, error: { code: 'x', message: 'y' } }
        const byFace = move === 'retry' || move === 'skip'
        const asked = byFace ? jobs[move](job.id) : t.commit([{ type: move, ...one, result: 1, afterMs: 0 } as unknown as Change])
        const code = await codeOf(asked as Promise<unknown>)
        expect([state, move, code]).toEqual([
          state,
          move,
          from === state ? 'resolved' : byFace ? 'job.wrong_state' : 'store.conflict',
        ])
        const after = (await t.job(job.id)) as JobRow
        expect([state, move, after.state]).toEqual([state, move, from === state ? to : state])
        if (after.state === 'done') expect(after.lastError).toBeNull()
        if (after.state === 'parked') expect(after.result).toBeNull()
        // Out of the way of the next.
        if (after.state === 'queued')
          await t.commit([{ type: 'park', ...one, job: (await claimed(store)).id, fence: after.fence + 1 }])
        if (after.state === 'running') await t.commit([{ type: 'complete', ...one }])
      }
    }
    expect(await codeOf(jobs.retry(newId('job')))).toBe('job.not_found')
    expect(await codeOf(jobs.skip('nothing'))).toBe('job.not_found')
  })

  verifies('Q3', 'belong to the newest claim: completing by an older one is a conflict, with none of its effects', async () => {
    const { place, store } = await opened()
    const t = store.in('default')
    const { job } = enqueueOf()
    await t.commit([enqueueOf(job)])
    const fences: number[] = []
    const claims: JobRow[] = []
    for (let n = 0; n < 4; n++) {
      const one = await claimed(store, `own_${n}`)
      fences.push(one.fence)
      claims.push(one)
      expect(await claim(store, 'own_other')).toBeUndefined()
      place.clock.advance(jobLeaseMs)
    }
    expect(fences).toEqual([1, 2, 3, 4])
    const [newest, ...stale] = claims.reverse()
    for (const { id, fence } of stale) {
      const commit = t.commit([effectOf('stale', fence), { type: 'complete', job: id, fence }])
      expect(await codeOf(commit)).toBe('store.conflict')
      expect(await codeOf(store.heartbeat({ id, fence, tenant: 'default' }, jobLeaseMs))).toBe('store.conflict')
    }
    expect(await t.record('effect', 'stale')).toBeUndefined()
    await t.commit([effectOf('newest', 1), { type: 'complete', job: newest?.id as never, fence: newest?.fence as never }])
    expect((await t.record('effect', 'newest'))?.version).toBe(1)
  })

  verifies(
    'Q4',
    'of one key start in the order they were enqueued, past nothing that waits; parked ones block where it says so',
    async () => {
      const { place, store } = await opened()
      const t = store.in('default')
      const line = (n: number, more: object = {}): Change => enqueueOf({ key: 'line', payload: { n }, ...more })
      const later = enqueueOf({ key: 'line', payload: { n: 0 } }, { runAfter: place.clock.now() + 5_000 })
      await t.commit([later, line(1), line(2, { parkedBlocks: true }), line(3)])
      expect(await claim(store)).toBeUndefined()
      place.clock.advance(5_000)
      const first = await claimed(store)
      expect(numbered(first)).toBe(0)
      expect(await claim(store)).toBeUndefined()
      await t.commit([{ type: 'fail', job: first.id, fence: first.fence, error: { code: 'x' }, afterMs: 1_000 }])
      expect(await claim(store)).toBeUndefined()
      place.clock.advance(1_000)
      const again = await claimed(store)
      expect(again.id).toBe(first.id)
      await t.commit([{ type: 'park', job: again.id, fence: again.fence, error: { code: 'x' } }])
      const second = await claimed(store)
      expect(numbered(second)).toBe(1)
      await t.commit([{ type: 'complete', job: second.id, fence: second.fence }])
      const third = await claimed(store)
      await t.commit([{ type: 'park', job: third.id, fence: third.fence, error: { code: 'x' } }])
      expect(numbered(third)).toBe(2)
      expect(await claim(store)).toBeUndefined()
      await (await place.open()).jobs.skip(third.id)
      expect(numbered(await claimed(store))).toBe(3)
    },
  )

  verifies('Q6', 'of a dead worker are claimed one poll after their lease; one that beats keeps a long job', async () => {
    const { place, store } = await opened()
    const t = store.in('default')
    const dead = enqueueOf()
    await t.commit([dead])
    await claimed(store, 'own_dead')
    const begun: JobRow[] = []
    const end = gate()
    const worker = workerOn(store, place.clock, async job => {
      begun.push(job)
      await end.promise
      return {}
    })
    let waited = 0
    await worker.rest()
    while ((await t.job(dead.job.id))?.owner === 'own_dead' && waited < 20_000) {
      place.clock.advance(pollMs)
      waited += pollMs
      await worker.look()
    }
    await expect.poll(() => begun.map(({ id }) => id)).toEqual([dead.job.id])
    expect(waited).toBeLessThanOrEqual(jobLeaseMs + pollMs)
    for (let ms = 0; ms < 60_000; ms += heartbeatMs) {
      place.clock.advance(heartbeatMs)
      worker.timers.ring(heartbeatMs)
      await expect.poll(async () => (await t.job(dead.job.id))?.leaseUntil).toBe(place.clock.now() + jobLeaseMs)
      expect(await claim(store, 'own_thief')).toBeUndefined()
    }
    end.open()
    await expect.poll(() => stateOf(store, dead.job.id)).toBe('done')
    expect(begun).toHaveLength(1)
    await worker.stop(0)
  })

  verifies('Q7', 'that end their process are parked after their attempts, which count at the claim', async () => {
    const { place, store } = await opened()
    const fatal = enqueueOf({ maxAttempts: 3 })
    await store.in('default').commit([fatal])
    for (const attempt of [1, 2, 3]) {
      expect((await claimed(store, `own_${attempt}`)).attempts).toBe(attempt)
      place.clock.advance(jobLeaseMs)
    }
    expect(await claim(store)).toBeUndefined()
    const job = await (await place.open()).jobs.get(fatal.job.id)
    expect(job).toMatchObject({ state: 'parked', attempts: 3, lastError: { code: 'job.lost' } })
    expect(job).not.toHaveProperty('result')
  })

  verifies('Q8 Q9', 'try again after 1, 2, 4 and 8 s of the store, wherever a worker’s own clock stands', async () => {
    const { place, store } = await opened()
    const hour = 3_600_000
    for (const off of [0, -9 * hour, 9 * hour]) {
      const failing = enqueueOf()
      await store.in('default').commit([failing])
      const starts: number[] = []
      const own = { now: () => place.clock.now() + off }
      const worker = workerOn(store, own, () => {
        starts.push(place.clock.now())
        return Promise.reject(new SkeinError('provider.unavailable', `Attempt ${starts.length}.`))
      })
      const begun = place.clock.now()
      for (let ms = 0; ms <= 20_000; ms += pollMs) {
        const before = starts.length
        const due = await isDue(store, failing.job.id, place.clock.now())
        worker.timers.ring(pollMs)
        if (due) await expect.poll(() => (worker.timers.ring(pollMs), starts.length)).toBe(before + 1)
        await expect.poll(() => stateOf(store, failing.job.id)).not.toBe('running')
        await expect.poll(() => worker.timers.count).toBeGreaterThan(0)
        place.clock.advance(pollMs)
      }
      expect(starts.map(at => (at - begun) / 1_000)).toEqual([0, 1, 3, 7, 15])
      const job = await (await place.open()).jobs.get(failing.job.id)
      expect(job).toMatchObject({
        state: 'parked',
        attempts: 5,
        lastError: { code: 'provider.unavailable', message: 'Attempt 5.' },
      })
      await worker.stop(0)
    }
  })

  verifies('Q9', 'are neither stolen nor lost by a worker whose clock is hours off', async () => {
    const { place, store } = await opened()
    const t = store.in('default')
    const held = enqueueOf()
    await t.commit([held])
    const mine = await claimed(store, 'own_mine')
    const thief = workerOn(store, manualClock(place.clock.now() + 86_400_000), () => Promise.resolve({ result: 'stolen' }))
    await thief.look()
    expect((await t.job(mine.id))?.owner).toBe('own_mine')
    await t.commit([{ type: 'complete', job: mine.id, fence: mine.fence, result: 'mine' }])
    await thief.stop(0)
    const late = enqueueOf()
    await t.commit([late])
    const slow = workerOn(store, manualClock(place.clock.now() - 86_400_000), () => Promise.resolve({ result: 'slow' }))
    await expect.poll(() => stateOf(store, late.job.id)).toBe('done')
    await slow.stop(0)
    expect((await t.job(mine.id))?.result).toBe('mine')
  })

  verifies('Q10', 'that nobody told of start with the next poll, and those of this process at once', async () => {
    const { place, store } = await opened()
    const worker = workerOn(store, place.clock, () => Promise.resolve({}))
    await worker.rest()
    const unheard = enqueueOf()
    const due = enqueueOf({}, { runAfter: place.clock.now() + 1_500 })
    await (await place.store()).in('default').commit([unheard, due])
    await settled(store)
    expect(await stateOf(store, unheard.job.id)).toBe('queued')
    await worker.look()
    await expect.poll(() => stateOf(store, unheard.job.id)).toBe('done')
    expect(await stateOf(store, due.job.id)).toBe('queued')
    place.clock.advance(1_500)
    await worker.look()
    await expect.poll(() => stateOf(store, due.job.id)).toBe('done')
    await worker.stop(0)
  })

  verifies('Q11', 'are served to the tenant that has waited longest: a thousand of one hold back no other', async () => {
    const { place, store } = await opened()
    const many = Array.from({ length: 1_000 }, (_, n) => enqueueOf({ key: `k${n % 50}`, payload: { n } }))
    await enqueueAll(store, 'a', many)
    const served: string[] = []
    const toEnqueue: Record<number, () => Promise<unknown>> = {
      5: () => store.in('b').commit([enqueueOf(), enqueueOf(), enqueueOf()]),
      20: () => store.in('c').commit([enqueueOf()]),
    }
    const over = gate()
    const worker = workerOn(store, place.clock, async job => {
      served.push(job.tenant)
      await toEnqueue[served.length]?.()
      if (served.length === 30) over.open()
      return {}
    })
    await over.promise
    await worker.stop(10)
    expect(served.slice(0, 5)).toEqual(['a', 'a', 'a', 'a', 'a'])
    expect(served.slice(5, 7)).toContain('b')
    expect(served.slice(5, 11).filter(tenant => tenant === 'b')).toHaveLength(3)
    expect(served.slice(20, 22)).toContain('c')
  })

  verifies('Q12', 'with a unique key are one while it is queued', async () => {
    const { store } = await opened()
    const t = store.in('default')
    const [one, two, three] = [0, 1, 2].map(() => enqueueOf({ key: 'line' }, { uniqueKey: 'u' })) as [Change, Change, Change]
    const [first] = (await t.commit([one])).results as { job: string; existing: boolean }[]
    expect((await t.commit([two])).results).toEqual([{ job: first?.job, existing: true }])
    // Of another kind or tenant it is another key.
    expect((await store.in('other').commit([enqueueOf({}, { uniqueKey: 'u' })])).results).toMatchObject([{ existing: false }])
    expect((await t.commit([enqueueOf({ kind: 'else' }, { uniqueKey: 'u' })])).results).toMatchObject([{ existing: false }])
    const many = await Promise.all(Array.from({ length: 10 }, () => t.commit([enqueueOf({}, { uniqueKey: 'u' })])))
    expect(new Set(many.map(({ results }) => (results[0] as { job: string }).job))).toEqual(new Set([first?.job]))
    await claimed(store)
    expect((await t.commit([three])).results).toMatchObject([{ existing: false }])
  })

  verifies(
    'Q13 M5',
    'are null where they are unknown or another tenant’s; what is given is a copy and outlives a restart',
    async () => {
      const { place, store } = await opened()
      const skein = await place.open()
      const mine = enqueueOf({ payload: { list: [1] }, traceId: 'trace' })
      await store.in('default').commit([mine])
      const far = skein.in('elsewhere').jobs
      for (const id of [newId('job'), 'job_1', 'x']) expect(await skein.jobs.get(id)).toBeNull()
      expect(await codeOf(skein.jobs.get(7 as never))).toBe('input.invalid')
      expect(await far.get(mine.job.id)).toBeNull()
      expect(await far.list()).toEqual([])
      expect(await codeOf(far.retry(mine.job.id))).toBe(await codeOf(far.retry(newId('job'))))
      expect(await codeOf(far.skip(mine.job.id))).toBe('job.not_found')
      const got = await skein.jobs.get(mine.job.id)
      expect(got).toMatchObject({ state: 'queued', traceId: 'trace', payload: { list: [1] } })
      for (const absent of ['result', 'lastError', 'startedAt', 'endedAt']) expect(got).not.toHaveProperty(absent)
      ;(got?.payload as { list: number[] }).list.push(2)
      ;(got as { state: string }).state = 'mine'
      const other = await place.open()
      expect(await other.jobs.get(mine.job.id)).toEqual(await skein.jobs.get(mine.job.id))
      expect((await other.jobs.list())[0]).toMatchObject({ state: 'queued', payload: { list: [1] } })
    },
  )

  verifies(
    'Q14',
    'are idle when nothing that fits is queued or running, parked or not; else it is said how many are',
    async () => {
      const { store, place } = await opened()
      const skein = await place.open()
      const t = store.in('default')
      await skein.jobs.idle({}, { waitMs: 0 })
      const [one, two] = [enqueueOf(), enqueueOf({ kind: 'else' })]
      await t.commit([one, two])
      const running = await claimed(store)
      const error = await skein.jobs.idle({}, { waitMs: 20 }).catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ code: 'job.not_idle', details: { queued: 1, running: 1 } })
      await skein.in('elsewhere').jobs.idle({}, { waitMs: 0 })
      await skein.jobs.idle({ kind: 'third' }, { waitMs: 0 })
      await skein.jobs.idle({ session: newId('ses') }, { waitMs: 0 })
      const waiting = skein.jobs.idle({ kind: 'work' })
      await t.commit([{ type: 'park', job: running.id, fence: running.fence, error: { code: 'x' } }])
      await waiting
      expect(await codeOf(skein.jobs.idle({}, { waitMs: 0 }))).toBe('job.not_idle')
      expect(await codeOf(skein.jobs.idle({}, { waitMs: -1 }))).toBe('input.invalid')
    },
  )

  verifies(
    'Q15',
    'that run when a worker stops may end in its time; the others are given back uncounted, and none is begun',
    async () => {
      const { store, place } = await opened()
      const t = store.in('default')
      const [quick, deaf, waiting] = [1, 2, 3].map(n => enqueueOf({ payload: { n } })) as [Enqueued, Enqueued, Enqueued]
      await t.commit([quick, deaf, waiting])
      const goOn = gate()
      const begun: number[] = []
      const worker = workerOn(
        store,
        place.clock,
        async job => {
          begun.push(numbered(job))
          await (numbered(job) === 1 ? goOn.promise : new Promise(() => undefined))
          return { effects: [effectOf(`n${numbered(job)}`, 1)] }
        },
        { concurrency: 2 },
      )
      await expect.poll(() => begun.length).toBe(2)
      const stopped = worker.stop(300)
      goOn.open()
      await expect.poll(() => stateOf(store, quick.job.id)).toBe('done')
      worker.timers.ring(300)
      await stopped
      worker.wake()
      await settled(store)
      expect(begun).toEqual([1, 2])
      expect(await t.job(deaf.job.id)).toMatchObject({ state: 'queued', attempts: 0, owner: null })
      expect(await t.job(waiting.job.id)).toMatchObject({ state: 'queued', attempts: 0 })
      expect((await t.record('effect', 'n1'))?.version).toBe(1)
      const after = workerOn(store, place.clock, async job => ({ effects: [effectOf(`n${numbered(job)}`, 1)] }))
      await expect
        .poll(async () => await Promise.all([deaf, waiting].map(({ job }) => stateOf(store, job.id))))
        .toEqual(['done', 'done'])
      for (const key of ['n1', 'n2', 'n3']) expect((await t.record('effect', key))?.version).toBe(1)
      await after.stop(0)
    },
  )

  verifies('Q16', 'with a newer payload wait for a newer worker', async () => {
    const { store, place } = await opened()
    const [newer, known] = [enqueueOf({ schema: 2 }), enqueueOf()]
    await store.in('default').commit([newer, known])
    const worker = workerOn(store, place.clock, () => Promise.resolve({}))
    await expect.poll(() => stateOf(store, known.job.id)).toBe('done')
    expect(await stateOf(store, newer.job.id)).toBe('queued')
    await worker.stop(0)
    expect((await store.claim({ work: 2 }, 'own_new', 1_000))?.id).toBe(newer.job.id)
  })

  verifies('M54', 'do a part that they have paid for once, whatever becomes of the attempt', async () => {
    const { store, place } = await opened()
    const t = store.in('default')
    const paying = enqueueOf()
    await t.commit([paying])
    let paid = 0
    let attempts = 0
    const worker = workerOn(store, place.clock, async (_job, _signal, step) => {
      const answer = await step('ask', () => Promise.resolve({ words: `answer ${++paid}` }))
      if (++attempts < 3) throw new SkeinError('store.unavailable', 'Not now.')
      return { result: answer }
    })
    for (let ms = 0; ms < 8_000; ms += pollMs) {
      const before = attempts
      const due = await isDue(store, paying.job.id, place.clock.now())
      worker.timers.ring(pollMs)
      if (due) await expect.poll(() => (worker.timers.ring(pollMs), attempts)).toBe(before + 1)
      await expect.poll(() => stateOf(store, paying.job.id)).not.toBe('running')
      await expect.poll(() => worker.timers.count).toBeGreaterThan(0)
      place.clock.advance(pollMs)
    }
    expect(await t.job(paying.job.id)).toMatchObject({ state: 'done', attempts: 3, result: { words: 'answer 1' } })
    expect(paid).toBe(1)
    expect((await t.records('job.step')).items).toEqual([])
    await worker.stop(0)
  })
})

type Enqueued = ReturnType<typeof enqueueOf>

async function isDue(store: Store, id: JobRow['id'], now: number): Promise<boolean> {
  const job = await store.in('default').job(id)
  return job?.state === 'queued' && job.runAfter <= now
}

/** A few round trips to the store: what was begun before has had its turn. */
async function settled(store: Store): Promise<void> {
  for (let n = 0; n < 5; n++) {
    await store.in('default').job(newId('job'))
    await new Promise(resolve => setImmediate(resolve))
  }
}

// What Postgres forgets is told of in test/postgres/sweeping.test.ts, where its sweeper has no hour between two looks.
describe.each([
  ['memory', memoryPlace],
  ['sqlite', sqlitePlace],
])('ended jobs (%s)', (_name, makePlace) => {
  verifies('Q16', 'are forgotten after seven days, and nothing else is', async () => {
    const place = await makePlace()
    const store = await place.store()
    const t = store.in('default')
    const session = (await (await place.open()).sessions.create()).id
    const [done, parked] = [await jobIn(store, 'done'), await jobIn(store, 'parked')]
    await t.commit([
      { type: 'put_archive', id: newId('arc'), session, fromSeq: 1, toSeq: 1, data: {}, expectVersion: 0 },
      { type: 'put_memory', id: newId('mem'), version: 1, owner: 'ada', text: 'x', evidence: [], data: {} },
      { type: 'put_record', collection: 'memory_range', key: 'r', value: 1 },
    ])
    const waiting = enqueueOf({}, { runAfter: place.clock.now() + 2 * jobLifeMs })
    await t.commit([waiting])
    place.clock.advance(jobLifeMs - 1)
    const touch = async (): Promise<void> => {
      for (let n = 0; n < 600; n++) await t.commit([effectOf('touch', n)], { durability: 'relaxed' })
    }
    await touch()
    expect(await stateOf(store, done.id)).toBe('done')
    place.clock.advance(1)
    await touch()
    expect(await stateOf(store, done.id)).toBeUndefined()
    expect([await stateOf(store, parked.id), await stateOf(store, waiting.job.id)]).toEqual(['parked', 'queued'])
    expect(await t.archives(session)).toHaveLength(1)
    expect(await t.memories()).toHaveLength(1)
    expect(await t.record('memory_range', 'r')).toBeDefined()
  })
})
