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
    ...(entry.totals === undefined ? {} : { totals: entry.totals }),
    data: {},
  }
}
