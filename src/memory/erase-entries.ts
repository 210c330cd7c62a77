import { type EntryId, type SessionId, SkeinError } from '#kernel'
import type { Change, SessionRow, TenantStore } from '#journal'
import { forgetTagged } from '#session'
import { rangeMessages, spokenMessages } from './archive-messages.ts'
import { archiveData, type StoredArchive, storedArchive } from './archive-row.ts'
import { fallbackTexts } from './archiver-fallback.ts'
import { drawnEntries } from './drawn-entries.ts'
import { mergedTexts } from './merge-plan.ts'
import { preparedCollection } from './prepared.ts'
import { rangeCollection, rangesOf } from './ranges.ts'
import { stateViewCleared } from './read-state.ts'

/** The places of entries in a session's journal. Throws `entry.not_found`. */
export async function seqsOf(store: TenantStore, session: SessionId, entries: readonly EntryId[]): Promise<number[]> {
  return await Promise.all(
    entries.map(async id => {
      const entry = await store.entry(session, id)
      if (entry === undefined)
        throw new SkeinError('entry.not_found', `Session ${session} has no entry ${id}.`, { details: { session, entry: id } })
      return entry.seq
    }),
  )
}

/**
 * What erases entries and all that drew on them beside memories: overviews are remade without a model and without what came
 * before, summaries, stored answers, tokens and the stored state go, and whoever is learning from them has to read again. Law M61.
 */
export async function entriesErased(
  store: TenantStore,
  row: SessionRow,
  seqs: readonly number[],
): Promise<{ readonly changes: Change[]; readonly entries: number; readonly overviews: number }> {
  const session = row.id
  const drawn = (await store.archives(session)).map(storedArchive).filter(({ toSeq }) => toSeq >= Math.min(...seqs))
  const remade = new Map<string, StoredArchive>()
  for (const archive of drawn) remade.set(archive.id, await withoutEntries(store, archive, new Set(seqs)))
  const all = (await store.archives(session)).map(storedArchive)
  // Sources first, so that a parent of parents reads what was remade.
  for (const archive of drawn.filter(({ children }) => children.length > 0).sort((a, b) => a.data.createdAt - b.data.createdAt)) {
    const texts = mergedTexts(
      archive,
      all.map(one => remade.get(one.id) ?? one),
    )
    remade.set(archive.id, { ...archive, data: { ...archive.data, ...texts } })
  }
  const said = await drawnEntries(store, session, seqs)
  const left = await Promise.all(seqs.map(async seq => await store.entries(session, { after: seq - 1, limit: 1 })))
  return {
    entries: left.flat().filter(({ type }) => type !== 'erased').length,
    overviews: [...remade.values()].filter(({ data }) => data.state !== 'sealed').length + said.summaries,
    changes: [
      { type: 'erase_entries', session, seqs },
      ...(said.seqs.length === 0 ? [] : [{ type: 'erase_entries' as const, session, seqs: said.seqs }]),
      said.halted,
      stateViewCleared(row),
      { type: 'delete_record', collection: preparedCollection, key: session },
      ...(await forgetTagged(store, 'job.step', session)),
      ...(await forgetTagged(store, 'answer', session)),
      ...(await rangesTouched(store, session, seqs)),
      ...[...remade.values()].map(({ id, fromSeq, toSeq, children, version, data }): Change => ({
        type: 'put_archive',
        id,
        session,
        fromSeq,
        toSeq,
        children,
        data: archiveData(data),
        expectVersion: version,
      })),
    ],
  }
}

/** A sealed one is written again as it is, so that nobody makes it ready of what was read before. */
async function withoutEntries(store: TenantStore, archive: StoredArchive, seqs: ReadonlySet<number>): Promise<StoredArchive> {
  if (archive.data.state === 'sealed' || archive.children.length > 0) return archive
  const range = await rangeMessages({ id: archive.session, store }, archive.fromSeq, archive.data.endEntry)
  const left = spokenMessages(range.filter(({ seq }) => !seqs.has(seq)))
  const { quality: _quality, ...data } = archive.data
  return { ...archive, data: { ...data, ...fallbackTexts(left, { abstract: '' }), by: 'fallback', why: 'erased' } }
}

/** An answer about them that is on its way finds its range changed. */
async function rangesTouched(store: TenantStore, session: SessionId, seqs: readonly number[]): Promise<Change[]> {
  const ranges = await rangesOf(store, session)
  return ranges
    .filter(({ row }) => row.outcome === null && seqs.some(seq => row.fromSeq <= seq && seq <= row.toSeq))
    .map(({ record: { key, value, tags, sort, version } }) => ({
      type: 'put_record',
      collection: rangeCollection,
      key,
      value,
      tags,
      sort,
      expectVersion: version,
    }))
}
