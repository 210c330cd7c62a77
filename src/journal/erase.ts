import { given } from '#kernel'
import type { Entry } from './entry.ts'

/** What is left of an erased entry: its place, and that it was erased. */
export function erasedEntry(entry: Entry): Entry {
  const { id, session, seq, parentId, at } = entry
  return {
    id,
    session,
    seq,
    parentId,
    type: 'erased',
    v: 1,
    at,
    ...given({ totals: entry.totals }),
    data: {},
  }
}
