import { canonical, isObject, type Json } from '#kernel'
import { blobsOf, type Entry, isPath, type Message, type NewBlob, type NewEntry } from '#journal'
import { badLine, type FormatInput } from './formats/lines.ts'
import type { ForeignItem, ForeignSession, ImportReport } from './formats/session-builder.ts'
import type { Found, ReadableFormat, Take } from './import-target.ts'
import type { ImportWriter } from './import-writer.ts'
import { keepingOf } from './context-settings.ts'
import type { Runtime } from './runtime.ts'
import { countedBy, weighParts } from './weigh-parts.ts'

/**
 * A session of another program, by its name and reader. The same file again is the same session; bad lines are kept raw and
 * counted. Law A57.
 */
export const foreignFormat = (name: string, readItems: (input: FormatInput) => AsyncIterable<ForeignItem>): ReadableFormat => ({
  needsAlias: false,
  same: sameEntry,
  counted,
  read: async (runtime, input, take) => await read(name, readItems(input), runtime, take),
})

async function read(name: string, items: AsyncIterable<ForeignItem>, runtime: Runtime, take: Take): Promise<Found> {
  let session: ForeignSession | undefined
  let report: ImportReport | undefined
  let entries = 0
  for await (const item of items) {
    if (item.type === 'session') session = item.session
    else if (item.type === 'entry') {
      if (session === undefined) throw badLine(1, `Not a ${name} session.`)
      const parts = isObject(item.entry.data) ? item.entry.data['parts'] : undefined
      const { entry, blobs } = Array.isArray(parts)
        ? stowed(runtime, item.entry as NewEntry & { data: Message }, item.blobs)
        : item
      await take(session, entry, blobs)
      entries++
    } else report = item.report
  }
  if (entries === 0 || report === undefined) throw badLine(1, `Not a ${name} session.`)
  return { report }
}

/** Counts a message's tokens, sets its large payloads aside and outlines what is too large, as an append does. */
function stowed(
  runtime: Runtime,
  entry: NewEntry & { data: Message },
  blobs: readonly NewBlob[],
): { readonly entry: NewEntry; readonly blobs: readonly NewBlob[] } {
  const contents = new Map(blobs.map(blob => [blob.id, blob.bytes]))
  const { parts, tokens, blobs: set } = weighParts(entry.data.parts, keepingOf(runtime), { handedIn: true, contents })
  const counted = { ...entry, tokens, ...countedBy(runtime.counter), data: { ...entry.data, parts } }
  return { entry: counted, blobs: [...blobs, ...set] }
}

/** Such a file has no counts. A moved leaf carries those of where it went. */
function counted(writer: ImportWriter, entry: NewEntry): NewEntry {
  const to = entry.type === 'leaf_moved' && isObject(entry.data) ? String(entry.data['to']) : undefined
  const totals = to !== undefined ? writer.totalsAt(to) : isPath(entry) ? writer.totalsFor(entry) : undefined
  return totals === undefined ? entry : { ...entry, totals }
}

/** Ids are made of the lines' bytes, so the same id is the same content; blobs are compared, too. */
function sameEntry(here: Entry, there: NewEntry): boolean {
  return (
    here.id === there.id && here.type === there.type && canonical(blobsOf(here) as Json) === canonical(blobsOf(there) as Json)
  )
}
