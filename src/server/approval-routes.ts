import { z } from '@hono/zod-openapi'
import { given } from '#kernel'
import { ok } from './answer.ts'
import { sessionOf } from './collection-routes.ts'
import { approvalId, json, runId, sessionId, time, turnId } from './entry-schemas.ts'
import { route, type Route } from './route.ts'

const approval = z
  .object({
    id: approvalId,
    session: sessionId,
    run: runId,
    turn: turnId,
    callId: z.string(),
    tool: z.string(),
    input: json,
    hash: z.string(),
    policy: z.string(),
    source: z.string(),
    code: z.string(),
    message: z.string(),
    requestedAt: time,
    state: z.enum(['open', 'answered', 'withdrawn']),
    answer: z
      .object({
        decision: z.enum(['allow', 'deny']),
        scope: z.enum(['once', 'run']),
        reason: z.string().nullable(),
        by: z.string().nullable(),
        at: time,
      })
      .nullable(),
  })
  .openapi('Approval')

const answer = z.strictObject({
  decision: z.enum(['allow', 'deny']),
  scope: z.enum(['once', 'run']).optional(),
  reason: z.string().nullable().optional(),
  by: z.string().nullable().optional(),
})

/** What runs ask a person; answered here, the run goes on wherever it is. */
export const approvalRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/sessions/{id}/approvals',
    operation: 'session.approvals.list',
    summary: 'The calls that wait for a yes or no, oldest first.',
    answers: { 200: z.object({ items: z.array(approval) }) },
    run: async call => ok({ items: await (await sessionOf(call)).approvals.list() }),
  }),
  route({
    method: 'post',
    path: '/v1/sessions/{id}/approvals/{aprId}/answer',
    operation: 'session.approvals.answer',
    summary: 'Says yes or no to one call; the same answer again is one.',
    body: answer,
    answers: { 200: approval },
    run: async call => ok(await (await sessionOf(call)).approvals.answer(call.params['aprId'] ?? '', given(call.body))),
  }),
  route({
    method: 'get',
    path: '/v1/approvals/{aprId}',
    operation: 'sessions.approval',
    summary: 'One question about a call, by its id alone.',
    answers: { 200: approval },
    run: async ({ skein, params }) => ok(await skein.sessions.approval(params['aprId'] ?? '')),
  }),
]
