import { z } from '@hono/zod-openapi'
import { given } from '#kernel'
import { ok } from './answer.ts'
import { sessionOf } from './collection-routes.ts'
import { count, entryId, runId, time, turnId } from './entry-schemas.ts'
import { route, type Route } from './route.ts'

const fileState = z.object({
  path: z.string(),
  hash: z.string().nullable(),
  bytes: count.optional(),
  mode: count.optional(),
})

const checkpoint = z
  .looseObject({
    checkpoint: z.string(),
    seq: count,
    at: time,
    cause: z.enum(['call', 'hand', 'rewind']),
    label: z.string().optional(),
    callId: z.string().optional(),
    tool: z.string().optional(),
    turn: turnId.optional(),
    run: runId.optional(),
    cwd: z.string(),
    files: z.array(fileState),
  })
  .openapi('Checkpoint')

const item = z
  .object({ path: z.string(), action: z.enum(['restore', 'remove', 'skip']), reason: z.string() })
  .openapi('RewindItem')

const preview = z.strictObject({
  to: z.string().min(1),
  files: z.boolean().optional(),
  conversation: z.boolean().optional(),
  force: z.boolean().optional(),
})

/**
 * The way back to how files stood. Which folders may be written is for the server's own tools to say: no request names one.
 */
export const checkpointRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/sessions/{id}/checkpoints',
    operation: 'session.checkpoints.list',
    summary: 'What is kept of files, oldest first.',
    answers: { 200: z.object({ items: z.array(checkpoint) }) },
    run: async call => ok({ items: await (await sessionOf(call)).checkpoints.list() }),
  }),
  route({
    method: 'post',
    path: '/v1/sessions/{id}/checkpoints/preview',
    operation: 'session.checkpoints.preview',
    summary: 'What going back to before a checkpoint, label or turn would do; touches no file.',
    body: preview,
    answers: { 200: z.object({ token: z.string(), items: z.array(item), conversation: entryId.nullable() }) },
    run: async call => ok(await (await sessionOf(call)).checkpoints.preview(given(call.body))),
  }),
  route({
    method: 'post',
    path: '/v1/sessions/{id}/checkpoints/apply',
    operation: 'session.checkpoints.apply',
    summary: 'Does what a preview showed, after keeping how things stand.',
    body: z.strictObject({ token: z.string().min(1) }),
    answers: { 200: z.object({ checkpoint: z.string().nullable(), items: z.array(item), conversation: entryId.nullable() }) },
    run: async call => ok(await (await sessionOf(call)).checkpoints.apply(call.body.token)),
  }),
]
