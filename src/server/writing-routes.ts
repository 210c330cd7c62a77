import { z } from '@hono/zod-openapi'
import { type EntryId, given } from '#kernel'
import type { Entry, ToolDescription } from '#journal'
import { ok, sessionPath } from './answer.ts'
import { sessionOf } from './collection-routes.ts'
import { count, entryId, finishReason, json, messageFormat, messageInput, toolDescription, usageInput } from './entry-schemas.ts'
import { route, type Route } from './route.ts'
import { appended, recorded, sessionInfo } from './session-schemas.ts'

const nothing = z.strictObject({})
const side = z.union([z.string(), z.array(z.unknown()), messageInput])
const holds = z.object({ holds: z.array(z.string()) })

/** Members in one order, whether the entry was just written or read again, so that a replay is the same text. */
function inOrder({ id, session, seq, parentId, type, v, at, by, turn, run, traceId, tokens, totals, ...rest }: Entry): Entry {
  return given({ id, session, seq, parentId, type, v, at, by, turn, run, traceId, tokens, totals, ...rest }) as Entry
}

/** The writing verbs of a session. Their answers are the verbs' values; a replay says so in its header alone. */
export const writingRoutes: readonly Route[] = [
  route({
    method: 'post',
    path: '/v1/sessions/{id}/append',
    operation: 'session.append',
    summary: 'Adds messages to the branch, all or none.',
    body: z.strictObject({ messages: z.union([messageInput, z.array(messageInput)]), format: messageFormat.optional() }),
    replays: 'verb',
    answers: { 201: appended },
    run: async call => {
      const { messages, format } = call.body
      const { replayed, entries, ...value } = await (await sessionOf(call)).append(messages, given({ ...call.verb, format }))
      return { status: 201, value: { entries: entries.map(inOrder), ...value, replayed: false }, replayed }
    },
  }),
  route({
    method: 'post',
    path: '/v1/sessions/{id}/record',
    operation: 'session.record',
    summary: 'Adds a whole turn that your own model made.',
    body: z.strictObject({
      user: side.optional(),
      assistant: side.optional(),
      messages: z.array(messageInput).optional(),
      format: messageFormat.optional(),
      usage: usageInput.nullable().optional(),
      tools: z
        .array(
          z.strictObject({ tool: z.string(), calls: count.optional(), errors: count.optional(), ms: z.int().min(0).optional() }),
        )
        .optional(),
      finishReason: finishReason.optional(),
      model: z.string().optional(),
      at: z.int().min(0).optional(),
      cost: z.int().min(0).nullable().optional(),
    }),
    replays: 'verb',
    answers: { 201: recorded },
    run: async call => {
      const { replayed, entries, ...value } = await (await sessionOf(call)).record(call.body, call.verb)
      return { status: 201, value: { entries: entries.map(inOrder), ...value, replayed: false }, replayed }
    },
  }),
  route({
    method: 'post',
    path: '/v1/sessions/{id}/add-custom',
    operation: 'session.addCustom',
    summary: 'Adds an entry of your own; with a text it is part of the branch.',
    body: z.strictObject({ name: z.string(), data: json.optional(), text: z.string().optional() }),
    answers: { 201: z.object({ entry: entryId, seq: count }) },
    run: async call => ({ status: 201, value: await (await sessionOf(call)).addCustom(given(call.body), call.verb) }),
  }),
  route({
    method: 'post',
    path: '/v1/sessions/{id}/fork',
    operation: 'session.fork',
    summary: 'Copies the journal, whole or up to an entry, into a new session.',
    body: z.strictObject({ at: z.string().optional(), title: z.string().nullable().optional() }),
    bodyOptional: true,
    answers: { 201: sessionInfo },
    run: async call => {
      const { at, title } = call.body
      const fork = await (await sessionOf(call)).fork(given({ ...call.verb, at: at as EntryId | undefined, title }))
      return { status: 201, value: await fork.info(), headers: { location: sessionPath(fork.id) }, session: fork.id }
    },
  }),
  route({
    method: 'post',
    path: '/v1/sessions/{id}/move-to',
    operation: 'session.moveTo',
    summary: 'Ends the branch at another entry from now on. Nothing is removed.',
    body: z.strictObject({ entryId: z.string(), reason: z.string().optional() }),
    answers: { 200: z.object({ leafId: entryId }) },
    run: async call => {
      const { entryId: to, reason } = call.body
      return ok(await (await sessionOf(call)).moveTo(to as EntryId, given({ ...call.verb, reason })))
    },
  }),
  route({
    method: 'post',
    path: '/v1/sessions/{id}/label',
    operation: 'session.label',
    summary: 'Labels an entry; null takes the label off.',
    body: z.strictObject({ entryId: z.string(), text: z.string().nullable() }),
    answers: { 200: z.object({ label: z.string().nullable() }) },
    run: async call => ok(await (await sessionOf(call)).label(call.body.entryId as EntryId, call.body.text, call.verb)),
  }),
  route({
    method: 'post',
    path: '/v1/sessions/{id}/hold',
    operation: 'session.hold',
    summary: 'Keeps runs from starting until the same reason is released.',
    body: z.strictObject({ reason: z.string() }),
    answers: { 200: holds },
    run: async call => ok(await (await sessionOf(call)).hold(call.body.reason, call.verb)),
  }),
  route({
    method: 'post',
    path: '/v1/sessions/{id}/release',
    operation: 'session.release',
    summary: 'Takes a hold back.',
    body: z.strictObject({ reason: z.string() }),
    answers: { 200: holds },
    run: async call => ok(await (await sessionOf(call)).release(call.body.reason, call.verb)),
  }),
  route({
    method: 'post',
    path: '/v1/sessions/{id}/end',
    operation: 'session.end',
    summary: 'From now on the session refuses messages, until it is reopened.',
    body: z.strictObject({ reason: z.string().optional() }),
    bodyOptional: true,
    answers: { 200: sessionInfo },
    run: async call => {
      const session = await sessionOf(call)
      return ok(await session.end(call.body.reason, call.verb), { session: session.id })
    },
  }),
  route({
    method: 'post',
    path: '/v1/sessions/{id}/reopen',
    operation: 'session.reopen',
    summary: 'Opens an ended session again.',
    body: nothing,
    bodyOptional: true,
    answers: { 200: sessionInfo },
    run: async call => {
      const session = await sessionOf(call)
      return ok(await session.reopen(call.verb), { session: session.id })
    },
  }),
  route({
    method: 'put',
    path: '/v1/sessions/{id}/model',
    operation: 'session.setModel',
    summary: 'The model from now on.',
    body: z.strictObject({ model: z.string() }),
    answers: { 200: z.object({ model: z.string() }) },
    run: async call => {
      await (await sessionOf(call)).setModel(call.body.model, call.verb)
      return ok({ model: call.body.model })
    },
  }),
  route({
    method: 'put',
    path: '/v1/sessions/{id}/thinking',
    operation: 'session.setThinking',
    summary: 'How much the model thinks from now on.',
    body: z.strictObject({ thinking: z.string() }),
    answers: { 200: z.object({ thinking: z.string() }) },
    run: async call => {
      await (await sessionOf(call)).setThinking(call.body.thinking, call.verb)
      return ok({ thinking: call.body.thinking })
    },
  }),
  route({
    method: 'put',
    path: '/v1/sessions/{id}/system',
    operation: 'session.setSystem',
    summary: 'The system prompt from now on; null for none.',
    body: z.strictObject({ system: z.string().nullable() }),
    answers: { 200: z.object({ system: z.string().nullable() }) },
    run: async call => {
      const session = await sessionOf(call)
      await session.setSystem(call.body.system, call.verb)
      return ok({ system: call.body.system }, { session: session.id })
    },
  }),
  route({
    method: 'put',
    path: '/v1/sessions/{id}/tools',
    operation: 'session.setTools',
    summary: 'Descriptions of the tools that a host runs itself.',
    body: z.strictObject({ tools: z.array(toolDescription) }),
    answers: { 200: z.object({ tools: z.array(toolDescription) }) },
    run: async call => {
      const tools = call.body.tools as readonly ToolDescription[]
      const session = await sessionOf(call)
      await session.setTools(tools, call.verb)
      return ok({ tools }, { session: session.id })
    },
  }),
]
