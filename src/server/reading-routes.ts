import { z } from '@hono/zod-openapi'
import { type EntryId, given } from '#kernel'
import { readUserInput } from '#agent'
import type { ToolDescription } from '#journal'
import { treeText } from '#session'
import { attachment, ok } from './answer.ts'
import { sessionOf } from './collection-routes.ts'
import { entry, input, messageFormat, toolDescription } from './entry-schemas.ts'
import { flag, whole, words } from './fields.ts'
import { type Call, route, type Route } from './route.ts'
import { entriesPage, messagesPage, searchResult, sessionContext, treeNode, usageReport } from './session-schemas.ts'

const parts = z.enum(['full', 'stub'])
const page = z.strictObject({ before: z.string().optional(), limit: whole(1, 1_000).optional(), parts: parts.optional() })
const format = z.union([z.literal('auto'), messageFormat])

const pageOf = async (call: Call<z.output<typeof page>>, of: 'messages' | 'conversation') => {
  const { before, limit = 100, parts: shown } = call.query
  return ok(await (await sessionOf(call))[of](given({ before: before as EntryId | undefined, limit, parts: shown })))
}

/** What can be read of a session. */
export const readingRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/sessions/{id}/messages',
    operation: 'session.messages',
    summary: 'The newest messages of the branch, oldest first; next is the before of the page before.',
    query: page,
    answers: { 200: messagesPage },
    run: call => pageOf(call, 'messages'),
  }),
  route({
    method: 'get',
    path: '/v1/sessions/{id}/conversation',
    operation: 'session.conversation',
    summary: 'The same without summaries.',
    query: page,
    answers: { 200: messagesPage },
    run: call => pageOf(call, 'conversation'),
  }),
  route({
    method: 'get',
    path: '/v1/sessions/{id}/entries',
    operation: 'session.entries',
    summary: 'The journal by seq; next is the after of the following page.',
    query: z.strictObject({
      after: whole(0).optional(),
      before: whole(1).optional(),
      limit: whole(1, 1_000).optional(),
      types: words().optional(),
      branch: flag().optional(),
      parts: parts.optional(),
    }),
    answers: { 200: entriesPage },
    run: async call => {
      const { limit = 100 } = call.query
      const items = await (await sessionOf(call)).entries(given({ ...call.query, limit }))
      const last = items.at(-1)
      return ok({ items, ...(last === undefined || items.length < limit ? {} : { next: last.seq }) })
    },
  }),
  route({
    method: 'get',
    path: '/v1/sessions/{id}/entries/{entryId}',
    operation: 'session.entry',
    summary: 'One entry.',
    answers: { 200: entry },
    run: async call => ok(await (await sessionOf(call)).entry(call.params['entryId'] as EntryId)),
  }),
  route({
    method: 'get',
    path: '/v1/sessions/{id}/tree',
    operation: 'session.tree',
    summary: 'All branches, straight runs folded.',
    answers: { 200: treeNode },
    run: async call => {
      const tree = await (await sessionOf(call)).tree()
      return new Response(treeText(tree), { headers: { 'content-type': 'application/json' } })
    },
  }),
  route({
    method: 'get',
    path: '/v1/sessions/{id}/usage',
    operation: 'session.usage',
    summary: 'What the session’s requests used and cost.',
    query: z.strictObject({ by: z.enum(['model', 'purpose', 'turn', 'step', 'tool']).optional(), tree: flag().optional() }),
    answers: { 200: usageReport },
    run: async call => ok(await (await sessionOf(call)).usage(given(call.query))),
  }),
  route({
    method: 'get',
    path: '/v1/sessions/{id}/search',
    operation: 'session.search',
    summary: 'Entries of this session that hold the words.',
    query: z.strictObject({ query: z.string(), match: z.enum(['all', 'any']).optional(), limit: whole(1, 100).optional() }),
    answers: { 200: searchResult },
    run: async call => {
      const { query, ...options } = call.query
      return ok(await (await sessionOf(call)).search(query, given(options)))
    },
  }),
  route({
    method: 'get',
    path: '/v1/sessions/{id}/context',
    operation: 'session.context',
    summary: 'What a model has to see next, as it stands; fits says whether it would do.',
    query: z.strictObject({
      format: format.optional(),
      model: z.string().optional(),
      maxTokens: whole(1).optional(),
      explain: flag().optional(),
      view: z.enum(['archives', 'default']).optional(),
      query: z.string().optional(),
    }),
    answers: { 200: sessionContext },
    run: async call => ok(await (await sessionOf(call)).context({ ...given(call.query), compact: false })),
  }),
  route({
    method: 'post',
    path: '/v1/sessions/{id}/context',
    operation: 'session.contextWith',
    summary: 'The same, made to fit; with an input, a system prompt or tools that are not stored.',
    scope: 'read',
    body: z.strictObject({
      input: input.optional(),
      system: z.string().nullable().optional(),
      model: z.string().optional(),
      format: format.optional(),
      tools: z.array(toolDescription).optional(),
      maxTokens: z.int().min(1).optional(),
      compact: z.boolean().optional(),
      explain: z.boolean().optional(),
      view: z.enum(['archives', 'default']).optional(),
      query: z.string().optional(),
    }),
    bodyOptional: true,
    answers: { 200: sessionContext },
    run: async call => {
      const { input: said, tools, ...options } = call.body
      const message = said === undefined ? undefined : readUserInput(said)
      return ok(
        await (
          await sessionOf(call)
        ).context(given({ ...options, input: message, tools: tools as readonly ToolDescription[] | undefined })),
      )
    },
  }),
  route({
    method: 'get',
    path: '/v1/sessions/{id}/blobs/{blob}',
    operation: 'session.blob',
    summary: 'The content of a blob that an entry of the session names.',
    answers: { 200: { description: 'The bytes.', mediaTypes: ['application/octet-stream'] } },
    run: async call => {
      const blob = call.params['blob'] ?? ''
      return attachment(await (await sessionOf(call)).blob(blob), 'application/octet-stream', `${blob}.bin`)
    },
  }),
  route({
    method: 'get',
    path: '/v1/sessions/{id}/export',
    operation: 'session.export',
    summary: 'The whole session in a format.',
    query: z.strictObject({ format: z.enum(['skein', 'pi', 'markdown', 'messages']).optional() }),
    streams: true,
    answers: {
      200: {
        description: 'The session.',
        mediaTypes: ['application/x-ndjson', 'text/markdown', 'application/json'],
        schema: z.array(z.unknown()),
      },
    },
    run: async call => {
      const { format: asked = 'skein' } = call.query
      const session = await sessionOf(call)
      if (asked === 'messages')
        return attachment(Buffer.from(JSON.stringify(await session.export(asked))), 'application/json', 'session.json')
      const body = await streamed(session.exportLines(asked))
      return asked === 'markdown'
        ? attachment(body, 'text/markdown; charset=utf-8', 'session.md')
        : attachment(body, 'application/x-ndjson', 'session.jsonl')
    },
  }),
]

/** The pieces as bytes, made as they are read. What is wrong with the first rejects before anything is sent. */
async function streamed(pieces: AsyncGenerator<string, void, undefined>): Promise<ReadableStream<Uint8Array>> {
  const encoder = new TextEncoder()
  let next: Promise<IteratorResult<string, void>> | undefined = Promise.resolve(await pieces.next())
  return new ReadableStream({
    async pull(controller) {
      const piece = await (next ?? pieces.next())
      next = undefined
      if (piece.done === true) controller.close()
      else controller.enqueue(encoder.encode(piece.value))
    },
    async cancel() {
      await pieces.return()
    },
  })
}
