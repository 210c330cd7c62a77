import { isSkeinError, type Json, type SessionId, SkeinError, wait } from '#kernel'
import type { CommitOptions, Entry, NewBlob, NewEntry, SessionFields, SessionRow, TenantStore } from '#journal'
import type { FormatInput } from './formats/lines.ts'
import type { Imported } from './imported.ts'
import { ImportWriter } from './import-writer.ts'
import type { Runtime } from './runtime.ts'

/** What an import's source says of its session. */
export interface Source {
  readonly id: SessionId
  readonly alias: string | null
  readonly createdAt: number
}

/** How a format is read. */
export interface ReadableFormat {
  /** Whether a taken alias refuses the session, or is left out. */
  readonly needsAlias: boolean
  /** True if the entry that is here is the one that comes. */
  same(here: Entry, there: NewEntry): boolean
  /** The entry as it is written, its counts checked or filled in. `seq` is its place. */
  counted(writer: ImportWriter, entry: NewEntry, seq: number): NewEntry
  /** Hands each entry over in its order, and tells at the end what it found. Throws `input.invalid` for a fault. */
  read(runtime: Runtime, input: FormatInput, take: Take): Promise<Found>
}

export type Take = (source: Source, entry: NewEntry, blobs: readonly NewBlob[]) => Promise<void>

export interface Found {
  readonly report: Omit<Imported, 'id' | 'created'>
  /** Of the session's row, on top of what its entries say. */
  readonly fields?: Partial<SessionFields>
}

/** Where the entries of an import go, in their order from 1. */
export interface Target {
  readonly id: SessionId
  /** False for a session that was here already: what comes is compared, nothing is written. */
  readonly created: boolean
  take(entry: NewEntry, blobs: readonly NewBlob[]): Promise<void>
  /** Shows the session. With a key the answer is that of whoever came first with it. */
  finish(fields: Partial<SessionFields> | undefined, options: CommitOptions): Promise<Json | undefined>
  discard(): Promise<void>
}

/** How long an import waits for another of the same session, and how often it looks. */
const waitMs = 30_000
const lookMs = 50

/**
 * The session that a source names, new or to be compared. One that is being imported by another is waited for, so that
 * many first imports give one session. Throws `session.exists`, and `session.busy` after 30 s.
 */
export async function beginTarget(
  runtime: Runtime,
  store: TenantStore,
  source: Source,
  first: NewEntry,
  format: ReadableFormat,
  { as, traceId }: { readonly as?: 'new'; readonly traceId?: string },
): Promise<Target> {
  const begin = (from: Source): Promise<Target> => beginNew(runtime, store, from, first, format, traceId)
  if (as === 'new') return await begin({ ...source, id: runtime.ids('ses'), alias: null })
  const until = runtime.clock.now() + waitMs
  for (;;) {
    const known = await store.session(source.id)
    if (known !== undefined && !known.hidden) return compare(store, known, format)
    const mayWait = runtime.clock.now() < until
    try {
      return await begin(source)
    } catch (error) {
      if (!mayWait || !(await isElsewhere(store, source.id, error))) throw error
    }
    await wait(runtime.timers, lookMs)
  }
}

/** True when another import of the session is the reason: it goes on, or it was faster. */
async function isElsewhere(store: TenantStore, id: SessionId, error: unknown): Promise<boolean> {
  if (!isSkeinError(error)) return false
  if (error.code === 'session.busy' || error.code === 'store.fenced' || error.code === 'session.not_found') return true
  return error.code === 'session.exists' && (await store.session(id)) !== undefined
}

async function beginNew(
  runtime: Runtime,
  store: TenantStore,
  { id, alias, createdAt }: Source,
  first: NewEntry,
  format: ReadableFormat,
  traceId: string | undefined,
): Promise<Target> {
  const holder = alias === null ? undefined : await store.session({ alias })
  const isFree = holder === undefined || holder.id === id
  if (!isFree && format.needsAlias) throw taken(alias ?? id)
  const writer = new ImportWriter(runtime, store, id, traceId)
  await writer.begin(isFree ? alias : null, first, createdAt)
  let seq = 0
  return {
    id,
    created: true,
    take: async (entry, blobs) => await writer.add(format.counted(writer, entry, ++seq), blobs),
    finish: async (fields, options) => {
      const { replayed, memo } = await writer.finish(fields, options)
      if (replayed) await writer.discard()
      return replayed ? memo : undefined
    },
    discard: () => writer.discard(),
  }
}

/** A session of that id is here: what comes must be its beginning, then nothing is to be done. */
function compare(store: TenantStore, known: SessionRow, format: ReadableFormat): Target {
  if (known.state === 'deleted') throw taken(known.id)
  let page: readonly Entry[] = []
  let seq = 0
  return {
    id: known.id,
    created: false,
    take: async entry => {
      seq++
      if ((page.at(-1)?.seq ?? 0) < seq) page = await store.entries(known.id, { after: seq - 1, limit: 500 })
      const here = page.find(candidate => candidate.seq === seq)
      if (here === undefined || !format.same(here, entry)) throw taken(known.id)
    },
    finish: async (_fields, options) => {
      if (options.key === undefined) return undefined
      const isHere = { type: 'require', that: { session: known.id, states: ['active', 'ended'] } } as const
      const { replayed, memo } = await store.commit([isHere], options)
      return replayed ? memo : undefined
    },
    discard: async () => undefined,
  }
}

function taken(id: string): SkeinError {
  return new SkeinError('session.exists', `Another session is here under ${id}. Import it as new.`, { details: { session: id } })
}
