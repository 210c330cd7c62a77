import { given, isObject, type JsonObject, toJson } from '#kernel'
import type { RunCode } from '#journal'
import { type Gate, readGates } from './gates.ts'
import type { Hook } from './hooks.ts'
import { type Tool, readTools, type ToolSet } from './tool.ts'

/** Something that a run was given as code, and that this process does not have. */
export interface MissingCode {
  readonly kind: 'tool' | 'gate' | 'hook'
  /** A tool's name, a gate's id, what a hook matches. */
  readonly name: string
}

/**
 * What is written of the code that a run goes by, so that whoever carries it on knows what he lacks: gates, whole where they are
 * no code, hooks that may refuse a call by failing, and the tools that it alone was given. Undefined: there is none.
 */
export function codeAmong(asked: ToolSet | undefined, gates: readonly Gate[], hooks: readonly Hook[]): RunCode | undefined {
  const tools = readTools(asked ?? []).map(({ name }) => name)
  const blocking = hooks.filter(isBlocking).map(matchOf)
  if (tools.length + gates.length + blocking.length === 0) return undefined
  return given({
    tools: tools.length === 0 ? undefined : tools,
    gates: gates.length === 0 ? undefined : gates.map(written),
    hooks: blocking.length === 0 ? undefined : blocking,
  })
}

function written(gate: Gate): JsonObject {
  if (gate.kind !== 'custom') return toJson(gate) as JsonObject
  const { id, kind, name, requirement } = gate
  return given({ id, kind, name, requirement })
}

const isBlocking = (hook: Hook): boolean => hook.on === 'before_call' && hook.blocking === true
const matchOf = ({ match }: Hook): string => match ?? '*'

/** The gates that a run has to pass, however many of them are there now: one whose code is missing can't say, so it is blocked. */
export function gatesKept(code: RunCode | undefined, now: readonly Gate[]): readonly Gate[] {
  const kept = (code?.gates ?? []).map(told => gateOf(told, now))
  const ids = new Set(kept.map(({ id }) => id))
  return [...kept, ...now.filter(({ id }) => !ids.has(id))]
}

function gateOf(told: JsonObject, now: readonly Gate[]): Gate {
  const gate = isObject(told) && told['kind'] !== 'custom' ? readGates([told])[0] : undefined
  if (gate !== undefined) return gate
  const { id, ...more } = told as unknown as Omit<Gate & { kind: 'custom' }, 'run'>
  const found = now.find(one => one.id === id && one.kind === 'custom')
  return found ?? { ...more, id, kind: 'custom', run: () => lacks(`gate ${id}`) }
}

/** The hooks of a run, with one that fails in the place of each that may refuse calls and isn't there now. */
export function hooksKept(code: RunCode | undefined, now: readonly Hook[]): readonly Hook[] {
  const missing = withoutThose(code?.hooks ?? [], now.filter(isBlocking).map(matchOf))
  return [...missing.map(standIn), ...now]
}

const standIn = (match: string): Hook => ({
  on: 'before_call',
  blocking: true,
  match,
  run: () => lacks(`hook before calls of ${match}`),
})

function lacks(what: string): never {
  throw new Error(`The ${what} was code of a process that has ended, and is not there any more.`)
}

/** What a run was given and this process has nothing for. */
export function missingCode(
  code: RunCode | undefined,
  { tools, gates, hooks }: { readonly tools: readonly Tool[]; readonly gates: readonly Gate[]; readonly hooks: readonly Hook[] },
): readonly MissingCode[] {
  const names = new Set(tools.map(({ name }) => name))
  const customs = new Set(gates.flatMap(({ id, kind }) => (kind === 'custom' ? [id] : [])))
  const told = (code?.gates ?? []).flatMap(({ id, kind }) => (kind === 'custom' && typeof id === 'string' ? [id] : []))
  return [
    ...(code?.tools ?? []).filter(name => !names.has(name)).map(name => ({ kind: 'tool' as const, name })),
    ...told.filter(id => !customs.has(id)).map(name => ({ kind: 'gate' as const, name })),
    ...withoutThose(code?.hooks ?? [], hooks.filter(isBlocking).map(matchOf)).map(name => ({ kind: 'hook' as const, name })),
  ]
}

/** The first list without the members of the second, each taken away as often as it is there. */
function withoutThose(all: readonly string[], those: readonly string[]): string[] {
  const left = [...those]
  return all.filter(one => {
    const at = left.indexOf(one)
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
}
