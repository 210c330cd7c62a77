import type { ContextSettings, PruneSettings } from '#context'

type Named = Exclude<keyof ContextSettings, 'prune'> | `prune.${keyof PruneSettings}`

/** What each setting of a context is for. One without a sentence does not compile. */
export const toldSettings: Readonly<Record<Named, string>> = {
  auto: 'Compacts by itself. Without it a request over the budget is `context.exhausted`.',
  recall: 'Gives the model the tools that read what is no longer shown.',
  counter: 'What counts tokens. `o200k` needs the package `gpt-tokenizer`; an object only for `openSkein`.',
  softFraction: 'Share of `usable` from which on summaries are prepared.',
  targetFraction: 'Share of `usable` that a compaction goes down to; below `softFraction`.',
  swap: '`late`: what is prepared is shown when it is needed; `early`: at once.',
  buffer: 'Room for what estimates miss. Default: a tenth of the window, at most 20,000.',
  keepTokens: 'So much of the newest stays as it is.',
  leafTokens: 'So much one summary covers at most.',
  fanout: 'So many summaries become one.',
  summaryShare: 'Share of `usable` that summaries take before they are condensed.',
  largeTokens: 'From here on a file or a result that was handed in is shown by its outline.',
  recallTokensPerTurn: 'So much the recall tools give in one turn.',
  doomLoopCalls: 'So many equal calls in a row are a doom loop.',
  summarizer: 'Who writes summaries; an object only for `openSkein`.',
  summaryTimeoutMs: 'For one proposal.',
  closeTimeoutMs: 'So long closing waits for a compaction, then aborts it.',
  'prune.protectTokens': 'The newest results of so much are not pruned.',
  'prune.minTokens': 'A prune that saves less is not worth it; below `protectTokens`.',
  'prune.protectedTools': 'Tools whose results are never pruned.',
}
