import { canonical, isObject, type Json } from '#kernel'
import { type Entry, isPath, type NewBlob, type NewEntry, totalsAfter } from '#journal'
import type { BundleSession } from './formats/bundle.ts'
import { badLine, type FormatInput } from './formats/lines.ts'
import { readBundle } from './formats/read-bundle.ts'
import type { Found, ReadableFormat, Take } from './import-target.ts'
import type { ImportWriter } from './import-writer.ts'
import { Tally } from './imported.ts'
import type { Runtime } from './runtime.ts'

/** The lossless bundle: entries as they are, their counts proved. Laws S13, S14. */
export const bundleFormat: ReadableFormat = { needsAlias: true, same: sameEntry, counted: proved, read }

async function read(_runtime: Runtime, input: FormatInput, take: Take): Promise<Found> {
  const tally = new Tally()
  let header: BundleSession | undefined
  let blobs: NewBlob[] = []
  for await (const item of readBundle(input)) {
    switch (item.type) {
      case 'session':
        header = item.session
        break
      case 'blob':
        blobs.push(item.blob)
        break
      case 'lost':
      case 'end':
        break
      case 'entry': {
        if (header === undefined) throw badLine(1, 'No header.')
        const { seq: _seq, ...entry } = item.entry
        await take(header, entry, blobs)
        tally.take(entry)
        blobs = []
        break
      }
      default:
        item satisfies never
    }
  }
  if (header === undefined || tally.report.entries === 0) throw badLine(2, 'No entries.')
  const { updatedAt, lastAccessedAt } = header
  return { report: { ...tally.report, badLines: 0 }, fields: { updatedAt, lastAccessedAt } }
}

function proved(writer: ImportWriter, entry: NewEntry, seq: number): NewEntry {
  const moved = entry.type === 'leaf_moved' && isObject(entry.data) ? writer.totalsAt(String(entry.data['to'])) : undefined
  if (entry.totals !== undefined && (isPath(entry) || moved !== undefined)) {
    const counted = moved ?? totalsAfter(entry, writer.totalsAt(entry.parentId ?? ''))
    if (canonical({ ...counted }) !== canonical({ ...entry.totals }))
      throw badLine(seq + 1, `Its totals are ${JSON.stringify(entry.totals)}; ${JSON.stringify(counted)} was counted.`)
  }
  return entry
}

function sameEntry({ seq: _seq, session: _session, ...here }: Entry, there: NewEntry): boolean {
  return canonical(here as unknown as Json) === canonical(there as unknown as Json)
}
