import type { Usage } from '#journal'
import type { PriceRow, Rates } from './port.ts'

/** What each kind of token cost, integer nano-dollars; `null`: there were tokens and no known rate, or no known count. */
export interface CostParts {
  readonly input: number | null
  readonly output: number | null
  readonly cacheRead: number | null
  readonly cacheWrite5m: number | null
  readonly cacheWrite1h: number | null
}

/** The cost of one request. `rates` are kept beside it, so that a later price table changes nothing that is recorded. */
export interface Cost {
  /** Nano-dollars; `null` if any part is. */
  readonly total: number | null
  readonly parts: CostParts
  readonly rates: Rates | null
  readonly billing?: 'subscription'
  /** With a subscription: what the request would have cost at list price. */
  readonly listNano?: number | null
}

const tokensOf = {
  input: 'inputTokens',
  output: 'outputTokens',
  cacheRead: 'cacheReadTokens',
  cacheWrite5m: 'cacheWrite5mTokens',
  cacheWrite1h: 'cacheWrite1hTokens',
} as const satisfies Record<keyof CostParts, keyof Usage>

const kinds = Object.keys(tokensOf) as (keyof CostParts)[]

/**
 * What `usage` costs by one model's rows for a request that started at `at` (epoch ms). The latest row not after that day
 * counts, then its highest tier below the prompt (input + read + written). A part is `tokens × rate / 1,000,000`, rounded
 * half up once, exact up to 10⁹ tokens and beyond; the total is the parts' sum.
 * An unreported cache count costs 0, since such tokens are within the input; unreported input or output is unknown.
 * Source: spec/agent.md 3, laws P19–P24.
 */
export function costOf(
  usage: Usage,
  rows: readonly PriceRow[],
  at: number,
  { billing }: { billing?: 'subscription' | undefined } = {},
): Cost {
  const rates = ratesOf(usage, rowAt(rows, at))
  const parts = Object.fromEntries(kinds.map(kind => [kind, partOf(kind, usage, rates)])) as unknown as CostParts
  const total = kinds.reduce<number | null>((sum, kind) => {
    const part = parts[kind]
    return sum === null || part === null ? null : sum + part
  }, 0)
  if (billing === undefined) return { total, parts, rates }
  const free: CostParts = { input: 0, output: 0, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 }
  return { total: 0, parts: free, rates, billing, listNano: total }
}

/** One model's rows to price a request by that started at `at`. */
export type PriceSources = (at: number) => readonly PriceRow[]

/** The rows to price a request by: the first source that has one in force at `at`. Sources: the user's, then Skein's, then others. */
export function chooseRows(sources: readonly (readonly PriceRow[])[], at: number): readonly PriceRow[] {
  return sources.find(rows => rowAt(rows, at) !== undefined) ?? []
}

function rowAt(rows: readonly PriceRow[], at: number): PriceRow | undefined {
  const day = new Date(at).toISOString().slice(0, 10)
  return rows
    .filter(row => (row.from ?? '') <= day)
    .reduce<PriceRow | undefined>(
      (best, row) => (best === undefined || (row.from ?? '') > (best.from ?? '') ? row : best),
      undefined,
    )
}

function ratesOf(usage: Usage, row: PriceRow | undefined): Rates | null {
  if (row === undefined) return null
  const prompt = kinds.reduce((sum, kind) => (kind === 'output' ? sum : sum + (usage[tokensOf[kind]] ?? 0)), 0)
  const reached = (row.tiers ?? []).filter(tier => prompt > tier.abovePromptTokens)
  const highest = reached.reduce<(typeof reached)[number] | undefined>(
    (best, tier) => (best === undefined || tier.abovePromptTokens > best.abovePromptTokens ? tier : best),
    undefined,
  )
  return highest?.rates ?? row.rates
}

function partOf(kind: keyof CostParts, usage: Usage, rates: Rates | null): number | null {
  const tokens = usage[tokensOf[kind]]
  if (tokens === null) return kind === 'input' || kind === 'output' ? null : 0
  if (tokens === 0) return 0
  const rate = rates?.[kind]
  return rate === undefined ? null : Number((BigInt(tokens) * BigInt(rate) * 2n + 1_000_000n) / 2_000_000n)
}
