// What a program imports to keep a context itself: budget and counters, what is shown, what to shorten, the summarizer's port.
export { assumedWindow, contextBudget } from './budget.ts'
export { imageTokens, messageTokens, partTokens, type TokenCounter, weightsCounter } from './count-tokens.ts'
export { type CounterChoice, loadCounter } from './counters.ts'
export {
  type ContextSettings,
  type ContextSettingsInput,
  mergeContextSettings,
  type PruneSettings,
  readContextSettings,
  settingsFor,
} from './settings.ts'
export type { ContextEntry } from './context-entry.ts'
export {
  type HiddenReason,
  type Shown,
  type ShownEntry,
  type ShownSummary,
  showEntry,
  type ShowOptions,
  showSummary,
} from './shown.ts'
export { assemble, type AssembleInput, type Assembly, type ContextMessage, countShown } from './assembly.ts'
export { type Family, familyOf, type RepairRule } from './families.ts'
export { type Repair } from './repair-item.ts'
export { repair, type RepairInput, type RepairOptions } from './repair.ts'
export { applyEdit, type Edit, noEdit } from './edit.ts'
export { isWanted, nextStep, type PlanSettings, type PlanState, type Run, type Step } from './plan.ts'
export { deterministicSummarizer } from './deterministic.ts'
export { renderSummary, summaryPreamble } from './render-summary.ts'
export { type SummaryPrompt, summaryPrompt } from './summary-prompt.ts'
export type { Source, Summarizer, SummaryAnswer, SummaryRequest } from './summarizer.ts'
export { type ContextHook, type HookState } from './hook.ts'
export { type ContentHints, outlineOf } from './outline.ts'
