import { evaluateReset, type ResetClocks, type ResetMode, type ResetPolicy } from '#gateway'
import { verifies } from '#verifies'
import fc from 'fast-check'
import { describe, expect } from 'vitest'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const at = (text: string): number => Date.parse(text)
const decide = (policy: ResetPolicy, last: string | number, now: string | number): string | null => {
  const time = (given: string | number): number => (typeof given === 'number' ? given : at(given))
  return evaluateReset(policy, { lastUserAt: time(last) }, time(now)).reason
}

/** What the zone's wall clock reads, by the platform's own tables. */
const clocks = new Map<string, Intl.DateTimeFormat>()
function wallClock(zone: string, time: number): { readonly date: string; readonly hour: number; readonly minute: number } {
  const format =
    clocks.get(zone) ??
    new Intl.DateTimeFormat('en-CA', { timeZone: zone, hourCycle: 'h23', dateStyle: 'short', timeStyle: 'medium' } as never)
  clocks.set(zone, format)
  const parts = Object.fromEntries(format.formatToParts(time).map(({ type, value }) => [type, value]))
  return {
    date: `${parts['year']}-${parts['month']}-${parts['day']}`,
    hour: Number(parts['hour']),
    minute: Number(parts['minute']),
  }
}

/** Berlin, New York, half an hour at Lord Howe, southern Santiago, no change in Kolkata, midnight's gap in Beirut, and UTC. */
const zones = [
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'America/Santiago',
  'Asia/Kolkata',
  'Asia/Beirut',
  'UTC',
]

/** The latest start of the hour, or end of the gap that holds it, found minute by minute. */
function boundaryByWalking(now: number, atHour: number, zone: string): number {
  for (let time = now - (now % minute); time > now - 3 * day; time -= minute) {
    const here = wallClock(zone, time)
    const before = wallClock(zone, time - minute)
    const passed = ({ hour: h, minute: m }: typeof here): number => h * 60 + m
    const isNewDay = here.date !== before.date
    const crossed = isNewDay ? passed(here) >= atHour * 60 : passed(before) < atHour * 60 && passed(here) >= atHour * 60
    if (crossed && isFirst(time, atHour, zone)) return time
  }
  throw new Error('No boundary.')
}

/** Whether the wall clock did not cross this hour before on the same day. */
function isFirst(time: number, atHour: number, zone: string): boolean {
  const { date } = wallClock(zone, time)
  for (let earlier = time - minute; earlier > time - 3 * hour; earlier -= minute) {
    const there = wallClock(zone, earlier)
    if (there.date !== date) return true
    if (there.hour * 60 + there.minute >= atHour * 60) return false
  }
  return true
}

describe('a reset policy', () => {
  verifies('G26', 'is idle from the first millisecond after its minutes on', () => {
    const idle = (idleMinutes: number, after: number): string | null =>
      decide({ mode: 'idle', idleMinutes }, 1_000, 1_000 + after)
    expect([idle(60, hour), idle(60, hour + 1), idle(0, 0), idle(0, 1)]).toEqual([null, 'idle', null, 'idle'])
    expect(decide({ mode: 'idle' }, 0, day)).toBeNull()
    expect(decide({ mode: 'idle' }, 0, day + 1)).toBe('idle')
  })

  verifies('G27', 'turns its day over at its hour, and not before or again', () => {
    const daily = { mode: 'daily', atHour: 4, zone: 'UTC' } as const
    expect(decide(daily, '2026-05-05T03:59:59.999Z', '2026-05-05T04:00:00Z')).toBe('daily')
    expect(decide(daily, '2026-05-05T04:00:00Z', '2026-05-05T04:00:00Z')).toBeNull()
    expect(decide(daily, '2026-05-05T04:00:00Z', '2026-05-05T23:00:00Z')).toBeNull()
    expect(decide(daily, '2026-05-05T23:00:00Z', '2026-05-06T00:30:00Z')).toBeNull()
    expect(decide(daily, '2026-05-05T04:00:00Z', '2026-05-06T03:59:59Z')).toBeNull()
    expect(decide(daily, '2026-05-05T04:00:00Z', '2026-05-06T04:00:00Z')).toBe('daily')
    expect(decide({ mode: 'daily', zone: 'UTC' }, '2026-05-05T03:59:00Z', '2026-05-05T04:00:00Z')).toBe('daily')
    expect(decide({ mode: 'daily', atHour: 0, zone: 'UTC' }, '2026-05-05T23:59:59.999Z', '2026-05-06T00:00:00Z')).toBe('daily')
  })

  verifies('G28', 'names idle where both are due, and with all is due only then', () => {
    const of = (mode: ResetMode, last: string, now: string): string | null =>
      decide({ mode, idleMinutes: 60, atHour: 4, zone: 'UTC' }, last, now)
    const both = ['2026-05-05T02:00:00Z', '2026-05-05T05:00:00Z'] as const
    const onlyIdle = ['2026-05-05T05:00:00Z', '2026-05-05T07:00:00Z'] as const
    const onlyDaily = ['2026-05-05T03:50:00Z', '2026-05-05T04:10:00Z'] as const
    const neither = ['2026-05-05T05:00:00Z', '2026-05-05T05:30:00Z'] as const
    const all = (mode: ResetMode): (string | null)[] =>
      [both, onlyIdle, onlyDaily, neither].map(([last, now]) => of(mode, last, now))
    expect(all('both')).toEqual(['idle', 'idle', 'daily', null])
    expect(all('all')).toEqual(['all', null, null, null])
    expect(all('idle')).toEqual(['idle', 'idle', null, null])
    expect(all('daily')).toEqual(['daily', null, 'daily', null])
    expect(all('none')).toEqual([null, null, null, null])
    expect(evaluateReset('none', { lastUserAt: 0 }, 1e13)).toEqual({ due: false, reason: null, nextAt: null })
  })

  verifies('G29', 'counts real time and its own zone over both changes of the clocks', () => {
    const berlin = (policy: Omit<ResetPolicy, 'zone'>): ResetPolicy => ({ ...policy, zone: 'Europe/Berlin' })
    expect(decide(berlin({ mode: 'idle', idleMinutes: 30 }), '2026-10-25T02:30:00+02:00', '2026-10-25T02:30:00+01:00')).toBe(
      'idle',
    )
    expect(decide(berlin({ mode: 'idle', idleMinutes: 60 }), '2026-03-29T01:45:00+01:00', '2026-03-29T03:10:00+02:00')).toBeNull()
    const two = berlin({ mode: 'daily', atHour: 2 })
    expect(decide(two, '2026-03-29T01:59:59.999+01:00', '2026-03-29T03:00:00+02:00')).toBe('daily')
    expect(decide(two, '2026-03-28T03:00:00+01:00', '2026-03-29T01:59:59.999+01:00')).toBeNull()
    expect(decide(two, '2026-03-29T03:00:00+02:00', '2026-03-29T03:30:00+02:00')).toBeNull()
    // The hour comes twice; only its first time counts.
    expect(decide(two, '2026-10-25T01:59:00+02:00', '2026-10-25T02:00:00+02:00')).toBe('daily')
    expect(decide(two, '2026-10-25T02:00:00+02:00', '2026-10-25T02:30:00+01:00')).toBeNull()
    expect(evaluateReset(two, { lastUserAt: at('2026-03-28T12:00:00Z') }, at('2026-03-28T13:00:00Z')).nextAt).toBe(
      at('2026-03-29T03:00:00+02:00'),
    )
    // Samoa had no 30 December 2011: its four o'clock is the instant after the day that was skipped.
    const apia = { mode: 'daily', atHour: 4, zone: 'Pacific/Apia' } as const
    expect(decide(apia, '2011-12-29T23:59:00-10:00', '2011-12-31T00:00:00+14:00')).toBe('daily')
  })

  verifies('G29', 'agrees with a wall clock that is walked minute by minute, in every zone', () => {
    const days = ['2026-03-29', '2026-03-08', '2026-10-25', '2026-11-01', '2026-04-05', '2026-10-04', '2026-09-06', '2026-06-15']
    const when = fc
      .tuple(fc.constantFrom(...days), fc.integer({ min: -18 * 60, max: 42 * 60 }))
      .map(([date, m]) => at(`${date}T00:00:00Z`) + m * minute)
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.integer({ min: 0, max: 23 }),
        when,
        fc.integer({ min: 0, max: 50 * 60 }),
        (zone, atHour, now, ago) => {
          const last = now - ago * minute
          const due = last < boundaryByWalking(now, atHour, zone)
          expect(evaluateReset({ mode: 'daily', atHour, zone }, { lastUserAt: last }, now).due).toBe(due)
        },
      ),
      { numRuns: 60 },
    )
  })

  verifies('G32', 'takes a time in the future for now', () => {
    for (const mode of ['idle', 'daily', 'both', 'all'] as const) {
      const decision = evaluateReset({ mode, zone: 'UTC', idleMinutes: 5 }, { lastUserAt: 9e12 }, 1e12)
      expect(decision.due).toBe(false)
      expect(decision.nextAt).toEqual(evaluateReset({ mode, zone: 'UTC', idleMinutes: 5 }, { lastUserAt: 1e12 }, 1e12).nextAt)
    }
  })

  verifies('G86', 'runs its clocks from the later of message and end of turn', () => {
    const ten = at('2026-05-05T10:00:00Z')
    const late: ResetClocks = { lastUserAt: ten, lastTurnEndedAt: ten + 2 * hour }
    expect(evaluateReset({ mode: 'idle', idleMinutes: 60 }, late, ten + 2 * hour + minute).due).toBe(false)
    const night = { lastUserAt: at('2026-05-05T03:50:00Z'), lastTurnEndedAt: at('2026-05-05T04:10:00Z') }
    expect(evaluateReset({ mode: 'daily', atHour: 4, zone: 'UTC' }, night, at('2026-05-05T04:15:00Z')).due).toBe(false)
  })

  verifies('G35', 'knows the first millisecond at which it is due', () => {
    const policies = fc.record({
      mode: fc.constantFrom<ResetMode>('idle', 'daily', 'both', 'all'),
      idleMinutes: fc.integer({ min: 0, max: 3_000 }),
      atHour: fc.integer({ min: 0, max: 23 }),
      zone: fc.constantFrom(...zones),
    })
    fc.assert(
      fc.property(
        policies,
        fc.integer({ min: 1_700_000_000_000, max: 1_900_000_000_000 }),
        fc.nat(4 * day),
        (policy, last, gone) => {
          const { nextAt } = evaluateReset(policy, { lastUserAt: last }, last + gone)
          if (nextAt === null) throw new Error('Never due.')
          expect(evaluateReset(policy, { lastUserAt: last }, nextAt).due).toBe(true)
          expect(evaluateReset(policy, { lastUserAt: last }, nextAt - 1).due).toBe(false)
          expect(evaluateReset(policy, { lastUserAt: last }, last + gone).due).toBe(last + gone >= nextAt)
        },
      ),
      { numRuns: 300 },
    )
  })
})
