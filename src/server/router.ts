import { Hono } from 'hono'
import type { Route } from './route.ts'

export interface Found {
  readonly route: Route
  readonly params: Readonly<Record<string, string>>
}

/** Takes each request to its route; of two that fit, the one that stands first. `answer` must not reject. */
export function routerOf<V extends object>(
  routes: readonly Route[],
  answer: (visit: V, request: Request, found: Found | undefined) => Promise<Response>,
): (request: Request, visit: V) => Promise<Response> {
  const router = new Hono<{ Bindings: V }>()
  for (const route of routes) {
    router.on(route.method.toUpperCase(), route.path.replaceAll(/\{(\w+)\}/g, ':$1'), c =>
      answer(c.env, c.req.raw, { route, params: c.req.param() }),
    )
  }
  router.notFound(c => answer(c.env, c.req.raw, undefined))
  return async (request, visit) => await router.fetch(request, visit)
}
