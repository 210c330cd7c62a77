import { isObject } from '#kernel'
import { badConfig } from './policy/bad-config.ts'

/** What is checked after each call that is known to have written files; what a shell does is not. Source: spec/agent.md 13. */
export interface Guardrails {
  /** `advisory` (default): a failure is told beside the result. `enforce`: it makes the result an error, `guardrail_enforced`. */
  readonly mode?: 'advisory' | 'enforce'
  /**
   * What is checked beside the commands. `typescript`: the types of a TypeScript file, by the project's own compiler;
   * `generic`: nothing; `auto` (default): what the project is made for.
   */
  readonly profile?: 'auto' | 'generic' | 'typescript'
  /** Globs of paths that need more care than others: a write to one is told to the model as such. */
  readonly criticalPaths?: readonly string[]
  /** By `/bin/sh -c`, in the session's folder, in this order; `{file}` is the path that was written, quoted. */
  readonly commands?: readonly string[]
  /** Of one command, in milliseconds: at most 120,000, which is the default. */
  readonly timeoutMs?: number
}

export const guardrailMs = 120_000
export const guardrailModes = ['advisory', 'enforce'] as const
export const guardrailProfiles = ['auto', 'generic', 'typescript'] as const

const members = ['mode', 'profile', 'criticalPaths', 'commands', 'timeoutMs']

/** Throws `config.invalid` for what is no guardrails, or says nothing. */
export function readGuardrails(value: unknown): Guardrails {
  if (!isObject(value) || Array.isArray(value) || Object.keys(value).length === 0)
    throw badConfig('guardrails', `Expected an object with some of ${members.join(', ')}.`)
  for (const key of Object.keys(value))
    if (!members.includes(key)) throw badConfig(`guardrails.${key}`, `Unknown member; expected ${members.join(', ')}.`)
  const { mode, profile, timeoutMs } = value
  checkChoice('mode', mode, guardrailModes)
  checkChoice('profile', profile, guardrailProfiles)
  for (const key of ['criticalPaths', 'commands'] as const) {
    const list = value[key]
    if (list !== undefined && !(Array.isArray(list) && list.every(item => typeof item === 'string' && item.trim() !== '')))
      throw badConfig(`guardrails.${key}`, 'Expected a list of texts.')
  }
  const isTime = typeof timeoutMs === 'number' && Number.isSafeInteger(timeoutMs) && timeoutMs > 0 && timeoutMs <= guardrailMs
  if (timeoutMs !== undefined && !isTime)
    throw badConfig('guardrails.timeoutMs', `Expected a whole number from 1 to ${guardrailMs}.`)
  return value as Guardrails
}

function checkChoice(key: string, value: unknown, choices: readonly string[]): void {
  if (value !== undefined && !choices.some(choice => choice === value))
    throw badConfig(`guardrails.${key}`, `Expected one of ${choices.join(', ')}.`)
}

const checked: Readonly<Record<NonNullable<Guardrails['profile']>, readonly string[]>> = {
  generic: [],
  typescript: ['the types of a TypeScript file'],
  auto: ['the types of a file in a TypeScript project'],
}

/** The section of the system prompt. Pure. */
export function guardrailsSection({
  mode = 'advisory',
  profile = 'auto',
  commands = [],
  criticalPaths = [],
}: Guardrails): string {
  const checks = [...checked[profile], ...commands.map(command => `\`${command}\``)]
  const then =
    mode === 'enforce' ? 'A check that fails makes the write an error: mend it before you go on.' : 'What fails is told with the result.' // prettier-ignore
  const paths = criticalPaths.map(path => `- ${path}`).join('\n')
  return [
    '# Guardrails',
    ...(checks.length === 0 ? [] : [`After each write is checked: ${checks.join('; ')}. ${then}`]),
    ...(paths === '' ? [] : [`Take more care with these paths; change them only where the task needs it:\n${paths}`]),
  ].join('\n')
}
