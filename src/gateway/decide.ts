import { isObject } from '#kernel'
import type { SessionRow } from '#journal'
import { activeWork, type Pin } from './active-work.ts'
import type { Desk } from './desk.ts'
import { readRouteRow, type Reads, routeAt } from './find-route.ts'
import { formatKey, isShared, keyPartsOf, legacyOf, placeKeyOf, type SessionKey } from './key.ts'
import { type People, type Person, personPlatform, readPerson } from './person.ts'
import { evaluateReset, type ResetDecision } from './reset-policy.ts'
import { type Fresh, type FoundRoute, holdOf } from './route.ts'
import { isThere } from './session-bond.ts'
import { type NamedRule, ruleFor } from './settings.ts'
import type { Source } from './source.ts'
import { lastUserTurnEnd } from './turn-ends.ts'

/** What a message finds. */
export interface Situation {
  readonly source: Source
  readonly key: string
  readonly legacyKey: string
  readonly parts: SessionKey
  readonly isShared: boolean
  readonly people: People
  /** Whose the route is, where it is somebody's: who speaks, or the person that links make of them. */
  readonly owner: Person | undefined
  /** The route, or an imported one that this source adopts. */
  readonly found: FoundRoute | undefined
  readonly adopted: boolean
  /** The session of the route. */
  readonly row: SessionRow | undefined
}

/** Which session the message goes to, and why. */
export type Verdict =
  | { readonly action: 'create' | 'adopt' | 'keep' }
  | { readonly action: 'reset'; readonly kind: Fresh['kind']; readonly reason: string }

export interface Judgement {
  readonly verdict: Verdict
  readonly rule: NamedRule
  readonly pin: Pin | undefined
  readonly nextAt: number | null
  /** Where the journal knows of a later end of a turn than the route. */
  readonly turnEndedAt: number | undefined
}

export async function readSituation(desk: Desk, store: Reads, source: Source, people: People): Promise<Situation> {
  const { flags } = desk.settings
  const place = placeKeyOf(source, flags, people.resolver)
  const parts = keyPartsOf(source, flags, people.resolver, people.speaker?.aliases)
  const isLinked = parts.platform === personPlatform
  const key = formatKey(parts)
  const legacyKey = legacyOf(place)
  const own = await routeAt(store, key)
  const waiting = own === undefined ? await waitingFor(store, place, legacyKey) : undefined
  const found = own ?? waiting
  const row = found === undefined ? undefined : await store.session(found.route.sessionId)
  const adopted = waiting !== undefined || own?.route.waits === true
  const owner = isLinked ? await readPerson(store, personPlatform, undefined, parts.user ?? '') : people.speaker
  return { source, key, legacyKey, parts, isShared: isShared(key), people, owner, found, adopted, row }
}

/** An imported route under the key without scope, or under its string alone, which the first source that fits adopts. Law G12. */
async function waitingFor(store: Reads, parts: SessionKey, legacyKey: string): Promise<FoundRoute | undefined> {
  const { scope, ...scopeless } = parts
  const keys = [
    ...(scope === undefined ? [] : [formatKey(scopeless)]),
    ...(Buffer.byteLength(legacyKey) > 512 ? [] : [formatKey(waitingKey(legacyKey))]),
  ]
  for (const key of keys) {
    const found = await readRouteRow(store, key)
    if (found?.route.waits === true) return found
  }
  return undefined
}

/** Where an imported route waits of which nothing but its string is known. */
export function waitingKey(legacyKey: string): SessionKey {
  return { agent: 'main', platform: 'legacy', type: 'dm', chat: legacyKey }
}

export interface Asking {
  readonly forceNew?: boolean
  readonly whole?: boolean
  /** `false`: the policy is not asked. */
  readonly timed?: boolean
}

/**
 * The first row of the table that fits. With `whole` all that is asked is known, also what the verdict does not need.
 * Source: spec/gateway.md 5.
 */
export async function judge(
  desk: Desk,
  store: Reads,
  { source, key, found, adopted, row }: Situation,
  { forceNew = false, whole = false, timed = true }: Asking = {},
): Promise<Judgement> {
  const rule = ruleFor(desk.settings, source)
  const known = { rule, pin: undefined, nextAt: null, turnEndedAt: undefined }
  if (found === undefined) return { ...known, verdict: { action: 'create' } }
  const { route } = found
  const same: Verdict = { action: adopted ? 'adopt' : 'keep' }
  const early: Verdict | undefined = forceNew
    ? { action: 'reset', kind: 'forced', reason: 'forced' }
    : !isThere(row)
      ? { action: 'reset', kind: 'auto', reason: 'missing' }
      : holdOf(route, 'paused') !== undefined
        ? same
        : holdOf(route, 'suspended') !== undefined
          ? { action: 'reset', kind: 'auto', reason: 'suspended' }
          : holdOf(route, 'resume_pending') !== undefined
            ? same
            : undefined
  if (early !== undefined && !whole) return { ...known, verdict: early }
  if (!timed) return { ...known, verdict: same }
  const now = desk.now
  const decideAt = (lastTurnEndedAt: number): ResetDecision =>
    evaluateReset(rule.policy, { lastUserAt: Math.max(route.lastUserAt, route.startedAt), lastTurnEndedAt }, now)
  let turnEndedAt = route.lastTurnEndedAt ?? 0
  let decision = decideAt(turnEndedAt)
  if (decision.due || whole) {
    const known = Math.max(route.lastUserAt, turnEndedAt)
    const later = await lastUserTurnEnd(store, row, Math.min(known, now))
    if (later !== undefined && later > turnEndedAt) decision = decideAt((turnEndedAt = later))
  }
  const pin = decision.due || whole ? await activeWork(desk, store, key, row) : undefined
  const due: Verdict =
    decision.due && pin === undefined ? { action: 'reset', kind: 'auto', reason: decision.reason ?? 'idle' } : same
  return {
    rule,
    pin,
    nextAt: decision.nextAt,
    verdict: early ?? due,
    turnEndedAt: turnEndedAt > (route.lastTurnEndedAt ?? 0) ? turnEndedAt : undefined,
  }
}

/** Whether a session's first turn is committed: until then its route says that it is fresh. */
export function hasTurn(row: SessionRow | undefined): boolean {
  return row !== undefined && row.counters.turnCount > (isObject(row.data['running']) ? 1 : 0)
}
