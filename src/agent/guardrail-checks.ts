import { existsSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { cutCodePoints, isObject, type Json, messageOf } from '#kernel'
import type { ToolCallPart, ToolResultPart } from '#journal'
import { type Guardrails, guardrailMs } from './guardrails.ts'
import { runCommand } from './gates-command.ts'
import { writtenBy } from './hooks-run.ts'
import { globMatcher } from './policy/glob.ts'
import { diskPlaces } from './policy/real-place.ts'
import type { Tool } from './tool.ts'
import { placesOf } from './tools/tool-places.ts'

/** A command that looks at what was written. */
interface Check {
  /** As it is told. */
  readonly name: string
  readonly command: string
  readonly cwd: string
}

/** What a check came to; `problem`: why it is not passed. */
interface Checked {
  readonly command: string
  readonly exitCode: number | null
  readonly problem?: string
}

/** A call that has ended, and perhaps written a file. */
export interface Written {
  readonly call: ToolCallPart
  readonly tool: Tool | undefined
  /** What the tool gave. */
  readonly result: ToolResultPart
  /** What hooks left of it. */
  readonly told: ToolResultPart
  /** Where the session works. */
  readonly cwd: string | null
  /** Aborts when the run is cancelled: what was not checked by then is not. */
  readonly signal: AbortSignal
}

const shownLength = 16_384

/**
 * Checks the file that a call has written, and gives what stands in the result's place. Under `enforce` it is an error unless
 * every check passes. Never throws.
 */
export async function guarded(guardrails: Guardrails | undefined, written: Written): Promise<ToolResultPart> {
  const { call, tool, result, told, signal } = written
  const path = guardrails === undefined ? undefined : writtenBy(call, result)
  const root = (tool === undefined ? undefined : placesOf([tool])[0]?.root) ?? written.cwd
  if (guardrails === undefined || path === undefined || root === null) return told
  const cwd = written.cwd ?? root
  const { mode = 'advisory', criticalPaths = [], timeoutMs = guardrailMs } = guardrails
  const shown = await diskPlaces.below(root, path).catch(() => null)
  const critical = criticalPaths.map(globMatcher).some(matches => matches(shown ?? path))
  const checks: Checked[] = []
  for (const check of checksOf(guardrails, resolve(root, path), cwd)) {
    if (signal.aborted) break
    checks.push(await pass(check, timeoutMs, signal))
  }
  const failed = signal.aborted ? [] : checks.filter(({ problem }) => problem !== undefined)
  const isError = mode === 'enforce' && failed.length > 0
  const lines = [
    ...(critical ? [`${shown ?? path} is a critical path: make sure that this change is what was asked for.`] : []),
    ...failed.map(({ command, problem = '' }) => `${isError ? 'guardrail_enforced' : 'Guardrail'}: \`${command}\` ${problem}`),
    ...(isError ? ['The file stands as it was written. Mend it before you go on.'] : []),
  ]
  const found = { mode, critical, checks: checks.map(({ command, exitCode }) => ({ command, exitCode })), ...(isError ? { code: 'guardrail_enforced' } : {}) } // prettier-ignore
  return {
    ...told,
    ...(lines.length === 0 ? {} : { output: [textOf(told.output), ...lines].join('\n\n') }),
    ...(isError ? { status: 'error' as const } : {}),
    ...(told.details === undefined || isObject(told.details) ? { details: { ...told.details, guardrails: found } } : {}),
  }
}

const textOf = (output: Json): string => (typeof output === 'string' ? output : JSON.stringify(output))

/** The profile's check first, then the commands in their order. */
function checksOf({ profile = 'auto', commands = [] }: Guardrails, file: string, cwd: string): readonly Check[] {
  const own = commands.map(command => ({ name: command, command: command.replaceAll('{file}', () => quoted(file)), cwd }))
  return profile === 'generic' || !/\.[cm]?tsx?$/.test(file) ? own : [...typeCheck(file, cwd, profile === 'typescript'), ...own]
}

/** By the compiler of the project around the file. Without one `auto` checks nothing, and who asks for it is told so. */
function typeCheck(file: string, cwd: string, isAsked: boolean): readonly Check[] {
  const config = nearest(dirname(file), 'tsconfig.json', cwd)
  const compiler = config === undefined ? undefined : nearest(dirname(config), join('node_modules', '.bin', 'tsc'))
  if (config === undefined || compiler === undefined) {
    if (!isAsked) return []
    const missing = config === undefined ? 'tsconfig.json' : 'node_modules/.bin/tsc'
    return [{ name: 'tsc --noEmit', command: `echo ${quoted(`There is no ${missing} for ${file}.`)} >&2; exit 127`, cwd }]
  }
  const command = `${quoted(compiler)} --noEmit --pretty false -p ${quoted(config)}`
  return [{ name: `tsc --noEmit -p ${relative(cwd, config)}`, command, cwd: dirname(config) }]
}

/** What is there by this name in a folder or the nearest above it, up to `top` where the folder lies below that. */
function nearest(folder: string, name: string, top?: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    if (top !== undefined && at !== top && !at.startsWith(top + sep)) return undefined
    if (existsSync(join(at, name))) return join(at, name)
    if (dirname(at) === at) return undefined
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

async function pass({ name, command, cwd }: Check, timeoutMs: number, signal: AbortSignal): Promise<Checked> {
  try {
    const { exitCode, timedOut, output } = await runCommand(command, { cwd, timeoutMs, signal })
    if (exitCode === 0 && !timedOut) return { command: name, exitCode }
    const why = timedOut ? `took longer than ${timeoutMs} ms` : `failed (${exitCode === null ? 'killed' : `exit ${exitCode}`})`
    const text = cutCodePoints(output.trim(), shownLength)
    return { command: name, exitCode, problem: text === '' ? `${why}.` : `${why}:\n${text}` }
  } catch (error) {
    return { command: name, exitCode: null, problem: `could not begin: ${messageOf(error)}` }
  }
}
