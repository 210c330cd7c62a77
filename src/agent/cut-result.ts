import { type BlobId, blobId, byteLength, sha256, stringify } from '#kernel'
import type { FileInput, ToolResultPart } from '#journal'

export const maxResultLines = 2_000
export const maxResultBytes = 51_200

export interface CutResult {
  readonly result: ToolResultPart
  /** All of it, as the file that the marker names. Absent if nothing was cut. */
  readonly whole?: FileInput
}

/**
 * Cuts a result that is too long for a context, at the end of a line or, where a line is longer, at a code point; a marker
 * behind it names the blob that holds all. Pure. Law A26.
 */
export function cutResult(result: ToolResultPart): CutResult {
  const isText = typeof result.output === 'string'
  const text = isText ? (result.output as string) : stringify(result.output)
  const shown = cutText(text)
  if (shown === text) return { result }
  const data = Buffer.from(text)
  const blob: BlobId = blobId(sha256(data))
  const lines = text.split('\n').length
  const marker = `[cut: ${byteLength(shown)} of ${data.length} bytes, ${lines} lines in all; the whole is ${blob}]`
  const whole: FileInput = { type: 'file', mediaType: isText ? 'text/plain' : 'application/json', name: result.callId, data }
  return { result: { ...result, output: `${shown}${shown.endsWith('\n') ? '' : '\n'}${marker}` }, whole }
}

function cutText(text: string): string {
  let end = 0
  let bytes = 0
  for (let lines = 0; lines < maxResultLines && end < text.length; lines++) {
    const newline = text.indexOf('\n', end)
    const next = newline < 0 ? text.length : newline + 1
    const size = byteLength(text.slice(end, next))
    if (bytes + size > maxResultBytes) return end > 0 ? text.slice(0, end) : cutBytes(text, maxResultBytes)
    bytes += size
    end = next
  }
  return text.slice(0, end)
}

/** The longest beginning of so many bytes that ends between two code points. */
function cutBytes(text: string, max: number): string {
  const bytes = Buffer.from(text.slice(0, max))
  let end = Math.min(max, bytes.length)
  while (end > 0 && end < bytes.length && ((bytes[end] as number) & 0xc0) === 0x80) end--
  return bytes.subarray(0, end).toString()
}
