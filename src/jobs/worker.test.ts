import { createIds, manualClock, newId, SkeinError } from '#kernel'
import { type JobRow, memoryStore } from '#journal'
import { describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { afterFailure } from './job-outcome.ts'
import type { JobWork, WorkerParts } from './job-work.ts'
import { startWorker } from './worker.ts'

const still = { after: () => () => undefined }
const owner = 'own_1'

function setting(works: Record<string, JobWork>): {
  parts: WorkerParts
  notices: unknown[]
  enqueue: (kind: string, more?: object) => Promise<JobRow['id']>
} {
  const clock = manualClock()
  const store = memoryStore({ clock })
  const notices: unknown[] = []
  const ids = createIds({ clock })
  const parts: WorkerParts = {
    store,
    clock,
    random: { number: () => 1, bytes: target => target },
    owner,
    timers: still,
    works,
    notice: given => void notices.push(given),
  }
  const enqueue = async (kind: string, more: object = {}): Promise<JobRow['id']> => {
    const id = ids('job')
    await store.in('default').commit([{ type: 'enqueue', job: { id, kind, key: kind, payload: null, maxAttempts: 1, ...more } }])
    return id
  }
  return { parts, notices, enqueue }
}

describe('the worker', () => {
  it('completes a job and its effects in one commit', async () => {
    const session = newId('ses')
    const { parts, enqueue } = setting({
      note: {
        schema: 1,
        timeoutMs: 1_000,
        run: async () => ({ result: 'noted', effects: [{ type: 'put_record', collection: 'notes', key: session, value: 1 }] }),
      },
    })
    const id = await enqueue('note')
    const worker = startWorker(parts)
    const store = parts.store.in('default')
    await expect.poll(async () => (await store.job(id))?.state).toBe('done')
    expect(await store.record('notes', session)).toMatchObject({ value: 1 })
    expect(await store.job(id)).toMatchObject({ result: 'noted', lastError: null, attempts: 1 })
    await worker.stop(0)
  })

  it('gives a running job back when it stops, with its attempt uncounted', async () => {
    let begun = (): void => undefined
    const running = new Promise<void>(resolve => (begun = resolve))
    const { parts, enqueue } = setting({
      long: { schema: 1, timeoutMs: 60_000, run: () => (begun(), new Promise<never>(() => undefined)) },
    })
    const id = await enqueue('long')
    const worker = startWorker({
      ...parts,
      timers: { after: (ms, run) => (ms === 0 ? queueMicrotask(run) : undefined, () => undefined) },
    })
    await running
    await worker.stop(0)
    expect(await parts.store.in('default').job(id)).toMatchObject({ state: 'queued', attempts: 0, owner: null })
  })

  verifies('Q15', 'gives back, unbegun and uncounted, what a claim takes that was under way when its time was over', async () => {
    const claims: (() => void)[] = []
    let begun = 0
    const { parts, enqueue } = setting({
      long: { schema: 1, timeoutMs: 60_000, run: () => (begun++, new Promise<never>(() => undefined)) },
    })
    const told: string[] = []
    const worker = startWorker({
      ...parts,
      store: {
        ...parts.store,
        claim: async (...asked) => {
          await new Promise<void>(resolve => claims.push(resolve))
          return await parts.store.claim(...asked)
        },
      },
      timers: { after: (ms, run) => (ms === 0 ? queueMicrotask(run) : undefined, () => undefined) },
      tell: ({ type }) => void told.push(type),
    })
    const id = await enqueue('long')
    claims[0]?.()
    await expect.poll(() => claims.length).toBe(2)
    expect(begun).toBe(1)
    const stopped = worker.stop(0)
    const job = async (): Promise<JobRow | undefined> => await parts.store.in('default').job(id)
    await expect.poll(async () => (await job())?.state).toBe('queued')
    claims[1]?.()
    await stopped
    expect(await job()).toMatchObject({ state: 'queued', attempts: 0, owner: null, fence: 2 })
    expect(begun).toBe(1)
    expect(told).toEqual(['job_started'])
    expect(claims).toHaveLength(2)
  })

  verifies(
    'J49',
    'gives exactly one notice for each archiver, merge and extractor that failed, with the trace and no text',
    async () => {
      const secret = 'the words of a message'
      const fail: JobWork = {
        schema: 1,
        timeoutMs: 1_000,
        run: () => Promise.reject(new SkeinError('provider.rejected', 'The model refused.', { cause: secret })),
      }
      const kinds = ['archive.summarize', 'archive.merge', 'memory.extract']
      const { parts, notices, enqueue } = setting(Object.fromEntries(kinds.map(kind => [kind, fail])))
      const store = parts.store.in('default')
      const ids = await Promise.all(kinds.map(kind => enqueue(kind, { traceId: `trace-${kind}`, payload: secret })))
      const worker = startWorker(parts)
      for (const id of ids) await expect.poll(async () => (await store.job(id))?.state).toBe('parked')
      worker.wake()
      await worker.stop(0)
      expect(notices).toHaveLength(3)
      for (const [index, kind] of kinds.entries())
        expect(notices).toContainEqual(
          expect.objectContaining({ job: ids[index], traceId: `trace-${kind}`, code: 'provider.rejected' }),
        )
      expect(JSON.stringify(notices)).not.toContain(secret)
    },
  )
})

describe('a failed attempt', () => {
  const job = { id: newId('job'), fence: 3, maxAttempts: 5 }
  const one = { number: () => 1 }

  it('waits 1, 2, 4 and 8 s before the next, and is parked after the fifth', () => {
    const outcome = (attempts: number): unknown => afterFailure({ ...job, attempts }, new Error('x'), one)
    expect([1, 2, 3, 4].map(attempts => outcome(attempts))).toMatchObject(
      [1, 2, 4, 8].map(seconds => ({ type: 'fail', afterMs: seconds * 1_000 })),
    )
    expect(outcome(5)).toMatchObject({ type: 'park', error: { message: 'x' } })
  })

  it('is parked at once when trying again cannot help', () => {
    expect(afterFailure({ ...job, attempts: 1 }, new SkeinError('auth.missing', 'No key.'), one)).toMatchObject({
      type: 'park',
      error: { code: 'auth.missing' },
    })
    expect(afterFailure({ ...job, attempts: 1 }, new SkeinError('store.unavailable', 'Away.'), one)).toMatchObject({
      type: 'fail',
    })
  })
})
