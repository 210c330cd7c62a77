import { type BlobId, isBlobId, invalidInput, sha256, SkeinError } from '#kernel'
import { type Entry, fetchParts, type SessionRow } from '#journal'
import type { SessionCore } from './core.ts'
import { writeBundle } from './formats/bundle.ts'
import { writeMarkdown } from './formats/markdown.ts'
import { writeMessages } from './formats/messages.ts'
import { writePi } from './formats/pi.ts'
import { fileContents, readAll } from './read-messages.ts'

export type ExportFormat = 'skein' | 'pi' | 'markdown' | 'messages'
export const exportFormats: readonly ExportFormat[] = ['skein', 'pi', 'markdown', 'messages']

/** The whole session, in pieces of text. What is written after the call began is left out. */
export async function* exportLines(
  core: SessionCore,
  format: Exclude<ExportFormat, 'messages'>,
): AsyncGenerator<string, void, undefined> {
  const row = await core.row()
  switch (format) {
    case 'skein':
      yield* writeBundle(row, journalOf(core, row), ids => core.store.blobs(ids))
      return
    case 'pi':
      yield* writePi(row, fullEntries(core, row), ids => core.store.blobs(ids))
      return
    case 'markdown':
      yield* writeMarkdown(row, await readAll(core))
      return
    default:
      throw invalidInput('format', `Expected one of ${exportFormats.join(', ')}; got ${String(format satisfies never)}.`)
  }
}

/** The branch's messages in the form that most chat APIs take. */
export async function exportMessages(core: SessionCore): Promise<readonly unknown[]> {
  const messages = await readAll(core)
  return writeMessages('openai', messages, await fileContents(core, messages))
}

async function* journalOf(core: SessionCore, row: SessionRow): AsyncGenerator<Entry> {
  for (let after = 0; after < row.seq;) {
    const page = await core.store.entries(core.id, { after, before: row.seq + 1, limit: 500 })
    if (page.length === 0) return
    yield* page
    after = page.at(-1)?.seq ?? row.seq
  }
}

async function* fullEntries(core: SessionCore, row: SessionRow): AsyncGenerator<Entry> {
  for await (const entry of journalOf(core, row)) yield* (await fetchParts(core.store, [entry])).entries
}

/** The content of a blob that an entry of this session names; any other is `blob.not_found`. */
export async function readBlob(core: SessionCore, id: unknown): Promise<Uint8Array> {
  await core.row()
  if (!isBlobId(id)) throw invalidInput('blob', 'Expected blb_ and 32 hex digits.')
  const [row] = (await core.store.hasBlob(core.id, id)) ? await core.store.blobs([id]) : []
  if (row === undefined || sha256(row.bytes) !== row.hash) throw unknownBlob(core, id)
  return row.bytes
}

function unknownBlob(core: SessionCore, id: BlobId): SkeinError {
  return new SkeinError('blob.not_found', `Session ${core.id} has no blob ${id}.`, { details: { session: core.id, blob: id } })
}
