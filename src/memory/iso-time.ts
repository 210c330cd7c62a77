import { type Check, invalidInput } from '#kernel'

const shape = /^(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?([T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$/i

/** Epoch milliseconds of an ISO 8601 date or time, without a zone in UTC; undefined for a day that no calendar has. */
export function isoTime(text: string): number | undefined {
  const [, year = '', month = '01', day = '01', time, zone] = shape.exec(text) ?? []
  const at = Date.parse(time === undefined || zone !== undefined ? text : `${text}Z`)
  // The built-in parser takes 30 February for 2 March.
  return year === '' || Number.isNaN(at) || Number(day) > daysIn(year, month) ? undefined : at
}

/** Of a month; leap years come again after 400, and years below 100 mean others to the built-in. */
const daysIn = (year: string, month: string): number => new Date(Date.UTC(Number(year) + 400, Number(month), 0)).getUTCDate()

/** ISO 8601 with time and zone. */
export const aTime: Check = (value, path) => {
  if (typeof value !== 'string' || !/T.*(Z|[+-]\d{2}:?\d{2})$/i.test(value) || isoTime(value) === undefined)
    throw invalidInput(path, 'Expected an ISO 8601 time with a zone.')
}
