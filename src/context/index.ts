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
export { addSample, factorOf } from './calibration.ts'
export { type CounterChoice, loadCounter } from './counters.ts'
export { fileTokens } from './file-tokens.ts'
export { type ImageSize, imageSize } from './image-size.ts'
export { type ContentHints, outlineOf, outlineTokens } from './outline.ts'
export { pdfPages } from './pdf-pages.ts'
export {
  type ContextSettings,
  type ContextSettingsInput,
  largeTokensDefault,
  mergeContextSettings,
  type PruneSettings,
  readContextSettings,
  settingsFor,
} from './settings.ts'
