import { isSkeinError, SkeinError } from '#kernel'

/** A connection that was lost after a statement was sent: nobody knows whether it was carried out. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost'
}

/** The five characters, one a digit at least, by which the server says what went wrong; absent when the connection broke. */
export function sqlState(error: unknown): string | undefined {
  const code: unknown = error instanceof Error ? (error as { code?: unknown }).code : undefined
  return typeof code === 'string' && /^(?=.*\d)[0-9A-Z]{5}$/.test(code) ? code : undefined
}

/** Serialization failures and deadlocks: the server undid everything and asks to try again. */
export function isRetryable(error: unknown): boolean {
  const state = sqlState(error)
  return state === '40001' || state === '40P01'
}

export function isDuplicate(error: unknown): boolean {
  return sqlState(error) === '23505'
}

/** Whether the server or the way to it went away while it was at work. */
export function isLost(error: unknown): boolean {
  if (error instanceof ConnectionLost) return true
  if (isSkeinError(error) || !(error instanceof Error)) return false
  const state = sqlState(error)
  if (state !== undefined) return /^(57P0[1-5]|08|25P03)/.test(state)
  const code = (error as { code?: unknown }).code
  return typeof code === 'string' || /connection|timeout|terminat/i.test(error.message)
}

/** Says in Skein's words what a driver's error means to a caller. */
export function asStoreError(error: unknown): SkeinError {
  if (isSkeinError(error)) return error
  const state = sqlState(error)
  const message = error instanceof Error ? error.message : String(error)
  const make = (code: SkeinError['code'], text: string): SkeinError => new SkeinError(code, text, { cause: error })
  if (state === undefined || isLost(error) || /^(53[34]|57P)/.test(state))
    return make('store.unavailable', `Postgres can't be reached: ${message}. Try again.`)
  if (/^53(1|0)/.test(state)) return make('store.full', `Postgres has no space left: ${message}.`)
  if (state === '25006') return make('store.read_only', 'This Postgres takes no writes. Connect to the primary.')
  if (state === '55P03' || isRetryable(error)) return make('store.busy', `Postgres is busy: ${message}. Try again.`)
  if (/^XX00[12]/.test(state)) return make('store.corrupt', `Postgres reports damage: ${message}.`)
  if (/^(28|3D)/.test(state)) return make('config.invalid', `Postgres refuses the connection: ${message}.`)
  if (/^(42P01|3F000|42703)/.test(state)) return make('store.foreign', `The schema skein isn't Skein's any more: ${message}.`)
  return make('skein.bug', `Postgres refused a statement (${state}): ${message}`)
}
