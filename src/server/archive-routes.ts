import { z } from '@hono/zod-openapi'
import { type EntryId, given } from '#kernel'
import type { CommitResult } from '#memory'
import { type Answer, ok } from './answer.ts'
import { sessionOf } from './collection-routes.ts'
import { count, entryId, jobId, sessionId, time } from './entry-schemas.ts'
import { flag, whole } from './fields.ts'
import { route, type Route } from './route.ts'

const archiveId = z.string().openapi({ example: 'arc_01HF7YAT000000000000000000' })
const cause = z.enum(['manual', 'tokens', 'messages', 'age', 'idle', 'close', 'reset', 'expiry'])
const extraction = z.enum(['queued', 'skipped', 'none'])

const committed = z
  .union([
    z.object({ archived: z.literal(false), reason: z.literal('empty') }),
    z.object({
      archived: z.literal(true),
      status: z.enum(['sealed', 'ready']),
      archive: archiveId,
      uri: z.string(),
      fromSeq: count,
      toSeq: count,
      messages: count,
      tokensBefore: z.number(),
      tokensAfter: z.number(),
      overview: z.string().optional(),
      jobs: z.array(jobId),
      extraction,
      cause,
      error: z.object({ code: z.string(), message: z.string() }).optional(),
    }),
  ])
  .openapi('CommitResult')

const archive = z
  .looseObject({
    id: archiveId,
    uri: z.string(),
    session: sessionId,
    fromSeq: count,
    toSeq: count,
    endEntry: entryId,
    state: z.enum(['sealed', 'ready', 'merged']),
    overview: z.string(),
    abstract: z.string(),
    by: z.enum(['model', 'fallback', 'import']),
    why: z.string().optional(),
    counts: z.object({ user: count, assistant: count, tool: count, tokens: z.number() }),
    startedAt: time,
    endedAt: time,
    createdAt: time,
    children: z.array(archiveId).optional(),
    mergedInto: archiveId.optional(),
  })
  .openapi('Archive')

const archivesPage = z.object({ items: z.array(archive), next: z.string().optional() }).openapi('ArchivesPage')
const prepared = z.object({ token: z.string(), expiresAt: time, archive: archiveId })

const afterTurned = z
  .object({
    status: z.enum(['no_new_messages', 'accumulating', 'queued']),
    liveTokens: z.number().optional(),
    archive: archiveId.optional(),
    jobs: z.array(jobId).optional(),
    cause: cause.optional(),
  })
  .openapi('AfterTurn')

const at = (verb: string): string => `/v1/sessions/{id}/${verb}`

/** What is sealed is accepted, what is ready or empty is done. */
const answered = (result: CommitResult): Answer =>
  result.archived && result.status === 'sealed' ? { status: 202, value: result } : ok(result)

/** What a session seals, and what stands for it. */
export const archiveRoutes: readonly Route[] = [
  route({
    method: 'post',
    path: at('commit'),
    operation: 'session.commit',
    summary: 'Seals what is live into an archive; with wait it is ready.',
    body: z.strictObject({
      through: z.string().optional(),
      keepTurns: z.int().min(0).optional(),
      wait: z.union([z.boolean(), z.strictObject({ ms: z.int().min(0) })]).optional(),
      extract: z.boolean().optional(),
      sessionTime: z.string().optional(),
      token: z.string().optional(),
      maxOverviewChars: z.int().min(0).optional(),
    }),
    bodyOptional: true,
    answers: { 200: committed, 202: committed },
    run: async call => {
      const { through, ...options } = call.body
      const asked = given({ ...options, ...call.verb, through: through as EntryId | undefined })
      return answered(await (await sessionOf(call)).commit(asked))
    },
  }),
  route({
    method: 'post',
    path: at('prepare-commit'),
    operation: 'session.prepareCommit',
    summary: 'Learns from what is live, then gives a token that seals just that.',
    body: z.strictObject({ ttlMs: z.int().optional(), sessionTime: z.string().optional() }),
    bodyOptional: true,
    answers: { 200: z.looseObject({ ...prepared.shape, extraction: z.unknown() }) },
    run: async call => {
      const { traceId, signal } = call.verb
      return ok(await (await sessionOf(call)).prepareCommit(given({ ...call.body, traceId, signal })))
    },
  }),
  route({
    method: 'get',
    path: at('prepared'),
    operation: 'session.prepared',
    summary: 'What was prepared, as long as its token works; else null.',
    // Whoever may seal may know the token.
    scope: 'write',
    replays: 'none',
    answers: { 200: z.union([prepared, z.null()]) },
    run: async call => ok(await (await sessionOf(call)).prepared()),
  }),
  route({
    method: 'post',
    path: at('discard-prepared'),
    operation: 'session.discardPrepared',
    summary: 'Withdraws what was prepared.',
    body: z.strictObject({}),
    bodyOptional: true,
    answers: { 200: z.object({ discarded: z.boolean() }) },
    run: async call => ok(await (await sessionOf(call)).discardPrepared()),
  }),
  route({
    method: 'post',
    path: at('after-turn'),
    operation: 'session.afterTurn',
    summary: 'Appends the messages that are new, and seals what is due by the policy.',
    body: z.strictObject({
      messages: z.array(z.unknown()),
      already: z.int().min(0).optional(),
      format: z.string().optional(),
    }),
    answers: { 200: afterTurned },
    run: async call => ok(await (await sessionOf(call)).afterTurn(given(call.body), call.verb)),
  }),
  route({
    method: 'post',
    path: at('close'),
    operation: 'session.close',
    summary: 'Closes the session here; with commit all that is live is sealed first. Any later request opens it again.',
    body: z.strictObject({ commit: z.boolean().optional(), graceMs: z.int().min(0).optional() }),
    bodyOptional: true,
    answers: { 200: z.union([committed, z.null()]) },
    run: async call => ok((await (await sessionOf(call)).close(given(call.body))) ?? null),
  }),
  route({
    method: 'get',
    path: at('archives'),
    operation: 'session.archives',
    summary: 'Archives, newest first; merged ones only with all.',
    query: z.strictObject({ limit: whole(1, 200).optional(), cursor: z.string().optional(), all: flag().optional() }),
    answers: { 200: archivesPage },
    run: async call => {
      const { items, next } = await (await sessionOf(call)).archives(given(call.query))
      return ok({ items, ...given({ next }) })
    },
  }),
  route({
    method: 'get',
    path: at('archives/{archiveId}'),
    operation: 'session.archive',
    summary: 'One archive, merged or not.',
    answers: { 200: archive },
    run: async call => ok(await (await sessionOf(call)).archive(call.params['archiveId'] ?? '')),
  }),
]
