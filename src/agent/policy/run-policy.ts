import { isObject } from '#kernel'
import { badConfig } from './bad-config.ts'
import { globMatcher } from './glob.ts'

/**
 * What a run may use and write. Names of tools count trimmed and in lower case, globs on real paths below the session's
 * folder; a list that allows and is not empty excludes all else; who denies wins. Source: spec/agent.md 11.
 */
export interface RunPolicy {
  readonly allowTools?: readonly string[]
  readonly denyTools?: readonly string[]
  readonly allowWrites?: readonly string[]
  readonly denyWrites?: readonly string[]
  /** Rails that are taken away, by name. */
  readonly grants?: readonly string[]
}

/** A run policy, read once. */
export interface Rules {
  readonly allowTools: ReadonlySet<string>
  readonly denyTools: ReadonlySet<string>
  readonly grants: ReadonlySet<string>
  readonly limitsWrites: boolean
  /** `relative` is below the session's folder; `null` lies outside of it. */
  maySave(relative: string | null): boolean
}

const lists = ['allowTools', 'denyTools', 'allowWrites', 'denyWrites', 'grants'] as const

/** Throws `config.invalid` for what is no policy. */
export function readRunPolicy(value: unknown): RunPolicy {
  if (!isObject(value) || Array.isArray(value)) throw badConfig('policy', 'Expected an object.')
  for (const [key, list] of Object.entries(value)) {
    if (!lists.some(known => known === key)) throw badConfig(`policy.${key}`, `Unknown member; expected ${lists.join(', ')}.`)
    if (list === undefined) continue
    if (!Array.isArray(list) || !list.every(item => typeof item === 'string' && item.trim() !== ''))
      throw badConfig(`policy.${key}`, 'Expected a list of texts.')
  }
  return value as RunPolicy
}

export function rulesOf({ allowTools, denyTools, allowWrites, denyWrites, grants }: RunPolicy): Rules {
  const allows = (allowWrites ?? []).map(globMatcher)
  const denies = (denyWrites ?? []).map(globMatcher)
  return {
    allowTools: namesOf(allowTools),
    denyTools: namesOf(denyTools),
    grants: namesOf(grants),
    limitsWrites: allows.length + denies.length > 0,
    maySave: relative =>
      relative !== null &&
      !denies.some(matches => matches(relative)) &&
      (allows.length === 0 || allows.some(matches => matches(relative))),
  }
}

const plain = (name: string): string => name.trim().toLowerCase()
const namesOf = (names: readonly string[] = []): ReadonlySet<string> => new Set(names.map(plain))

export function policyHas({ allowTools, denyTools }: Rules, name: string): boolean {
  const asked = plain(name)
  return !denyTools.has(asked) && (allowTools.size === 0 || allowTools.has(asked))
}
