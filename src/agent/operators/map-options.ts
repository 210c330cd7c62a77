import {
  aFlag,
  anObject,
  anything,
  aSignal,
  aText,
  type Check,
  either,
  invalidInput,
  isId,
  isObject,
  isStandardSchema,
  type Json,
  type JsonObject,
  listOf,
  type Members,
  type SessionId,
  shape,
  type StandardSchema,
  wholeNumber,
} from '#kernel'
import type { AiSdkModel, ModelPort } from '#models'
import type { MapKind, MapSettings, Unstored } from './map-rows.ts'

/** A list, whatever yields inputs one by one, or JSON Lines in a blob. Inputs are JSON. */
export type MapInputs<I> = readonly I[] | AsyncIterable<I> | { readonly blob: string }

/** What both operators take. */
interface MapOptions<I> {
  /** A list is stored whole before the map begins; the others are read as they are needed. */
  readonly inputs: MapInputs<I>
  /** A function, or a template with `{{item}}` or `{{item.path}}`. */
  readonly prompt: string | ((item: I, index: number) => string | Promise<string>)
  /** Items at once. llmMap: 1..128, default 16; agenticMap: 1..32, default 4. */
  readonly concurrency?: number
  /** Attempts of an item after its first one, 0..10. llmMap: default 3; agenticMap: 0. */
  readonly maxRetries?: number
  /** Default: the parent's, else `sonnet`. */
  readonly model?: string | ModelPort | AiSdkModel
  /** A session, or its id: it is told when the map begins and ends, and what it used. */
  readonly parent?: SessionId | { readonly id: SessionId }
  /** Stops the map; items that are not done can be resumed. */
  readonly signal?: AbortSignal
}

export interface LlmMapOptions<I = Json, O = Json> extends MapOptions<I> {
  readonly schema: StandardSchema<O> | JsonObject
  /** Of one attempt. Default 60,000. */
  readonly timeoutMs?: number
  /** 0..2, default 0. */
  readonly temperature?: number
  readonly system?: string
}

/** `T`: a tool, as `openSkein` and sessions take it. */
export interface AgenticMapOptions<I = Json, O = Json, T = unknown> extends MapOptions<I> {
  /** Without one an item's output is the text of its last answer. */
  readonly schema?: StandardSchema<O> | JsonObject
  /** Turns of one attempt, 1..100, default 20. */
  readonly maxTurns?: number
  /** Said after a turn that ended before its time. Default: nothing, so there is one turn. */
  readonly continuation?: string
  /** Leaves out tools that are not marked as reading only. Default true. */
  readonly readOnly?: boolean
  /** Beside those of `openSkein`. */
  readonly tools?: readonly T[]
}

/** What no row could hold is given again; what is given here replaces what was stored, for this process. */
export interface ResumeOptions<I = Json, O = Json, T = unknown> {
  readonly inputs?: MapInputs<I>
  readonly prompt?: string | ((item: I, index: number) => string | Promise<string>)
  readonly schema?: StandardSchema<O> | JsonObject
  readonly model?: string | ModelPort | AiSdkModel
  readonly tools?: readonly T[]
  readonly concurrency?: number
  readonly signal?: AbortSignal
}

/** Options of either operator, checked. */
export type AnyMapOptions = LlmMapOptions & AgenticMapOptions

interface Limits {
  readonly concurrency: number
  readonly maxConcurrency: number
  readonly maxRetries: number
}
const limits: Readonly<Record<MapKind, Limits>> = {
  llm: { concurrency: 16, maxConcurrency: 128, maxRetries: 3 },
  agentic: { concurrency: 4, maxConcurrency: 32, maxRetries: 0 },
}

const aPrompt: Check = (value, path) => {
  if (typeof value !== 'string' && typeof value !== 'function') throw invalidInput(path, 'Expected a function or a template.')
}
const aSchema: Check = (value, path) => {
  if (!isStandardSchema(value) && !isObject(value)) throw invalidInput(path, 'Expected a JSON Schema or a Standard Schema.')
}
const aParent: Check = (value, path) => {
  if (!isId('ses', value) && !(isObject(value) && isId('ses', value['id'])))
    throw invalidInput(path, 'Expected a session or its id.')
}
const aTemperature: Check = (value, path) => {
  if (typeof value !== 'number' || !(value >= 0 && value <= 2)) throw invalidInput(path, 'Expected a number from 0 to 2.')
}
const given = {
  inputs: anything,
  prompt: aPrompt,
  schema: aSchema,
  model: either(aText, anObject, 'Expected a reference or a model.'),
  signal: aSignal,
}
const common = (kind: MapKind): Members<MapOptions<Json>> & { readonly schema: Check } => ({
  ...given,
  concurrency: wholeNumber(1, limits[kind].maxConcurrency),
  maxRetries: wholeNumber(0, 10),
  parent: aParent,
})

/** What each verb takes; what else comes is refused with its path before any effect. */
export const checkMap: Readonly<Record<MapKind, (value: unknown) => void>> = {
  llm: shape<LlmMapOptions>({
    ...common('llm'),
    timeoutMs: wholeNumber(1, 3_600_000),
    temperature: aTemperature,
    system: aText,
  }),
  agentic: shape<AgenticMapOptions>({
    ...common('agentic'),
    maxTurns: wholeNumber(1, 100),
    continuation: aText,
    readOnly: aFlag,
    tools: listOf(anObject, 'tools'),
  }),
}

export const checkResume = (kind: MapKind, value: unknown): void =>
  shape<ResumeOptions>({ ...given, tools: listOf(anObject, 'tools'), concurrency: wholeNumber(1, limits[kind].maxConcurrency) })(
    value,
  )

/** Refuses what is missing and gives what can be stored of the rest, with the defaults. */
export function settingsOf(kind: MapKind, options: AnyMapOptions): { settings: MapSettings; needs: Unstored[] } {
  checkMap[kind](options)
  if (!isObject(options)) throw invalidInput('options', 'Expected an object.')
  const { prompt, model, schema, tools } = options as Partial<AnyMapOptions>
  if (prompt === undefined) throw invalidInput('prompt', 'Expected a function or a template.')
  if (kind === 'llm' && schema === undefined) throw invalidInput('schema', 'Expected a JSON Schema or a Standard Schema.')
  const settings: MapSettings = {
    model: typeof model === 'string' ? model : null,
    prompt: typeof prompt === 'string' ? prompt : null,
    schema: isObject(schema) && !isStandardSchema(schema) ? (schema as JsonObject) : null,
    concurrency: options.concurrency ?? limits[kind].concurrency,
    maxRetries: options.maxRetries ?? limits[kind].maxRetries,
    timeoutMs: options.timeoutMs ?? 60_000,
    temperature: options.temperature ?? 0,
    system: options.system ?? null,
    maxTurns: options.maxTurns ?? 20,
    continuation: options.continuation ?? '',
    readOnly: options.readOnly ?? true,
  }
  const unstored: Readonly<Record<Unstored, boolean>> = {
    prompt: settings.prompt === null,
    schema: schema !== undefined && settings.schema === null,
    model: model !== undefined && settings.model === null,
    tools: tools !== undefined && tools.length > 0,
  }
  return { settings, needs: (Object.keys(unstored) as Unstored[]).filter(name => unstored[name]) }
}
