import { createHash } from 'node:crypto'
import { z } from '@hono/zod-openapi'
import { given, invalidInput } from '#kernel'
import { ok, sessionPath } from './answer.ts'
import { flag } from './fields.ts'
import { readHermesUpload } from './hermes-upload.ts'
import { bodyPieces, checkEncoding, checkMediaType, jsonOf } from './read-body.ts'
import { route, type Route } from './route.ts'
import { folderImported, hermesImported, imported } from './session-schemas.ts'

const mediaTypes = ['application/octet-stream', 'application/x-ndjson', 'application/jsonl', 'application/json', 'text/plain']
const formTypes = ['multipart/form-data']

/** Reads a session as it comes; a fault, or a sender that goes away, stores nothing. */
export const importRoute: Route = route({
  method: 'post',
  path: '/v1/sessions/import',
  operation: 'sessions.import',
  summary:
    'Reads a session from a format. The same bundle again is the same session. Of `og-memory` the nodes are sent, as JSON, of `hermes` the files, as a form.',
  query: z.strictObject({
    format: z.enum(['skein', 'pi', 'claude-code', 'imp', 'og-memory', 'hermes']).optional(),
    as: z.literal('new').optional(),
    zone: z.string().optional(),
    dryRun: flag().optional(),
  }),
  streamedBody: [...mediaTypes, ...formTypes],
  streams: true,
  replays: 'verb',
  answers: {
    200: {
      description: 'It was here already; of hermes, what was added.',
      schema: z.union([imported, folderImported, hermesImported]),
    },
    201: { description: 'It was stored.', schema: z.union([imported, folderImported]) },
  },
  run: async ({ skein, caller, query, request, verb, shared }) => {
    checkEncoding(request)
    const { format = 'skein', as, zone, dryRun } = query
    if (format === 'hermes') {
      if (as !== undefined) throw invalidInput('as', 'Sessions of Hermes are known again by their names.')
      const files = await readHermesUpload(request, shared)
      return ok(await skein.sessions.import('hermes', { ...files, ...given({ zone, dryRun }) }))
    }
    if (zone !== undefined || dryRun !== undefined) throw invalidInput('zone', 'zone and dryRun are for hermes.')
    checkMediaType(request, mediaTypes)
    const { settings, timers } = shared
    const hash = createHash('sha256').update(JSON.stringify(['import', query]))
    const pieces = bodyPieces(request, settings.maxImportBytes, { idleMs: settings.requestMs, timers })
    const body = hashed(pieces, hash)
    const read = async () => {
      const { session, ...report } =
        format === 'og-memory'
          ? await skein.sessions.import(format, await nodesIn(body, as))
          : await skein.sessions.import(format, body, given({ ...verb, as }))
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

/** A path would be one of the server's own folders. */
async function nodesIn(body: AsyncIterable<Uint8Array>, as: 'new' | undefined): Promise<object> {
  if (as !== undefined) throw invalidInput('as', 'Sessions of og-memory are known again by their names.')
  const nodes = await jsonOf(body)
  if (typeof nodes === 'object' && nodes !== null) return nodes
  throw invalidInput('body', 'Expected nodes: a list of { path, content }, or an object of paths.')
}

async function* hashed(
  pieces: AsyncIterable<Uint8Array>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const piece of pieces) {
    hash.update(piece)
    yield piece
  }
}
