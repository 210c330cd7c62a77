import { canonical, type EntryId, isId, isObject, sha256, toJson } from '#kernel'
import {
  contextBudget,
  type ContextSettings,
  countShown,
  settingsFor,
  type Shown,
  type ShowOptions,
  sumTokens,
  type TokenCounter,
} from '#context'
import {
  type ContextBudget,
  type ContextTokens,
  isType,
  type Message,
  type PrefixChange,
  type SessionRow,
  type ToolDescription,
  type Usage,
} from '#journal'
import { readFactor } from './calibrate.ts'
import type { SessionCore } from './core.ts'
import { type Frontier, readFrontier } from './frontier.ts'
import { prefillOf } from './prefill.ts'
import type { ModelFacts } from './runtime.ts'

/** The settings that hold at the leaf. */
export interface Settings {
  readonly model: string | null
  readonly thinking: string | null
  readonly system: string | null
  readonly tools: readonly ToolDescription[]
}

/** What a request is made for, where it isn't the session's own. */
export interface RequestOptions {
  /** Instead of the session's, for this call. `null`: none. */
  readonly system?: string | null
  /** For this model's window and family. Default: the session's. */
  readonly model?: string
  /** What is known of the model, where the caller knows better than its name tells. */
  readonly facts?: ModelFacts
  readonly tools?: readonly ToolDescription[]
  /** Tools that come with every run; the same for as long as a session lasts, so that they break no prefix. */
  readonly offered?: readonly ToolDescription[]
  /** Room for the answer, in tokens. */
  readonly maxTokens?: number
}

/** Everything that decides what the next request is, and whether it fits. */
export interface ContextState {
  readonly row: SessionRow
  readonly frontier: Frontier
  readonly model: string | null
  readonly facts: ModelFacts
  readonly system: string | null
  readonly tools: readonly ToolDescription[]
  /** Those without the ones that come with every run. */
  readonly ownTools: readonly ToolDescription[]
  readonly budget: ContextBudget
  readonly settings: ContextSettings
  readonly show: ShowOptions
  /** What stands before all history. */
  readonly prefill: readonly Message[]
  readonly tokens: ContextTokens
  /** Model tokens per estimated token. */
  readonly factor: number
  /** Tokens of the next request, as the model counts. */
  readonly projected: number
  readonly mark: RequestMark | null
  /** Tokens before the first place that was changed since the last request. */
  readonly sharedTokens: number
}

/** The last request, kept with the session's row: what it was made of, and how large the provider said it was. */
export interface RequestMark {
  readonly version: number
  readonly edit: EntryId | null
  readonly model: string | null
  readonly system: string
  readonly tools: string
  /** The newest entry that it showed. */
  readonly newest: EntryId | null
  readonly estimate: number
  readonly reported: number | null
}

export async function readContextState(
  core: SessionCore,
  row: SessionRow,
  options: RequestOptions = {},
  extraTokens = 0,
  shown?: Frontier,
): Promise<ContextState> {
  const facts = options.facts ?? core.runtime.modelFacts(options.model ?? row.model)
  const own = await settingsOf(core, row)
  const system = options.system === undefined ? own.system : options.system
  const ownTools = options.tools ?? own.tools
  const tools = options.offered === undefined ? ownTools : [...ownTools, ...options.offered]
  const { budget, settings } = contextSettings(core, facts, options.maxTokens)
  const show: ShowOptions = showOptions(core, settings.recall)
  const frontier = shown ?? (await readFrontier(core, row, show))
  const model = facts.ref ?? options.model ?? row.model
  const prefill = await prefillOf(core, row)
  const tokens = countShown({ system, tools, items: frontier.items, prefill }, show)
  const factor = await readFactor(core, model)
  const mark = markOf(row)
  const sharedTokens = await sharedSince(core, frontier, mark)
  const request = { row, frontier, model, facts, system, tools, ownTools, prefill }
  const base = { ...request, budget, settings, show, tokens, factor, mark, sharedTokens }
  return { ...base, projected: projectedOf(base, extraTokens) }
}

/** What all changes since a request have left as it was, from the beginning on. */
async function sharedSince(core: SessionCore, { edit, version }: Frontier, mark: RequestMark | null): Promise<number> {
  if (edit === null) return 0
  const changes = version - (mark?.version ?? version)
  if (changes <= 1) return edit.data.sharedTokens
  const found = await core.store.branch(core.id, {
    from: edit.id,
    types: ['context_edited'],
    limit: Math.min(changes, mostEdits),
  })
  return found.reduce(
    (least, entry) => (isType(entry, 'context_edited') ? Math.min(least, entry.data.sharedTokens) : least),
    edit.data.sharedTokens,
  )
}
const mostEdits = 100

/** The same object for the same counter, so that what was shown with it stays known. */
const shows = new WeakMap<TokenCounter, { readonly [recall in 'true' | 'false']: ShowOptions }>()

export function showOptions({ keeping: { counter } }: SessionCore, recall: boolean): ShowOptions {
  const both = shows.get(counter) ?? { true: { counter, recall: true }, false: { counter, recall: false } }
  shows.set(counter, both)
  return both[`${recall}`]
}

/** How this session's context is kept, and what a model leaves it. */
export function contextSettings(
  core: SessionCore,
  facts: ModelFacts,
  maxTokens?: number,
): { readonly budget: ContextBudget; readonly settings: ContextSettings } {
  const asked = core.keeping.context
  const budget = contextBudget(facts, { maxTokens, buffer: asked.buffer })
  return { budget, settings: settingsFor(asked, budget) }
}

/**
 * The last request's reported tokens and what came since, if nothing else changed; else everything by estimate. Never what
 * requests used together. Law C9.
 */
function projectedOf(state: Omit<ContextState, 'projected'>, extraTokens: number): number {
  const { mark, frontier, tokens, factor } = state
  const whole = Math.ceil(factor * (tokens.total + extraTokens))
  if (mark?.reported == null || !sameRequest(mark, state)) return whole
  const at = frontier.items.findLastIndex(item => item.kind === 'entry' && item.entry.id === mark.newest)
  if (at < 0) return whole
  return mark.reported + Math.ceil(factor * (sumTokens(frontier.items, at + 1) + extraTokens))
}

const sameRequest = (mark: RequestMark, { frontier, model, system, ownTools }: Omit<ContextState, 'projected'>): boolean =>
  mark.edit === (frontier.edit?.id ?? null) &&
  sameModel(mark, model) &&
  mark.system === textHash(system) &&
  mark.tools === toolsHash(ownTools)

/** What the next request shares with the last one. */
export function prefixOf(state: ContextState): PrefixChange {
  const { mark, frontier, tokens } = state
  const intact: PrefixChange = { same: true, brokenBy: null, rebilled: 0 }
  if (mark === null) return intact
  const all = Math.min(mark.estimate, tokens.total)
  if (!sameModel(mark, state.model)) return { same: false, brokenBy: 'model', rebilled: all }
  if (mark.system !== textHash(state.system)) return { same: false, brokenBy: 'system', rebilled: all }
  if (mark.tools !== toolsHash(state.ownTools)) return { same: false, brokenBy: 'tools', rebilled: all }
  const head = tokens.system + tokens.tools + tokens.prefill
  if (mark.edit !== (frontier.edit?.id ?? null)) {
    const forward = frontier.version > mark.version
    const brokenBy = !forward ? 'branch' : frontier.edit?.data.reason === 'unprune' ? 'unprune' : 'swap'
    const shared = forward ? state.sharedTokens : 0
    return { same: false, brokenBy, rebilled: Math.max(0, tokens.total - head - shared) }
  }
  const isThere = mark.newest === null || frontier.items.some(item => item.kind === 'entry' && item.entry.id === mark.newest)
  return isThere ? intact : { same: false, brokenBy: 'branch', rebilled: Math.max(0, tokens.total - head) }
}

/** What is kept of a request once its answer is stored. */
export function requestMark(
  state: ContextState,
  usage: Usage | null,
  newest: EntryId | null = newestShown(state.frontier.items),
): RequestMark {
  return {
    version: state.frontier.version,
    edit: state.frontier.edit?.id ?? null,
    model: state.model,
    system: textHash(state.system),
    tools: toolsHash(state.ownTools),
    newest,
    estimate: state.tokens.total,
    reported: usage === null ? null : promptTokens(usage),
  }
}

/** What a provider counted as the request: fresh, read from and written to its cache. Null when it said nothing. */
export function promptTokens(usage: Usage): number | null {
  const parts = [usage.inputTokens, usage.cacheReadTokens, usage.cacheWrite5mTokens, usage.cacheWrite1hTokens]
  const sum = parts.reduce<number>((total, tokens) => total + (tokens ?? 0), 0)
  return sum > 0 ? sum : null
}

function newestShown(items: readonly Shown[]): EntryId | null {
  const last = items.at(-1)
  if (last === undefined) return null
  return last.kind === 'entry' ? last.entry.id : last.summary.covers.last
}

const noRequest = { edit: null, model: null, newest: null, reported: null }

function markOf(row: SessionRow): RequestMark | null {
  const mark = row.data['request']
  // What is null is not kept in a row's data.
  return isObject(mark) ? { ...noRequest, ...(mark as unknown as RequestMark) } : null
}

/** A session without a model of its own asks whichever there is: that is no change. */
const sameModel = (mark: RequestMark, model: string | null): boolean =>
  mark.model === null || model === null || mark.model === model

const textHash = (text: string | null): string => (text === null ? '' : sha256(text).slice(0, 16))
const toolHashes = new WeakMap<readonly ToolDescription[], string>()
function toolsHash(tools: readonly ToolDescription[]): string {
  if (tools.length === 0) return ''
  const known = toolHashes.get(tools) ?? sha256(canonical(toJson(tools))).slice(0, 16)
  toolHashes.set(tools, known)
  return known
}

/** Settings are entries; the newest of each is named by the row, and what an entry says never changes. */
const read = new WeakMap<SessionCore['memory'], Map<EntryId, { system?: string | null; tools?: readonly ToolDescription[] }>>()

/** Model, thinking, system and tools as they hold at the leaf. */
export async function settingsOf(core: SessionCore, row: SessionRow): Promise<Settings> {
  const settings = isObject(row.data['settings']) ? row.data['settings'] : {}
  const thinking = typeof settings['thinking'] === 'string' ? settings['thinking'] : null
  return {
    model: row.model,
    thinking,
    system: (await settingAt(core, settings['system'])).system ?? null,
    tools: (await settingAt(core, settings['tools'])).tools ?? [],
  }
}

async function settingAt(
  core: SessionCore,
  ref: unknown,
): Promise<{ system?: string | null; tools?: readonly ToolDescription[] }> {
  if (!isId('ent', ref)) return {}
  const known = read.get(core.memory)?.get(ref)
  if (known !== undefined) return known
  const entry = await core.store.entry(core.id, ref)
  if (entry === undefined) return {}
  const found = isType(entry, 'tools_changed')
    ? { tools: entry.data.tools }
    : isType(entry, 'system_changed') || isType(entry, 'session_created')
      ? { system: entry.data.system }
      : {}
  const mine = read.get(core.memory) ?? new Map<EntryId, typeof found>()
  // Two settings are in force at a time; what is kept of older ones is let go.
  if (mine.size > 8) mine.clear()
  read.set(core.memory, mine.set(ref, found))
  return found
}
