import { existsSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { cutCodePoints, isObject, type Json, messageOf } from '#kernel'
import type { ToolResultPart } from '#journal'
import { type Guardrails, guardrailMs } from './guardrails.ts'
import { runCommand } from './gates-command.ts'
import { globMatcher } from './policy/glob.ts'
import { diskPlaces } from './policy/real-place.ts'
import type { WrittenFile } from './written-files.ts'

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

/** A call that has ended, and what it wrote. */
export interface Written {
  readonly files: readonly WrittenFile[]
  /** The result, as hooks left it. */
  readonly told: ToolResultPart
  /** Where the session works. */
  readonly cwd: string | null
  /** Aborts when the run is cancelled: what was not checked by then is not. */
  readonly signal: AbortSignal
}

const shownLength = 16_384

/**
 * Checks the files that a call has written, and gives what stands in the result's place. Under `enforce` it is an error unless
 * every check passes. Never throws.
 */
export async function guarded(guardrails: Guardrails | undefined, written: Written): Promise<ToolResultPart> {
  const { files, told, signal } = written
  if (guardrails === undefined || files.length === 0) return told
  const { mode = 'advisory', timeoutMs = guardrailMs } = guardrails
  const critical = await criticalAmong(files, guardrails)
  const checks: Checked[] = []
  for (const check of onceEach(
    files.flatMap(({ root, path }) => checksOf(guardrails, resolve(root, path), written.cwd ?? root)),
  )) {
    if (signal.aborted) break
    checks.push(await pass(check, timeoutMs, signal))
  }
  const failed = signal.aborted ? [] : checks.filter(({ problem }) => problem !== undefined)
  const isError = mode === 'enforce' && failed.length > 0
  const stands = files.length === 1 ? 'The file stands as it was' : 'The files stand as they were'
  const lines = [
    ...critical.map(path => `${path} is a critical path: make sure that this change is what was asked for.`),
    ...failed.map(({ command, problem = '' }) => `${isError ? 'guardrail_enforced' : 'Guardrail'}: \`${command}\` ${problem}`),
    ...(isError ? [`${stands} written. Mend it before you go on.`] : []),
  ]
  const shown = checks.map(({ command, exitCode }) => ({ command, exitCode }))
  const found = { mode, critical: critical.length > 0, checks: shown, ...(isError ? { code: 'guardrail_enforced' } : {}) }
  return {
    ...told,
    ...(lines.length === 0 ? {} : { output: [textOf(told.output), ...lines].join('\n\n') }),
    ...(isError ? { status: 'error' as const } : {}),
    ...(told.details === undefined || isObject(told.details) ? { details: { ...told.details, guardrails: found } } : {}),
  }
}

/** Those that need more care, where they really lead. */
async function criticalAmong(files: readonly WrittenFile[], { criticalPaths = [] }: Guardrails): Promise<readonly string[]> {
  const matchers = criticalPaths.map(globMatcher)
  if (matchers.length === 0) return []
  const shown = await Promise.all(
    files.map(async ({ root, path }) => (await diskPlaces.below(root, path).catch(() => null)) ?? path),
  )
  return shown.filter(path => matchers.some(matches => matches(path)))
}

/** A command that says nothing of the file looks at all of them at once. */
const onceEach = (checks: readonly Check[]): readonly Check[] => [
  ...new Map(checks.map(check => [`${check.cwd}\0${check.command}`, check])).values(),
]

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
