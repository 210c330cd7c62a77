import { aText, given, oneOf, shape, wholeNumber } from '#kernel'
import { decodeCursor, encodeCursor, type Page } from '#journal'
import type { Front } from './desk.ts'
import { hasTurn } from './decide.ts'
import { withoutFresh } from './resolve.ts'
import {
  type FoundRoute,
  holdOf,
  type HoldKind,
  type KeptRoute,
  platformTag,
  readRoute,
  type Route,
  shownRoute,
  sortOf,
  storedKey,
} from './route.ts'

export interface RouteFilter {
  /** Something happened within so many milliseconds, the edge included. */
  readonly activeWithinMs?: number
  readonly platform?: string
  readonly chatType?: string
  readonly hold?: HoldKind
  /** 1–200, default 50. */
  readonly limit?: number
  readonly cursor?: string
}

export const checkRouteFilter: (value: unknown, path?: string) => void = shape<RouteFilter>(
  {
    activeWithinMs: wholeNumber(),
    platform: aText,
    chatType: aText,
    hold: oneOf('suspended', 'resume_pending', 'paused'),
    limit: wholeNumber(1, 200),
    cursor: aText,
  },
  'filter',
)

/** Newest activity first, then by key. Law G48. */
export async function listRoutes(front: Front, filter: RouteFilter): Promise<Page<Route>> {
  const { store, desk } = front
  const { limit = 50, activeWithinMs } = filter
  if (filter.cursor !== undefined) decodeCursor(filter.cursor, 'number')
  const found: FoundRoute[] = []
  for (let { cursor } = filter; ;) {
    const sortTo = activeWithinMs === undefined ? undefined : sortOf(desk.now - activeWithinMs)
    const tag = filter.platform === undefined ? undefined : platformTag(filter.platform.toLowerCase())
    const page = await store.routes({ limit: Math.min(500, limit + 1), ...given({ sortTo, cursor, tag }) })
    for (const row of page.items) {
      const route = readRoute(row)
      if (route !== undefined && fits(route.route, filter)) found.push(route)
      if (found.length > limit) return { items: await shownAll(front, found.slice(0, limit)), next: placeOf(found[limit - 1]) }
    }
    if (page.next === undefined) return { items: await shownAll(front, found) }
    cursor = page.next
  }
}

const placeOf = (found: FoundRoute | undefined): string =>
  found === undefined ? '' : encodeCursor([sortOf(found.route.lastActivityAt), storedKey(found.route.key)])

function fits(route: KeptRoute, { platform, chatType, hold }: RouteFilter): boolean {
  return (
    (platform === undefined || route.platform === platform.toLowerCase()) &&
    (chatType === undefined || route.chatType === chatType) &&
    (hold === undefined || holdOf(route, hold) !== undefined)
  )
}

async function shownAll(front: Front, found: readonly FoundRoute[]): Promise<Route[]> {
  return await Promise.all(found.map(one => asShown(front, one)))
}

/** The route as callers see it now: it is fresh until its session's first turn is committed. */
export async function asShown({ store }: Front, found: FoundRoute): Promise<Route> {
  const route = shownRoute(found)
  return route.fresh !== undefined && hasTurn(await store.session(route.sessionId)) ? withoutFresh(route) : route
}
