import { type BlobId, isBlobId, sha256 } from '#kernel'
import { type BlobRow, blobsOf, type Entry, type SessionRow } from '#journal'

/**
 * Version 1 of the lossless bundle: JSON Lines, each line ended by LF, no other white space between tokens.
 *
 * 1. `{"skein":1,"session":{…},"h":H}`: the session's row without tenant, lease and visibility.
 * 2. for each entry in order of `seq`: before it, one `{"blob":{"id","hash","bytes","data"},"h":H}` for every blob that no
 *    earlier entry named (`data` is base64), or `{"blob":{"id","lost":true},"h":H}` for one that the store had lost;
 *    then `{"entry":{…},"h":H}`: the entry as stored, without `session`.
 * 3. `{"end":{"entries":n,"sha256":S}}`.
 *
 * H chains: `c₀` is SHA-256 of `skein bundle 1`, `cᵢ` that of the 64 hex digits of `cᵢ₋₁` followed by line i up to its
 * `,"h":`; H is the first 16 digits of `cᵢ` and S is the whole last `c`. So the first line that is missing, doubled or
 * altered is known by its number. The header stands outside the chain, with H counted from `c₀`: two copies of a
 * session under different ids differ in their header alone. Source: docs/format-bundle.md, laws S13 and S14.
 */
export const bundleVersion = 1

/** What a bundle's header says of its session. Counters and totals are those at the last entry. */
export type BundleSession = Omit<SessionRow, 'lease' | 'hidden'>

/** An entry of a bundle: as stored, but for the session that it will belong to. */
export type BundleEntry = Omit<Entry, 'session'>

const start: string = sha256(`skein bundle ${bundleVersion}`)

/** Counts the running checksum of a bundle's lines. */
export class BundleChain {
  #sum = start

  /** Takes a line's text up to its `,"h":` and gives the checksum that stands there. */
  take(body: string): string {
    this.#sum = sha256(this.#sum + body)
    return this.#sum.slice(0, 16)
  }

  get sum(): string {
    return this.#sum
  }
}

/** A line with its checksum. `body` is a JSON object without its closing brace. */
const sealed = (chain: BundleChain, body: string): string => `${body},"h":"${chain.take(body)}"}\n`

/** The last line for a number of entries and a checksum. */
export const bundleEnd = (entries: number, sum: string): string => `{"end":{"entries":${entries},"sha256":"${sum}"}}`

/**
 * Writes a bundle, line by line: one entry and its new blobs are held at a time, and the ids of blobs already written.
 * `entries` are 1…n as stored (parts as stubs), `blobs` reads rows from the store. A blob that is missing or altered is
 * written as lost, so that a damaged session can still be moved. Leave out of `entries` what came after the row was read.
 */
export async function* writeBundle(
  session: BundleSession | SessionRow,
  entries: AsyncIterable<Entry> | Iterable<Entry>,
  blobs: (ids: readonly BlobId[]) => Promise<readonly BlobRow[]>,
): AsyncGenerator<string> {
  yield sealed(new BundleChain(), `{"skein":${bundleVersion},"session":${JSON.stringify(headerOf(session))}`)
  const chain = new BundleChain()
  const written = new Set<BlobId>()
  let count = 0
  for await (const { session: _session, ...entry } of entries) {
    for (const id of new Set(blobsOf(entry).filter(isBlobId))) {
      if (written.has(id)) continue
      written.add(id)
      const [row] = await blobs([id])
      yield sealed(chain, `{"blob":${blobJson(id, row)}`)
    }
    yield sealed(chain, `{"entry":${JSON.stringify(entry)}`)
    count++
  }
  yield `${bundleEnd(count, chain.sum)}\n`
}

/** The row without what belongs to one store: lease and visibility. */
export function headerOf(session: BundleSession | SessionRow): BundleSession {
  const { lease: _lease, hidden: _hidden, ...rest } = session as SessionRow
  return rest
}

function blobJson(id: BlobId, row: BlobRow | undefined): string {
  if (row === undefined || row.id !== id || sha256(row.bytes) !== row.hash) return JSON.stringify({ id, lost: true })
  const data = Buffer.from(row.bytes.buffer, row.bytes.byteOffset, row.bytes.byteLength).toString('base64')
  return JSON.stringify({ id, hash: row.hash, bytes: row.bytes.length, data })
}
