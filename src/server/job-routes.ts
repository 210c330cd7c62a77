import { z } from '@hono/zod-openapi'
import { given, parseId, type SessionId, SkeinError } from '#kernel'
import type { JobRow } from '#journal'
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
      const filter = { ...query, limit, session: session as SessionId | undefined, before: before as JobRow['id'] | undefined }
      const items = await skein.jobs.list(given(filter))
      const last = items.at(-1)
      return ok({ items, ...(last === undefined || items.length < limit ? {} : { next: last.id }) })
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
    run: async call => {
      await call.skein.jobs.retry(call.params['id'] ?? '')
      return ok(await jobOf(call))
    },
  }),
  route({
    method: 'post',
    path: '/v1/jobs/{id}/skip',
    operation: 'jobs.skip',
    summary: 'Gives a parked job up.',
    body: z.strictObject({ reason: z.string().optional() }),
    bodyOptional: true,
    answers: { 200: job },
    run: async call => {
      await call.skein.jobs.skip(call.params['id'] ?? '', call.body.reason)
      return ok(await jobOf(call))
    },
  }),
]

async function jobOf({ skein, params }: Pick<Call, 'skein' | 'params'>): Promise<JobRow> {
  const id = parseId('job', params['id'])
  const found = await skein.jobs.get(id)
  if (found === null) throw new SkeinError('job.not_found', `There is no job ${id}.`, { details: { job: id } })
  return found
}
