/**
 * Every error code of Skein, its HTTP status, the exit code of the command line and whether trying again can help.
 * The HTTP and exit maps are total by construction: a code without them does not compile.
 * Source: spec/foundation.md 1.2, law J3.
 */
const rule = (category: Category, http: number, exit: number, retryable = false): ErrorRule => ({
  category,
  http,
  exit,
  retryable,
})

export type Category = 'input' | 'refused' | 'conflict' | 'unavailable' | 'broken'
export interface ErrorRule {
  readonly category: Category
  readonly http: number
  readonly exit: number
  readonly retryable: boolean
}

const rules = {
  invalid: rule('input', 400, 2),
  notFound: rule('input', 404, 7),
  credential: rule('input', 424, 6),
  unauthenticated: rule('input', 401, 6),
  forbidden: rule('input', 403, 6),
  tooLarge: rule('input', 413, 2),
  unsupported: rule('input', 415, 2),
  mismatch: rule('input', 422, 2),
  refused: rule('refused', 409, 8),
  unpriced: rule('refused', 402, 8),
  occupied: rule('refused', 409, 8, true),
  queueFull: rule('refused', 429, 8, true),
  conflict: rule('conflict', 409, 8, true),
  fenced: rule('conflict', 409, 8),
  unavailable: rule('unavailable', 503, 9, true),
  timeout: rule('unavailable', 504, 9, true),
  full: rule('unavailable', 507, 9, true),
  rateLimited: rule('unavailable', 429, 9, true),
  broken: rule('broken', 500, 1),
  provider: rule('broken', 502, 1),
}

/** Which rule each code follows. */
const ruleOf = {
  'input.invalid': 'invalid',
  'config.invalid': 'invalid',
  'source.invalid': 'invalid',
  'key.invalid': 'invalid',
  'target.invalid': 'invalid',
  'model.unknown': 'invalid',
  'model.unknown_provider': 'invalid',
  'model.invalid_ref': 'invalid',
  'model.unsupported': 'invalid',
  'model.duplicate': 'invalid',
  'model.script_ended': 'invalid',
  'tool.duplicate': 'invalid',
  'input.too_large': 'tooLarge',
  'input.unsupported': 'unsupported',
  'idempotency.mismatch': 'mismatch',

  'session.not_found': 'notFound',
  'entry.not_found': 'notFound',
  'blob.not_found': 'notFound',
  'turn.not_found': 'notFound',
  'run.not_found': 'notFound',
  'summary.not_found': 'notFound',
  'archive.not_found': 'notFound',
  'memory.not_found': 'notFound',
  'commitment.not_found': 'notFound',
  'job.not_found': 'notFound',
  'route.not_found': 'notFound',
  'approval.not_found': 'notFound',
  'checkpoint.not_found': 'notFound',
  'map.not_found': 'notFound',
  'pairing.not_found': 'notFound',
  'schedule.not_found': 'notFound',
  'path.not_found': 'notFound',

  'auth.required': 'unauthenticated',
  'auth.denied': 'forbidden',
  'auth.missing': 'credential',
  'auth.expired': 'credential',
  'auth.rejected': 'credential',

  'session.exists': 'refused',
  'session.ended': 'refused',
  'session.closed': 'refused',
  'session.held': 'refused',
  'store.read_only': 'refused',
  'store.closed': 'refused',
  'store.foreign': 'refused',
  'store.version': 'refused',
  'store.driver_missing': 'refused',
  'model.provider_missing': 'refused',
  'session.prefill_too_late': 'refused',
  'run.not_running': 'refused',
  'approval.answered': 'refused',
  'checkpoint.stale': 'refused',
  'context.exhausted': 'refused',
  'context.recall_exhausted': 'refused',
  'commit.token_invalid': 'refused',
  'commit.token_expired': 'refused',
  'job.wrong_state': 'refused',
  'key.ambiguous': 'refused',
  'route.stale': 'refused',
  'route.session_taken': 'refused',
  'allowance.unpriced': 'unpriced',
  'session.busy': 'occupied',
  'gateway.queue_full': 'queueFull',

  'store.conflict': 'conflict',
  'store.fenced': 'fenced',

  'store.busy': 'unavailable',
  'store.unavailable': 'unavailable',
  'store.uncertain': 'unavailable',
  'server.stopping': 'unavailable',
  'job.not_idle': 'unavailable',
  'auth.locked': 'unavailable',
  'auth.refresh_failed': 'unavailable',
  'adapter.unavailable': 'unavailable',
  'provider.unavailable': 'unavailable',
  'provider.truncated': 'unavailable',
  'server.timeout': 'timeout',
  'store.full': 'full',
  'rate.limited': 'rateLimited',

  'store.corrupt': 'broken',
  'store.migration_failed': 'broken',
  'auth.store_corrupt': 'broken',
  'skein.bug': 'broken',
  'provider.rejected': 'provider',
  'provider.overflow': 'provider',
} as const

export type ErrorCode = keyof typeof ruleOf

export const errorRules: Readonly<Record<ErrorCode, ErrorRule>> = Object.fromEntries(
  Object.entries(ruleOf).map(([code, name]) => [code, rules[name]]),
) as Record<ErrorCode, ErrorRule>

/** What an error tells a program, beside its code. Which members a code carries stands in docs/errors.md. */
export type ErrorDetails = Readonly<Record<string, unknown>>

export interface ErrorOptions {
  readonly details?: ErrorDetails
  readonly cause?: unknown
}

const brand: unique symbol = Symbol.for('skein.error')

/** The one error class of Skein. `code` decides; `message` says what to do; `details` is plain data. */
export class SkeinError extends Error {
  override readonly name = 'SkeinError'
  readonly code: ErrorCode
  readonly details: ErrorDetails

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.details = options.details ?? {}
    Object.defineProperty(this, brand, { value: true })
  }

  get category(): Category {
    return errorRules[this.code].category
  }

  get retryable(): boolean {
    return errorRules[this.code].retryable
  }
}

/** True for every error that any copy of this package made, and for nothing else. */
export function isSkeinError(value: unknown): value is SkeinError {
  return value instanceof Error && (value as unknown as Record<symbol, unknown>)[brand] === true
}

/** A caller's mistake at `path`, e.g. `messages[0].content`. Code: `input.invalid`. */
export function invalidInput(path: string, problem: string): SkeinError {
  return new SkeinError('input.invalid', path === '' ? problem : `${path}: ${problem}`, {
    details: { path, issues: [{ path, message: problem }] },
  })
}

/** Turns whatever was thrown into a SkeinError; an unknown throw is a bug of ours and says so. */
export function asSkeinError(thrown: unknown): SkeinError {
  if (isSkeinError(thrown)) return thrown
  return new SkeinError('skein.bug', `Unexpected: ${messageOf(thrown)}`, { cause: thrown })
}

/** What a thrown value says, whatever it is: nothing that foreign code throws makes this throw. */
export function messageOf(thrown: unknown): string {
  try {
    const said: unknown = thrown instanceof Error ? thrown.message : thrown
    return typeof said === 'string' ? said : String(said)
  } catch {
    return `a thrown ${typeof thrown}`
  }
}
