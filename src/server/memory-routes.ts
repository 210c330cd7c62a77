import { z } from '@hono/zod-openapi'
import { given, type SessionId, SkeinError } from '#kernel'
import type { EraseTarget } from '#memory'
import { ok } from './answer.ts'
import { whole, words } from './fields.ts'
import { jobId, sessionId } from './entry-schemas.ts'
import { eraseReceipt, memory, memoryHits, memoryPage, pending, rangePage, rangeState, receipt } from './memory-schemas.ts'
import { route, type Route } from './route.ts'

const category = z.enum(['profile', 'preference', 'entity', 'event', 'case', 'pattern', 'skill', 'tool'])
const inCategories = words().pipe(z.array(category))
const queued = z.object({
  session: sessionId,
  extraction: z.enum(['queued', 'skipped', 'none']),
  jobs: z.array(jobId),
})

/** `skein.memory`: what sessions taught. A token that is bound to owners reads theirs alone. */
export const memoryRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/memory',
    operation: 'memory.list',
    summary: 'Current memories, newest first.',
    query: z.strictObject({
      owner: z.string().optional(),
      categories: inCategories.optional(),
      limit: whole(1, 200).optional(),
      cursor: z.string().optional(),
    }),
    answers: { 200: memoryPage },
    run: async ({ skein, query: { owner, ...filter } }) => ok(await skein.memory.list(owner, given(filter))),
  }),
  route({
    method: 'get',
    path: '/v1/memory/search',
    operation: 'memory.search',
    summary: 'Finds memories by words; each says in which legs it was found, at which rank.',
    query: z.strictObject({
      query: z.string(),
      owner: z.string().optional(),
      categories: inCategories.optional(),
      at: z.union([whole(0), z.string()]).optional(),
      limit: whole(1, 50).optional(),
    }),
    answers: { 200: memoryHits },
    run: async ({ skein, query: { query, ...rest } }) => {
      const items = await skein.memory.search({ query, ...given(rest) })
      return ok({ items, degraded: items.degraded })
    },
  }),
  route({
    method: 'get',
    path: '/v1/memory/pending',
    operation: 'memory.pending',
    summary: 'Sessions with messages that nothing was learnt from yet.',
    answers: { 200: pending },
    run: async ({ skein }) => ok({ items: await skein.memory.pending() }),
  }),
  route({
    method: 'get',
    path: '/v1/memory/ranges',
    operation: 'memory.ranges',
    summary: 'The ranges that are or were learnt from, and what came of each.',
    query: z.strictObject({
      session: z.string().optional(),
      state: rangeState.optional(),
      extractor: z.string().optional(),
      all: z
        .enum(['true', 'false'])
        .transform(value => value === 'true')
        .optional(),
      limit: whole(1, 200).optional(),
      cursor: z.string().optional(),
    }),
    answers: { 200: rangePage },
    run: async ({ skein, query: { session, ...rest } }) =>
      ok(await skein.memory.ranges(given({ ...rest, session: session as SessionId | undefined }))),
  }),
  route({
    method: 'get',
    path: '/v1/memory/{id}/history',
    operation: 'memory.history',
    summary: 'Every version of a memory, newest first, by its id or uri.',
    answers: { 200: z.object({ items: z.array(memory) }) },
    run: async ({ skein, params }) => ok({ items: await skein.memory.history(params['id'] ?? '') }),
  }),
  route({
    method: 'post',
    path: '/v1/memory/extract',
    operation: 'memory.extract',
    summary: 'Queues what a session says after what was queued before.',
    body: z.strictObject({ session: z.string(), sessionTime: z.string().optional() }),
    answers: { 200: queued },
    run: async ({ skein, body: { session, ...options }, verb: { traceId } }) =>
      ok(await skein.memory.extract(session, given({ ...options, traceId }))),
  }),
  route({
    method: 'post',
    path: '/v1/memory/rewind',
    operation: 'memory.rewind',
    summary: 'Learns from seq on afresh; false where seq was not queued yet.',
    body: z.strictObject({ session: z.string(), seq: z.number() }),
    answers: { 200: z.boolean() },
    run: async ({ skein, body: { session, seq } }) => ok(await skein.memory.rewind(session, seq)),
  }),
  route({
    method: 'post',
    path: '/v1/memory/undo',
    operation: 'memory.undo',
    summary: 'Takes back what a memory’s newest version, an archive or a job taught.',
    body: z.union([
      z.strictObject({ memory: z.string() }),
      z.strictObject({ archive: z.string() }),
      z.strictObject({ job: z.string() }),
    ]),
    answers: { 200: receipt },
    run: async ({ skein, body }) => ok(await skein.memory.undo('memory' in body ? body.memory : body)),
  }),
  route({
    method: 'post',
    path: '/v1/memory/erase',
    operation: 'memory.erase',
    summary: 'Erases a user, a session, entries of it or a memory, with all that was drawn from it; 202 while the job goes on.',
    body: z.union([
      z.strictObject({ user: z.string() }),
      z.strictObject({ session: z.string(), entries: z.array(z.string()).optional() }),
      z.strictObject({ memory: z.string() }),
    ]),
    answers: { 200: eraseReceipt, 202: eraseReceipt },
    run: async ({ skein, body }) => {
      const receipt = await skein.memory.erase(body as EraseTarget)
      return ok(receipt, { status: receipt.state === 'done' ? 200 : 202 })
    },
  }),
  route({
    method: 'get',
    path: '/v1/memory/receipts/{id}',
    operation: 'memory.receipt',
    summary: 'What an undo or an erasing did.',
    answers: { 200: z.union([receipt, eraseReceipt]) },
    run: async ({ skein, params: { id = '' } }) => {
      const found = await skein.memory.receipt(id)
      if (found === null) throw new SkeinError('memory.not_found', `There is no receipt ${id}.`, { details: { receipt: id } })
      return ok(found)
    },
  }),
]
