import { type EntryId, isObject, type SessionId } from '#kernel'
import { isType, type SessionRow, type TenantStore } from '#journal'
import { branchSpans } from './branch-spans.ts'
import type { Reading, RecallSource } from './recall-source.ts'

/** So many sessions before one are looked through. */
const mostSessions = 64
/** A session that takes another's place on a route is told so with its first entries. */
const atBirth = 12

export const sourceOf = async (
  reading: Reading,
  row: SessionRow,
  copies: RecallSource['copies'] = [],
): Promise<RecallSource> => ({ reading, row, spans: await branchSpans(reading, row), copies })

/**
 * The sessions that this one was forked from or, by a reset, came after, nearest first, as far as they are there and the same
 * user's.
 */
export async function lineageOf(own: RecallSource): Promise<RecallSource[]> {
  const { store, runtime } = own.reading
  const found = [own]
  const seen = new Set([own.reading.id])
  for (const source of found) {
    for (const { id, copies } of await before(source)) {
      if (seen.has(id) || found.length > mostSessions) continue
      seen.add(id)
      const row = await store.session(id)
      if (row === undefined || row.hidden || row.state === 'deleted' || row.user !== own.row.user) continue
      found.push(await sourceOf({ id, store, memory: {}, runtime }, row, copies))
    }
  }
  return found.slice(1)
}

interface Predecessor {
  readonly id: SessionId
  readonly copies: RecallSource['copies']
}

async function before(source: RecallSource): Promise<Predecessor[]> {
  const { reading, row, spans, copies } = source
  const { store, id } = reading
  const found: Predecessor[] = []
  const forked = isObject(row.data['forkedFrom']) ? row.data['forkedFrom'] : {}
  const [from, at] = [forked['session'] as SessionId | undefined, forked['entry'] as EntryId | undefined]
  if (from !== undefined) {
    // Copies keep their place, so what was copied from there is told by it.
    const upTo = at === undefined ? 0 : ((await store.entry(id, at))?.seq ?? 0)
    const nearer = copies.map(copy => ({ ...copy, upTo: Math.min(copy.upTo, upTo) }))
    found.push({ id: from, copies: [...nearer, { spans, upTo }] })
  }
  const reset = await resetFrom(store, id)
  // A reset copies nothing.
  return reset === undefined ? found : [...found, { id: reset, copies: [] }]
}

async function resetFrom(store: TenantStore, id: SessionId): Promise<SessionId | undefined> {
  for (const entry of await store.entries(id, { before: atBirth, limit: atBirth }))
    if (isType(entry, 'route_bound') && entry.data.previous !== undefined && !moved.has(entry.data.reason ?? ''))
      return entry.data.previous
  return undefined
}

/** Then the session was there before it got the route. */
const moved: ReadonlySet<string> = new Set(['session_switch', 'session_merged'])
