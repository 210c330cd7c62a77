import type {
  AnswerInput,
  Approval,
  InputReceipt,
  MapInfo,
  MapKind,
  MapResult,
  RecoveryPlan,
  RewindOptions,
  RewindPreview,
  Rewound,
  SendOptions,
} from '#agent'
import type { EntryId, Json, JsonObject, SessionId } from '#kernel'
import type { CompactionResult, Page, SearchResult, TurnSnapshot } from '#journal'
import type { OgNode } from '#memory'
import type { ModelInfo } from '#models'
import type {
  Audit,
  CreateOptions,
  Erased,
  Expanded,
  ExpandOptions,
  ExportFormat,
  HermesImported,
  FolderImported,
  Imported,
  ImportFormat,
  ListFilter,
  MessagesPage,
  Recalled,
  RecallOptions,
  SessionContext,
  SessionEvent,
  SessionInfo,
  Standing,
  TreeNode,
  UsageGroup,
  UsageReport,
} from '#session'
import type { GatewayVerbs } from './gateway-verbs.ts'
import type { JobVerbs } from './job-verbs.ts'
import type { ArchiveVerbs } from './archive-verbs.ts'
import type { MemoryVerbs } from './memory-verbs.ts'
import type { StateVerbs } from './state-verbs.ts'

export type ImportReport = Imported
export type NodesReport = FolderImported

/** What `skein context` may ask. */
export interface ContextQuery {
  readonly format?: 'auto' | 'skein' | 'openai' | 'openai-responses' | 'anthropic' | 'ai-sdk'
  readonly model?: string
  readonly explain?: boolean
}

export type ExpandQuery = ExpandOptions

/** A page of snapshots. */
export interface TurnsPage {
  readonly items: readonly TurnSnapshot[]
  readonly next?: number
}

export interface EventsQuery {
  readonly after?: string
  readonly types?: readonly string[]
  readonly signal: AbortSignal
}

/** A run that was admitted. Its events end with `run_ended`. */
export interface Started {
  readonly receipt: InputReceipt
  events(signal: AbortSignal): AsyncIterable<SessionEvent>
  cancel(): Promise<void>
  /** Says something that the run heeds before its next request. Rejects with `run.not_running`. */
  steer(text: string): Promise<InputReceipt>
}

/** What a turn may ask for beside its text. */
export type SendFlags = Pick<SendOptions, 'maxSteps' | 'mode' | 'autonomy' | 'policy' | 'thinking' | 'approvals'> & {
  readonly model?: string
}

/** What `skein recover` may ask. */
export interface RecoverFlags {
  readonly apply?: boolean
  readonly approvals?: 'wait' | 'deny' | 'end'
}

export interface Recovering {
  readonly plan: RecoveryPlan | null
  readonly runId: string | null
}

/** What `skein map` may ask: a new map, or to go on with one. `options` stand under the verb's names. */
export interface MapAsked {
  readonly kind: MapKind
  readonly resume?: string
  readonly inputs?: AsyncIterable<Json>
  readonly options: JsonObject
  readonly signal: AbortSignal
}

/** A map that was accepted. */
export interface GoingMap {
  readonly map: string
  results(): AsyncIterable<MapResult>
  info(): Promise<MapInfo>
}

/** Where a Hermes gateway keeps its sessions, on this machine. */
export interface HermesPlaces {
  readonly dir?: string
  readonly stateDb?: string
  readonly zone?: string
  readonly dryRun?: boolean
}

/**
 * What commands stand on, whether the store is opened here or a server is asked: each verb answers what HTTP answers.
 * Source: spec/foundation.md 6, law H14.
 */
export interface Verbs extends AsyncDisposable {
  readonly gateway: GatewayVerbs
  readonly jobs: JobVerbs
  readonly archives: ArchiveVerbs
  readonly memory: MemoryVerbs
  readonly state: StateVerbs
  list(filter: ListFilter): Promise<Page<SessionInfo>>
  create(options: CreateOptions): Promise<SessionInfo>
  info(id: string): Promise<SessionInfo>
  tree(id: SessionId): Promise<TreeNode>
  messages(id: SessionId, limit: number): Promise<MessagesPage>
  context(id: SessionId, query: ContextQuery): Promise<SessionContext>
  compact(id: SessionId, options: { readonly dryRun?: boolean; readonly targetTokens?: number }): Promise<CompactionResult>
  turns(id: SessionId): Promise<TurnsPage>
  expand(id: SessionId, ref: string, query: ExpandQuery): Promise<Expanded>
  explain(id: SessionId, ref: string): Promise<Standing>
  recall(id: SessionId, query: string, options: RecallOptions): Promise<Recalled>
  audit(id: SessionId): Promise<Audit>
  usage(id: SessionId, options: { readonly by?: UsageGroup; readonly tree?: boolean }): Promise<UsageReport>
  search(query: string, options: { readonly match?: 'all' | 'any'; readonly limit?: number }): Promise<SearchResult>
  rename(id: SessionId, title: string | null): Promise<SessionInfo>
  label(id: SessionId, entryId: EntryId, text: string | null): Promise<{ readonly label: string | null }>
  fork(id: SessionId, options: { readonly at?: EntryId; readonly title?: string }): Promise<SessionInfo>
  delete(id: SessionId, erase: boolean): Promise<Erased | { readonly until: number }>
  restore(id: SessionId): Promise<SessionInfo>
  exportPieces(id: SessionId, format: ExportFormat): AsyncIterable<string | Uint8Array>
  import(format: ImportFormat, input: AsyncIterable<Uint8Array>, as: 'new' | undefined): Promise<ImportReport>
  /** All sessions that another program keeps in a folder, by its files. */
  importNodes(format: 'og-memory', nodes: readonly OgNode[]): Promise<NodesReport>
  importHermes(input: HermesPlaces): Promise<HermesImported>
  events(id: SessionId, query: EventsQuery): AsyncIterable<SessionEvent>
  send(id: SessionId, input: string, options: SendFlags): Promise<Started>
  cancel(id: SessionId): Promise<unknown>
  abort(id: SessionId): Promise<unknown>
  /** What is to be done for a run that died; with `apply` it is done. Here the run is waited for. */
  recover(id: SessionId, options: RecoverFlags): Promise<Recovering>
  map(asked: MapAsked): Promise<GoingMap>
  approvals(id: SessionId): Promise<readonly Approval[]>
  /** By its id alone, whichever session asks. */
  answerApproval(id: string, answer: AnswerInput): Promise<Approval>
  previewRewind(id: SessionId, options: RewindOptions): Promise<RewindPreview>
  applyRewind(id: SessionId, token: string): Promise<Rewound>
  models(): Promise<{ readonly items: readonly ModelInfo[] }>
  checkModel(ref: string): Promise<unknown>
}
