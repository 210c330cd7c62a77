import { z } from '@hono/zod-openapi'
import { given } from '#kernel'
import { ok } from './answer.ts'
import { sessionOf } from './collection-routes.ts'
import { count, time } from './entry-schemas.ts'
import { route, type Route } from './route.ts'

const text = z.string().nullable()
const kind = z.enum(['loop', 'decision', 'constraint'])
const fieldValue = z.union([text, z.array(z.string())])

const commitment = z
  .object({
    id: z.string(),
    text: z.string(),
    kind,
    status: z.enum(['open', 'fulfilled', 'expired']),
    addedAt: time,
    seq: count,
    resolvedAt: time.optional(),
    reason: z.string().optional(),
  })
  .openapi('Commitment')

const state = z
  .object({
    objective: text,
    stage: text,
    nextStep: text,
    blockers: z.array(z.string()),
    commitments: z.array(commitment),
    suggested: text,
    changes: z.array(
      z.object({
        field: z.enum(['objective', 'stage', 'nextStep', 'blockers']),
        from: fieldValue,
        to: fieldValue,
        seq: count,
        by: z.enum(['heuristic', 'model', 'import', 'user']),
      }),
    ),
    version: count,
  })
  .openapi('WorkingState')

const path = (verb: string): string => `/v1/sessions/{id}/state${verb === '' ? '' : `/${verb}`}`

/** `session.state`: what a session is about, and what was committed to. */
export const stateRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: path(''),
    operation: 'session.state.get',
    summary: 'Objective, stage, next step, blockers and commitments.',
    answers: { 200: state },
    run: async call => ok(await (await sessionOf(call)).state.get()),
  }),
  route({
    method: 'post',
    path: path('update'),
    operation: 'session.state.update',
    summary: 'Changes the fields that are given; null clears. With a version that is not the newest: store.conflict.',
    body: z.strictObject({
      objective: text.optional(),
      stage: text.optional(),
      nextStep: text.optional(),
      blockers: z.array(z.string()).nullable().optional(),
      version: count.optional(),
    }),
    answers: { 200: state },
    run: async call => {
      const { version, ...patch } = call.body
      return ok(await (await sessionOf(call)).state.update(given(patch), given({ ...call.verb, version })))
    },
  }),
  route({
    method: 'post',
    path: path('add'),
    operation: 'session.state.add',
    summary: 'Records a commitment; one with this text and kind is given back as it is.',
    body: z.strictObject({ text: z.string(), kind: kind.optional() }),
    answers: { 200: commitment },
    run: async call => ok(await (await sessionOf(call)).state.add(given(call.body), call.verb)),
  }),
  route({
    method: 'post',
    path: path('resolve'),
    operation: 'session.state.resolve',
    summary: 'Says what became of a commitment, by its id or its whole text.',
    body: z.strictObject({ id: z.string(), status: z.enum(['fulfilled', 'expired']), reason: text.optional() }),
    answers: { 200: commitment },
    run: async call => {
      const { id, status, reason } = call.body
      return ok(await (await sessionOf(call)).state.resolve(id, status, reason, call.verb))
    },
  }),
  route({
    method: 'post',
    path: path('reopen'),
    operation: 'session.state.reopen',
    summary: 'Opens a commitment again.',
    body: z.strictObject({ id: z.string() }),
    answers: { 200: commitment },
    run: async call => ok(await (await sessionOf(call)).state.reopen(call.body.id, call.verb)),
  }),
  route({
    method: 'post',
    path: path('clear'),
    operation: 'session.state.clear',
    summary: 'Empties every field and forgets all commitments; the journal keeps them.',
    body: z.strictObject({}),
    bodyOptional: true,
    answers: { 200: state },
    run: async call => ok(await (await sessionOf(call)).state.clear(call.verb)),
  }),
]
