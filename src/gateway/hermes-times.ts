import { latestTime } from '#kernel'
import { instantIn } from './zones.ts'

const withOffset = /(?:Z|[+-]\d{2}:?\d{2}(?::?\d{2})?)$/i

/**
 * A time as Hermes writes it: seconds, or ISO 8601; without offset it is the zone's, the first of two where it comes twice.
 * `undefined` for what is none.
 */
export function hermesTime(value: unknown, zone: string): number | undefined {
  const at =
    typeof value === 'number'
      ? value * (Math.abs(value) < 1e11 ? 1_000 : 1)
      : typeof value === 'string'
        ? textTime(value.trim(), zone)
        : Number.NaN
  const whole = Math.round(at)
  return Number.isSafeInteger(whole) && whole >= 0 && whole <= latestTime ? whole : undefined
}

function textTime(text: string, zone: string): number {
  if (!/^\d{4}-\d{2}-\d{2}/.test(text)) return Number.NaN
  if (withOffset.test(text.slice(10))) return Date.parse(text.replace(' ', 'T').replace(/(\.\d{3})\d+/, '$1'))
  try {
    return instantIn(zone, text.replace(' ', 'T'))
  } catch {
    return Number.NaN
  }
}
