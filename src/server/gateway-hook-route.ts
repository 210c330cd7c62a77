import { mostHookBytes } from '#gateway'
import { given, invalidInput, SkeinError } from '#kernel'
import { z } from '@hono/zod-openapi'
import type { Answer } from './answer.ts'
import { checkEncoding, bodyPieces } from './read-body.ts'
import { receiptAnswer } from './gateway-refusals.ts'
import { inboxReceipt } from './gateway-schemas.ts'
import { type Call, route, type Route } from './route.ts'

const path = '/v1/gateway/hooks/{name}'

/** Messages by signed requests: the signature is what lets them in, so no token is asked for. Law G81. */
export const gatewayHookRoutes: readonly Route[] = [
  route({
    method: 'post',
    path,
    operation: 'gateway.hook',
    summary:
      'Takes a signed message: skein-signature: t=UNIX_SECONDS,v1=HMAC_SHA_256 of "t.body". 202, or 200 for one that was known. A chat platform signs its own way, and is answered its own way.',
    scope: 'none',
    streamedBody: ['application/json', 'application/x-www-form-urlencoded'],
    replays: 'none',
    answers: { 200: inboxReceipt, 202: inboxReceipt },
    run: async call => {
      admit(call)
      checkEncoding(call.request)
      const pieces: Uint8Array[] = []
      for await (const piece of bodyPieces(call.request, mostHookBytes)) pieces.push(piece)
      return await hooked(call, textOf(Buffer.concat(pieces)))
    },
  }),
  route({
    method: 'get',
    path,
    operation: 'gateway.hook.verify',
    summary: 'Answers a chat platform that asks whether this hook is what it was told it is.',
    scope: 'none',
    query: z.looseObject({}),
    replays: 'none',
    answers: { 200: { description: 'What the platform wants to hear.', mediaTypes: ['text/plain'] } },
    run: call => (admit(call), hooked(call, '')),
  }),
]

/** Before anything is read: whoever asks too often waits. Throws `rate.limited`. */
function admit({ shared, params }: Call): void {
  const retryAfterMs = shared.hookRates.take(params['name'] ?? '')
  if (retryAfterMs > 0)
    throw new SkeinError('rate.limited', 'Too many requests came to this hook. Wait a moment.', { details: { retryAfterMs } })
}

async function hooked({ skein, params, request }: Call, body: string): Promise<Answer | Response> {
  const answered = await skein.gateway.hook(params['name'] ?? '', {
    body,
    request,
    signature: request.headers.get('skein-signature') ?? undefined,
    ...given({ idempotencyKey: request.headers.get('idempotency-key') ?? undefined }),
  })
  return answered instanceof Response ? answered : receiptAnswer(answered)
}

/** Broken UTF-8 is refused: what was signed are bytes. */
function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw invalidInput('body', 'This is not UTF-8.')
  }
}
