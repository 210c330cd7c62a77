import { canonical, isObject, type Json, SkeinError } from '#kernel'
import { messageTokens } from '#context'
import { blobsOf, isPath, type Message, type NewBlob, type NewEntry, stowParts, type TenantStore } from '#journal'
import type { FormatInput } from './formats/lines.ts'
import { badLine } from './formats/lines.ts'
import { type ImportReport, type PiSession, readPi } from './formats/pi.ts'
import type { Imported } from './imported.ts'
import { ImportWriter } from './import-writer.ts'
import type { Runtime } from './runtime.ts'

/** Imports a pi session. The same file again is the same session; bad lines are kept raw and counted. Law A57. */
export async function importPi(runtime: Runtime, store: TenantStore, input: FormatInput, asNew: boolean): Promise<Imported> {
  let target: Target | undefined
  let session: PiSession | undefined
  let report: ImportReport | undefined
  try {
    for await (const item of readPi(input)) {
      if (item.type === 'session') session = item.session
      else if (item.type === 'entry') {
        if (session === undefined) throw badLine(1, 'Not a pi session.')
        target ??= await beginTarget(runtime, store, session, item.entry, asNew)
        const parts = isObject(item.entry.data) ? item.entry.data['parts'] : undefined
        await target.take(
          Array.isArray(parts)
            ? stowed(runtime, item.entry as NewEntry & { data: Message }, item.blobs)
            : { entry: item.entry, blobs: item.blobs },
        )
      } else report = item.report
    }
    if (target === undefined || report === undefined) throw badLine(1, 'Not a pi session.')
    await target.finish()
  } catch (error) {
    await target?.discard()
    throw error
  }
  return { id: target.id, created: target.created, ...report }
}

interface Placed {
  readonly entry: NewEntry
  readonly blobs: readonly NewBlob[]
}

/** Counts a message's tokens and sets its large payloads aside, as an append does. */
function stowed(runtime: Runtime, entry: NewEntry & { data: Message }, blobs: readonly NewBlob[]): Placed {
  const tokens = messageTokens(entry.data, runtime.counter)
  const stow = stowParts(entry.data.parts)
  return { entry: { ...entry, tokens, data: { ...entry.data, parts: stow.parts } }, blobs: [...blobs, ...stow.blobs] }
}

interface Target {
  readonly id: Imported['id']
  readonly created: boolean
  take(placed: Placed): Promise<void>
  finish(): Promise<void>
  discard(): Promise<void>
}

async function beginTarget(
  runtime: Runtime,
  store: TenantStore,
  session: PiSession,
  first: NewEntry,
  asNew: boolean,
): Promise<Target> {
  const known = asNew ? undefined : await store.session(session.id)
  if (known !== undefined && !known.hidden) {
    let seq = 0
    return {
      id: known.id,
      created: false,
      take: async ({ entry }) => {
        const [here] = await store.entries(known.id, { after: seq++, limit: 1 })
        const sameId = here?.id === entry.id && here.type === entry.type
        const sameBlobs = sameId && canonical(blobsOf(here) as Json) === canonical(blobsOf(entry) as Json)
        if (!sameBlobs)
          throw new SkeinError('session.exists', `Session ${known.id} went on differently here. Import it as new.`, {
            details: { session: known.id },
          })
      },
      finish: async () => undefined,
      discard: async () => undefined,
    }
  }
  const writer = new ImportWriter(runtime, store, asNew ? runtime.ids('ses') : session.id)
  const aliasFree = session.alias !== null && (await store.session({ alias: session.alias })) === undefined
  await writer.begin(asNew || !aliasFree ? null : session.alias, first, session.createdAt)
  return {
    id: writer.id,
    created: true,
    take: async ({ entry, blobs }) => {
      // A moved leaf carries the counts of where it went.
      const to = entry.type === 'leaf_moved' && isObject(entry.data) ? String(entry.data['to']) : undefined
      const totals = to !== undefined ? writer.totalsAt(to) : isPath(entry) ? writer.totalsFor(entry) : undefined
      await writer.add(totals === undefined ? entry : { ...entry, totals }, blobs)
    },
    finish: () => writer.finish(),
    discard: () => writer.discard(),
  }
}
