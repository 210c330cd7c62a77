import { isObject, SkeinError } from '#kernel'

/** When what is live is sealed by itself. Counts and milliseconds. */
export interface CommitPolicy {
  readonly maxTokens?: number
  readonly maxMessages?: number
  readonly maxAgeMs?: number
  readonly idleMs?: number
  /** Between two commits by policy. */
  readonly minIntervalMs?: number
  /** This many newest turns stay live. */
  readonly keepTurns?: number
}

export type CommitPolicyInput = 'manual' | CommitPolicy
export type Policy = 'manual' | Required<CommitPolicy>

/** Source: spec/memory.md 3. */
export const policyDefaults: Required<CommitPolicy> = {
  maxTokens: 20_000,
  maxMessages: 200,
  maxAgeMs: 86_400_000,
  idleMs: 3_600_000,
  minIntervalMs: 0,
  keepTurns: 0,
}

const least: { readonly [K in keyof CommitPolicy]-?: number } = {
  maxTokens: 1,
  maxMessages: 1,
  maxAgeMs: 1,
  idleMs: 1,
  minIntervalMs: 0,
  keepTurns: 0,
}

/** Throws `config.invalid` with the field; what is absent or null has its default. */
export function readPolicy(value: unknown, path: string, before: Policy = policyDefaults): Policy {
  if (value === undefined || value === null) return before
  if (value === 'manual') return 'manual'
  if (!isObject(value)) throw badSetting(path, 'Expected manual or an object of triggers.')
  const read = { ...(before === 'manual' ? policyDefaults : before) }
  for (const [key, given] of Object.entries(value)) {
    if (!Object.hasOwn(least, key)) throw badSetting(`${path}.${key}`, `Unknown; expected ${Object.keys(least).join(', ')}.`)
    const name = key as keyof CommitPolicy
    if (given !== undefined && given !== null) read[name] = readWhole(given, `${path}.${key}`, least[name])
  }
  return read
}

export function readWhole(value: unknown, path: string, min: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min) return value
  throw badSetting(path, `Expected a whole number from ${min}.`)
}

export function badSetting(key: string, problem: string): SkeinError {
  return new SkeinError('config.invalid', `${key}: ${problem}`, { details: { key } })
}

export type PolicyCause = 'tokens' | 'messages' | 'age' | 'idle'

/** What is live, as triggers see it. Times in epoch milliseconds. */
export interface LiveState {
  readonly messages: number
  readonly tokens: number
  /** Of the oldest and the newest live message; null where nothing is. */
  readonly oldestAt: number | null
  readonly newestAt: number | null
  readonly lastCommitAt: number | null
}

/** The first trigger that is due: tokens, messages, age, idle. Pure. Law M19. */
export function dueCause(policy: Policy, live: LiveState, now: number): PolicyCause | undefined {
  if (policy === 'manual' || live.messages === 0) return undefined
  if (live.lastCommitAt !== null && now - live.lastCommitAt < policy.minIntervalMs) return undefined
  if (live.tokens >= policy.maxTokens) return 'tokens'
  if (live.messages >= policy.maxMessages) return 'messages'
  if (live.oldestAt !== null && now - live.oldestAt > policy.maxAgeMs) return 'age'
  if (live.newestAt !== null && now - live.newestAt > policy.idleMs) return 'idle'
  return undefined
}
