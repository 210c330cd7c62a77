import { isAlias, isObject, type SessionId } from '#kernel'
import { formatKey, keyPartsOf, type KeyFlags, legacyOf } from './key.ts'
import { hermesTime } from './hermes-times.ts'
import type { Fresh, KeptRoute, RouteHold } from './route.ts'
import { waitingKey } from './decide.ts'
import { decodeSource, type Source, wordShape } from './source.ts'

/** A route of `sessions.json`, but for the session that it will have here. */
export interface HermesEntry {
  readonly sessionId: string
  readonly createdAt: number
  route(session: SessionId): KeptRoute
}

/**
 * Reads one entry under its legacy key, or says why it is left out. It waits for the first source with that key: under the
 * key of its origin where that says the same, else under its string. Laws G12, G53.
 */
export function readHermesEntry(legacyKey: string, value: unknown, flags: KeyFlags, zone: string): HermesEntry | string {
  if (!isObject(value)) return 'no entry'
  const { session_id: sessionId } = value
  if (typeof sessionId !== 'string' || sessionId === '') return 'no session id'
  if (!isAlias(sessionId)) return 'unsafe session id'
  const createdAt = hermesTime(value['created_at'], zone)
  const updatedAt = hermesTime(value['updated_at'], zone)
  if (createdAt === undefined || updatedAt === undefined) return 'no dates'
  const [, agent = '', platform = '', type = ''] = legacyKey.split(':')
  if (!legacyKey.startsWith('agent:') || ![agent, platform, type].every(word => wordShape.test(word))) return 'not a session key'
  if (Buffer.byteLength(legacyKey) > 512 || !legacyKey.isWellFormed() || legacyKey.includes('\u0000')) return 'unsafe session key'
  const told = originOf(value['origin'])
  const parts = told === undefined ? undefined : keyPartsOf(told, flags, (_platform, id) => id)
  const fits = parts !== undefined && legacyOf(parts) === legacyKey
  const origin: Source = fits && told !== undefined ? told : { platform, chatId: '', chatType: type, isBot: false }
  const displayName = textOf(value['display_name']) ?? origin.chatName
  return {
    sessionId,
    createdAt,
    route: session => ({
      key: formatKey(fits ? parts : waitingKey(legacyKey)),
      legacyKey,
      agent: 'main',
      sessionId: session,
      generation: 1,
      origin,
      ...(displayName === undefined ? {} : { displayName }),
      platform: origin.platform,
      chatType: origin.chatType,
      startedAt: createdAt,
      lastUserAt: updatedAt,
      lastActivityAt: updatedAt,
      ...freshOf(value),
      holds: holdsOf(value, updatedAt, zone),
      interruptions: 0,
      expiryFinalized: (value['expiry_finalized'] ?? value['memory_flushed']) === true,
      waits: true,
    }),
  }
}

function originOf(value: unknown): Source | undefined {
  try {
    return decodeSource(value)
  } catch {
    return undefined
  }
}

function holdsOf(value: Readonly<Record<string, unknown>>, updatedAt: number, zone: string): RouteHold[] {
  const at = hermesTime(value['last_resume_marked_at'], zone) ?? updatedAt
  return [
    ...(value['suspended'] === true ? [{ kind: 'suspended' as const, reason: 'operator', at: updatedAt }] : []),
    ...(value['resume_pending'] === true && value['suspended'] !== true
      ? [{ kind: 'resume_pending' as const, reason: textOf(value['resume_reason']) ?? 'restart_timeout', at }]
      : []),
  ]
}

/** The session before is not told there. */
function freshOf(value: Readonly<Record<string, unknown>>): { readonly fresh?: Fresh } {
  const isAuto = value['was_auto_reset'] === true
  if (!isAuto && value['is_fresh_reset'] !== true) return {}
  const reason = textOf(value['auto_reset_reason']) ?? (isAuto ? 'idle' : 'manual')
  const hadActivity = value['reset_had_activity'] === true
  return { fresh: { kind: isAuto ? 'auto' : 'manual', reason, previousSessionId: '' as SessionId, hadActivity } }
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)
