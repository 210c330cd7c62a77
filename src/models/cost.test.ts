import fc from 'fast-check'
import { expect, it } from 'vitest'
import { fullUsage } from '#journal'
import { verifies } from '#verifies'
import { chooseRows, costOf } from './cost.ts'
import { createModels } from './models.ts'
import type { PriceRow } from './port.ts'

const at = Date.parse('2026-11-01T00:00:00Z')
const none = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWrite5mTokens: 0, cacheWrite1hTokens: 0 }
const rowsOf = (ref: string): readonly PriceRow[] => createModels().resolve(ref).info.prices ?? []
const row = (rates: PriceRow['rates'], more: Partial<PriceRow> = {}): PriceRow => ({ provider: 'p', model: 'm', rates, ...more })

verifies('P19', 'a request costs the sum of its parts', () => {
  const rates = { input: 2e9, output: 4e9, cacheRead: 5e8, cacheWrite5m: 1e9 }
  const usage = fullUsage({ ...none, inputTokens: 1_000, outputTokens: 250, cacheReadTokens: 100, cacheWrite5mTokens: 50 })
  expect(costOf(usage, [row(rates)], at)).toEqual({
    total: 3_100_000,
    parts: { input: 2_000_000, output: 1_000_000, cacheRead: 50_000, cacheWrite5m: 50_000, cacheWrite1h: 0 },
    rates,
  })
})

verifies('P20', 'both lifetimes of written tokens have their own rate', () => {
  const usage = fullUsage({ ...none, cacheWrite5mTokens: 200, cacheWrite1hTokens: 400 })
  expect(costOf(usage, rowsOf('claude-sonnet-4-6'), at).parts).toMatchObject({ cacheWrite5m: 750_000, cacheWrite1h: 2_400_000 })
})

verifies('P21', 'a tier begins above its prompt and holds for every part', () => {
  const cost = (inputTokens: number) =>
    costOf(fullUsage({ ...none, inputTokens, cacheReadTokens: 100_000, outputTokens: 10 }), rowsOf('gemini-2.5-pro'), at)
  expect(cost(100_000).parts).toMatchObject({ input: 125_000_000, cacheRead: 12_500_000, output: 100_000 })
  expect(cost(100_001).parts).toMatchObject({ input: 250_002_500, cacheRead: 25_000_000, output: 150_000 })
})

verifies('P22', 'a new price holds from midnight UTC of its day', () => {
  const usage = fullUsage({ ...none, inputTokens: 250_000 })
  const total = (time: string) => costOf(usage, rowsOf('claude-opus-4-6'), Date.parse(time)).total
  expect(total('2026-03-12T23:59:59Z')).toBe(2_500_000_000)
  expect(total('2026-03-13T00:00:00Z')).toBe(1_250_000_000)
})

verifies('P23', 'an unknown rate is null with tokens and 0 without', () => {
  const usage = fullUsage({ ...none, inputTokens: 10, cacheReadTokens: 5 })
  expect(costOf(usage, [row({ input: 1e9, output: 1e9 })], at)).toMatchObject({
    total: null,
    parts: { input: 10_000, cacheRead: null, output: 0 },
  })
  expect(costOf(usage, [], at)).toMatchObject({ total: null, parts: { input: null, output: 0 }, rates: null })
  expect(costOf(fullUsage(none), [], at).total).toBe(0)
})

it('usage that nobody reported has no cost, unreported cache counts cost nothing', () => {
  const rates = { input: 1e9, output: 1e9, cacheRead: 1e9 }
  expect(costOf(fullUsage({}), [row(rates)], at).total).toBe(null)
  expect(costOf(fullUsage({ inputTokens: 1, outputTokens: 1 }), [row(rates)], at).total).toBe(2_000)
})

verifies('P24', 'costs are exact up to a billion tokens, rounded half up once', () => {
  fc.assert(
    fc.property(fc.nat(1_000_000_000), fc.nat(100_000_000_000), (tokens, rate) => {
      const exact = BigInt(tokens) * BigInt(rate)
      const rounded = exact / 1_000_000n + (exact % 1_000_000n >= 500_000n ? 1n : 0n)
      const { parts } = costOf(fullUsage({ ...none, outputTokens: tokens }), [row({ output: rate })], at)
      expect(BigInt(parts.output ?? -1)).toBe(rounded)
    }),
  )
})

it('the first source with a row in force wins, the latest row of it counts', () => {
  const user = [row({ input: 1 }, { from: '2026-12-01' })]
  const built = [row({ input: 2 }), row({ input: 3 }, { from: '2026-06-01' })]
  expect(costOf(fullUsage(none), chooseRows([user, built], at), at).rates).toEqual({ input: 3 })
  const december = Date.parse('2026-12-02T00:00:00Z')
  expect(costOf(fullUsage(none), chooseRows([user, built], december), december).rates).toEqual({ input: 1 })
})

it('a subscription costs nothing and tells the list price', () => {
  const usage = fullUsage({ ...none, inputTokens: 1_000 })
  expect(costOf(usage, rowsOf('openai-codex/gpt-5.4'), at, { billing: 'subscription' })).toMatchObject({
    total: 0,
    billing: 'subscription',
    listNano: 2_500_000,
  })
})

it('gpt-5.4 has its own rates above 272,000 prompt tokens', () => {
  const input = (inputTokens: number) => costOf(fullUsage({ ...none, inputTokens }), rowsOf('gpt-5.4'), at).parts.input
  expect(input(272_000)).toBe(680_000_000)
  expect(input(272_001)).toBe(1_360_005_000)
})
