export const pageLines = 500
export const pageBytes = 50_000

/** Lines of a file that are shown, and where to go on. */
export interface LinePage {
  readonly lines: readonly string[]
  /** From 1. */
  readonly first: number
  /** Of the file, as far as it was read. */
  readonly total: number
  /** The first line that is not shown and was asked for. */
  readonly next?: number
  /** Whether the one line that is shown was too long to be shown whole. */
  readonly cut: boolean
}

/** Collects the lines `start` to `end`, both counted from 1 and inclusive, up to 500 lines or 50,000 bytes. */
export class LinePager {
  readonly #start: number
  readonly #end: number
  readonly #lines: string[] = []
  #bytes = 0
  #total = 0
  #next: number | undefined
  #cut = false

  constructor(start: number, end: number) {
    this.#start = start
    this.#end = end
  }

  /** A line without its end. */
  take(line: string): void {
    const number = ++this.#total
    if (number < this.#start || number > this.#end || this.#next !== undefined) return
    const text = line.endsWith('\r') ? line.slice(0, -1) : line
    const bytes = Buffer.byteLength(text) + 1
    if (this.#lines.length >= pageLines || this.#bytes + bytes > pageBytes) {
      if (this.#lines.length > 0) {
        this.#next = number
        return
      }
      this.#cut = true
      // Never inside a letter: what the cut leaves of one is dropped.
      this.#lines.push(
        Buffer.from(text)
          .subarray(0, pageBytes)
          .toString('utf8')
          .replace(/\ufffd+$/, ''),
      )
      this.#bytes = pageBytes
      return
    }
    this.#lines.push(text)
    this.#bytes += bytes
  }

  page(): LinePage {
    return {
      lines: this.#lines,
      first: this.#start,
      total: this.#total,
      cut: this.#cut,
      ...(this.#next === undefined ? {} : { next: this.#next }),
    }
  }
}

/** A page as a model reads it. */
export function pageText({ lines, first, total, next, cut }: LinePage): string {
  if (total === 0) return '[The file is empty.]'
  if (lines.length === 0) return `[The file has ${total} lines; line ${first} is beyond its end.]`
  const notes = [
    ...(cut ? [`Line ${first} is longer than ${pageBytes} bytes and was cut.`] : []),
    ...(next === undefined ? [] : [`Lines ${first}–${next - 1} of ${total}. Read on with startLine ${next}.`]),
  ]
  return notes.length === 0 ? lines.join('\n') : `${lines.join('\n')}\n[${notes.join(' ')}]`
}
