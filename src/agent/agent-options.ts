import {
  aFlag,
  aFunction,
  anObject,
  aText,
  type Check,
  either,
  invalidInput,
  isObject,
  listOf,
  type Members,
  oneOf,
  orNull,
  shape,
  wholeNumber,
} from '#kernel'
import type { ToolDescription } from '#journal'
import { type AiSdkModel, type ModelPort, thinkingLevels, type ThinkingLevel } from '#models'
import { type CreateOptions, creating, writing } from '#session'
import { type Extension, readExtensions } from './extensions.ts'
import { type Allowance, checkAllowance } from './allowance.ts'
import { type Alongside, type AtEnd, checkAlongside } from './alongside.ts'
import { checkPrefill, type PrefillItem } from './prefill-session.ts'
import { asConfig, ruleMembers, type RunRules } from './run-rules.ts'
import type { AiSdkTools, Tool, ToolSet } from './tool.ts'

/** `null` is the default, whatever the layers below say. */
type OrDefault<T> = { readonly [K in keyof T]?: T[K] | null }

/** Plain options of runs that files and variables can say, too. `null` is the default, whatever the layers below say. */
export interface PlainOptions {
  /** Where a model is to be had that is named without its provider. */
  readonly provider?: string | null
  /** Goes before every other credential; kept in this process alone. */
  readonly apiKey?: string | null
  /** A file of credentials instead of the one that all others use. */
  readonly credentials?: string | null
  /** Of one request. Default: the model's limit, at most 32,000 and a quarter of its window. */
  readonly maxTokens?: number | null
  /** Default 100. */
  readonly maxSteps?: number | null
  /** Default `now`. */
  readonly steering?: Steering | null
  /** How long a cancelled run waits for tools that go on. Default 5,000. */
  readonly cancelGraceMs?: number | null
  /** Default `readsFirst`. */
  readonly toolOrder?: ToolOrder | null
  /** No tools at all; thinking is then `off` by default. Contradicts `tools`. */
  readonly noTools?: boolean | null
  /** Who the agent is: begins the prompt that is made of sections. Default: what `identity.md` of the project or the user says. */
  readonly identity?: string | null
  /** How long a provider's cache is asked to keep a prefix. Default 5 min. */
  readonly cache?: { readonly ttl: '5m' | '1h' } | null
}

/** What a session of this process runs with: some of it no journal can hold, such as a model object and executable tools. */
export interface AgentGear extends OrDefault<RunRules>, PlainOptions {
  readonly modelOverride?: ModelPort | AiSdkModel
  readonly tools?: ToolSet
  /** Modules by their paths, or functions; loaded in this order. One that fails is a notice. */
  readonly extensions?: readonly Extension[]
  /** The most that the session may spend in all; `null` lifts the one that it was created with. */
  readonly allowance?: Allowance | null
}

/** `now`: calls that have not begun when a steer comes are skipped; `afterTools`: none is. */
export type Steering = 'now' | 'afterTools'
/** `readsFirst`: read-only calls before all others; `callOrder`: no call before one that stands before it, but reads together. */
export type ToolOrder = 'readsFirst' | 'callOrder'

export interface AgentOptions
  extends Omit<CreateOptions, 'tools' | 'more' | keyof KeptSettings>, Omit<AgentGear, 'tools'>, KeptSettings {
  /** Stands before all history in every request; kept with the session. */
  readonly prefill?: readonly PrefillItem[]
  /** Tools that this process runs, or mere descriptions of tools that a host runs itself. */
  readonly tools?: readonly (Tool | ToolDescription)[] | AiSdkTools
}

/** What a session keeps, and what is written where it differs. `null` is the default. */
export interface KeptSettings {
  readonly model?: string | null
  readonly thinking?: ThinkingLevel | (string & {}) | null
  readonly system?: string | null
}

export interface OpenOptions extends AgentGear, KeptSettings {
  /** Refused once a turn has begun (`session.prefill_too_late`), but for the one that is there. */
  readonly prefill?: readonly PrefillItem[]
  /** What an unknown alias is created with. */
  readonly orCreate?: AgentOptions
}

export interface SendOptions extends OrDefault<RunRules>, PlainOptions {
  /** Holds as long as the session: the same key and input again is the first run. */
  readonly idempotencyKey?: string
  readonly signal?: AbortSignal
  readonly traceId?: string
  /** A reference, or a model object of your own: a port, or one of the AI SDK. For this run alone. */
  readonly model?: string | ModelPort | AiSdkModel | null
  readonly modelOverride?: ModelPort | AiSdkModel
  readonly thinking?: ThinkingLevel | (string & {}) | null
  /** Instead of the session's, for this run. */
  readonly system?: string | null
  readonly tools?: ToolSet
  /** While a run goes on: refuse (`session.busy`), or let the input wait. Default `reject`. Idle, all of them begin a run. */
  readonly delivery?: 'reject' | 'steer' | 'followUp' | 'next'
  /** How far what is said may be trusted. Default `user-instruction`. */
  readonly trust?: string
  /** The most that this run may spend, beside what the session may. */
  readonly allowance?: Allowance | null
  /** For rooms above: rides in the commit that begins the turn. */
  readonly alongside?: Alongside
  /** The same for the commit that ends it, with the inputs that it drops; asked again where that commit is tried again. */
  readonly atEnd?: AtEnd
}

/** What an input to a run that goes on may say beside itself. `alongside` rides in the commit that admits it. */
export type InputOptions = Pick<SendOptions, 'idempotencyKey' | 'traceId' | 'signal' | 'trust' | 'alongside'>

/** The same checks, each of which takes `null`. */
function orDefaults<T>(members: Members<T>): Members<T> {
  return Object.fromEntries(Object.entries<Check>(members).map(([key, check]) => [key, orNull(check)])) as Members<T>
}

const aName: Check = (value, path) => {
  if (typeof value !== 'string' || value.trim() === '') throw invalidInput(path, 'Expected a name.')
}

const aList = listOf(anObject, 'tools')
/** A list, or a record of AI SDK tools, whose shapes are looked at as they are read. */
const someTools: Check = (value, path) => (isObject(value) ? undefined : aList(value, path))

const name = asConfig(orNull(aName))
const plain: Members<PlainOptions> = {
  provider: name,
  apiKey: asConfig(orNull(aText)),
  credentials: name,
  maxTokens: asConfig(orNull(wholeNumber(1))),
  maxSteps: asConfig(orNull(wholeNumber(1))),
  steering: asConfig(orNull(oneOf('now', 'afterTools'))),
  cancelGraceMs: asConfig(orNull(wholeNumber())),
  toolOrder: asConfig(orNull(oneOf('readsFirst', 'callOrder'))),
  noTools: asConfig(orNull(aFlag)),
  identity: asConfig(orNull(aText)),
  cache: asConfig(orNull(shape<{ ttl: string }>({ ttl: oneOf('5m', '1h') }))),
}
const level: Check = asConfig(orNull(oneOf(...thinkingLevels)))
const settings: Members<KeptSettings> = { model: orNull(aText), thinking: level, system: orNull(aText) }

const gear: Members<AgentGear> = {
  modelOverride: anObject,
  tools: someTools,
  ...plain,
  extensions: value => void readExtensions(value),
  allowance: asConfig(checkAllowance),
  ...orDefaults(ruleMembers),
}
const isGear = (key: string): boolean => Object.hasOwn(gear, key)

/** Which options last as long as the object, and which the session keeps. */
export function partGear(options: Omit<AgentOptions, 'tools'>): {
  readonly gear: Omit<AgentGear, 'tools'>
  readonly rest: Omit<CreateOptions, 'tools'>
} {
  const members = Object.entries(options)
  return {
    gear: Object.fromEntries(members.filter(([key]) => isGear(key))),
    rest: Object.fromEntries(members.filter(([key]) => !isGear(key))),
  }
}

const aModel: Check = either(aText, anObject, 'Expected a reference or a model.')
const { more: _more, ...createdWith } = creating
export const creatingAgent: Members<AgentOptions> = { ...createdWith, ...gear, ...settings, prefill: checkPrefill }

/** What the verbs of an agent's session take; what else comes is refused with its path before any effect. Law H2. */
export const checkAgent: Readonly<
  Record<'gear' | 'create' | 'open' | 'send' | 'input' | 'recover', (value: unknown, path?: string) => void>
> = {
  gear: shape<AgentGear>(gear),
  create: shape<AgentOptions>(creatingAgent),
  open: shape<OpenOptions>({ ...gear, ...settings, prefill: checkPrefill, orCreate: shape<AgentOptions>(creatingAgent) }),
  recover: shape<{ apply?: boolean; approvals?: string; answers?: object; alongside?: Alongside; atEnd?: AtEnd }>({
    apply: aFlag,
    alongside: checkAlongside,
    atEnd: aFunction,
    approvals: oneOf('wait', 'deny', 'end'),
    answers: anObject,
  }),
  input: shape<InputOptions>({ ...writing, trust: aText, alongside: checkAlongside }),
  send: shape<SendOptions>({
    ...writing,
    ...orDefaults(ruleMembers),
    ...plain,
    ...settings,
    model: orNull(aModel),
    modelOverride: gear.modelOverride,
    tools: gear.tools,
    trust: aText,
    delivery: oneOf('reject', 'steer', 'followUp', 'next'),
    allowance: gear.allowance,
    alongside: checkAlongside,
    atEnd: aFunction,
  }),
}
