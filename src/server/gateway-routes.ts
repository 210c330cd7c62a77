import { z } from '@hono/zod-openapi'
import type { Inbound, InboxState, OutboxState, RouteFilter, SourceInput } from '#gateway'
import { given, SkeinError } from '#kernel'
import { ok } from './answer.ts'
import { receiptAnswer } from './gateway-refusals.ts'
import {
  delivery,
  explanation,
  finding,
  gatewayRoute,
  inbound,
  inboxPage,
  inboxReceipt,
  inboxState,
  outboxMessage,
  outboxPage,
  outboxState,
  pairing,
  resolved,
  routePage,
  source,
  sourceContext,
} from './gateway-schemas.ts'
import { whole } from './fields.ts'
import { count, entryId, sessionId } from './entry-schemas.ts'
import { type Call, route, type Route } from './route.ts'

const paging = { limit: whole(1, 200).optional(), cursor: z.string().optional() }
const ofSource = z.strictObject({ source })
const sourceOf = ({ source: from }: { readonly source?: unknown }): SourceInput => from as SourceInput

const keyOf = ({ params }: Pick<Call, 'params'>): string => params['key'] ?? ''

/** What a verb with a key gives: `null` is a route that is not there. */
function known<T>(call: Pick<Call, 'params'>, found: T | null): T {
  if (found !== null) return found
  throw new SkeinError('route.not_found', `There is no route ${keyOf(call)}.`, { details: { key: keyOf(call) } })
}

/** What a message of a source would meet, and what it meets. */
const sourceRoutes: readonly Route[] = [
  route({
    method: 'post',
    path: '/v1/gateway/resolve',
    operation: 'gateway.resolve',
    summary: 'The session that a source speaks to, made if need be.',
    body: z.strictObject({ source, forceNew: z.boolean().optional(), touch: z.boolean().optional() }),
    answers: { 200: resolved },
    run: async ({ skein, body }) => {
      const { forceNew, touch } = body
      const { session, ...rest } = await skein.gateway.resolve(sourceOf(body), given({ forceNew, touch }))
      return ok({ sessionId: session.id, ...rest }, { session: session.id })
    },
  }),
  route({
    method: 'post',
    path: '/v1/gateway/handle',
    operation: 'gateway.handle',
    summary:
      'Takes a message in: 202 and its receipt once it is stored, 200 for an event that was known; one that is refused is an error with the receipt in details.',
    body: inbound,
    // The event's id is what tells a repeat.
    replays: 'none',
    answers: { 200: inboxReceipt, 202: inboxReceipt },
    run: async ({ skein, body, request }) => {
      const message = body as Inbound
      const eventId = message.eventId ?? request.headers.get('idempotency-key') ?? undefined
      if (message.internal === true)
        throw new SkeinError('source.invalid', 'internal: Messages from outside are not internal.', {
          details: { path: 'internal', issues: [{ path: 'internal', message: 'Messages from outside are not internal.' }] },
        })
      return receiptAnswer(await skein.gateway.handle({ ...message, ...given({ eventId }) }))
    },
  }),
  route({
    method: 'post',
    path: '/v1/gateway/explain',
    operation: 'gateway.explain',
    summary: 'What a message of a source would meet, and why; writes nothing.',
    scope: 'read',
    body: ofSource,
    answers: { 200: explanation },
    run: async ({ skein, body }) => ok(await skein.gateway.explain(sourceOf(body))),
  }),
  route({
    method: 'post',
    path: '/v1/gateway/context',
    operation: 'gateway.context',
    summary: 'What the model is told of where it speaks, as data; writes nothing.',
    scope: 'read',
    body: ofSource,
    answers: { 200: sourceContext },
    run: async ({ skein, body }) => ok(await skein.gateway.context(sourceOf(body))),
  }),
  route({
    method: 'post',
    path: '/v1/gateway/prompt',
    operation: 'gateway.prompt',
    summary: 'The same as a text.',
    scope: 'read',
    body: z.strictObject({ source, redact: z.boolean().optional() }),
    answers: { 200: z.object({ prompt: z.string() }) },
    run: async ({ skein, body }) => ok({ prompt: await skein.gateway.prompt(sourceOf(body), given({ redact: body.redact })) }),
  }),
  route({
    method: 'post',
    path: '/v1/gateway/deliver',
    operation: 'gateway.deliver',
    summary: 'Puts a message on its way to a target.',
    body: z.strictObject({
      target: z.string(),
      message: z.union([z.string(), z.strictObject({ text: z.string() })]),
      origin: source.optional(),
    }),
    answers: { 202: delivery },
    run: async ({ skein, body: { target, message, origin } }) => {
      const said = await skein.gateway.deliver(target, message, given({ origin: origin as SourceInput | undefined }))
      return ok(said, { status: 202 })
    },
  }),
]

/** Upkeep of all routes. */
const upkeepRoutes: readonly Route[] = [
  route({
    method: 'post',
    path: '/v1/gateway/recover',
    operation: 'gateway.recover',
    summary: 'Marks routes that were active just before something went wrong; how many.',
    body: z.strictObject({ maxAgeMs: z.number().optional(), only: z.literal('unfinished').optional() }),
    bodyOptional: true,
    answers: { 200: z.object({ marked: count }) },
    run: async ({ skein, body: { maxAgeMs, only } }) => ok({ marked: await skein.gateway.recover(maxAgeMs, given({ only })) }),
  }),
  route({
    method: 'post',
    path: '/v1/gateway/prune',
    operation: 'gateway.prune',
    summary: 'Removes routes that were quiet for so many days; how many. Sessions stay.',
    body: z.strictObject({ maxAgeDays: z.number().optional(), dryRun: z.boolean().optional() }),
    bodyOptional: true,
    answers: { 200: z.object({ pruned: count }) },
    run: async ({ skein, body: { maxAgeDays, dryRun } }) =>
      ok({ pruned: await skein.gateway.prune(maxAgeDays, given({ dryRun })) }),
  }),
  route({
    method: 'get',
    path: '/v1/gateway/has-any',
    operation: 'gateway.hasAny',
    summary: 'Whether there was ever more than one session; with except, whether there are others.',
    query: z.strictObject({ except: z.string().optional() }),
    answers: { 200: z.object({ hasAny: z.boolean() }) },
    run: async ({ skein, query }) => ok({ hasAny: await skein.gateway.hasAny(given(query)) }),
  }),
  route({
    method: 'get',
    path: '/v1/gateway/check',
    operation: 'gateway.check',
    summary: 'What somebody should look at; repairs nothing.',
    answers: { 200: z.object({ items: z.array(finding) }) },
    run: async ({ skein }) => ok({ items: await skein.gateway.check() }),
  }),
]

const anyFlag = z.object({ changed: z.boolean() })

/** Verbs with a key, canonical or legacy, percent-encoded. */
const keyRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/gateway/routes',
    operation: 'gateway.list',
    summary: 'Routes, newest activity first, then by key.',
    query: z.strictObject({
      activeWithinMs: whole(0).optional(),
      platform: z.string().optional(),
      chatType: z.string().optional(),
      hold: z.enum(['suspended', 'resume_pending', 'paused']).optional(),
      ...paging,
    }),
    answers: { 200: routePage },
    run: async ({ skein, query }) => ok(await skein.gateway.list(given(query) as RouteFilter)),
  }),
  route({
    method: 'get',
    path: '/v1/gateway/routes/{key}',
    operation: 'gateway.get',
    summary: 'One route.',
    answers: { 200: gatewayRoute },
    run: async call => ok(known(call, await call.skein.gateway.get(keyOf(call)))),
  }),
  route({
    method: 'post',
    path: '/v1/gateway/routes/{key}/reset',
    operation: 'gateway.reset',
    summary: 'Begins afresh.',
    body: z.strictObject({ title: z.string().nullable().optional() }),
    bodyOptional: true,
    answers: { 200: gatewayRoute },
    run: async call => ok(known(call, await call.skein.gateway.reset(keyOf(call), given(call.body)))),
  }),
  route({
    method: 'post',
    path: '/v1/gateway/routes/{key}/switch',
    operation: 'gateway.switch',
    summary: 'Speaks to another session from now on.',
    body: z.strictObject({ sessionId: z.string(), actor: source.optional(), take: z.boolean().optional() }),
    answers: { 200: gatewayRoute },
    run: async call => {
      const { sessionId: id, actor, take } = call.body
      const options = given({ actor: actor as SourceInput | undefined, take })
      return ok(known(call, await call.skein.gateway.switch(keyOf(call), id, options as object)))
    },
  }),
  route({
    method: 'post',
    path: '/v1/gateway/routes/{key}/suspend',
    operation: 'gateway.suspend',
    summary: 'The next message begins afresh.',
    body: z.strictObject({ reason: z.string().optional() }),
    bodyOptional: true,
    answers: { 200: anyFlag },
    run: async call => {
      if (!(await call.skein.gateway.suspend(keyOf(call), call.body.reason))) known(call, null)
      return ok({ changed: true })
    },
  }),
  route({
    method: 'post',
    path: '/v1/gateway/routes/{key}/pause',
    operation: 'gateway.pause',
    summary: 'Messages are stored and wait.',
    body: z.strictObject({ reason: z.string().optional() }),
    bodyOptional: true,
    answers: { 200: anyFlag },
    run: async call => {
      if (!(await call.skein.gateway.pause(keyOf(call), call.body.reason))) known(call, null)
      return ok({ changed: true })
    },
  }),
  route({
    method: 'post',
    path: '/v1/gateway/routes/{key}/unpause',
    operation: 'gateway.unpause',
    summary: 'What waited goes on; false where nothing was paused.',
    body: z.strictObject({}),
    bodyOptional: true,
    answers: { 200: anyFlag },
    run: async call => ok({ changed: await call.skein.gateway.unpause(keyOf(call)) }),
  }),
  route({
    method: 'post',
    path: '/v1/gateway/routes/{key}/mark-resume-pending',
    operation: 'gateway.markResumePending',
    summary: 'The next message finds its session, whatever the policy says; false for unknown and suspended routes.',
    body: z.strictObject({ reason: z.string().optional() }),
    bodyOptional: true,
    answers: { 200: anyFlag },
    run: async call => ok({ changed: await call.skein.gateway.markResumePending(keyOf(call), call.body.reason) }),
  }),
  route({
    method: 'post',
    path: '/v1/gateway/routes/{key}/clear-resume-pending',
    operation: 'gateway.clearResumePending',
    summary: 'Takes that back; false where there is nothing.',
    body: z.strictObject({}),
    bodyOptional: true,
    answers: { 200: anyFlag },
    run: async call => ok({ changed: await call.skein.gateway.clearResumePending(keyOf(call)) }),
  }),
  route({
    method: 'post',
    path: '/v1/gateway/routes/{key}/rewrite',
    operation: 'gateway.rewrite',
    summary: 'Makes the conversation exactly these messages; what was said before stays beside.',
    body: z.strictObject({ messages: z.array(z.unknown()), format: z.string().optional() }),
    answers: {
      200: z.looseObject({ kept: count, added: count, leaf: entryId.nullable().optional(), session: sessionId.optional() }),
    },
    run: async call => {
      const { messages, ...options } = call.body
      return ok(known(call, await call.skein.gateway.rewrite(keyOf(call), messages, given(options) as object)))
    },
  }),
  route({
    method: 'post',
    path: '/v1/gateway/routes/{key}/touch',
    operation: 'gateway.touch',
    summary: 'Something happened on the route.',
    body: z.strictObject({}),
    bodyOptional: true,
    answers: { 200: gatewayRoute },
    run: async call => ok(known(call, await call.skein.gateway.touch(keyOf(call)))),
  }),
]

/** What came in and goes out, and who may speak. */
const messageRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/gateway/inbox',
    operation: 'gateway.inbox.list',
    summary: 'What came in and what became of it, newest first.',
    query: z.strictObject({ key: z.string().optional(), state: inboxState.optional(), ...paging }),
    answers: { 200: inboxPage },
    run: async ({ skein, query: { state, ...rest } }) =>
      ok(await skein.gateway.inbox.list(given({ ...rest, state: state as InboxState | undefined }))),
  }),
  route({
    method: 'get',
    path: '/v1/gateway/outbox',
    operation: 'gateway.outbox.list',
    summary: 'What goes out, newest first.',
    query: z.strictObject({ key: z.string().optional(), state: outboxState.optional(), ...paging }),
    answers: { 200: outboxPage },
    run: async ({ skein, query: { state, ...rest } }) =>
      ok(await skein.gateway.outbox.list(given({ ...rest, state: state as OutboxState | undefined }))),
  }),
  route({
    method: 'post',
    path: '/v1/gateway/outbox/{id}/retry',
    operation: 'gateway.outbox.retry',
    summary: 'Sends a message again that was given up.',
    body: z.strictObject({}),
    bodyOptional: true,
    answers: { 200: outboxMessage },
    run: async ({ skein, params }) => ok(await skein.gateway.outbox.retry(params['id'] ?? '')),
  }),
  route({
    method: 'get',
    path: '/v1/gateway/pairings',
    operation: 'gateway.pairings.list',
    summary: 'Who asked to be let in, and who was; never their codes.',
    answers: { 200: z.object({ items: z.array(pairing) }) },
    run: async ({ skein }) => ok({ items: await skein.gateway.pairings.list() }),
  }),
  route({
    method: 'post',
    path: '/v1/gateway/pairings/{code}/approve',
    operation: 'gateway.pairings.approve',
    summary: 'Lets in whoever was given this code.',
    body: z.strictObject({}),
    bodyOptional: true,
    answers: { 200: pairing },
    run: async ({ skein, params }) => ok(await skein.gateway.pairings.approve(params['code'] ?? '')),
  }),
  route({
    method: 'post',
    path: '/v1/gateway/identities/learn',
    operation: 'gateway.identities.learn',
    summary: 'Two ids are one person’s.',
    body: z.strictObject({ platform: z.string(), a: z.string(), b: z.string(), scope: z.string().optional() }),
    answers: { 200: z.looseObject({}) },
    run: async ({ skein, body: { platform, a, b, scope } }) =>
      ok(await skein.gateway.identities.learn(platform, a, b, given({ scope }))),
  }),
]

/** `skein.gateway`. */
export const gatewayRoutes: readonly Route[] = [...sourceRoutes, ...upkeepRoutes, ...keyRoutes, ...messageRoutes]
