import { type ErrorCode, invalidInput, isObject, SkeinError } from '#kernel'
import {
  assemble,
  type ContextMessage,
  type Family,
  familyOf,
  hideReplaced,
  messageTokens,
  repair,
  type Repair,
  showEntry,
  type ShownEntry,
  sumTokens,
} from '#context'
import type {
  ContextBudget,
  ContextTokens,
  CompactionResult,
  Message,
  PartInput,
  PrefixChange,
  SessionRow,
  ToolDescription,
} from '#journal'
import { compactSession } from './compact.ts'
import type { CompactionCause } from './compaction-cause.ts'
import { type ContextState, prefixOf, readContextState, type RequestOptions } from './context-state.ts'
import type { SessionCore } from './core.ts'
import type { MessageFormat } from './formats/messages.ts'
import { type MessageInput, readMessage, readParts } from './message-input.ts'
import { readToolDescriptions } from './marks.ts'
import { changedNotes, noteEntries } from './notes.ts'
import { type ContextItem, contextItems } from './standings.ts'
import { writeContext } from './write-context.ts'

export interface ContextOptions extends Omit<RequestOptions, 'offered'> {
  /** Shown as the newest user message, not stored: a text, parts, or a message. */
  readonly input?: string | readonly PartInput[] | Pick<MessageInput, 'parts'>
  /** The shape of `messages`. `auto` (default) is the model's family. */
  readonly format?: MessageFormat | 'auto'
  /** `false`: writes nothing, and says with `fits` whether the request would do. Default: compacts when it has to. */
  readonly compact?: boolean
  /** `true`: says of every item of the context how it is shown, and why. */
  readonly explain?: boolean
  /** `archives`: shows archives in place of summaries; `default` shows summaries. Default: what the session was created with. */
  readonly view?: 'archives' | 'default'
  /** What recalled memories are about, with the view of archives. */
  readonly query?: string
}

/** The next request, ready for a chat API. Tokens are estimates, but for what the last request was reported to take. */
export interface SessionContext {
  readonly system: string | null
  readonly messages: readonly unknown[]
  readonly tools: readonly ToolDescription[]
  readonly fits: boolean
  readonly tokens: ContextTokens
  readonly budget: ContextBudget
  /** What it shares with the request before. */
  readonly prefix: PrefixChange
  readonly repairs: readonly Repair[]
  /** Of the frontier: how often what is shown was changed on this branch. */
  readonly version: number
  /** With `explain`: every place of the frontier, in its order. */
  readonly items?: readonly ContextItem[]
}

/** A context in Skein's own message shape, and what it was made of. */
export interface OwnContext extends Omit<SessionContext, 'messages' | 'items'> {
  readonly messages: readonly Message[]
  /** Of which entries and summaries something is left after the repairs. */
  readonly refs: ReadonlySet<string>
  readonly state: ContextState
}

/**
 * What the model is shown for the next request: it fits, or this rejects with `context.exhausted`; with `compact: false` it
 * says so. Nothing is left out to make it fit. Laws C24, C26.
 */
export async function readContext(
  core: SessionCore,
  options: ContextOptions & Pick<RequestOptions, 'offered'> = {},
  cause: Omit<CompactionCause, 'trigger' | 'request' | 'extraTokens'> = {},
): Promise<OwnContext> {
  const view = contextViewOf(core, await core.row())
  if (view !== undefined) return await view.read(options, cause)
  const input = options.input === undefined ? undefined : inputMessage(options.input)
  const inputTokens = input === undefined ? 0 : messageTokens(input, core.keeping.counter)
  let state = await readContextState(core, await core.row(), options, inputTokens)
  // A run has stored its notes as it began; between turns they are shown and stored by whoever goes on.
  const pending = cause.run === undefined ? await changedNotes(core, state, input === undefined ? [] : [input]) : []
  const notes = noteEntries(core, pending).map(entry => showEntry(entry, state.show))
  const extraTokens = inputTokens + sumTokens(notes)
  if (notes.length > 0) state = await readContextState(core, state.row, options, extraTokens)
  if (options.compact !== false && !fits(state)) {
    if (!state.settings.auto) throw exhausted(state, 'The request is too long, and compacting is off.')
    // One that was only prepared, for another request, or for a branch that was left leaves the work to do.
    for (let tries = 1; !fits(state); tries++) {
      const result = await compactSession(core, {}, { ...cause, trigger: 'hard', request: options, extraTokens })
      state = await readContextState(core, await core.row(), options, extraTokens)
      if (!fits(state) && (tries === mostTries || isFinal(result))) throw notFitting(state, result)
    }
  }
  return renderContext(core, state, options.format, { input, notes })
}

/** A context that another room makes of a session. */
export interface ContextView {
  read(
    options: ContextOptions & Pick<RequestOptions, 'offered'>,
    cause: Omit<CompactionCause, 'trigger' | 'request' | 'extraTokens'>,
  ): Promise<OwnContext>
  /** What stands in it by now, before anything new is said; nothing that is sealed is among its items. */
  shown(options: Pick<ContextOptions, 'model' | 'facts'>): Promise<ContextState>
  /** Makes the next request smaller, after a provider found one too long. False: nothing is left to do. */
  shrink(): Promise<boolean>
}

const views = new WeakMap<SessionCore, ContextView>()

/** From now on contexts of a session that was created to show archives are made by this. */
export const setContextView = (core: SessionCore, view: ContextView): void => void views.set(core, view)
export const contextViewOf = (core: SessionCore, row: Pick<SessionRow, 'data'>): ContextView | undefined =>
  viewsArchives(row) ? views.get(core) : undefined

/** Whether the session was created to show archives. */
export const viewsArchives = (row: Pick<SessionRow, 'data'>): boolean => row.data['view'] === 'archives'

const mostTries = 4
const isFinal = ({ status }: CompactionResult): boolean => status === 'exhausted' || status === 'failed'

const fits = (state: ContextState): boolean => state.projected < state.budget.usable

function notFitting(state: ContextState, result: CompactionResult): SkeinError {
  if (result.status === 'failed' && result.reason !== undefined)
    return new SkeinError(result.reason as ErrorCode, 'The context could not be made to fit: its change was not stored.')
  return exhausted(state, 'The request is too long, and nothing is left to shorten.')
}

/** Refused: it does not fit, by these sizes. */
export function exhausted({ tokens, budget, projected }: ContextState, message: string): SkeinError {
  return new SkeinError('context.exhausted', message, { details: { tokens, projected, usable: budget.usable } as never })
}

/** The newest rendering of each session: asked again unchanged, nothing is made anew. */
const rendered = new WeakMap<
  SessionCore['memory'],
  { readonly key: string; readonly items: unknown; readonly prefill: unknown; readonly context: OwnContext }
>()

/** What a model is shown of a state: assembled, repaired and counted. */
export function renderContext(
  core: SessionCore,
  state: ContextState,
  format: ContextOptions['format'],
  { input, notes }: { readonly input: Message | undefined; readonly notes: readonly ShownEntry[] },
): OwnContext {
  const family = familyFor(state, format)
  const { system, tools, frontier, show, prefill, model, budget } = state
  const prefix = prefixOf(state)
  const whole = { system, tools, budget, prefix, fits: fits(state), version: frontier.version, state }
  const key = JSON.stringify([model, family, show.recall])
  const known = rendered.get(core.memory)
  const isStored = input === undefined && notes.length === 0
  if (isStored && known?.key === key && known.items === frontier.items && known.prefill === prefill)
    return { ...known.context, ...whole, tokens: state.tokens }
  const items = notes.length === 0 ? frontier.items : hideReplaced([...frontier.items, ...notes])
  const { messages, tokens } = assemble({ system, tools, items, prefill }, show)
  const all: ContextMessage[] = input === undefined ? [...messages] : [...messages, input]
  const repaired = repair(all, { family, model, media: takenMedia(state) })
  const context = {
    ...whole,
    messages: repaired.messages.map(withoutRef),
    repairs: repaired.repairs,
    refs: repaired.refs,
    tokens: input === undefined ? tokens : withInput(tokens, messageTokens(input, show.counter)),
  }
  if (isStored) rendered.set(core.memory, { key, items: frontier.items, prefill, context })
  return context
}

/** Whose rules hold: those of the model's provider; where that isn't known, of the shape that was asked for. */
function familyFor({ facts, row }: ContextState, format: ContextOptions['format']): Family {
  const provider = facts.provider ?? row.model?.split('/')[0]
  if (provider === undefined && (format === 'openai' || format === 'openai-responses')) return 'openai'
  return familyOf(provider)
}

/** Of a model that tells what it takes, images only when it says so. Law A58. */
const takenMedia = ({ facts: { capabilities } }: ContextState): readonly string[] | undefined =>
  capabilities === undefined || capabilities.images === true ? undefined : []

/** The same object for the same message, so that what was written of it stays known. */
const bare = new WeakMap<ContextMessage, Message>()

function withoutRef(message: ContextMessage): Message {
  if (message.ref === undefined) return message
  const known = bare.get(message)
  if (known !== undefined) return known
  const { ref: _ref, ...rest } = message
  bare.set(message, rest)
  return rest
}

const withInput = (tokens: ContextTokens, input: number): ContextTokens => ({
  ...tokens,
  messages: tokens.messages + input,
  total: tokens.total + input,
})

/** What a host was given last to send, until it records what came of it. */
const served = new WeakMap<SessionCore['memory'], ContextState>()

/** What a host's request was made from: the context that it was given, if that shows otherwise than it would by now. */
export function servedState(core: SessionCore, now: ContextState): ContextState {
  const given = served.get(core.memory)
  served.delete(core.memory)
  return given === undefined || given.frontier.edit?.id === now.frontier.edit?.id ? now : given
}

export async function sessionContext(core: SessionCore, options: ContextOptions = {}): Promise<SessionContext> {
  checkContextOptions(options)
  return await servedContext(core, options, await readContext(core, options))
}

/** A context in the shape that was asked for. */
export async function servedContext(core: SessionCore, options: ContextOptions, own: OwnContext): Promise<SessionContext> {
  const { state, refs, ...context } = own
  if (options.compact !== false) served.set(core.memory, state)
  const items = options.explain === true ? await contextItems(core, { ...context, refs, frontier: state.frontier }) : undefined
  const messages = await writeContext(core, context.messages, formatFor(options, state))
  return { ...context, messages, ...(items === undefined ? {} : { items }) }
}

export function checkContextOptions({ system, tools, maxTokens, facts }: ContextOptions): void {
  if (system !== undefined && system !== null && typeof system !== 'string')
    throw invalidInput('system', 'Expected a text or null.')
  if (tools !== undefined) readToolDescriptions(tools)
  if (maxTokens !== undefined && !(Number.isSafeInteger(maxTokens) && maxTokens > 0))
    throw invalidInput('maxTokens', 'Expected a whole number from 1.')
  for (const size of ['contextWindow', 'maxOutput'] as const)
    if (facts?.[size] !== undefined && !(Number.isSafeInteger(facts[size]) && facts[size] > 0))
      throw invalidInput(`facts.${size}`, 'Expected a whole number from 1.')
}

function formatFor({ format = 'auto' }: ContextOptions, { facts }: ContextState): MessageFormat {
  if (format !== 'auto') return format
  return facts.provider === 'anthropic' ? 'anthropic' : 'openai'
}

export function inputMessage(input: NonNullable<ContextOptions['input']>): Message {
  const asked = isObject(input) ? { role: 'user', ...input } : { role: 'user', parts: readParts(input, 'input') }
  const { at: _at, ...message } = readMessage(asked, 'input')
  if (message.role !== 'user') throw invalidInput('input.role', 'Expected a user message.')
  const parts = message.parts.map(part => {
    if (part.type !== 'file' || !('data' in part)) return part
    throw invalidInput('input', 'A file can be shown once it is stored; append it instead.')
  })
  return { ...message, parts }
}
