import { mostHookBytes } from '#gateway'
import { given, invalidInput } from '#kernel'
import { checkEncoding, bodyPieces } from './read-body.ts'
import { receiptAnswer } from './gateway-refusals.ts'
import { inboxReceipt } from './gateway-schemas.ts'
import { route, type Route } from './route.ts'

/** A message by a signed request: the signature is what lets it in, so no token is asked for. Law G81. */
export const gatewayHookRoute: Route = route({
  method: 'post',
  path: '/v1/gateway/hooks/{name}',
  operation: 'gateway.hook',
  summary:
    'Takes a signed message: skein-signature: t=UNIX_SECONDS,v1=HMAC_SHA_256 of "t.body". 202, or 200 for one that was known.',
  scope: 'none',
  streamedBody: ['application/json'],
  replays: 'none',
  answers: { 200: inboxReceipt, 202: inboxReceipt },
  run: async ({ skein, params, request }) => {
    checkEncoding(request)
    const pieces: Uint8Array[] = []
    for await (const piece of bodyPieces(request, mostHookBytes)) pieces.push(piece)
    const received = {
      body: textOf(Buffer.concat(pieces)),
      signature: request.headers.get('skein-signature') ?? undefined,
      ...given({ idempotencyKey: request.headers.get('idempotency-key') ?? undefined }),
    }
    return receiptAnswer(await skein.gateway.hook(params['name'] ?? '', received))
  },
})

/** Broken UTF-8 is refused: what was signed are bytes. */
function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw invalidInput('body', 'This is not UTF-8.')
  }
}
