import { z } from '@hono/zod-openapi'
import { type Job, unknownJob } from '#jobs'
import { given, type JobId, type SessionId } from '#kernel'
import { ok } from './answer.ts'
import { whole } from './fields.ts'
import { type Call, route, type Route } from './route.ts'
import { job, jobPage } from './run-schemas.ts'

/** `skein.jobs`: background work of the tenant. */
export const jobRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/jobs',
    operation: 'jobs.list',
    summary: 'Jobs, newest first; next is the before of the following page.',
    query: z.strictObject({
      state: z.enum(['queued', 'running', 'done', 'parked', 'skipped']).optional(),
      kind: z.string().optional(),
      session: z.string().optional(),
      before: z.string().optional(),
      limit: whole(1, 200).optional(),
    }),
    answers: { 200: jobPage },
    run: async ({ skein, query }) => {
      const { limit = 50, session, before } = query
      const filter = { ...query, limit, session: session as SessionId | undefined, before: before as JobId | undefined }
      const items = await skein.jobs.list(given(filter))
      const last = items.at(-1)
      return ok({ items, ...(last === undefined || items.length < limit ? {} : { next: last.id }) })
    },
  }),
  route({
    method: 'get',
    path: '/v1/jobs/idle',
    operation: 'jobs.idle',
    summary: 'Answers when nothing that fits is queued or running; job.not_idle with counts after waitMs (30,000).',
    query: z.strictObject({
      kind: z.string().optional(),
      session: z.string().optional(),
      waitMs: whole(0, 600_000).optional(),
    }),
    streams: true,
    answers: { 200: z.object({ idle: z.literal(true) }) },
    run: async ({ skein, query: { waitMs, session, kind } }) => {
      await skein.jobs.idle(given({ kind, session: session as SessionId | undefined }), given({ waitMs }))
      return ok({ idle: true })
    },
  }),
  route({
    method: 'get',
    path: '/v1/jobs/{id}',
    operation: 'jobs.get',
    summary: 'One job.',
    answers: { 200: job },
    run: async call => ok(await jobOf(call)),
  }),
  route({
    method: 'post',
    path: '/v1/jobs/{id}/retry',
    operation: 'jobs.retry',
    summary: 'Lets a parked job run again.',
    body: z.strictObject({}),
    bodyOptional: true,
    answers: { 200: job },
    run: async ({ skein, params }) => ok(await skein.jobs.retry(params['id'] ?? '')),
  }),
  route({
    method: 'post',
    path: '/v1/jobs/{id}/skip',
    operation: 'jobs.skip',
    summary: 'Gives a parked job up.',
    body: z.strictObject({ reason: z.string().optional() }),
    bodyOptional: true,
    answers: { 200: job },
    run: async ({ skein, params, body }) => ok(await skein.jobs.skip(params['id'] ?? '', body.reason)),
  }),
]

async function jobOf({ skein, params }: Pick<Call, 'skein' | 'params'>): Promise<Job> {
  const id = params['id'] ?? ''
  const found = await skein.jobs.get(id)
  if (found === null) throw unknownJob(id)
  return found
}
