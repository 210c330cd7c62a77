import { createRequire } from 'node:module'
import type { Temporal as TemporalTypes } from 'temporal-polyfill'

type Library = typeof TemporalTypes

let library: Library | undefined

/** Loaded when a wall clock is first asked for, in the midst of a rule that is no promise. */
function temporal(): Library {
  library ??= (createRequire(import.meta.url)('temporal-polyfill') as { Temporal: Library }).Temporal
  return library
}

/** True for a zone of the IANA database; an offset is none. */
export function isZone(value: unknown): value is string {
  if (typeof value !== 'string' || !/^[A-Za-z]/.test(value)) return false
  try {
    new Intl.DateTimeFormat('en', { timeZone: value })
    return true
  } catch {
    return false
  }
}

export const hostZone = (): string => new Intl.DateTimeFormat('en').resolvedOptions().timeZone

/** A wall-clock time as an instant: the first of two, or the instant after the gap that it falls into. */
function instantOf(time: TemporalTypes.PlainDateTime, zone: string): number {
  const first = time.toZonedDateTime(zone, { disambiguation: 'earlier' })
  if (first.toPlainDateTime().equals(time)) return first.epochMilliseconds
  return first.getTimeZoneTransition('next')?.epochMilliseconds ?? first.epochMilliseconds
}

/** The instants at which the zone's wall clock reads `atHour:00`, on the days about `at`, in their order. */
function boundariesAbout(at: number, atHour: number, zone: string): number[] {
  const { Instant } = temporal()
  const today = Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone).toPlainDate()
  return [-2, -1, 0, 1, 2]
    .map(days => instantOf(today.add({ days }).toPlainDateTime({ hour: atHour }), zone))
    .sort((a, b) => a - b)
}

/** The latest instant at or before `now` at which the zone's wall clock reads `atHour:00`. */
export function lastBoundary(now: number, atHour: number, zone: string): number {
  return boundariesAbout(now, atHour, zone).findLast(at => at <= now) ?? Number.NEGATIVE_INFINITY
}

/** The first such instant after `at`. */
export function nextBoundary(at: number, atHour: number, zone: string): number {
  return boundariesAbout(at, atHour, zone).find(boundary => boundary > at) ?? Number.POSITIVE_INFINITY
}

/** The instant of a wall-clock time without offset, `2026-10-25T02:30:00.123`. Throws a RangeError for what is none. */
export function instantIn(zone: string, text: string): number {
  return instantOf(temporal().PlainDateTime.from(text), zone)
}
