export { type ExtractOptions, Memories, type MemoriesFilter, type MemorySearch, type PendingExtraction } from './memories.ts'
export { type Evidence, type Memory, type MemorySource } from './memory-types.ts'
export { type Learning, openLearning } from './extraction-open.ts'
export { injectHooks } from './inject-hooks.ts'
export { type Extracted, type ExtractionState } from './extraction.ts'
export { type Candidate, type Category, type ExtractionInput, type Extractor, type ExtractorEntry } from './extractor.ts'
export { type Range, type RangesFilter } from './ranges-view.ts'
export { type Action, type Applied, type Failure, type Fault, type RangeState } from './ranges.ts'
export { eraseWork, forgetLearnt } from './erase-job.ts'
export { eraseMemoryKind, type EraseReceipt, type EraseTarget } from './erase-receipt.ts'
export { type Receipt, type Touched, type UndoTarget } from './undo.ts'
export { type MemoryHit, type MemoryHits } from './recall.ts'
export { type Embedder } from './recall-vectors.ts'
export { checkOwnMemory, type MemorySettings, readMemory } from './settings.ts'
export { MemorySession, type MemoryInfo } from './memory-session.ts'
export { memoryParts } from './memory-parts.ts'
export { archiveJobs, archiveRefs, commitKind, commitLater, sweepCommits, tellArchives } from './memory-works.ts'
export { type Archive, type ArchiveId, type CommitCause } from './archive-row.ts'
export { type ArchivedMessage, type Archiver, type ArchiveTexts } from './archiver.ts'
export { type ArchivesContext } from './archives-context.ts'
export { type ArchivesPage } from './archive-list.ts'
export { type AfterTurned } from './commit-after-turn.ts'
export { type CommitPolicy } from './commit-policy.ts'
export {
  type AfterTurn,
  type ArchivesOptions,
  type CommitOptions,
  type CommitResult,
  type PrepareOptions,
} from './commit-types.ts'
export { type Prepared } from './prepared.ts'
export { importOg, type OgImported, type OgInput } from './import-og.ts'
export { ogNodesBelow } from './import-og-folder.ts'
export { type OgNode, type OgSkipped } from './import-og-nodes.ts'
export { type Quality } from './quality.ts'
export { type CommitmentInput, type DueOptions, type UpdateOptions } from './state-input.ts'
export { refreshKind, refreshWork } from './refresh-job.ts'
export { type Slot, type Slots } from './slots.ts'
export { type StateVerbs } from './state-verbs.ts'
export { workingInfo } from './working-info.ts'
export {
  type Commitment,
  type CommitmentKind,
  type CommitmentStatus,
  type StateChange,
  type StatePatch,
  type WorkingState,
} from './working-state.ts'
