import { OpenAPIHono, z } from '@hono/zod-openapi'
import { errorAnswer } from './entry-schemas.ts'
import type { Route } from './route.ts'
import { version } from './version.ts'

/** OpenAPI 3.1 of the routes, from the schemas that check them. */
export function describeRoutes(routes: readonly Route[]): unknown {
  const described = new OpenAPIHono()
  const registry = described.openAPIRegistry
  registry.registerComponent('securitySchemes', 'token', { type: 'http', scheme: 'bearer' })
  for (const route of routes) {
    const names = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '')
    const writes = route.replays !== 'none' && route.method !== 'get'
    const headers = {
      ...(writes ? { 'idempotency-key': z.string().min(1).max(255).optional() } : {}),
      ...(route.operation === 'session.events' ? { 'last-event-id': z.string().optional() } : {}),
    }
    registry.registerPath({
      method: route.method,
      path: route.path,
      operationId: route.operation,
      summary: route.summary,
      ...(route.scope === 'none' ? { security: [] } : { security: [{ token: [] }], description: `Scope: ${route.scope}.` }),
      request: {
        ...(names.length === 0 ? {} : { params: z.object(Object.fromEntries(names.map(name => [name, z.string()]))) }),
        query: route.query,
        headers: z.object(headers),
        ...bodyOf(route),
      },
      responses: {
        ...Object.fromEntries(
          Object.entries(route.answers).map(([status, told]) => [
            status,
            { description: told.description, content: contentOf(told) },
          ]),
        ),
        default: { description: 'What was refused or failed.', content: { 'application/json': { schema: errorAnswer } } },
      },
    })
  }
  return described.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Skein',
      version,
      description: 'Durable sessions for AI agents. Times are epoch milliseconds, money is nano-dollars.',
    },
  })
}

function bodyOf(route: Route): object {
  if (route.streamedBody !== undefined) {
    return {
      body: { required: true, content: Object.fromEntries(route.streamedBody.map(type => [type, { schema: z.string() }])) },
    }
  }
  if (route.body === undefined) return {}
  return { body: { required: !route.bodyOptional, content: { 'application/json': { schema: route.body } } } }
}

/** The schema is that of JSON; anything else is text or bytes. */
function contentOf({
  mediaTypes = ['application/json'],
  schema = z.unknown(),
}: Route['answers'][number]): Record<string, { schema: z.ZodType }> {
  return Object.fromEntries(mediaTypes.map(type => [type, { schema: type === 'application/json' ? schema : z.string() }]))
}
