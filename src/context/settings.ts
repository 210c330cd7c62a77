import { isObject, SkeinError } from '#kernel'
import type { CounterChoice } from './counters.ts'

/** How a session's context is kept within its budget, every setting filled in. Tokens and milliseconds. Source: spec/context.md 12. */
export interface ContextSettings {
  /** Compacts by itself. */
  readonly auto: boolean
  /** Gives the model tools to read what left the context. */
  readonly recall: boolean
  readonly counter: CounterChoice
  /** Shares of the usable budget where preparing starts, and where compacting stops. */
  readonly softFraction: number
  readonly targetFraction: number
  readonly swap: 'late' | 'early'
  /** Absent: a tenth of the window, at most 20,000. */
  readonly buffer?: number
  /** How much of the newest stays as it is. */
  readonly keepTokens: number
  /** How much one summary covers at most. */
  readonly leafTokens: number
  readonly fanout: number
  /** Share of the usable budget that summaries may take. */
  readonly summaryShare: number
  readonly prune: PruneSettings
  /** From here on, a file or a result that was handed in is shown by its outline. */
  readonly largeTokens: number
  readonly recallTokensPerTurn: number
  readonly doomLoopCalls: number
  /** `deterministic`, or a model's reference. */
  readonly summarizer: string
  readonly summaryTimeoutMs: number
  readonly closeTimeoutMs: number
}

export interface PruneSettings {
  readonly protectTokens: number
  readonly minTokens: number
  /** Tools whose results are never left out. */
  readonly protectedTools: readonly string[]
}

/** What somebody has set; the rest follows from the table and the budget. */
export type ContextSettingsInput = Partial<Omit<ContextSettings, 'prune'>> & { readonly prune?: Partial<PruneSettings> }

/** One setting: what it takes, and what it is where nobody says so. */
interface Row<T> {
  readonly fits: (value: unknown) => boolean
  readonly expected: string
  readonly otherwise: (usable: number) => T
}
type Rows<T> = { readonly [K in keyof Required<T>]: Row<Required<T>[K] | (undefined extends T[K] ? undefined : never)> }

const flag = (otherwise: boolean): Row<boolean> => ({
  fits: value => typeof value === 'boolean',
  expected: 'true or false',
  otherwise: () => otherwise,
})
function whole<T extends number | undefined>(min: number, max: number, otherwise: (usable: number) => T): Row<T> {
  const range = max === Infinity ? `from ${min}` : `from ${min} to ${max}`
  const fits = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
  return { fits, expected: `a whole number ${range}`, otherwise }
}
const fraction = (min: number, max: number, otherwise: number): Row<number> => ({
  fits: value => typeof value === 'number' && value >= min && value <= max,
  expected: `a number from ${min} to ${max}`,
  otherwise: () => otherwise,
})
const oneOf = <T extends string>(first: T, ...others: readonly T[]): Row<T> => ({
  fits: value => value === first || others.includes(value as T),
  expected: `one of ${[first, ...others].join(', ')}`,
  otherwise: () => first,
})
const fixed = (value: number) => (): number => value
/** A share of the usable budget, at most so much. */
const within =
  (most: number, divisor: number) =>
  (usable: number): number =>
    Math.min(most, Math.floor(usable / divisor))

const isText = (value: unknown): boolean => typeof value === 'string' && value !== ''
const isCounter = (value: unknown): boolean => isObject(value) && isText(value['id']) && typeof value['count'] === 'function'

const mostProtected = 40_000

const settings: Rows<Omit<ContextSettings, 'prune'>> = {
  auto: flag(true),
  recall: flag(true),
  counter: {
    fits: value => value === 'weights/1' || value === 'o200k' || isCounter(value),
    expected: 'weights/1, o200k or a counter { id, count }',
    otherwise: () => 'weights/1',
  },
  softFraction: fraction(0.1, 0.95, 0.6),
  targetFraction: fraction(0.05, 0.95, 0.3),
  swap: oneOf('late', 'early'),
  buffer: whole(0, 200_000, () => undefined),
  keepTokens: whole(500, Infinity, within(20_000, 4)),
  leafTokens: whole(500, Infinity, within(20_000, 4)),
  fanout: whole(2, 16, fixed(4)),
  summaryShare: fraction(0.05, 0.5, 0.2),
  largeTokens: whole(100, Infinity, fixed(10_000)),
  recallTokensPerTurn: whole(1_000, Infinity, fixed(16_000)),
  doomLoopCalls: whole(2, 10, fixed(3)),
  summarizer: { fits: isText, expected: 'deterministic or a model', otherwise: () => 'deterministic' },
  summaryTimeoutMs: whole(1, Infinity, fixed(60_000)),
  closeTimeoutMs: whole(0, Infinity, fixed(30_000)),
}
const pruning: Rows<PruneSettings> = {
  protectTokens: whole(1, Infinity, within(mostProtected, 4)),
  minTokens: whole(0, Infinity, within(20_000, 10)),
  protectedTools: {
    fits: value => Array.isArray(value) && value.every(isText),
    expected: 'a list of names of tools',
    otherwise: () => ['skill'],
  },
}

export const largeTokensDefault: number = settings.largeTokens.otherwise(0)

/**
 * Reads settings that somebody gave: members that are `undefined` count as absent. Throws `config.invalid` naming the first
 * that is unknown, out of its range, or in contradiction to another. Law C10.
 */
export function readContextSettings(value: unknown, path: string = 'context'): ContextSettingsInput {
  const { prune, ...rest } = membersOf(value, path)
  const read: ContextSettingsInput = readRows(settings, rest, path)
  if (prune === undefined) return inAgreement(read, path)
  const pruned: Partial<PruneSettings> = readRows(pruning, membersOf(prune, `${path}.prune`), `${path}.prune`)
  return inAgreement({ ...read, prune: pruned }, path)
}

/** Settings of a session over those of its process, member by member. Throws `config.invalid` where the two contradict. */
export function mergeContextSettings(
  base: ContextSettingsInput,
  over: ContextSettingsInput,
  path: string = 'context',
): ContextSettingsInput {
  const prune = { ...base.prune, ...over.prune }
  return inAgreement({ ...base, ...over, ...(Object.keys(prune).length === 0 ? {} : { prune }) }, path)
}

/** Every setting for a budget. Total: what is left open and would contradict what is set gives way. */
export function settingsFor(input: ContextSettingsInput, budget: { readonly usable: number }): ContextSettings {
  const { usable } = budget
  const { prune: given = {}, ...rest } = input
  const { buffer, ...filled } = { ...fill(settings, usable), ...rest }
  const open = fill(pruning, usable)
  const { protectTokens = Math.max(open.protectTokens, (given.minTokens ?? -1) + 1) } = given
  const { minTokens = Math.min(open.minTokens, Math.max(0, protectTokens - 1)) } = given
  return {
    ...filled,
    ...(buffer === undefined ? {} : { buffer }),
    prune: { protectTokens, minTokens, protectedTools: given.protectedTools ?? open.protectedTools },
  }
}

function inAgreement(input: ContextSettingsInput, path: string): ContextSettingsInput {
  const { softFraction = settings.softFraction.otherwise(0), targetFraction = settings.targetFraction.otherwise(0) } = input
  if (targetFraction >= softFraction) {
    const named = input.targetFraction === undefined ? 'softFraction' : 'targetFraction'
    throw refused(`${path}.${named}`, `targetFraction (${targetFraction}) has to be below softFraction (${softFraction}).`)
  }
  const { minTokens, protectTokens = mostProtected } = input.prune ?? {}
  if (minTokens !== undefined && minTokens >= protectTokens)
    throw refused(`${path}.prune.minTokens`, `It has to be below protectTokens (${protectTokens}).`)
  return input
}

function membersOf(value: unknown, path: string): Record<string, unknown> {
  if (value === undefined) return {}
  if (!isObject(value)) throw refused(path, 'Expected an object.')
  return value
}

function readRows<T>(rows: Rows<T>, given: Record<string, unknown>, path: string): Partial<T> {
  const read: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue
    const row = Object.hasOwn(rows, name) ? rows[name as keyof T] : undefined
    if (row === undefined) throw refused(`${path}.${name}`, `Unknown setting; expected ${Object.keys(rows).join(', ')}.`)
    if (!row.fits(value)) throw refused(`${path}.${name}`, `Expected ${row.expected}.`)
    read[name] = value
  }
  return read as Partial<T>
}

/** What each row gives where nothing is set. */
function fill<T>(rows: Rows<T>, usable: number): T {
  const filled = Object.entries<Row<unknown>>(rows).map(([name, row]) => [name, row.otherwise(usable)])
  return Object.fromEntries(filled) as T
}

const refused = (path: string, problem: string): SkeinError =>
  new SkeinError('config.invalid', `${path}: ${problem}`, { details: { key: path } })
