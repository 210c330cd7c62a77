export { type Appended, appendMessages, digestable, messageDrafts, type VerbOptions, writeOptions } from './append-messages.ts'
export { changeSetting } from './change-setting.ts'
export { busyWithRun, digestOf, type Plan, SessionCore, type WriteOptions, type Written } from './core.ts'
export { type CreateOptions, type Creation, planSession } from './create-session.ts'
export { type SessionPlan } from './create-session.ts'
export { type Draft, draft, placeDrafts } from './draft.ts'
export { seededId } from './formats/seeded-ids.ts'
export { eraseDue, eraseKind, sweepKind } from './erase-job.ts'
export { forgetTagged } from './forget-session.ts'
export { type ExportFormat, exportFormats } from './export-session.ts'
export { type ForkOptions } from './fork-session.ts'
export { type ImportFormat, importFormats, type ImportInput, type ImportOptions } from './import-session.ts'
export { type Conversation, importConversation } from './import-conversation.ts'
export { type FolderImported, type HermesImported, type HermesInput, type Imported } from './imported.ts'
export { readAppend } from './read-input.ts'
export { type LiveEvent, LiveEvents } from './live-events.ts'
export { liveDefaults, type LiveLimits, LiveSessions } from './live-sessions.ts'
export { type CustomInput, holdsOf, labelLength, readName, readTitle, titleLength } from './marks.ts'
export { type MessageInput, readMessage, readMessages, readParts } from './message-input.ts'
export { readFactor, sampleChange } from './calibrate.ts'
export { compactSession } from './compact.ts'
export { compactDue, compactKind } from './compact-job.ts'
export { CallStreak, type DoomLoop } from './doom-loop.ts'
export { type EndedTurn, turnEnding } from './end-turn.ts'
export { type CompactionCause, type CompactOptions } from './compaction-cause.ts'
export { type CompactionInfo } from './compaction-lock.ts'
export { ContextSession } from './context-session.ts'
export { type Frontier, contextEntries } from './frontier.ts'
export { type ContextState, promptTokens, readContextState, requestMark, type Settings, settingsOf } from './context-state.ts'
export {
  checkContextOptions,
  type ContextOptions,
  type ContextView,
  contextViewOf,
  exhausted,
  inputMessage,
  type OwnContext,
  readContext,
  renderContext,
  servedContext,
  type SessionContext,
  setContextView,
  viewsArchives,
} from './read-context.ts'
export { branchSpans, type BranchSpans, isOnBranch } from './branch-spans.ts'
export { audit, type Audit, type AuditFinding } from './audit.ts'
export { describe, type Described } from './describe.ts'
export { expand, type Expanded, type ExpandOptions, pageTokens } from './expand.ts'
export { recall, type Recalled, type RecallHit, type RecallNeighbour, type RecallOptions } from './recall.ts'
export { type AbsentReason, type ContextItem, type Standing } from './standings.ts'
export { type MessagesOptions, type MessagesPage, type SessionMessage } from './read-messages.ts'
export { type Recorded, type TurnInput } from './record-turn.ts'
export { changedNotes, noteDrafts } from './notes.ts'
export { rewriteBranch, type Rewritten } from './rewrite-branch.ts'
export { setPrefill } from './prefill.ts'
export { type ModelFacts, type Notice, type Runtime } from './runtime.ts'
export {
  type EntryEvent,
  type EventsOptions,
  eventId,
  isEntryEvent,
  parseEventId,
  sessionEvents,
  type SessionEvent,
} from './session-events.ts'
export { sessionInfo, type SessionInfo, type UsageTotals } from './session-info.ts'
export { type TreeNode } from './session-tree.ts'
export { treeText } from './tree-text.ts'
export { entriesOf, family } from './session-usage.ts'
export { type ToolUsage } from './tool-usage.ts'
export { type UsageGroup, usageGroups, type UsageOptions, type UsageReport } from './session-usage.ts'
export { type EntriesOptions } from './read-entries.ts'
export { CoreSession } from './session.ts'
export { type ListFilter } from './list-filter.ts'
export { type Compose, type Erased, type FolderImporter, Sessions } from './sessions.ts'
export { check, creating, writing } from './verb-options.ts'
