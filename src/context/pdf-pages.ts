const pageObject = /\/Type\s{0,8}\/Page(?![A-Za-z])/g
const claimed = /\/(?:Count|N)\s{1,8}(\d{1,6})(?!\d)/g

/**
 * About how many pages a PDF has: its page objects, or where those are packed away, the largest number that it claims, at most
 * one per 16 bytes. At least 1; never throws. A scan, so revisions of one page count as pages.
 */
export function pdfPages(bytes: Uint8Array): number {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  const seen = text.match(pageObject)?.length ?? 0
  if (seen > 0) return seen
  let most = 1
  for (const [, count] of text.matchAll(claimed)) most = Math.max(most, Number(count))
  return Math.min(most, Math.max(1, Math.floor(bytes.length / 16)))
}
