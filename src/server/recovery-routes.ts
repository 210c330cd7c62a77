import { z } from '@hono/zod-openapi'
import type { Recovery } from '#agent'
import { given } from '#kernel'
import { ok } from './answer.ts'
import { sessionOf } from './collection-routes.ts'
import { count, json, runId, turnId } from './entry-schemas.ts'
import { route, type Route } from './route.ts'

const recovery = z
  .object({
    plan: z.union([
      z.object({
        run: runId,
        turn: turnId,
        state: z.enum(['requesting', 'acting', 'closing']),
        model: z.string(),
        step: count,
        effects: z.array(
          z.object({
            callId: z.string(),
            tool: z.string(),
            input: json,
            state: z.enum(['planned', 'pending', 'ready', 'skipped', 'unknown']),
            action: z.enum(['run', 'rerun', 'append', 'ask']),
          }),
        ),
        inputs: count,
        missing: z.array(z.object({ kind: z.enum(['tool', 'gate', 'hook']), name: z.string() })).optional(),
      }),
      z.null(),
    ]),
    runId: z.union([runId, z.null()]),
  })
  .openapi('Recovery')

const answers = z.record(z.string(), z.union([z.enum(['rerun', 'skip']), z.strictObject({ done: z.unknown() })]))

const told = ({ plan, run }: Recovery): object => ({ plan, runId: run?.id ?? null })

/** Runs whose process died: what is to be done, and doing it. */
export const recoveryRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/sessions/{id}/recovery',
    operation: 'session.recovery',
    summary: 'What is to be done for a run whose process died; null if none did.',
    answers: { 200: recovery },
    run: async call => ok(told(await (await sessionOf(call)).recover())),
  }),
  route({
    method: 'post',
    path: '/v1/sessions/{id}/recovery',
    operation: 'session.recover',
    summary: 'Does it, and the run goes on; calls that may have been carried out are left until they are answered for.',
    body: z.strictObject({ approvals: z.enum(['wait', 'deny', 'end']).optional(), answers: answers.optional() }),
    bodyOptional: true,
    answers: { 200: recovery },
    run: async call => {
      const { approvals, answers: said } = call.body
      return ok(told(await (await sessionOf(call)).recover({ apply: true, ...given({ approvals, answers: said }) })))
    },
  }),
]
