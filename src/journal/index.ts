export type {
  Delivery,
  AllowanceReached,
  ChildEnded,
  ChildStarted,
  EffectBegun,
  EffectPlanned,
  EffectReplay,
  EffectSettled,
  InputAdmitted,
  InputDelivered,
  InputDropped,
  RunEnded,
  RunCode,
  RunHeld,
  RunStarted,
  StepEnded,
  StepRetried,
  StepStarted,
  WaitingInput,
  UsageEstimate,
} from './agent-data.ts'
export type {
  Anchor,
  AnchorKind,
  CompactionId,
  CompactionResult,
  CompactionStarted,
  CompactionStatus,
  CompactionTrigger,
  ContextBudget,
  ContextEdited,
  ContextNoted,
  ContextTokens,
  Coverage,
  FrontierItem,
  PartRef,
  PrefixChange,
  Quote,
  RejectReason,
  Summary,
  SummaryAttempt,
  SummaryId,
  SummaryLevel,
  TurnSnapshot,
} from './context-data.ts'
export type { CheckpointId, CheckpointSaved, CheckpointSettled, FileState, FilesRewound } from './checkpoint-data.ts'
export { type Entry, entryBody, entryFrom, type NewEntry, noTotals, sealEntry, type Totals } from './entry.ts'
export {
  type EntryDataOf,
  type EntryOf,
  entryTypes,
  isKnown,
  isPath,
  isType,
  type KnownEntry,
  type KnownEntryType,
  type Place,
  type RouteBound,
  type RouteUnbound,
  type SessionCreated,
  type TurnEnded,
  type TurnStarted,
  type UsageRecorded,
} from './entry-types.ts'
export {
  type CustomPart,
  type FilePart,
  type FinishReason,
  type LostPart,
  type Message,
  type Part,
  type ReasoningPart,
  type Role,
  type SourcePart,
  type TextPart,
  type ToolCallPart,
  type ToolDescription,
  type ToolResultPart,
  type ToolResultStatus,
} from './message.ts'
export { UndoLog } from './undo-log.ts'
export { addUsage, fullUsage, noUsage, type Usage, usageFields } from './usage.ts'
export {
  addCounters,
  type Counter,
  type Counters,
  counters,
  type HeadPatch,
  type Lease,
  noCounters,
  noLease,
  patchHead,
  type SessionFields,
  type SessionRow,
  type SessionState,
} from './head.ts'
export { headEffect, previewLength, previewOf, usageCounters } from './head-effect.ts'
export type {
  Acquire,
  Append,
  Change,
  CopySession,
  CreateSession,
  Enqueue,
  Fence,
  JobClaim,
  JobState,
  NewBlob,
  PutArchive,
  PutMemory,
  PutRecord,
  Require,
  Result,
  ResultOf,
  Results,
} from './change.ts'
export type {
  ArchiveRow,
  BlobRow,
  BranchQuery,
  CheckResult,
  ClaimKinds,
  CommitOptions,
  Committed,
  Durability,
  EntriesQuery,
  Finding,
  JobFilter,
  JobRow,
  LeaseFence,
  MemoryRow,
  Page,
  RecordRow,
  RecordsQuery,
  RouteRow,
  SearchHit,
  SearchQuery,
  SearchResult,
  SessionFilter,
  SessionSort,
  Store,
  StoreStats,
  TenantStore,
  ViewRow,
} from './store.ts'
export type { CommitContext, Rows } from './rows.ts'
export { applyChanges, live, routeCollection } from './apply.ts'
export { unknownSession } from './refusal.ts'
export {
  checkCommit,
  checkKey,
  jobLifeMs,
  keyLifeMs,
  maxBlobBytes,
  maxChanges,
  maxCommitBytes,
  maxEntryBytes,
} from './check-changes.ts'
export { checkStore, totalsAfter } from './check.ts'
export { CommitQueue, type Flights, maxGroup, maxGroupBytes, type Outcome, type RunGroup, type Waiting } from './commit-queue.ts'
export { erasedEntry } from './erase.ts'
export { defaultLeaseMs, grantLease, renewLease } from './lease.ts'
export { memoryStore, type StoreOptions } from './memory-store.ts'
export {
  checkLimit,
  type Cursor,
  cutPage,
  decodeCursor,
  encodeCursor,
  sessionHaystack,
  sessionSorts,
  snippetOf,
  sortValue,
  pageOfSessions,
} from './paging.ts'
export {
  blobsOf,
  fetchParts,
  type FileInput,
  inlineBytes,
  isStub,
  maxPartBytes,
  ownBlob,
  type PartInput,
  type Stub,
  stowParts,
} from './parts.ts'
export { findIn, hitOf, sortHits } from './search.ts'
export { hasUnindexedText, indexedLength, searchText } from './search-text.ts'
export { matches, parseQuery, searchWords, splitText, type Term } from './search-words.ts'
export { Bell, watchEntries } from './watch.ts'
export { higher, isLow, isTrust, lowest, type Trust, trustLevels, trustOfSummary, trustsOf } from './trust.ts'
