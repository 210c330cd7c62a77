import { join } from 'node:path'
import { newId } from '#kernel'
import { sqliteStore } from '#stores/sqlite'
import { verifies } from '#verifies'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { enqueueOf } from '../laws/job-room.ts'
import { makePlace, type Place } from './command-line.ts'

let place: Place
beforeAll(() => {
  place = makePlace()
})
afterAll(() => place.remove())

describe('the working state at the command line', () => {
  it('is shown, set and emptied', async () => {
    const { stderr } = await place.here(['run', 'Please fix the login'])
    const id = /session (ses_\w+)/.exec(stderr)?.[1] ?? ''
    expect((await place.here(['state', id])).stdout).toMatch(/^objective +Please fix the login$/m)
    const args = ['--set', 'objective=Ship it = now', '--set', 'blockers=a', '--set', 'blockers=b', '--set', 'stage=']
    const set = await place.here(['state', id, ...args, '--json'])
    expect(JSON.parse(set.stdout)).toMatchObject({ objective: 'Ship it = now', blockers: ['a', 'b'], stage: null })
    expect((await place.here(['state', id, '--set', 'colour=red'])).code).toBe(2)
    expect(JSON.parse((await place.here(['state', id, '--clear', '--json'])).stdout)).toMatchObject({
      objective: null,
      blockers: [],
    })
    expect((await place.here(['state', newId('ses')])).code).toBe(7)
  })
})

describe('jobs at the command line', () => {
  verifies('Q2 Q14', 'are listed, shown, waited for, tried again and given up', async () => {
    const file = join(place.cwd, 'jobs.db')
    const store = await sqliteStore(file)
    const parked = enqueueOf({ maxAttempts: 1 })
    await store.in('default').commit([parked])
    const job = await store.claim({ work: 1 }, 'own_x', 1_000)
    const one = { job: parked.job.id, fence: job?.fence ?? 0 }
    await store.in('default').commit([{ type: 'park', ...one, error: { code: 'provider.rejected', message: 'No.' } }])
    await store.close()
    const at = async (...args: string[]) => await place.here(['jobs', ...args, '--store', `sqlite:${file}`])
    expect((await at('ls', '--state', 'parked')).stdout).toMatch(/work +parked +1\/1 .*provider\.rejected No\./)
    expect(JSON.parse((await at('ls', '--state', 'done', '--json')).stdout)).toEqual({ items: [] })
    expect(JSON.parse((await at('show', parked.job.id, '--json')).stdout)).toMatchObject({ id: parked.job.id, state: 'parked' })
    expect((await at('idle', '--wait-ms', '0')).code).toBe(0)
    expect(JSON.parse((await at('retry', parked.job.id, '--json')).stdout)).toMatchObject({ state: 'queued', attempts: 0 })
    expect((await at('retry', parked.job.id)).code).toBe(8)
    expect((await at('skip', parked.job.id)).code).toBe(8)
    expect((await at('idle', '--wait-ms', '0')).code).toBe(9)
    expect((await at('show', newId('job'))).code).toBe(7)
    expect((await at('ls', '--state', 'odd')).code).toBe(2)
  })
})
