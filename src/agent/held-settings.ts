import { isObject, type JsonObject, toJson } from '#kernel'
import type { SessionRow } from '#journal'
import { keyedDefaults, type ThinkingLevel } from '#models'
import { type SessionCore, settingsOf } from '#session'
import { agentKeys, type ConfigKey, type ConfigValue } from './config-keys.ts'
import { namedPath } from './config-files.ts'
import { mergeLayers, type LayerName, type Setting } from './config-layers.ts'
import type { FoundConfig } from './config-source.ts'
import type { ApprovalsMode } from './approvals-judge.ts'
import type { Guardrails } from './guardrails.ts'
import type { AgentMode } from './policy/mode.ts'
import type { RunPolicy } from './policy/run-policy.ts'

/** One value of a session's options, and which layer decided it: `null` where nothing was said and there is no default. */
export interface ShownSetting {
  readonly value: ConfigValue | null
  readonly layer: LayerName
  /** A file with its line, a variable or a flag. */
  readonly where?: string
}

/** What the layers come to for a session or a run: the plain options. Source: spec/agent.md 1. */
export interface HeldSettings {
  readonly model: string | null
  readonly provider?: string
  readonly thinking: ThinkingLevel
  readonly maxTokens?: number
  readonly maxSteps: number
  readonly mode: AgentMode
  readonly autonomy: string
  readonly policy: RunPolicy
  readonly approvals?: ApprovalsMode
  readonly guardrails?: Guardrails
  readonly system: string | null
  readonly identity: string | null
  readonly noTools: boolean
  readonly toolOrder: 'readsFirst' | 'callOrder'
  readonly steering: 'now' | 'afterTools'
  readonly cancelGraceMs: number
  readonly cache: { readonly ttl: '5m' | '1h' }
  /** As files, variables and flags say it, for one run. */
  readonly allowance?: { readonly nano?: number; readonly tokens?: number; readonly wallMs?: number; readonly allowUnpriced?: boolean } // prettier-ignore
  /** As files and variables say it: absolute paths. Functions among options stand there by their names. */
  readonly extensions: readonly string[]
  readonly credentials?: string
}

type Settings = ReadonlyMap<string, Setting<ConfigValue | null>>

/** Options that a session keeps from its creation on, beside model, thinking and system, which have entries of their own. */
const keptKeys = ['provider', 'maxTokens', 'maxSteps', 'mode', 'autonomy', 'policy', 'approvals', 'guardrails', 'noTools', 'toolOrder', 'steering', 'cancelGraceMs', 'cache', 'identity', 'task', 'facts'] as const // prettier-ignore

/** The options among those given that a session keeps; `undefined`: none. */
export function keptAmong(options: object): JsonObject | undefined {
  const given = keptKeys.flatMap(key => {
    const value = (options as Readonly<Record<string, unknown>>)[key]
    return value === undefined ? [] : [[key, toJson(value, key)] as const]
  })
  return given.length === 0 ? undefined : Object.fromEntries(given)
}

/**
 * What options say of the keys of a configuration. A key that is `null` is its default. What isn't plain, such as a model
 * object, is no setting.
 */
export function settingsAmong(options: object, layer: LayerName): Settings {
  return new Map(
    agentKeys.flatMap((key): [string, Setting<ConfigValue | null>][] => {
      const value = memberAt(options, key.path)
      if (value === undefined || (typeof value === 'object' && value !== null && !Array.isArray(value))) return []
      if (Array.isArray(value)) return [[key.path, { value: value.map(nameOf), layer, where: null }]]
      return [[key.path, { value: value === null ? defaultOf(key) : (value as ConfigValue), layer, where: null }]]
    }),
  )
}

/** Of what is code, such as an extension, only the name is shown. */
const nameOf = (item: unknown): string => (typeof item === 'function' ? item.name || 'a function' : String(item))

function memberAt(options: object, path: string): unknown {
  let at: unknown = options
  for (const part of path.split('.')) {
    if (at === null || at === undefined) return at
    at = isObject(at) && Object.hasOwn(at, part) ? at[part] : undefined
  }
  return at
}

const defaultOf = ({ byDefault }: ConfigKey): ConfigValue | null => byDefault ?? null

/** Where nothing is found: the defaults. */
export const nothingFound: FoundConfig = mergeLayers([])

/** What a session is asked for here, lowest first: its object's options, then those of one run. */
export interface AskedOptions {
  readonly found: FoundConfig
  /** What `keptAmong` gave when the session was created. */
  readonly kept: JsonObject | undefined
  readonly options: readonly object[]
}

/** All layers of a session, the highest that names a key for each. Law A1. */
export async function layeredSettings(
  core: SessionCore,
  row: SessionRow,
  { found, kept, options }: AskedOptions,
): Promise<Settings> {
  const { thinking, system } = await settingsOf(core, row)
  const recorded = stated({ ...kept, model: row.model, thinking, system })
  const own = settingsAmong(recorded, 'session')
  return new Map([
    ...found.settings,
    ...own,
    ...options.flatMap(given => [...settingsAmong(given, 'options')]).map(([key, given]) => [key, given] as const),
  ])
}

/** What a session doesn't say is no statement. */
const stated = (members: Readonly<Record<string, unknown>>): object =>
  Object.fromEntries(
    Object.entries(members).filter(([key, value]) => value !== null || !['model', 'thinking', 'system'].includes(key)),
  )

const heights: Readonly<Record<LayerName, number>> = {
  default: 0,
  user: 1,
  project: 2,
  environment: 3,
  flag: 4,
  session: 5,
  options: 6,
}

/** The settings of a run. */
export function heldSettings(settings: Settings, cwd: string | null): HeldSettings {
  const of = <T>(key: string): T | undefined => (settings.get(key)?.value ?? undefined) as T | undefined
  const listed = (key: string): readonly string[] | undefined => of<readonly string[]>(`policy.${key}`)
  const policy = present({
    allowTools: listed('allowTools'),
    denyTools: listed('denyTools'),
    allowWrites: listed('allowWrites'),
    denyWrites: listed('denyWrites'),
    grants: listed('grants'),
  })
  const noTools = of<boolean>('noTools') ?? false
  const { model, provider } = modelAmong(settings)
  const place = (path: string, key: string): string => namedPath(path, settings.get(key)?.where ?? null, cwd ?? '/')
  const credentials = of<string>('credentials')
  const allowance = allowanceAmong(settings)
  return {
    model,
    thinking: thinkingAmong(settings, noTools),
    maxSteps: of<number>('maxSteps') ?? 100,
    mode: of<AgentMode>('mode') ?? 'full',
    autonomy: of<string>('autonomy') ?? 'safe',
    policy,
    system: of<string>('system') ?? null,
    identity: of<string>('identity') ?? null,
    noTools,
    toolOrder: of<'callOrder'>('toolOrder') ?? 'readsFirst',
    steering: of<'afterTools'>('steering') ?? 'now',
    cancelGraceMs: of<number>('cancelGraceMs') ?? 5_000,
    cache: { ttl: of<'1h'>('cache.ttl') ?? '5m' },
    extensions: (of<readonly string[]>('extensions') ?? []).map(path => place(path, 'extensions')),
    ...present({
      provider,
      maxTokens: of<number>('maxTokens'),
      approvals: of<ApprovalsMode>('approvals'),
      guardrails: guardrailsAmong(of),
      allowance,
      credentials: credentials === undefined ? undefined : place(credentials, 'credentials'),
    }),
  }
}

/** None where nobody says anything of them. */
function guardrailsAmong(of: <T>(key: string) => T | undefined): Guardrails | undefined {
  const said: Guardrails = present({
    mode: of<'enforce'>('guardrails.mode'),
    profile: of<'typescript'>('guardrails.profile'),
    criticalPaths: of<readonly string[]>('guardrails.criticalPaths'),
    commands: of<readonly string[]>('guardrails.commands'),
    timeoutMs: of<number>('guardrails.timeoutMs'),
  })
  return Object.keys(said).length === 0 ? undefined : said
}

/** The extensions that files and variables name. */
export const namedExtensions = (found: FoundConfig | undefined, cwd: string | null): readonly string[] =>
  found === undefined ? [] : heldSettings(found.settings, cwd).extensions

type Present<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> }
const present = <T extends object>(members: T): Present<T> =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Present<T>

/** Tools that are not there leave nothing to think about, unless somebody says so. */
function thinkingAmong(settings: Settings, noTools: boolean): ThinkingLevel {
  const said = settings.get('thinking')
  if (said === undefined || said.value === null || said.layer === 'default') return noTools ? 'off' : 'medium'
  return said.value as ThinkingLevel
}

/** A provider says where a model is to be had that its own layer names, or one below it. */
function modelAmong(settings: Settings): { readonly model: string | null; readonly provider?: string } {
  const [model, provider] = [settings.get('model'), settings.get('provider')]
  const name = typeof model?.value === 'string' ? model.value : null
  if (typeof provider?.value !== 'string') return { model: name }
  const asked = provider.value.trim().toLowerCase()
  if (name === null) return { model: keyedDefaults.find(ref => ref.startsWith(`${asked}/`)) ?? null, provider: asked }
  const isAbove = heights[model?.layer ?? 'default'] > heights[provider.layer]
  return isAbove ? { model: name } : { model: name, provider: provider.value }
}

function allowanceAmong(settings: Settings): HeldSettings['allowance'] {
  const said = (key: string): ConfigValue | undefined => {
    const setting = settings.get(`allowance.${key}`)
    // Of a session and its runs it is kept and counted by them.
    return setting === undefined || heights[setting.layer] > heights.flag ? undefined : (setting.value ?? undefined)
  }
  const found = present({
    nano: said('nano'),
    tokens: said('tokens'),
    wallMs: said('wallMs'),
    allowUnpriced: said('allowUnpriced'),
  })
  return Object.keys(found).length === 0 ? undefined : (found as NonNullable<HeldSettings['allowance']>)
}

const mostShown = 1_000

/** Every option with the layer that decided it, as it may be shown; no secret is among them. */
export function shownSettings(settings: Settings, noTools: boolean): Readonly<Record<string, ShownSetting>> {
  return Object.fromEntries(
    agentKeys.map(key => {
      const { value, layer, where } = settings.get(key.path) ?? { value: defaultOf(key), layer: 'default', where: null }
      const said = key.path === 'thinking' ? thinkingAmong(settings, noTools) : value
      const cut = typeof said === 'string' && said.length > mostShown ? `${said.slice(0, mostShown)}…` : said
      return [key.path, { value: cut, layer, ...(where === null ? {} : { where }) }]
    }),
  )
}
