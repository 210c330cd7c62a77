import { aFlag, type Check, given, isObject, orNull, type RunId, type SessionId, shape, SkeinError, wholeNumber } from '#kernel'
import { noUsage, type Usage } from '#journal'
import type { ConnectedModel } from '#models'

/**
 * The most that a run or session may spend: money in nano-dollars, tokens of every kind, and milliseconds in which runs go on.
 * Once one of them is reached no request is made. What children spend counts. Source: spec/agent.md 14, law A53.
 */
export interface Allowance {
  readonly nano?: number
  readonly tokens?: number
  readonly wallMs?: number
  /** With `nano`: requests whose price is unknown are made all the same, and count as nothing. */
  readonly allowUnpriced?: boolean
}

export const allowanceKinds = ['nano', 'tokens', 'wallMs'] as const
export type AllowanceKind = (typeof allowanceKinds)[number]

/** An allowance and what it is of: a session with all its sub-sessions, or one run of it with its children. */
export interface Limit {
  readonly session: SessionId
  readonly run: RunId | null
  readonly allowance: Allowance
}

/** What has been spent of a limit. */
export interface Spent {
  readonly nano: number
  readonly tokens: number
  /** Requests whose tokens are known and whose price is not. */
  readonly unpriced: number
}

export const nothingSpent: Spent = { nano: 0, tokens: 0, unpriced: 0 }

/** Which part of an allowance was reached. */
export interface Reached {
  readonly of: 'run' | 'session'
  readonly session: SessionId
  readonly kind: AllowanceKind
  readonly limit: number
  /** `null`: not known, since a request was not priced. */
  readonly spent: number | null
}

export const checkAllowance: Check = orNull(
  shape<Allowance>({ nano: wholeNumber(), tokens: wholeNumber(), wallMs: wholeNumber(), allowUnpriced: aFlag }),
)

/** What was kept of an allowance; undefined for anything else. */
export function readAllowance(value: unknown): Allowance | undefined {
  if (!isObject(value)) return undefined
  const { nano, tokens, wallMs, allowUnpriced } = value as Partial<Record<keyof Allowance, unknown>>
  const count = (told: unknown): number | undefined => (Number.isSafeInteger(told) ? (told as number) : undefined)
  const isAllowed = allowUnpriced === true ? true : undefined
  return given({ nano: count(nano), tokens: count(tokens), wallMs: count(wallMs), allowUnpriced: isAllowed })
}

export const keptAllowance = ({ nano, tokens, wallMs, allowUnpriced }: Allowance): Record<string, number | boolean> =>
  given({ nano, tokens, wallMs, allowUnpriced })

/** Pure: what is reached by then. `ranMs` is asked for only where time is limited. */
export function reachedOf({ run, session, allowance }: Limit, spent: Spent, ranMs: number): Reached | undefined {
  const of = run === null ? 'session' : 'run'
  const { nano, tokens, wallMs, allowUnpriced = false } = allowance
  if (nano !== undefined && spent.nano >= nano) return { of, session, kind: 'nano', limit: nano, spent: spent.nano }
  if (nano !== undefined && spent.unpriced > 0 && !allowUnpriced) return { of, session, kind: 'nano', limit: nano, spent: null }
  if (tokens !== undefined && spent.tokens >= tokens) return { of, session, kind: 'tokens', limit: tokens, spent: spent.tokens }
  if (wallMs !== undefined && ranMs >= wallMs) return { of, session, kind: 'wallMs', limit: wallMs, spent: ranMs }
  return undefined
}

export const plus = (one: Spent, other: Spent): Spent => ({
  nano: one.nano + other.nano,
  tokens: one.tokens + other.tokens,
  unpriced: one.unpriced + other.unpriced,
})

/** All tokens of a request; reasoning is part of what came out. */
export const tokensOf = ({ inputTokens, cacheReadTokens, cacheWrite5mTokens, cacheWrite1hTokens, outputTokens }: Usage): number =>
  (inputTokens ?? 0) + (cacheReadTokens ?? 0) + (cacheWrite5mTokens ?? 0) + (cacheWrite1hTokens ?? 0) + (outputTokens ?? 0)

/** Throws `allowance.unpriced` for a model without prices where money is limited, before anything is written. */
export function checkPriced(model: ConnectedModel, limits: readonly Limit[], at: number): void {
  const isPriced = model.cost({ ...noUsage, inputTokens: 1, outputTokens: 1 }, at).total !== null
  const limit = limits.find(({ allowance }) => allowance.nano !== undefined && allowance.allowUnpriced !== true)
  if (isPriced || limit === undefined || model.info.demo === true) return
  const ref = `${model.info.provider}/${model.info.id}`
  throw new SkeinError('allowance.unpriced', `The price of ${ref} is unknown, so what it spends cannot be limited. Give its prices, or allowUnpriced.`, { details: { model: ref, session: limit.session } }) // prettier-ignore
}
