import { given, type Json, type SessionId, sha256 } from '#kernel'
import type { Change, RouteRow } from '#journal'
import { displayFields, type Source } from './source.ts'

export type HoldKind = 'suspended' | 'resume_pending' | 'paused'

/** Why messages of a route do not simply go on. At most one of each kind. */
export interface RouteHold {
  readonly kind: HoldKind
  readonly reason: string
  readonly at: number
}

/** That a route's session is a new one, until its first turn is committed. */
export interface Fresh {
  readonly kind: 'auto' | 'manual' | 'forced'
  readonly reason: string
  readonly previousSessionId: SessionId
  /** Whether the session before had a turn. */
  readonly hadActivity: boolean
}

/** A turn that was claimed for a route and has not ended. */
export interface OpenTurn {
  readonly turnId: string
  readonly inboxId: string
  readonly at: number
  /** Of the session's lease. */
  readonly fence: number
}

/** Which session a source speaks to now. Source: spec/gateway.md 5. */
export interface Route {
  readonly key: string
  readonly legacyKey: string
  readonly agent: string
  readonly version: number
  readonly sessionId: SessionId
  /** From 1; one more whenever `sessionId` changes. */
  readonly generation: number
  /** The first message's ids and the latest display fields. */
  readonly origin: Source
  readonly displayName?: string
  readonly platform: string
  readonly chatType: string
  /** Of this session on this route. */
  readonly startedAt: number
  /** The last authorised message of a user. */
  readonly lastUserAt: number
  /** The end of the last turn that such a message began. */
  readonly lastTurnEndedAt?: number
  /** Of anything. */
  readonly lastActivityAt: number
  readonly fresh?: Fresh
  readonly holds: readonly RouteHold[]
  readonly openTurn?: OpenTurn
  readonly interruptions: number
  readonly expiryFinalized: boolean
}

/** How much of a route waits for a turn. It stands on the route, whose version puts all who come and go in one order. */
export interface Queue {
  /** With those that interrupt. */
  readonly waiting: number
  readonly interrupting: number
  /** The order of whoever came last. */
  readonly last: number
}

/** A route as it is kept: what it shows, and whose it is. */
export interface KeptRoute extends Omit<Route, 'version'> {
  /** The row of the person that it uses, `platform:scope:id`. */
  readonly person?: string
  /** That person as the user of the route's sessions. */
  readonly user?: string
  /** Imported: the first source with its legacy key adopts it. Law G12. */
  readonly waits?: true
  readonly queue?: Queue
}

/** A route as it was read. `version` is 0 for one that is not stored yet. */
export interface FoundRoute {
  readonly route: KeptRoute
  readonly version: number
}

export const gatewayRecords = {
  /** Legacy key → canonical keys. */
  legacy: 'gateway.legacy',
  /** Person → aliases and routes, or the person that it is now. */
  person: 'gateway.person',
  /** Key that led to a session → the key that leads there now. */
  moved: 'gateway.moved',
  /** Keys of routes where something is not over: a turn, or a message that waits. */
  open: 'gateway.open',
  /** The tenant's pseudonym key. */
  secret: 'gateway.secret',
} as const

const longest = 1_000

/** A key as a row's: very long ones are cut and end in their hash, behind a sign that no key has. */
export function storedKey(key: string): string {
  return key.length <= longest ? key : `${key.slice(0, longest - 100)}#${sha256(key)}`
}

export function readRoute(row: RouteRow | undefined): FoundRoute | undefined {
  return row === undefined ? undefined : { route: row.value as unknown as KeptRoute, version: row.version }
}

/** What callers see of a route. */
export function shownRoute({ route, version }: FoundRoute): Route {
  const { person: _person, user: _user, waits: _waits, queue: _queue, ...shown } = route
  return { ...shown, version }
}

/** By which routes of a platform are listed. */
export const platformTag = (platform: string): string => `platform:${platform}`

/** Newest activity first, then by key, is the order of the rows. */
export const sortOf = (lastActivityAt: number): number => -lastActivityAt

/** Writes the route over the version that was read. */
export function putRoute({ route, version }: FoundRoute): Change {
  return {
    type: 'put_route',
    key: storedKey(route.key),
    value: given(route) as unknown as Json,
    tags: [route.expiryFinalized ? 'final' : 'live', platformTag(route.platform)],
    sort: sortOf(route.lastActivityAt),
    expectVersion: version,
  }
}

export function deleteRoute({ route, version }: FoundRoute): Change {
  return { type: 'delete_route', key: storedKey(route.key), expectVersion: version }
}

export function holdOf({ holds }: Pick<Route, 'holds'>, kind: HoldKind): RouteHold | undefined {
  return holds.find(hold => hold.kind === kind)
}

/** The first message's ids with the latest display fields; one that is missing now changes nothing. Law G70. */
export function withDisplay(origin: Source, latest: Source): Source {
  return { ...origin, ...given(Object.fromEntries(displayFields.map(field => [field, latest[field]]))) } as Source
}
