import type { EntryId } from '#kernel'
import type { Entry, SessionRow } from '#journal'
import type { SessionCore } from '#session'
import type { StoredArchive } from './archive-row.ts'

/** A stretch of the branch: entries that no archive on it holds, or one archive. */
export type BranchPiece =
  { readonly kind: 'raw'; readonly entries: readonly Entry[] } | { readonly kind: 'archive'; readonly archive: StoredArchive }

const pageSize = 100

/**
 * The branch, oldest first, in pieces. An archive counts where its last entry stands on the branch; then what it holds is not
 * read. A parent whose sources lie on several branches gives way to those that count. Law M36.
 */
export async function branchPieces(core: SessionCore, row: SessionRow, all: readonly StoredArchive[]): Promise<BranchPiece[]> {
  const ends = new Map<EntryId, StoredArchive>()
  for (const archive of all) if (archive.data.state !== 'merged') addEnds(ends, archive, all)
  const pieces: BranchPiece[] = []
  let raw: Entry[] = []
  const flush = (): void => {
    if (raw.length > 0) pieces.push({ kind: 'raw', entries: raw.reverse() })
    raw = []
  }
  for (let from = row.leafId; from !== null;) {
    const page: readonly Entry[] = await core.store.branch(core.id, { from, limit: pageSize })
    from = page.length < pageSize ? null : (page.at(-1)?.parentId ?? null)
    for (const entry of page) {
      const archive = ends.get(entry.id)
      if (archive === undefined) raw.push(entry)
      else {
        flush()
        pieces.push({ kind: 'archive', archive })
        from = archive.data.before
        break
      }
    }
  }
  flush()
  return pieces.reverse()
}

function addEnds(ends: Map<EntryId, StoredArchive>, archive: StoredArchive, all: readonly StoredArchive[]): void {
  if (archive.data.chained || archive.children.length === 0) ends.set(archive.data.endEntry, archive)
  else for (const child of all) if (archive.children.includes(child.id)) addEnds(ends, child, all)
}
