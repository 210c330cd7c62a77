import { z } from '@hono/zod-openapi'
import { SkeinError } from '#kernel'
import { ok } from './answer.ts'
import { route, type Route } from './route.ts'
import { version } from './version.ts'

/** The server itself. */
export const systemRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: '/health',
    operation: 'server.health',
    summary: 'The process is there.',
    scope: 'none',
    answers: { 200: z.object({ ok: z.literal(true) }) },
    run: async () => ok({ ok: true }),
  }),
  route({
    method: 'get',
    path: '/ready',
    operation: 'server.ready',
    summary: 'It takes requests: it is not stopping and the store can be reached.',
    scope: 'none',
    answers: { 200: z.object({ ok: z.literal(true) }) },
    run: async ({ shared }) => {
      if (shared.stopping.aborted) throw new SkeinError('server.stopping', 'This server is stopping. Ask another one.')
      try {
        await shared.store.ping()
      } catch (cause) {
        // What is wrong may name hosts and files, and nobody needs a token to ask.
        throw new SkeinError('store.unavailable', 'The store cannot be reached.', { cause })
      }
      return ok({ ok: true })
    },
  }),
  route({
    method: 'get',
    path: '/metrics',
    operation: 'server.metrics',
    summary: 'Numbers for Prometheus; no ids, tenants or text.',
    scope: 'admin',
    answers: { 200: { description: 'Prometheus text.', mediaTypes: ['text/plain'] } },
    run: async ({ shared }) =>
      new Response(shared.metrics.text(shared.store.stats(), shared.streams.count), {
        headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
      }),
  }),
  route({
    method: 'get',
    path: '/openapi.json',
    operation: 'server.openapi',
    summary: 'This document.',
    answers: { 200: z.looseObject({ openapi: z.string(), paths: z.record(z.string(), z.unknown()) }) },
    run: async ({ shared }) => ok(shared.document()),
  }),
  route({
    method: 'get',
    path: '/v1/version',
    operation: 'server.version',
    summary: 'Which Skein this is, and where its journals live.',
    answers: { 200: z.object({ version: z.string(), store: z.object({ adapter: z.string(), format: z.int() }) }) },
    run: async ({ shared }) => {
      const { adapter, format } = shared.store.stats()
      return ok({ version, store: { adapter, format } })
    },
  }),
]
