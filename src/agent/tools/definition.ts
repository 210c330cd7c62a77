import type { Json, JsonObject, StandardSchema } from '#kernel'
import type { FileInput, TextPart, Usage } from '#journal'

/** What a tool does, for the rules that judge it. */
export type ToolKind = 'read' | 'search' | 'ask' | 'write' | 'execute' | 'network' | 'secret' | 'extension'
/** What may be done with a call whose outcome is not known: run again, run again under the same key, or ask. */
export type Replay = 'safe' | 'idempotent' | 'never'
/** What a call touches: a file, a host, a secret by its name, or one of the rails. */
export type Resource =
  { readonly path: string } | { readonly host: string } | { readonly secret: string } | { readonly rail: string }
/** What a tool uses of a model by itself, or costs otherwise. */
export interface ToolSpending {
  readonly usage?: Partial<Usage>
  /** Nano-dollars; absent or `null`: not known. */
  readonly cost?: number | null
  readonly model?: string
}

/** With a question: aborts when nobody waits for the answer any more. */
export interface AskOptions {
  readonly signal?: AbortSignal
}

/** What a person can be shown and asked. Whoever has none answers `undefined` everywhere. Source: spec/agent.md 13. */
export interface UserInterface {
  readonly hasUi: boolean
  notify(message: string, level?: 'info' | 'warn' | 'error'): void
  confirm(question: string, options?: AskOptions): Promise<boolean | undefined>
  select(question: string, choices: readonly string[], options?: AskOptions): Promise<string | undefined>
  multiSelect(question: string, choices: readonly string[], options?: AskOptions): Promise<readonly string[] | undefined>
  input(question: string, options?: AskOptions): Promise<string | undefined>
  setStatus(text: string | undefined): void
  setWidget(name: string, content: Json | undefined): void
  custom(name: string, data: Json, options?: AskOptions): Promise<Json | undefined>
}

const silent = async (): Promise<undefined> => undefined
const nothing = (): void => undefined

/** Nobody looks on. */
export const nullUi: UserInterface = {
  hasUi: false,
  notify: nothing,
  confirm: silent,
  select: silent,
  multiSelect: silent,
  input: silent,
  setStatus: nothing,
  setWidget: nothing,
  custom: silent,
}

/** One call, as its tool sees it. */
export interface ToolCall {
  readonly id: string
  /** The same for every attempt of one call. */
  readonly idempotencyKey: string
  readonly signal: AbortSignal
  /** Where the session works; `null` if it has no place. */
  readonly cwd: string | null
  readonly ui: UserInterface
  /** Tells readers of the run how far it is; not stored. */
  progress(text: string): void
  /** Adds what the tool itself used to the session's usage. */
  usage(spent: ToolSpending): void
  /** Keeps how these files stand, once each, so that they can be brought back. To be awaited before they are written. */
  checkpoint(paths: readonly string[]): Promise<void>
}

/** A result with more to say than its content. Other results are text, JSON, or parts. */
export interface ToolReply {
  readonly content: unknown
  readonly isError?: boolean
  /** Kept beside the result; no model is shown it. */
  readonly details?: unknown
  /** How far this result may be trusted, where that is less than its tool says. */
  readonly trust?: string
  /** Ends the run after this step: as done, or since a person has to answer. */
  readonly terminate?: boolean | 'question_open'
}

/** Parts as a result: its texts are the output, its files stand behind it. */
export type ResultParts = readonly (TextPart | FileInput)[]

/** Says of a call whether a person has to agree to it. A method, so that tools of any input are tools. */
type Approval<I> = { of(input: I): boolean }['of']

/** Something that a model may ask for. A throw is an error result, and the model goes on. Source: spec/agent.md 10. */
export interface Tool<I = unknown> {
  readonly name: string
  readonly description: string
  /** A Standard Schema, whose check is run, or a JSON Schema, which is checked and told to the model. */
  readonly input: StandardSchema<I> | JsonObject
  /** JSON Schema for the model where `input` is a validator. */
  readonly inputSchema?: JsonObject
  /** Changes nothing: read-only calls run side by side. */
  readonly readOnly?: boolean
  /** Default: `safe` if read-only, else `never`. */
  readonly replay?: Replay
  /** The same call again and again is no sign of a loop. */
  readonly repeatable?: boolean
  /** Milliseconds, default 120,000. */
  readonly timeoutMs?: number
  /** Default: `read` if read-only, else `execute`. */
  readonly kind?: ToolKind
  /** Whether a person has to agree. */
  readonly approval?: boolean | Approval<I>
  /** How far its results may be trusted; `tool-observed` where nothing is said. */
  readonly trust?: string
  resources?(input: I): readonly Resource[]
  run(input: I, call: ToolCall): unknown
}
