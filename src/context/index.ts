export {
  imageTokens,
  messageOverhead,
  messageTokens,
  outputText,
  partTokens,
  type TokenCounter,
  weightsCounter,
} from './count-tokens.ts'
export { assemble, type Assembly, type ContextMessage, countShown, toolsTokens } from './assembly.ts'
export { assumedWindow, contextBudget } from './budget.ts'
export { isCallId } from './call-ids.ts'
export { applyEdit, type Edit, editOf, entryOfRef, mergeEdits, noEdit, swapAll, swapIn } from './edit.ts'
export { type Group, groupsOf, sumTokens } from './groups.ts'
export { type ContextHook, hookMs, type HookState, hookTokens } from './hook.ts'
export { middleCut } from './middle-cut.ts'
export { pointTo } from './markers.ts'
export { isWanted, nextStep, type PlanSettings, type PlanState, type Run, type Step } from './plan.ts'
export { planPrune, recallTools } from './prune.ts'
export {
  firstOf,
  type HiddenReason,
  hideReplaced,
  isHeadNote,
  itemOf,
  lastOf,
  type Shown,
  type ShownEntry,
  type ShownSummary,
  showEntry,
  shownMessage,
  shownPartTokens,
  type ShowOptions,
  showSummary,
} from './shown.ts'
export { inTail, type Tail, tailOf, turnsBack } from './tail.ts'
export { deterministicId, deterministicSummarizer } from './deterministic.ts'
export { bridgeSummary, makeSummary, type SummaryOrder, type SummaryOutcome, summaryTarget } from './escalate.ts'
export { renderSummary, summaryPreamble } from './render-summary.ts'
export { packAnchors, unpackAnchors } from './stored-anchors.ts'
export { promptHash, type SummaryPrompt, summaryPrompt, sourceHash } from './summary-prompt.ts'
export { fullText, sourcesOf, summarySources } from './sources.ts'
export { type Family, familyOf, type RepairRule } from './families.ts'
export { type Repair } from './repair-item.ts'
export { repair, type RepairInput, type RepairOptions } from './repair.ts'
export type { ContextEntry } from './context-entry.ts'
export { readAnswer, type Source, type Summarizer, type SummaryAnswer, type SummaryRequest } from './summarizer.ts'
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
export { type ContentPage, contentPage, type PageAsk, type PageUnit, pageUnits } from './content-page.ts'
export { isFailed, partContent, readableEntry, readableText } from './readable.ts'
export { recallTerms } from './light-stem.ts'
export {
  countTerms,
  excerptRound,
  isRecalled,
  literalTexts,
  type PlacedCounts,
  rankTexts,
  type RecallTerm,
} from './recall-text.ts'
export { fenced, isoTime, tagsOf } from './fence.ts'
export { headWithin } from './middle-cut.ts'
