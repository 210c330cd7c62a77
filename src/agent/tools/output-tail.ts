/** What is shown: with its notes 2,000 lines or 50 KiB, so that no result is cut again. */
const tailLines = 1_995
const tailBytes = 50_000
/** What is held while a command runs; far more than is shown, so that a secret at its cut is never shown in part. */
const heldBytes = 4 * 2 ** 20

/** The end of what a command says. */
export class OutputTail {
  #chunks: Buffer[] = []
  #held = 0
  #dropped = 0

  take(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#held += chunk.length
    while (this.#held - (this.#chunks[0]?.length ?? 0) > heldBytes) {
      const gone = this.#chunks.shift()?.length ?? 0
      this.#held -= gone
      this.#dropped += gone
    }
  }

  /** The last lines, with each secret hidden, and what was left out said first. */
  text(secrets: readonly string[]): string {
    const all = hideSecrets(Buffer.concat(this.#chunks).toString('utf8'), secrets)
    const lines = all.split('\n')
    // A line end closes the last line.
    const closed = lines.at(-1) === '' ? lines.length - 1 : lines.length
    let tail = lines.slice(Math.max(0, closed - tailLines)).join('\n')
    const bytes = Buffer.from(tail)
    if (bytes.length > tailBytes) {
      const cut = bytes
        .subarray(bytes.length - tailBytes)
        .toString('utf8')
        .replace(/^\ufffd+/, '')
      const end = cut.indexOf('\n')
      tail = end === -1 || end === cut.length - 1 ? cut : cut.slice(end + 1)
    }
    if (tail.length === all.length && this.#dropped === 0) return tail
    const total = this.#dropped + Buffer.byteLength(all)
    return `[The last ${Buffer.byteLength(tail)} of ${total} bytes]\n${tail}`
  }
}

export const hiddenSecret = '[REDACTED_SECRET]'

/** Longest first, so that one that holds another is hidden whole. */
export function hideSecrets(text: string, secrets: readonly string[]): string {
  const told = secrets.filter(secret => secret !== '').sort((a, b) => b.length - a.length)
  return told.reduce((hidden, secret) => hidden.replaceAll(secret, hiddenSecret), text)
}
