import type { PriceRow, Rates } from './port.ts'

/** Dollars per million tokens, as price lists have them, as integer nano-dollars. */
function dollars(input: number, output: number, cacheRead?: number, cacheWrite5m?: number, cacheWrite1h?: number): Rates {
  const given = Object.entries({ input, output, cacheRead, cacheWrite5m, cacheWrite1h })
  return Object.fromEntries(given.flatMap(([kind, rate]) => (rate === undefined ? [] : [[kind, Math.round(rate * 1e9)]])))
}

const row = (provider: string, model: string, rates: Rates, more: Partial<PriceRow> = {}): PriceRow => ({
  provider,
  model,
  rates,
  ...more,
})

/** Anthropic's long prompts cost twice the prompt rates and 1.5 times the output, until 2026-03-13. */
const longUntilMarch = (provider: string, model: string, rates: Rates, long: Rates): PriceRow[] => [
  row(provider, model, rates, { tiers: [{ abovePromptTokens: 200_000, rates: long }] }),
  row(provider, model, rates, { from: '2026-03-13' }),
]

const gpt54 = dollars(2.5, 15, 0.25)
const gpt54Long = { tiers: [{ abovePromptTokens: 272_000, rates: dollars(5, 22.5, 0.5) }] }

/** Prices that Skein knows by heart. Source: spec/agent.md 2 and 3. */
export const builtInPrices: readonly PriceRow[] = [
  ...longUntilMarch('anthropic', 'claude-opus-4-6', dollars(5, 25, 0.5, 6.25, 10), dollars(10, 37.5, 1, 12.5, 20)),
  ...longUntilMarch('anthropic', 'claude-sonnet-4-6', dollars(3, 15, 0.3, 3.75, 6), dollars(6, 22.5, 0.6, 7.5, 12)),
  row('anthropic', 'claude-haiku-4-5-20251001', dollars(1, 5, 0.1, 1.25, 2)),
  // Codex rows are what the same requests would cost at list price; they are paid by subscription.
  ...['openai', 'openai-codex'].flatMap(provider => [
    row(provider, 'gpt-5.4', gpt54, gpt54Long),
    row(provider, 'gpt-5.4-mini', dollars(0.75, 4.5, 0.075)),
    row(provider, 'gpt-5.4-nano', dollars(0.2, 1.25, 0.02)),
    row(provider, 'gpt-5.3-chat-latest', dollars(1.75, 14, 0.175)),
    row(provider, 'gpt-5.3-codex', dollars(1.75, 14, 0.175)),
  ]),
  row('google', 'gemini-2.5-pro', dollars(1.25, 10, 0.125), {
    tiers: [{ abovePromptTokens: 200_000, rates: dollars(2.5, 15, 0.25) }],
  }),
  row('google', 'gemini-2.5-flash', dollars(0.3, 2.5, 0.03)),
  row('deepseek', 'deepseek-chat', dollars(0.27, 1.1, 0.07)),
  row('deepseek', 'deepseek-reasoner', dollars(0.55, 2.19, 0.14)),
  row('groq', 'llama-3.3-70b-versatile', dollars(0.59, 0.79)),
]
