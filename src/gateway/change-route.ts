import type { Change } from '#journal'
import type { Front } from './desk.ts'
import { findRoute } from './find-route.ts'
import { type FoundRoute, type KeptRoute, putRoute } from './route.ts'
import { retried } from './retried.ts'

/** How a route is to be changed, and what rides along; `undefined` leaves it. */
export interface RouteChange {
  readonly route: KeptRoute
  readonly alongside?: readonly Change[]
}

/**
 * Changes the route of a key in one commit, read again when another was faster. The route as it is afterwards, and whether
 * it was changed; `undefined` for an unknown key.
 */
export async function changeRoute(
  { store }: Front,
  key: unknown,
  decide: (found: FoundRoute) => RouteChange | undefined | Promise<RouteChange | undefined>,
): Promise<{ readonly found: FoundRoute; readonly changed: boolean } | undefined> {
  return await retried(async () => {
    const found = await findRoute(store, key)
    if (found === undefined) return undefined
    const change = await decide(found)
    if (change === undefined) return { found, changed: false }
    const next = { route: change.route, version: found.version }
    await store.commit([...(change.alongside ?? []), putRoute(next)])
    return { found: { ...next, version: found.version + 1 }, changed: true }
  })
}
