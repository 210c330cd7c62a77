import { isObject, messageOf } from '#kernel'
import { isType } from '#journal'
import { draft } from '#session'
import { askPerson } from './approvals-ask.ts'
import { callHash } from './approvals-row.ts'
import { runCommand } from './gates-command.ts'
import { endingOf, type GateOutcome, type GateState } from './gates-table.ts'
import { badConfig } from './policy/bad-config.ts'
import { globMatcher } from './policy/glob.ts'
import type { UserInterface } from './tool.ts'
import type { TurnResult } from './turn-result.ts'
import type { RunGates, RunPlace } from './run-seams.ts'

interface GateCommon {
  readonly id: string
  readonly name?: string
  /** Optional and advisory ones are told of and change nothing. Default `required`. */
  readonly requirement?: 'required' | 'optional' | 'advisory'
}

/** What a custom gate found. `true` is passed. */
export type GateFinding = boolean | { readonly passed: boolean; readonly output?: string }

/** A check that a run must pass before it ends as done. Source: spec/agent.md 12. */
export type Gate =
  | (GateCommon & {
      readonly kind: 'command'
      /** By `/bin/sh -c`, in the session's folder, else the process's, for 120,000 ms at most. */
      readonly command: { readonly command: string; readonly cwd?: string; readonly timeoutMs?: number }
    })
  /** Every file that git shows as changed matches one of the globs. */
  | (GateCommon & { readonly kind: 'diff'; readonly paths: readonly string[] })
  /** No call of the run was denied. */
  | (GateCommon & { readonly kind: 'policy' })
  /** A person says yes. */
  | (GateCommon & { readonly kind: 'manual' })
  | (GateCommon & { readonly kind: 'custom'; run(place: RunPlace): GateFinding | Promise<GateFinding> })

const timeoutDefault = 120_000
const kinds = ['command', 'diff', 'policy', 'manual', 'custom']

/** Throws `config.invalid` for what is no list of gates. */
export function readGates(value: unknown): readonly Gate[] {
  if (!Array.isArray(value)) throw badConfig('gates', 'Expected a list of gates.')
  const ids = new Set<string>()
  for (const [index, gate] of value.entries()) {
    const wrong = problemOf(gate, ids)
    if (wrong !== undefined) throw badConfig(`gates[${index}]`, wrong)
  }
  return value as readonly Gate[]
}

function problemOf(gate: unknown, ids: Set<string>): string | undefined {
  if (!isObject(gate) || typeof gate['id'] !== 'string' || gate['id'] === '') return 'Expected { id, kind, … }.'
  if (ids.has(gate['id'])) return `Two gates are ${gate['id']}.`
  ids.add(gate['id'])
  const { kind, requirement = 'required', command, paths, run } = gate
  if (!kinds.some(known => known === kind)) return `The kind is none of ${kinds.join(', ')}.`
  if (!['required', 'optional', 'advisory'].some(known => known === requirement)) return 'The requirement is none of required, optional, advisory.' // prettier-ignore
  if (kind === 'command' && !(isObject(command) && typeof command['command'] === 'string' && isTime(command['timeoutMs'])))
    return 'Expected command: { command, cwd, timeoutMs }.'
  if (kind === 'diff' && !(Array.isArray(paths) && paths.every(path => typeof path === 'string'))) return 'Expected paths.'
  return kind === 'custom' && typeof run !== 'function' ? 'Expected a function run.' : undefined
}

const isTime = (value: unknown): boolean =>
  value === undefined || (typeof value === 'number' && Number.isSafeInteger(value) && value > 0)

/** Where the person is that may be asked. */
interface AskingPlace extends RunPlace {
  readonly ui: Partial<UserInterface> | undefined
}

interface Found {
  readonly state: GateState
  readonly exitCode?: number | null
  readonly output?: string
}

/**
 * Runs the gates in order, each told in the journal, and gives the result that the required ones leave. `asks`: a person can
 * be asked; else a manual gate stays pending. Laws A45, A46.
 */
export function gatesOf(gates: readonly Gate[], asks: boolean, ui?: Partial<UserInterface>): RunGates {
  return async (result, place) => {
    const outcomes: GateOutcome[] = []
    for (const gate of gates) {
      if (place.signal.aborted) return result
      outcomes.push(await pass(gate, { ...place, ui }, asks))
    }
    const ending = endingOf(outcomes)
    if (ending === undefined) return result
    const { status, reason, message } = ending
    return { ...result, status, reason, error: { code: reason, message } } satisfies TurnResult
  }
}

async function pass(gate: Gate, place: AskingPlace, asks: boolean): Promise<GateOutcome> {
  const { core, run, turn } = place
  const { id, kind, name = id, requirement = 'required' } = gate
  const mark = { run, turn }
  await core.side(() => ({ drafts: [draft('gate_started', { gate: id, name, kind, requirement }, mark)] }))
  const since = core.runtime.clock.now()
  const found = await look(gate, place, asks).catch((error: unknown): Found => ({ state: 'blocked', output: messageOf(error) }))
  const ms = core.runtime.clock.now() - since
  const { state, exitCode, output } = found
  const told = { ...(exitCode === undefined ? {} : { exitCode }), ...(output === undefined ? {} : { output }) }
  await core.side(() => ({ drafts: [draft('gate_ended', { gate: id, state, ms, ...told }, mark)] }))
  return { gate: id, requirement, state, ...(exitCode === undefined ? {} : { exitCode }) }
}

async function look(gate: Gate, place: AskingPlace, asks: boolean): Promise<Found> {
  switch (gate.kind) {
    case 'command':
      return await byCommand(gate.command, place)
    case 'diff':
      return await byDiff(gate.paths, place)
    case 'policy':
      return await byPolicy(place)
    case 'manual':
      return asks ? await byPerson(gate, place) : { state: 'pending' }
    case 'custom': {
      const found = await gate.run(place)
      const { passed, output } = typeof found === 'boolean' ? { passed: found, output: undefined } : found
      return { state: passed ? 'passed' : 'failed', ...(output === undefined ? {} : { output }) }
    }
  }
}

async function byCommand(
  { command, cwd, timeoutMs = timeoutDefault }: Extract<Gate, { kind: 'command' }>['command'],
  { core, signal }: RunPlace,
): Promise<Found> {
  const folder = cwd ?? (await core.row()).cwd
  const { exitCode, timedOut, output } = await runCommand(command, { cwd: folder, timeoutMs, signal })
  if (timedOut) return { state: 'blocked', exitCode, output: `${output}\n[Took longer than ${timeoutMs} ms]` }
  return { state: exitCode === 0 ? 'passed' : exitCode === null ? 'blocked' : 'failed', exitCode, output }
}

async function byDiff(paths: readonly string[], place: RunPlace): Promise<Found> {
  const command = 'git status --porcelain --untracked-files=all --no-renames -z .'
  const { state, output = '' } = await byCommand({ command }, place)
  if (state !== 'passed') return { state: 'blocked', output }
  const matches = paths.map(globMatcher)
  const changed = output.split('\0').flatMap(line => (line === '' ? [] : [line.slice(3)]))
  const others = changed.filter(path => !matches.some(matcher => matcher(path)))
  return others.length === 0 ? { state: 'passed' } : { state: 'failed', output: others.slice(0, 100).join('\n') }
}

async function byPolicy({ core, run }: RunPlace): Promise<Found> {
  const decided = await core.store.entries(core.id, { types: ['policy_decided'], order: 'desc', limit: 100_000 })
  const denied = decided.filter(
    entry =>
      entry.run === run &&
      isType(entry, 'policy_decided') &&
      ['deny', 'dryRun', 'sandbox'].some(decision => decision === entry.data['decision']),
  )
  if (denied.length === 0) return { state: 'passed' }
  return { state: 'failed', output: denied.map(({ data }) => (isObject(data) ? `${String(data['tool'])}: ${String(data['code'])}` : '')).join('\n') } // prettier-ignore
}

async function byPerson({ id, name = id }: Gate, { core, run, turn, signal, ui }: AskingPlace): Promise<Found> {
  const bound = { tool: 'gate', callId: `gate:${run}:${id}`, input: { gate: id }, policy: 'gate' }
  const question = { ...bound, run, turn, source: 'gate', code: 'gate_manual', message: `Does ${name} hold?` }
  const { state, answer } = await askPerson(core, { ...question, hash: callHash(bound) }, [], signal, ui)
  if (state !== 'answered') return { state: 'pending' }
  return { state: answer?.decision === 'allow' ? 'passed' : 'failed', ...(answer?.reason ? { output: answer.reason } : {}) }
}
