import { z } from '@hono/zod-openapi'
import { given, isId, type SessionId, sha256 } from '#kernel'
import type { CreateOptions } from '#session'
import { type Call, route, type Route } from './route.ts'
import { ok, sessionPath } from './answer.ts'
import { demandScope } from './access.ts'
import { jsonObject, sessionId, toolDescription } from './entry-schemas.ts'
import { flag, whole, words } from './fields.ts'
import { deleted, searchResult, sessionInfo, sessionPage } from './session-schemas.ts'

const nullableText = z.string().nullable()

const createOptions = z.strictObject({
  id: z.string().optional(),
  title: nullableText.optional(),
  user: nullableText.optional(),
  agent: z.string().optional(),
  cwd: nullableText.optional(),
  parent: nullableText.optional(),
  platform: nullableText.optional(),
  tags: z.array(z.string()).optional(),
  metadata: jsonObject.optional(),
  model: nullableText.optional(),
  thinking: nullableText.optional(),
  system: nullableText.optional(),
  provider: nullableText.optional(),
  identity: nullableText.optional(),
  maxTokens: z.int().min(1).nullable().optional(),
  maxSteps: z.int().min(1).nullable().optional(),
  noTools: z.boolean().nullable().optional(),
  mode: nullableText.optional(),
  autonomy: nullableText.optional(),
  policy: jsonObject.nullable().optional(),
  approvals: nullableText.optional(),
  toolOrder: nullableText.optional(),
  steering: nullableText.optional(),
  cancelGraceMs: z.int().min(0).nullable().optional(),
  cache: jsonObject.nullable().optional(),
  task: jsonObject.nullable().optional(),
  facts: z.array(jsonObject).nullable().optional(),
  tools: z.array(toolDescription).optional(),
  context: jsonObject.optional(),
  view: z.literal('archives').optional(),
  memory: jsonObject.optional(),
  durable: z.boolean().optional(),
  allowance: jsonObject.optional(),
})

const filters = {
  query: z.string().optional(),
  state: z.enum(['active', 'ended', 'deleted']).optional(),
  open: flag().optional(),
  user: z.string().optional(),
  agent: z.string().optional(),
  platform: z.string().optional(),
  cwd: z.string().optional(),
  tag: z.string().optional(),
  parent: z.string().optional(),
  activeWithinMs: whole(0).optional(),
  since: whole(0).optional(),
  until: whole(0).optional(),
}

const searchQuery = z.strictObject({
  query: z.string(),
  match: z.enum(['all', 'any']).optional(),
  roles: words().optional(),
  limit: whole(1, 100).optional(),
})

/** The verbs of `skein.sessions`. Routes with a fixed name stand before those with an id. */
export const collectionRoutes: readonly Route[] = [
  route({
    method: 'post',
    path: '/v1/sessions',
    operation: 'sessions.create',
    summary: 'Creates a session.',
    body: createOptions,
    bodyOptional: true,
    answers: { 201: sessionInfo },
    run: async ({ skein, body, verb }) => {
      const session = await skein.sessions.create({ ...(body as CreateOptions), ...verb })
      return { status: 201, value: await session.info(), headers: { location: sessionPath(session.id) }, session: session.id }
    },
  }),
  route({
    method: 'get',
    path: '/v1/sessions',
    operation: 'sessions.list',
    summary: 'Pages through sessions, newest activity first.',
    query: z.strictObject({
      ...filters,
      sort: z.enum(['-updatedAt', 'updatedAt', '-lastAccessedAt', '-createdAt', 'createdAt', 'title']).optional(),
      limit: whole(1, 200).optional(),
      cursor: z.string().optional(),
    }),
    answers: { 200: sessionPage },
    run: async ({ skein, query }) =>
      ok(await skein.sessions.list(given({ ...query, parent: query.parent as SessionId | undefined }))),
  }),
  route({
    method: 'get',
    path: '/v1/sessions/latest',
    operation: 'sessions.latest',
    summary: 'The session with the newest activity; null if none fits.',
    query: z.strictObject(filters),
    answers: { 200: z.union([sessionInfo, z.null()]) },
    run: async ({ skein, query }) => {
      const session = await skein.sessions.latest(given({ ...query, parent: query.parent as SessionId | undefined }))
      return ok((await session?.info()) ?? null)
    },
  }),
  route({
    method: 'get',
    path: '/v1/sessions/search',
    operation: 'sessions.search',
    summary: 'Entries of any session that hold the words.',
    query: searchQuery,
    answers: { 200: searchResult },
    run: async ({ skein, query: { query, ...options } }) => ok(await skein.sessions.search(query, given(options))),
  }),
  route({
    method: 'post',
    path: '/v1/sessions/evict',
    operation: 'sessions.evict',
    summary: 'Drops sessions from this process’s memory, and nothing else.',
    scope: 'admin',
    body: z.union([z.strictObject({ idleMs: z.int() }), z.strictObject({ id: z.string() })]),
    answers: { 200: z.object({ items: z.array(sessionId) }) },
    run: async ({ skein, body }) => ok({ items: await skein.sessions.evict(body) }),
  }),
  route({
    method: 'get',
    path: '/v1/sessions/{id}',
    operation: 'session.info',
    summary: 'What is known of a session.',
    answers: { 200: sessionInfo },
    run: async call => ok(await (await sessionOf(call)).info()),
  }),
  route({
    method: 'patch',
    path: '/v1/sessions/{id}',
    operation: 'session.update',
    summary: 'Renames a session, replaces its tags, merges its metadata.',
    body: z
      .strictObject({ title: nullableText.optional(), tags: z.array(z.string()).optional(), metadata: jsonObject.optional() })
      .refine(body => Object.keys(body).length > 0, 'Give title, tags or metadata.'),
    answers: { 200: sessionInfo },
    run: async call => {
      const { body, verb } = call
      const session = await sessionOf(call)
      const { title, ...marks } = body
      // The one that can be refused for what it is given goes first. Each verb has a key of its own.
      const second =
        title === undefined || verb.idempotencyKey === undefined
          ? verb
          : { ...verb, idempotencyKey: sha256(`annotate ${verb.idempotencyKey}`) }
      if (Object.keys(marks).length > 0) await session.annotate(given(marks), second)
      if (title !== undefined) await session.rename(title, verb)
      return ok(await session.info(), { session: session.id })
    },
  }),
  route({
    method: 'delete',
    path: '/v1/sessions/{id}',
    operation: 'sessions.delete',
    summary: 'Hides a session for 30 days; with erase, which needs admin, removes it for good.',
    query: z.strictObject({ erase: flag().optional() }),
    answers: { 200: deleted },
    run: async ({ skein, caller, params, query, verb, shared }) => {
      const id = params['id'] ?? ''
      if (query.erase === true) demandScope(caller, 'admin')
      const store = shared.store.in(caller.tenant)
      const row = await store.session(isId('ses', id) ? id : { alias: id })
      const counts = await skein.sessions.delete(id, { ...verb, erase: query.erase === true })
      if (query.erase === true && row !== undefined) await shared.answered.forget(store, row.id)
      return ok(counts)
    },
  }),
  route({
    method: 'post',
    path: '/v1/sessions/{id}/restore',
    operation: 'sessions.restore',
    summary: 'Brings a deleted session back.',
    body: z.strictObject({}),
    bodyOptional: true,
    answers: { 200: sessionInfo },
    run: async ({ skein, params, verb }) => {
      const session = await skein.sessions.restore(params['id'] ?? '', verb)
      return ok(await session.info(), { session: session.id })
    },
  }),
]

/** The session that the path names, by id or alias. Throws `input.invalid`, `session.not_found`. */
export async function sessionOf({
  skein,
  params,
}: Pick<Call, 'skein' | 'params'>): Promise<Awaited<ReturnType<Call['skein']['sessions']['open']>>> {
  return await skein.sessions.open(params['id'] ?? '')
}
