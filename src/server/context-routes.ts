import { z } from '@hono/zod-openapi'
import { given } from '#kernel'
import type { PartRef } from '#journal'
import { ok } from './answer.ts'
import { sessionOf } from './collection-routes.ts'
import {
  auditReport,
  compactionResult,
  expanded,
  explained,
  recalled,
  restored,
  summaries,
  turnsPage,
} from './context-schemas.ts'
import { whole } from './fields.ts'
import { route, type Route } from './route.ts'

/** What keeps a session within its budget, and what reads back what it no longer shows. */
export const contextRoutes: readonly Route[] = [
  route({
    method: 'post',
    path: '/v1/sessions/{id}/compact',
    operation: 'session.compact',
    summary: 'Makes summaries and shows them in place of what they cover; nothing is lost.',
    body: z.strictObject({
      dryRun: z.boolean().optional(),
      targetTokens: z.int().min(0).optional(),
      instructions: z.string().optional(),
      only: z.literal('prune').optional(),
    }),
    bodyOptional: true,
    answers: { 200: compactionResult },
    // It goes on without its caller: what it makes is kept.
    run: async call => ok(await (await sessionOf(call)).compact(given(call.body))),
  }),
  route({
    method: 'post',
    path: '/v1/sessions/{id}/unprune',
    operation: 'session.unprune',
    summary: 'Shows parts whole again that were left out or cut.',
    body: z.strictObject({ refs: z.array(z.string()) }),
    answers: { 200: restored },
    run: async call => ok(await (await sessionOf(call)).unprune(call.body.refs as PartRef[])),
  }),
  route({
    method: 'get',
    path: '/v1/sessions/{id}/turns',
    operation: 'session.turns',
    summary: 'The snapshots of ended turns, oldest first; next is the after of the following page.',
    query: z.strictObject({ after: whole(0).optional(), limit: whole(1, 1_000).optional() }),
    answers: { 200: turnsPage },
    run: async call => {
      const { limit = 100 } = call.query
      const items = await (await sessionOf(call)).turns(given({ ...call.query, limit }))
      const last = items.at(-1)
      return ok({ items, ...(last === undefined || items.length < limit ? {} : { next: last.index }) })
    },
  }),
  route({
    method: 'get',
    path: '/v1/sessions/{id}/summaries',
    operation: 'session.summaries',
    summary: 'Every summary, oldest first, and whether the context shows it.',
    answers: { 200: summaries },
    run: async call => ok({ items: await (await sessionOf(call)).summaries() }),
  }),
  route({
    method: 'get',
    path: '/v1/sessions/{id}/audit',
    operation: 'session.audit',
    summary: 'Proves that nothing of the branch is lost to its context.',
    answers: { 200: auditReport },
    run: async call => ok(await (await sessionOf(call)).audit()),
  }),
  route({
    method: 'get',
    path: '/v1/sessions/{id}/expand/{ref}',
    operation: 'session.expand',
    summary: 'A page of what a ref names: a summary’s entries, an entry, a part, a blob.',
    query: z.strictObject({
      offset: whole(0).optional(),
      limit: whole(1).optional(),
      unit: z.enum(['lines', 'chars', 'bytes']).optional(),
    }),
    answers: { 200: expanded },
    run: async call => ok(await (await sessionOf(call)).expand(call.params['ref'] ?? '', given(call.query))),
  }),
  route({
    method: 'get',
    path: '/v1/sessions/{id}/explain/{ref}',
    operation: 'session.explain',
    summary: 'How an entry, or a part of one, is shown in the context now, and why.',
    answers: { 200: explained },
    run: async call => ok(await (await sessionOf(call)).explain(call.params['ref'] ?? '')),
  }),
  route({
    method: 'get',
    path: '/v1/sessions/{id}/recall',
    operation: 'session.recall',
    summary: 'Finds what was said on the branch, wherever it stands now.',
    query: z.strictObject({
      query: z.string(),
      mode: z.enum(['words', 'literal']).optional(),
      role: z.enum(['user', 'assistant', 'tool', 'system']).optional(),
      after: whole(0).optional(),
      before: whole(0).optional(),
      limit: whole(1, 20).optional(),
      cursor: z.string().optional(),
      scope: z.enum(['branch', 'lineage']).optional(),
    }),
    answers: { 200: recalled },
    run: async call => {
      const { query, ...options } = call.query
      return ok(await (await sessionOf(call)).recall(query, given(options)))
    },
  }),
]
