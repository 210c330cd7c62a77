import { isObject, isSkeinError, messageOf, SkeinError } from '#kernel'

/** What is shorter is found in any text and is no secret. */
const shortest = 4

/** A text in which no secret stands any more. */
export const redacted = (text: string, secrets: readonly string[]): string =>
  secrets.reduce((clean, secret) => (secret.length < shortest ? clean : clean.replaceAll(secret, '[REDACTED]')), text)

/**
 * An error that holds none of these secrets, neither in its message nor in its details; the same one if it has none and no
 * cause. What caused it is left out: nobody can say what it holds. Law P12.
 */
export function redactedError(error: SkeinError, secrets: readonly string[]): SkeinError {
  if (secrets.length === 0) return error
  const message = redacted(error.message, secrets)
  const details = redactedValue(error.details, secrets) as SkeinError['details']
  const isClean = error.cause === undefined && message === error.message && details === error.details
  return isClean ? error : new SkeinError(error.code, message, { details })
}

/** Whatever was thrown, without secrets; what is no error of Skein's is the port's fault, and asking again would not help. */
export const redactedThrow = (thrown: unknown, secrets: readonly string[]): SkeinError =>
  isSkeinError(thrown)
    ? redactedError(thrown, secrets)
    : new SkeinError('provider.rejected', redacted(`The model's port broke: ${messageOf(thrown)}`, secrets))

function redactedValue(value: unknown, secrets: readonly string[]): unknown {
  if (typeof value === 'string') return redacted(value, secrets)
  if (Array.isArray(value)) {
    const items = value.map(item => redactedValue(item, secrets))
    return items.every((item, index) => item === value[index]) ? value : items
  }
  if (!isObject(value)) return value
  const members = Object.entries(value).map(([name, item]) => [redacted(name, secrets), redactedValue(item, secrets)] as const)
  const isSame = Object.entries(value).every(([name, item], index) => members[index]?.[0] === name && members[index][1] === item)
  return isSame ? value : Object.fromEntries(members)
}
