import { type Clock, systemClock } from './clock.ts'
import { invalidInput } from './errors.ts'
import { type Random, systemRandom } from './random.ts'

/** One prefix per noun. A blob's id is its hash and is made in `hash.ts`. */
export const idPrefixes = [
  'ses',
  'ent',
  'trn',
  'run',
  'stp',
  'inp',
  'req',
  'sum',
  'cmp',
  'map',
  'arc',
  'rng',
  'mem',
  'cmt',
  'job',
  'apr',
  'chk',
  'inb',
  'out',
  'par',
  'sch',
  'own',
  'evt',
] as const

export type IdPrefix = (typeof idPrefixes)[number]
export type Id<P extends IdPrefix = IdPrefix> = `${P}_${string}`
export type SessionId = Id<'ses'>
export type EntryId = Id<'ent'>
export type TurnId = Id<'trn'>
export type RunId = Id<'run'>
export type StepId = Id<'stp'>
export type JobId = Id<'job'>
export type BlobId = `blb_${string}`
export type NewId = <P extends IdPrefix>(prefix: P) => Id<P>

const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const values = new Map([...digits].map((digit, value) => [digit, value]))

/**
 * Makes ids `PREFIX_` + 26 upper-case ULID characters that strictly increase within this maker, also inside one
 * millisecond and when the clock steps back (then the newest time seen goes on counting).
 * Source: github.com/ulid/spec (48 bits of time, 80 of randomness, Crockford base 32); law J1.
 */
export function createIds({ clock = systemClock, random = systemRandom }: { clock?: Clock; random?: Random } = {}): NewId {
  let lastAt = -1
  let time = ''
  const tail = new Uint8Array(16)
  return prefix => {
    const now = clock.now()
    if (now > lastAt) {
      lastAt = now
      time = encodeTime(now)
      random.bytes(tail)
      for (let i = 0; i < 16; i++) tail[i] = (tail[i] ?? 0) & 31
      // A low first digit leaves room to count up within the millisecond.
      tail[0] = (tail[0] ?? 0) & 15
    } else {
      for (let i = 15; i >= 0; i--) {
        const next = (tail[i] ?? 0) + 1
        tail[i] = next & 31
        if (next < 32) break
      }
    }
    let id = `${prefix}_${time}`
    for (let i = 0; i < 16; i++) id += digits[tail[i] ?? 0] ?? '0'
    return id as Id<typeof prefix>
  }
}

function encodeTime(at: number): string {
  let text = ''
  for (let rest = at, i = 0; i < 10; i++, rest = Math.floor(rest / 32)) text = (digits[rest % 32] ?? '0') + text
  return text
}

/** Ids for a process that has no clock of its own to hand in. */
export const newId: NewId = createIds()

const shape = new RegExp(`^(${idPrefixes.join('|')})_[0-7][${digits}]{25}$`)
const blobShape = /^blb_[0-9a-f]{32}$/
const reserved = new RegExp(`^(${idPrefixes.join('|')}|blb)_`)
const aliasShape = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/

export function isId<P extends IdPrefix>(prefix: P, value: unknown): value is Id<P> {
  return typeof value === 'string' && value.startsWith(`${prefix}_`) && shape.test(value)
}

export function isBlobId(value: unknown): value is BlobId {
  return typeof value === 'string' && blobShape.test(value)
}

/** Checks a caller's id before any effect. Throws `input.invalid`. Law J2. */
export function parseId<P extends IdPrefix>(prefix: P, value: unknown, path: string = 'id'): Id<P> {
  if (isId(prefix, value)) return value
  throw invalidInput(path, `Expected an id like ${prefix}_ and 26 upper-case ULID characters.`)
}

export function isAlias(value: unknown): value is string {
  return typeof value === 'string' && aliasShape.test(value) && !reserved.test(value)
}

/** A session's id or its alias. Throws `input.invalid` for anything else. Source: spec/foundation.md 1.1. */
export function parseSessionRef(value: unknown, path: string = 'id'): SessionId | { alias: string } {
  if (isId('ses', value)) return value
  if (isAlias(value)) return { alias: value }
  throw invalidInput(path, 'Expected a session id (ses_…) or an alias of 1–128 letters, digits, dots, underscores or hyphens.')
}

/** When an id was made, in epoch milliseconds. */
export function timeOfId(id: Id): number {
  let at = 0
  for (const digit of id.slice(4, 14)) at = at * 32 + (values.get(digit) ?? 0)
  return at
}

const tenantShape = /^[a-z0-9][a-z0-9_-]{0,62}$/

/** Checks a tenant's name. Throws `input.invalid`. */
export function parseTenant(value: unknown): string {
  if (typeof value === 'string' && tenantShape.test(value)) return value
  throw invalidInput(
    'tenant',
    'Expected 1–63 lower-case letters, digits, hyphens or underscores, beginning with a letter or digit.',
  )
}

/** Skein's own rows, such as access tokens. No caller's tenant is called so. Source: spec/foundation.md 3.2. */
export const reservedTenant = '_'

/** What a store takes: any tenant, or the reserved one. Throws `input.invalid`. */
export function parseStoreTenant(value: unknown): string {
  return value === reservedTenant ? reservedTenant : parseTenant(value)
}
