import { invalidInput, type Json, SkeinError, type Timers, within } from '#kernel'

/**
 * The pieces of a body, refused with `input.too_large` as soon as they are more than `maxBytes`, told or counted.
 * With `idleMs`, a sender that is silent for longer is `server.timeout`.
 */
export async function* bodyPieces(
  request: Request,
  maxBytes: number,
  idle?: { readonly idleMs: number; readonly timers: Timers },
): AsyncGenerator<Uint8Array, void, undefined> {
  const told = Number(request.headers.get('content-length') ?? 0)
  if (told > maxBytes) throw tooLarge(maxBytes)
  if (request.body === null) return
  const reader = request.body.getReader()
  let bytes = 0
  try {
    for (;;) {
      const piece = reader.read()
      const { done, value } = await (idle === undefined
        ? piece
        : within(idle.timers, idle.idleMs, piece, () => silent(idle.idleMs)))
      if (done) return
      bytes += value.length
      if (bytes > maxBytes) throw tooLarge(maxBytes)
      yield value
    }
  } finally {
    // What is still to come is not read.
    await reader.cancel().catch(() => undefined)
  }
}

function silent(idleMs: number): never {
  throw new SkeinError('server.timeout', `Nothing came for ${idleMs} ms.`)
}

/** A JSON body; `undefined` for an empty one. Throws `input.unsupported`, `input.too_large`, `input.invalid`. */
export async function readJson(request: Request, maxBytes: number): Promise<Json | undefined> {
  checkEncoding(request)
  const bytes = await allOf(bodyPieces(request, maxBytes))
  if (bytes.length === 0) return undefined
  checkMediaType(request, ['application/json'])
  return parseJson(decodeText(bytes))
}

/** What pieces say together, as JSON. Throws `input.invalid`. */
export const jsonOf = async (pieces: AsyncIterable<Uint8Array>): Promise<Json> => parseJson(decodeText(await allOf(pieces)))

async function allOf(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const piece of pieces) all.push(piece)
  return Buffer.concat(all)
}

export function checkEncoding(request: Request): void {
  const encoding = request.headers.get('content-encoding') ?? 'identity'
  if (encoding !== 'identity')
    throw new SkeinError('input.unsupported', `Content-Encoding: Send the body as it is, not ${encoding}.`)
}

export function checkMediaType(request: Request, accepted: readonly string[]): void {
  const given = request.headers.get('content-type') ?? ''
  const [type = '', ...parameters] = given.split(';').map(part => part.trim().toLowerCase())
  const charset = parameters
    .find(part => part.startsWith('charset='))
    ?.slice('charset='.length)
    .replaceAll('"', '')
  if (!accepted.includes(type) || (charset !== undefined && charset !== 'utf-8' && charset !== 'utf8')) {
    throw new SkeinError('input.unsupported', `Content-Type: Expected ${accepted.join(' or ')} in UTF-8.`, {
      details: { expected: accepted },
    })
  }
}

/** Broken UTF-8 is refused, never replaced. */
function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw invalidInput('body', 'This is not UTF-8.')
  }
}

function parseJson(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    throw invalidInput('body', 'This is not JSON.')
  }
}

function tooLarge(max: number): SkeinError {
  return new SkeinError('input.too_large', `A body takes at most ${max} bytes.`, { details: { max } })
}
