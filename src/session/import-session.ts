import { canonical, isObject, type Json, type SessionId, SkeinError } from '#kernel'
import { type Entry, isPath, type NewBlob, type NewEntry, type SessionRow, type TenantStore, totalsAfter } from '#journal'
import type { VerbOptions } from './append-messages.ts'
import type { BundleEntry, BundleSession } from './formats/bundle.ts'
import { readBundle } from './formats/read-bundle.ts'
import { badLine, type FormatInput } from './formats/lines.ts'
import { type Imported, Tally } from './imported.ts'
import { importPi } from './import-pi.ts'
import { ImportWriter } from './import-writer.ts'
import type { Runtime } from './runtime.ts'

export type ImportFormat = 'skein' | 'pi'
/** Text, bytes, or pieces of either; large input is never held whole. */
export type ImportInput = FormatInput

export interface ImportOptions extends VerbOptions {
  /** Under a new id, whatever the source says. */
  readonly as?: 'new'
}

export async function importSession(
  runtime: Runtime,
  store: TenantStore,
  format: ImportFormat,
  input: ImportInput,
  options: ImportOptions,
): Promise<Imported> {
  switch (format) {
    case 'skein':
      return await importBundle(runtime, store, input, options.as === 'new')
    case 'pi':
      return await importPi(runtime, store, input, options.as === 'new')
    default:
      throw new SkeinError('input.unsupported', `Cannot import ${String(format satisfies never)}; formats are skein and pi.`, {
        details: { path: 'format' },
      })
  }
}

/** Checks and writes in one pass; the session shows only when the last line has proved the rest. Laws S13, S14. */
async function importBundle(runtime: Runtime, store: TenantStore, input: ImportInput, asNew: boolean): Promise<Imported> {
  const tally = new Tally()
  let target: Target | undefined
  let header: BundleSession | undefined
  let blobs: NewBlob[] = []
  try {
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
        case 'entry':
          if (header === undefined) throw badLine(1, 'No header.')
          target ??= await beginTarget(runtime, store, header, item.entry, asNew)
          await target.take(item.entry, blobs)
          tally.take(item.entry)
          blobs = []
          break
        default:
          item satisfies never
      }
    }
    if (target === undefined || header === undefined) throw badLine(2, 'No entries.')
    await target.finish(header)
  } catch (error) {
    await target?.discard()
    throw error
  }
  return { id: target.id, created: target.created, ...tally.report, badLines: 0 }
}

interface Target {
  readonly id: SessionId
  readonly created: boolean
  take(entry: BundleEntry, blobs: readonly NewBlob[]): Promise<void>
  finish(header: BundleSession): Promise<void>
  discard(): Promise<void>
}

async function beginTarget(
  runtime: Runtime,
  store: TenantStore,
  header: BundleSession,
  first: BundleEntry,
  asNew: boolean,
): Promise<Target> {
  const known = asNew ? undefined : await store.session(header.id)
  if (known !== undefined && !known.hidden) return compareTarget(store, known)
  const writer = new ImportWriter(runtime, store, asNew ? runtime.ids('ses') : header.id)
  const aliasFree = header.alias === null || (await store.session({ alias: header.alias })) === undefined
  if (!aliasFree && !asNew) throw taken(header.alias ?? header.id)
  await writer.begin(asNew ? null : header.alias, first, header.createdAt)
  return {
    id: writer.id,
    created: true,
    take: async ({ seq, ...entry }, blobs) => {
      const moved = entry.type === 'leaf_moved' && isObject(entry.data) ? writer.totalsAt(String(entry.data['to'])) : undefined
      if (entry.totals !== undefined && (isPath(entry) || moved !== undefined)) {
        const counted = moved ?? totalsAfter(entry, writer.totalsAt(entry.parentId ?? ''))
        if (canonical({ ...counted }) !== canonical({ ...entry.totals }))
          throw badLine(seq + 1, `Its totals are ${JSON.stringify(entry.totals)}; ${JSON.stringify(counted)} was counted.`)
      }
      await writer.add(entry, blobs)
    },
    finish: from => writer.finish({ updatedAt: from.updatedAt, lastAccessedAt: from.lastAccessedAt }),
    discard: () => writer.discard(),
  }
}

/** A session of that id is here: the bundle must be the beginning of it, then nothing is to be done. */
function compareTarget(store: TenantStore, known: SessionRow): Target {
  let page: readonly Entry[] = []
  if (known.state === 'deleted') throw taken(known.id)
  return {
    id: known.id,
    created: false,
    take: async ({ seq, ...entry }) => {
      if (page.at(-1) === undefined || (page.at(-1)?.seq ?? 0) < seq)
        page = await store.entries(known.id, { after: seq - 1, limit: 500 })
      const here = page.find(candidate => candidate.seq === seq)
      if (here === undefined || !sameEntry(here, entry)) throw taken(known.id)
    },
    finish: async () => undefined,
    discard: async () => undefined,
  }
}

function sameEntry({ seq: _seq, session: _session, ...here }: Entry, there: NewEntry): boolean {
  return canonical(here as unknown as Json) === canonical(there as unknown as Json)
}

function taken(id: string): SkeinError {
  return new SkeinError('session.exists', `Another session is here under ${id}. Import it as new.`, { details: { session: id } })
}
