import { anObject, aText, type Check, either, isObject, listOf, type Members, shape, wholeNumber } from '#kernel'
import type { ToolDescription } from '#journal'
import type { AiSdkModel, ModelPort } from '#models'
import { type CreateOptions, creating, writing } from '#session'
import type { AiSdkTools, Tool, ToolSet } from './tool.ts'

/** What a session of this process runs with and that no journal can hold: a model object and executable tools. */
export interface AgentGear {
  readonly modelOverride?: ModelPort | AiSdkModel
  readonly tools?: ToolSet
  readonly maxSteps?: number
}

export interface AgentOptions extends Omit<CreateOptions, 'tools'>, Omit<AgentGear, 'tools'> {
  /** Tools that this process runs, or mere descriptions of tools that a host runs itself. */
  readonly tools?: readonly (Tool | ToolDescription)[] | AiSdkTools
}

export interface OpenOptions extends AgentGear {
  /** What an unknown alias is created with. */
  readonly orCreate?: AgentOptions
}

export interface SendOptions {
  /** Holds as long as the session: the same key and input again is the first run. */
  readonly idempotencyKey?: string
  readonly signal?: AbortSignal
  readonly traceId?: string
  /** A reference, or a model object of your own: a port, or one of the AI SDK. For this run alone. */
  readonly model?: string | ModelPort | AiSdkModel
  readonly maxSteps?: number
  readonly tools?: ToolSet
}

const aList = listOf(anObject, 'tools')
/** A list, or a record of AI SDK tools, whose shapes are looked at as they are read. */
const someTools: Check = (value, path) => (isObject(value) ? undefined : aList(value, path))

const gear: Members<AgentGear> = {
  modelOverride: anObject,
  tools: someTools,
  maxSteps: wholeNumber(1),
}
const aModel: Check = either(aText, anObject, 'Expected a reference or a model.')
const creatingAgent: Members<AgentOptions> = { ...creating, ...gear }

/** What the verbs of an agent's session take; what else comes is refused with its path before any effect. Law H2. */
export const checkAgent: Readonly<Record<'gear' | 'create' | 'open' | 'send', (value: unknown, path?: string) => void>> = {
  gear: shape<AgentGear>(gear),
  create: shape<AgentOptions>(creatingAgent),
  open: shape<OpenOptions>({ ...gear, orCreate: shape<AgentOptions>(creatingAgent) }),
  send: shape<SendOptions>({ ...writing, model: aModel, maxSteps: gear.maxSteps, tools: gear.tools }),
}
