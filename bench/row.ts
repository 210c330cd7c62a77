import type { RoundCount, Rounds, Spread } from './measure.ts'

/** How a row is run. */
export interface Setting {
  /** A fresh folder for the row's files. */
  readonly folder: string
  readonly rounds: number
  /** Fewer and smaller, to see that it runs; its figures mean little. */
  readonly quick: boolean
  /** What several rows need and one of them makes. */
  readonly shared: Map<string, Promise<unknown>>
  /** Called when all rows are done. */
  readonly cleanups: (() => Promise<unknown> | void)[]
}

export interface Target {
  readonly limit: number
  readonly kind: 'at most' | 'at least'
  /** What is held against it. */
  readonly of: 'ratio' | 'skein'
}

/** One line of the table. */
export interface Line {
  readonly measure: string
  readonly unit: 'ms' | 'µs' | 'MB' | 'per s' | 'bytes' | '×' | 'count'
  readonly skein?: Spread | number | undefined
  /** What it is compared with; `comparison` names it where that isn't raw. */
  readonly base?: Spread | number | undefined
  readonly comparison?: string
  readonly ratio?: Spread | number | undefined
  readonly target?: Target
  /** Where Skein stands beside those that it isn't compared with. */
  readonly others?: Readonly<Record<string, Spread | number | undefined>>
}

export interface RowResult {
  readonly title: string
  readonly lines: readonly Line[]
  readonly rounds?: RoundCount
  readonly notes?: readonly string[]
}

export type Row = (setting: Setting) => Promise<RowResult>

export const atMost = (limit: number, of: Target['of'] = 'ratio'): Target => ({ limit, kind: 'at most', of })
export const atLeast = (limit: number, of: Target['of'] = 'ratio'): Target => ({ limit, kind: 'at least', of })

/** A line that holds one contender's metric against another's, with all others beside it. */
export function versus(
  rounds: Rounds,
  metric: string,
  {
    measure,
    unit,
    of = 'skein',
    to = 'raw',
    target,
  }: { measure: string; unit: Line['unit']; of?: string; to?: string; target?: Target },
): Line {
  const rest = Object.entries(rounds.spreads).filter(
    ([name, metrics]) => name !== of && name !== to && metrics[metric] !== undefined,
  )
  return {
    measure,
    unit,
    skein: rounds.spreads[of]?.[metric],
    base: rounds.spreads[to]?.[metric],
    comparison: to,
    ratio: rounds.ratio(metric, of, to),
    others: Object.fromEntries(rest.map(([name, metrics]) => [name, metrics[metric]])),
    ...(target === undefined ? {} : { target }),
  }
}

/** A line without those that it isn't compared with. */
export function alone({ others: _others, ...line }: Line): Line {
  return line
}

/** Whether a line's target is met; undefined without one, or without a measurement. */
export function met({ target, ratio, skein }: Line): boolean | undefined {
  const held = target === undefined ? undefined : target.of === 'ratio' ? ratio : skein
  if (target === undefined || held === undefined) return undefined
  const value = typeof held === 'number' ? held : held.median
  return target.kind === 'at most' ? value <= target.limit : value >= target.limit
}
