import { given, isId, isObject, type JsonObject, type RunId, type SessionId, toJson } from '#kernel'
import type { SessionCore } from '#session'
import { checkAgent, type SendOptions } from './agent-options.ts'
import { type Allowance, keptAllowance, type Limit, readAllowance } from './allowance.ts'
import { keptAmong } from './held-settings.ts'
import { readAutonomy } from './policy/autonomy.ts'
import type { Bound } from './policy/create-judge.ts'
import { readMode } from './policy/mode.ts'
import { readRunPolicy } from './policy/run-policy.ts'

/** Who began a sub-session, and what it may do at the most. It never changes, and holds for its forks, too. Law A56. */
export interface ChildOrigin {
  /** False for a fork of a child: nobody waits for that. */
  readonly linked: boolean
  readonly parent: SessionId
  /** Of the parent that waits for it; `null` where its host began it. */
  readonly run: RunId | null
  readonly callId: string | null
  readonly role: string | null
  /** By which rules its ancestors judge, nearest first; a call must pass them all. */
  readonly bounds: readonly Bound[]
  /** Names of the tools that it may have. */
  readonly tools: readonly string[]
  /** What it spends counts against these, too. */
  readonly limits: readonly Limit[]
}

/** What a session keeps of its agent's options for as long as it is there, whoever opens it. */
export interface KeptOptions {
  readonly allowance?: Allowance
  readonly child?: ChildOrigin
  /** Plain options, as they were given. */
  readonly options?: JsonObject
}

const known = new WeakMap<SessionCore, KeptOptions>()

/** Read from the session's first entry, once for each object. */
export async function keptOptions(core: SessionCore): Promise<KeptOptions> {
  const before = known.get(core)
  if (before !== undefined) return before
  const [created] = await core.store.entries(core.id, { types: ['session_created'], limit: 1 })
  const data = isObject(created?.data) ? created.data : {}
  const isFork = (await core.store.session(core.id))?.data['forkedFrom'] !== undefined
  const kept: KeptOptions = given({
    allowance: readAllowance(data['allowance']),
    child: readOrigin(data['child'], !isFork),
    options: objectIn(data['options']),
  })
  known.set(core, kept)
  return kept
}

/** The same, to be written. */
export const keepOptions = ({ allowance, child, options }: KeptOptions): JsonObject =>
  given({ allowance: allowance && keptAllowance(allowance), child: child && (toJson(child) as JsonObject), options })

/**
 * What of a run's own options is written with it, so that it goes by them wherever it is carried on: all that is plain. Model and
 * trust have places of their own.
 */
export function keepRunOptions(options: SendOptions): JsonObject | undefined {
  const { thinking, system, allowance } = options
  const kept = { ...keptAmong(options), ...given({ thinking, system, allowance: allowance && keptAllowance(allowance) }) }
  return Object.keys(kept).length === 0 ? undefined : kept
}

/** The same, read again. Throws `config.invalid` where it says what cannot be. */
export function readRunOptions(value: unknown): SendOptions {
  if (!isObject(value)) return {}
  const { alongside: _alongside, atEnd: _atEnd, tools: _tools, modelOverride: _model, signal: _signal, ...plain } = value
  checkAgent.send(plain)
  return plain as SendOptions
}

const objectIn = (value: unknown): JsonObject | undefined => (isObject(value) ? (value as JsonObject) : undefined)

function readOrigin(value: unknown, linked: boolean): ChildOrigin | undefined {
  if (!isObject(value) || !isId('ses', value['parent'])) return undefined
  const { run, callId, role } = value
  return {
    linked,
    parent: value['parent'],
    run: isId('run', run) ? run : null,
    callId: typeof callId === 'string' ? callId : null,
    role: typeof role === 'string' ? role : null,
    bounds: listIn(value['bounds']).map(readBound),
    tools: listIn(value['tools']).filter(name => typeof name === 'string'),
    limits: listIn(value['limits']).flatMap(readLimit),
  }
}

const listIn = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

/** What cannot be read allows nothing but to read. */
const leastBound: Bound = { mode: 'auditor', autonomy: 'suggest', policy: {}, cwd: null }

function readBound(value: unknown): Bound {
  const { mode, autonomy, policy, cwd } = isObject(value) ? value : {}
  try {
    return {
      mode: readMode(mode),
      autonomy: readAutonomy(autonomy),
      policy: readRunPolicy(policy),
      cwd: typeof cwd === 'string' ? cwd : null,
    }
  } catch {
    return leastBound
  }
}

function readLimit(value: unknown): Limit[] {
  if (!isObject(value) || !isId('ses', value['session'])) return []
  const allowance = readAllowance(value['allowance'])
  const { run } = value
  return allowance === undefined ? [] : [{ session: value['session'], run: isId('run', run) ? run : null, allowance }]
}
