import {
  aFlag,
  aFunction,
  anObject,
  aText,
  type Check,
  either,
  type Id,
  isObject,
  listOf,
  type Members,
  oneOf,
  shape,
  wholeNumber,
} from '#kernel'
import type { Change, ToolDescription } from '#journal'
import type { AiSdkModel, ModelPort } from '#models'
import { type CreateOptions, creating, writing } from '#session'
import { type Extension, readExtensions } from './extensions.ts'
import { type Allowance, checkAllowance } from './allowance.ts'
import type { TurnResult } from './turn-result.ts'
import { checkPrefill, type PrefillItem } from './prefill-session.ts'
import { asConfig, ruleMembers, type RunRules } from './run-rules.ts'
import type { AiSdkTools, Tool, ToolSet } from './tool.ts'

/** What a session of this process runs with and that no journal can hold: a model object and executable tools. */
export interface AgentGear extends RunRules {
  readonly modelOverride?: ModelPort | AiSdkModel
  readonly tools?: ToolSet
  readonly maxSteps?: number
  readonly steering?: Steering
  readonly cancelGraceMs?: number
  readonly toolOrder?: ToolOrder
  /** No tools at all, and no thinking. Contradicts `tools`. */
  readonly noTools?: boolean
  /** Modules by their paths, or functions; loaded in this order. One that fails is a notice. */
  readonly extensions?: readonly Extension[]
  /** The most that the session may spend in all; `null` lifts the one that it was created with. */
  readonly allowance?: Allowance | null
}

/** `now`: calls that have not begun when a steer comes are skipped; `afterTools`: none is. */
export type Steering = 'now' | 'afterTools'
/** `readsFirst`: read-only calls before all others; `callOrder`: no call before one that stands before it, but reads together. */
export type ToolOrder = 'readsFirst' | 'callOrder'

export interface AgentOptions extends Omit<CreateOptions, 'tools' | 'more'>, Omit<AgentGear, 'tools'> {
  /** Stands before all history in every request; kept with the session. */
  readonly prefill?: readonly PrefillItem[]
  /** Tools that this process runs, or mere descriptions of tools that a host runs itself. */
  readonly tools?: readonly (Tool | ToolDescription)[] | AiSdkTools
}

export interface OpenOptions extends AgentGear {
  /** Refused once a turn has begun (`session.prefill_too_late`), but for the one that is there. */
  readonly prefill?: readonly PrefillItem[]
  /** What an unknown alias is created with. */
  readonly orCreate?: AgentOptions
}

export interface SendOptions extends RunRules {
  /** Holds as long as the session: the same key and input again is the first run. */
  readonly idempotencyKey?: string
  readonly signal?: AbortSignal
  readonly traceId?: string
  /** A reference, or a model object of your own: a port, or one of the AI SDK. For this run alone. */
  readonly model?: string | ModelPort | AiSdkModel
  readonly maxSteps?: number
  readonly tools?: ToolSet
  /** While a run goes on: refuse (`session.busy`), or let the input wait. Default `reject`. Idle, all of them begin a run. */
  readonly delivery?: 'reject' | 'steer' | 'followUp' | 'next'
  /** How far what is said may be trusted. Default `user-instruction`. */
  readonly trust?: string
  /** Default `now`. */
  readonly steering?: Steering
  /** How long a cancelled run waits for tools that go on. Default 5,000. */
  readonly cancelGraceMs?: number
  /** Default `readsFirst`. */
  readonly toolOrder?: ToolOrder
  /** The most that this run may spend, beside what the session may. */
  readonly allowance?: Allowance | null
  /** For rooms above: rides in the commit that begins the turn. */
  readonly alongside?: readonly Change[]
  /** The same for the commit that ends it, with the inputs that it drops; asked again where that commit is tried again. */
  readonly atEnd?: AtEnd
}

export type AtEnd = (result: TurnResult, dropped: readonly Id<'inp'>[]) => readonly Change[] | Promise<readonly Change[]>

/** What an input to a run that goes on may say beside itself. `alongside` rides in the commit that admits it. */
export type InputOptions = Pick<SendOptions, 'idempotencyKey' | 'traceId' | 'signal' | 'trust' | 'alongside'>

const aList = listOf(anObject, 'tools')
/** A list, or a record of AI SDK tools, whose shapes are looked at as they are read. */
const someTools: Check = (value, path) => (isObject(value) ? undefined : aList(value, path))

const gear: Members<AgentGear> = {
  modelOverride: anObject,
  tools: someTools,
  maxSteps: asConfig(wholeNumber(1)),
  steering: oneOf('now', 'afterTools'),
  cancelGraceMs: wholeNumber(),
  toolOrder: oneOf('readsFirst', 'callOrder'),
  noTools: aFlag,
  extensions: value => void readExtensions(value),
  allowance: asConfig(checkAllowance),
  ...ruleMembers,
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

const alongside: Check = listOf(anObject, 'changes')
const aModel: Check = either(aText, anObject, 'Expected a reference or a model.')
const { more: _more, ...createdWith } = creating
const creatingAgent: Members<AgentOptions> = { ...createdWith, ...gear, prefill: checkPrefill }

/** What the verbs of an agent's session take; what else comes is refused with its path before any effect. Law H2. */
export const checkAgent: Readonly<
  Record<'gear' | 'create' | 'open' | 'send' | 'input' | 'recover', (value: unknown, path?: string) => void>
> = {
  gear: shape<AgentGear>(gear),
  create: shape<AgentOptions>(creatingAgent),
  open: shape<OpenOptions>({ ...gear, prefill: checkPrefill, orCreate: shape<AgentOptions>(creatingAgent) }),
  recover: shape<{ apply?: boolean; approvals?: string; answers?: object; alongside?: object; atEnd?: AtEnd }>({
    apply: aFlag,
    alongside,
    atEnd: aFunction,
    approvals: oneOf('wait', 'deny', 'end'),
    answers: anObject,
  }),
  input: shape<InputOptions>({ ...writing, trust: aText, alongside }),
  send: shape<SendOptions>({
    ...writing,
    ...ruleMembers,
    model: aModel,
    maxSteps: gear.maxSteps,
    tools: gear.tools,
    trust: aText,
    delivery: oneOf('reject', 'steer', 'followUp', 'next'),
    steering: gear.steering,
    cancelGraceMs: gear.cancelGraceMs,
    toolOrder: gear.toolOrder,
    allowance: gear.allowance,
    alongside,
    atEnd: aFunction,
  }),
}
