import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Skein, SkeinOptions } from '#skein'
import { verifies } from '#verifies'
import { describe, expect } from 'vitest'
import { codeOf } from './agent-talk.ts'
import { freshFolder, memoryPlace, onEveryStore, type Place } from './stores.ts'

const hour = 3_600_000
const day = 24 * hour
type Gateway = NonNullable<SkeinOptions['gateway']>

interface Room {
  open(gateway?: Gateway): Promise<Skein>
  /** What was delivered to `local`, oldest first. */
  files(): Promise<string[]>
}

function roomOf(at: Place): Room {
  const folder = join(freshFolder(), 'output')
  return {
    open: gateway => at.open({ worker: true, gateway: { outputDir: folder, zone: 'Europe/Berlin', ...gateway } }),
    files: async () => {
      const names = (await readdir(folder).catch(() => [] as string[])).filter(name => name.endsWith('.md')).sort()
      return await Promise.all(names.map(async name => (await readFile(join(folder, name), 'utf8')).trimEnd()))
    },
  }
}

onEveryStore('schedules', place => {
  verifies('G80', 'a time that comes fires once, in a session of its own that no route shows, and the next is set', async () => {
    const at = await place()
    const { open, files } = roomOf(at)
    const [one, two] = [await open(), await open()]
    const { schedules } = one.gateway
    const now = at.clock.now()
    const added = await schedules.add({ prompt: 'look around', everyMs: hour })
    expect(added).toMatchObject({ enabled: true, catchUp: 'one', deliver: 'local', nextAt: now + hour, name: 'look around' })
    expect((await two.gateway.schedules.list()).items).toEqual([added])
    at.clock.advance(hour)
    await expect.poll(files).toEqual(['You said: look around'])
    at.clock.advance(hour)
    await expect.poll(files).toEqual(['You said: look around', 'You said: look around'])
    const stored = await schedules.get(added.id)
    expect(stored).toMatchObject({ nextAt: now + 3 * hour, last: { at: now + 2 * hour, state: 'fired' } })
    const sessions = (await one.sessions.list()).items
    expect(sessions.map(({ title, metadata }) => [title, metadata])).toEqual(
      [2, 1].map(n => ['look around', { schedule: added.id, firedAt: now + n * hour }]),
    )
    expect((await one.gateway.list()).items).toEqual([])
    expect((await one.jobs.list({ kind: 'gateway.fire', state: 'parked' })).length).toBe(0)
  })

  verifies('G80', 'of times that were missed one is made up for, or none', async () => {
    const at = await place()
    const { open, files } = roomOf(at)
    const first = await at.open()
    const { schedules } = first.gateway
    const now = at.clock.now()
    const one = await schedules.add({ prompt: 'one', everyMs: hour, catchUp: 'one' })
    const none = await schedules.add({ prompt: 'none', everyMs: hour, catchUp: 'none' })
    const past = await schedules.add({ prompt: 'past', at: now + 10, catchUp: 'none' })
    at.clock.advance(5 * hour + 30_000)
    const next = await open()
    const states = async (): Promise<unknown[]> =>
      await Promise.all([one, none, past].map(async ({ id }) => (await next.gateway.schedules.get(id))?.last?.state))
    await expect.poll(states).toEqual(['fired', 'missed', 'missed'])
    await expect.poll(files).toEqual(['You said: one'])
    expect(await next.gateway.schedules.get(past.id)).toMatchObject({ enabled: false, nextAt: null })
    at.clock.advance(hour - 30_000)
    await expect.poll(async () => [...(await files())].sort()).toEqual(['You said: none', 'You said: one', 'You said: one'])
  })

  verifies('G80', 'one that was removed, disabled or forbidden does not fire', async () => {
    const at = await place()
    const { open, files } = roomOf(at)
    const skein = await open({ platforms: { telegram: { allow: ['42'] } } })
    const { schedules } = skein.gateway
    const removed = await schedules.add({ prompt: 'removed', everyMs: hour })
    const disabled = await schedules.add({ prompt: 'disabled', everyMs: hour })
    const stranger = { platform: 'telegram', chatId: '9', userId: '9' }
    const forbidden = await schedules.add({ prompt: 'forbidden', everyMs: hour, origin: stranger, deliver: 'local' })
    const allowed = await schedules.add({
      prompt: 'allowed',
      everyMs: hour,
      origin: { ...stranger, userId: '42' },
      deliver: 'local',
    })
    expect(await schedules.remove(removed.id)).toBe(true)
    expect(await schedules.remove(removed.id)).toBe(false)
    expect(await schedules.disable(disabled.id)).toMatchObject({ enabled: false, nextAt: null })
    at.clock.advance(hour)
    await expect.poll(files).toEqual(['You said: allowed'])
    await expect.poll(async () => (await schedules.get(forbidden.id))?.last?.state).toBe('unauthorized')
    expect(await schedules.enable(disabled.id)).toMatchObject({ enabled: true, nextAt: at.clock.now() + hour })
    await schedules.remove(allowed.id)
    at.clock.advance(hour)
    await expect.poll(files).toEqual(['You said: allowed', 'You said: disabled'])
    expect(await codeOf(schedules.enable(removed.id))).toBe('schedule.not_found')
  })
})

describe('times', () => {
  verifies(
    'G80',
    'of a wall clock are the zone’s: a time that a day skips comes after the gap, one that it has twice comes once',
    async () => {
      const at = await memoryPlace()
      const skein = await at.open()
      const { schedules } = skein.gateway
      const nextOf = async (cron: string, zone: string, now: string): Promise<string> => {
        at.clock.set(Date.parse(now))
        const { nextAt } = await schedules.add({ prompt: 'x', cron, zone })
        return new Date(nextAt ?? 0).toISOString()
      }
      for (const [cron, zone, now, expected] of [
        ['30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', '2026-03-29T01:00:00.000Z'],
        ['30 2 * * *', 'Europe/Berlin', '2026-03-29T01:00:00Z', '2026-03-30T00:30:00.000Z'],
        ['30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', '2026-10-25T00:30:00.000Z'],
        ['30 2 * * *', 'Europe/Berlin', '2026-10-25T00:30:00Z', '2026-10-26T01:30:00.000Z'],
        ['15 2 * * *', 'America/New_York', '2026-03-08T00:00:00Z', '2026-03-08T07:00:00.000Z'],
        ['0 9 * * 1', 'Asia/Kolkata', '2026-03-08T00:00:00Z', '2026-03-09T03:30:00.000Z'],
      ] as const)
        expect([cron, now, await nextOf(cron, zone, now)]).toEqual([cron, now, expected])
    },
  )

  verifies('G80', 'a day with a gap fires once', async () => {
    const at = await memoryPlace()
    const { open, files } = roomOf(at)
    at.clock.set(Date.parse('2026-03-28T12:00:00Z'))
    const skein = await open()
    const { id } = await skein.gateway.schedules.add({ prompt: 'gap', cron: '30 2 * * *' })
    at.clock.set(Date.parse('2026-03-29T00:59:59.999Z'))
    expect(await files()).toEqual([])
    at.clock.set(Date.parse('2026-03-29T01:00:00Z'))
    await expect.poll(files).toEqual(['You said: gap'])
    at.clock.set(Date.parse('2026-03-29T22:00:00Z'))
    expect(await skein.gateway.schedules.get(id)).toMatchObject({ nextAt: Date.parse('2026-03-30T00:30:00Z') })
  })

  verifies('G80', 'that are none are refused', async () => {
    const { gateway } = await (await memoryPlace()).open()
    const add = (schedule: object): Promise<string> => codeOf(gateway.schedules.add(schedule as never))
    for (const bad of [
      {},
      { prompt: 'x' },
      { prompt: ' ', everyMs: day },
      { prompt: 'x', everyMs: 0 },
      { prompt: 'x', everyMs: day, at: 1 },
      { prompt: 'x', cron: 'every day' },
      { prompt: 'x', cron: '0 0 30 2 *' },
      { prompt: 'x', everyMs: day, zone: 'Nowhere' },
      { prompt: 'x', everyMs: day, more: 1 },
    ])
      expect([bad, await add(bad)]).toEqual([bad, 'input.invalid'])
    expect(await add({ prompt: 'x', everyMs: day, deliver: 'slack:' })).toBe('target.invalid')
    expect(await add({ prompt: 'x', everyMs: day, origin: { platform: 'tele gram' } })).toBe('source.invalid')
    expect((await gateway.schedules.list()).items).toEqual([])
  })
})

describe('a schedule of a host that answers itself', () => {
  verifies('G80 G60', 'is answered by the host, in a session of its own', async () => {
    const at = await memoryPlace()
    const { open, files } = roomOf(at)
    const heard: unknown[] = []
    const skein = await open({
      answer: ({ key, schedule, text, sessionId, fresh, turnId }) => {
        heard.push([key, schedule, text, sessionId, fresh, turnId.startsWith('trn_')])
        return `host: ${text}`
      },
    })
    const { id } = await skein.gateway.schedules.add({ prompt: 'look around', everyMs: hour })
    at.clock.advance(hour)
    await expect.poll(files).toEqual(['host: look around'])
    const [session] = (await skein.sessions.list()).items
    expect(heard).toEqual([[null, id, 'look around', session?.id, null, true]])
  })
})
