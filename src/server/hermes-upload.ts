import { invalidInput, given } from '#kernel'
import type { HermesInput } from '#session'
import { bodyPieces, checkMediaType } from './read-body.ts'
import type { Shared } from './route.ts'

/** It is read whole: an upload of old sessions, not a backup. */
const mostBytes = 256 * 2 ** 20

/**
 * The files of a Hermes gateway as a form sends them: `sessions.json` and `ID.jsonl` by their names, the state database as the
 * field `stateDb`. No path of this machine is read. Throws `input.too_large`, `input.unsupported`, `input.invalid`.
 */
export async function readHermesUpload(request: Request, { settings, timers }: Shared): Promise<HermesInput> {
  checkMediaType(request, ['multipart/form-data'])
  const pieces: Uint8Array[] = []
  const most = Math.min(mostBytes, settings.maxImportBytes)
  for await (const piece of bodyPieces(request, most, { idleMs: settings.requestMs, timers })) pieces.push(piece)
  const type = request.headers.get('content-type') ?? ''
  const files: Record<string, string> = {}
  let stateDb: Uint8Array | undefined
  for (const [field, value] of await formOf(Buffer.concat(pieces), type)) {
    if (typeof value === 'string') throw invalidInput(field, 'Expected a file.')
    if (field === 'stateDb') stateDb = new Uint8Array(await value.arrayBuffer())
    else if (value.name === 'sessions.json' || value.name.endsWith('.jsonl')) files[value.name] = await value.text()
    else throw invalidInput(field, `Expected sessions.json or transcripts, ID.jsonl; got ${value.name.slice(0, 100)}.`)
  }
  return given({ files: Object.keys(files).length === 0 ? undefined : files, stateDb })
}

async function formOf(body: Uint8Array<ArrayBuffer>, type: string): Promise<FormData> {
  try {
    return await new Response(body, { headers: { 'content-type': type } }).formData()
  } catch {
    throw invalidInput('body', 'This is not multipart/form-data.')
  }
}
