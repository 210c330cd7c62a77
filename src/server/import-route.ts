import { createHash } from 'node:crypto'
import { z } from '@hono/zod-openapi'
import { given } from '#kernel'
import { sessionPath } from './answer.ts'
import { bodyPieces, checkEncoding, checkMediaType } from './read-body.ts'
import { route, type Route } from './route.ts'
import { imported } from './session-schemas.ts'

const mediaTypes = ['application/octet-stream', 'application/x-ndjson', 'application/jsonl', 'application/json', 'text/plain']

/** Reads a session as it comes; a fault, or a sender that goes away, stores nothing. */
export const importRoute: Route = route({
  method: 'post',
  path: '/v1/sessions/import',
  operation: 'sessions.import',
  summary: 'Reads a session from a format. The same bundle again is the same session.',
  query: z.strictObject({ format: z.enum(['skein', 'pi', 'claude-code', 'imp']).optional(), as: z.literal('new').optional() }),
  streamedBody: mediaTypes,
  streams: true,
  replays: 'verb',
  answers: {
    200: { description: 'It was here already.', schema: imported },
    201: { description: 'It was stored.', schema: imported },
  },
  run: async ({ skein, caller, query, request, verb, shared }) => {
    checkEncoding(request)
    checkMediaType(request, mediaTypes)
    const { settings, timers } = shared
    const hash = createHash('sha256').update(JSON.stringify(['import', query]))
    const pieces = bodyPieces(request, settings.maxImportBytes, { idleMs: settings.requestMs, timers })
    const body = hashed(pieces, hash)
    const read = async () => {
      const { session, ...report } = await skein.sessions.import(query.format ?? 'skein', body, given({ ...verb, as: query.as }))
      return {
        status: report.created ? 201 : 200,
        value: report,
        headers: { location: sessionPath(session.id) },
        session: session.id,
      }
    }
    const { idempotencyKey } = verb
    if (idempotencyKey === undefined) return await read()
    const digest = async (): Promise<string> => {
      // A repeat is known by all of its bytes, so those that nobody has read yet are read here.
      for await (const _ of body);
      return hash.copy().digest('hex')
    }
    const visible = (session: string): Promise<boolean> => skein.sessions.has(session)
    return await shared.answered.once({ store: shared.store.in(caller.tenant), key: idempotencyKey, digest, visible }, read)
  },
})

async function* hashed(
  pieces: AsyncIterable<Uint8Array>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const piece of pieces) {
    hash.update(piece)
    yield piece
  }
}
