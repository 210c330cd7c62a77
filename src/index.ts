export { openSkein, Skein, type SkeinOptions } from './skein.ts'
export { type AgentGear, type AgentOptions, AgentSession as Session, type InputReceipt, type Run, type RunStatus, type SendOptions, type Tool, type ToolCall, type TurnResult } from '#agent'
export type {
  Appended, ContextOptions, CreateOptions, CustomInput, EntryEvent, EventsOptions, ExportFormat, ForkOptions, Imported, ImportFormat, ListFilter, LiveEvent, MessageInput, MessagesPage,
  Notice, Recorded, SessionContext, SessionEvent, SessionInfo, SessionMessage, TreeNode, UsageReport, UsageTotals,
} from '#session'
export { isKnown, memoryStore, type Entry, type KnownEntry, type Message, type Part, type SearchHit, type SearchResult, type Store, type ToolDescription, type Usage } from '#journal'
export { type ErrorCode, errorRules, isSkeinError, type Json, manualClock, newId, SkeinError, systemClock } from '#kernel'
export { demoModel, fromAiSdk, type ModelEvent, type ModelInfo, type ModelPort, type ModelRequest } from '#models'
