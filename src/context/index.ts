export {
  imageTokens,
  messageOverhead,
  messageTokens,
  outputText,
  partTokens,
  type TokenCounter,
  weightsCounter,
} from './count-tokens.ts'
export {
  assemble,
  type AssembledContext,
  assumedWindow,
  type ContextBudget,
  contextBudget,
  type ContextItem,
  type ContextTokens,
  pairCalls,
  type Repair,
} from './assemble.ts'
export type { ContextEntry } from './context-entry.ts'
export type { Source, Summarizer, SummaryRequest } from './summarizer.ts'
