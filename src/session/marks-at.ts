import { given, isObject, type JsonObject, mergePatch } from '#kernel'
import { type Entry, headEffect, isType, type NewEntry, type SessionFields, type SessionRow } from '#journal'
import type { SessionCore } from './core.ts'

/** What people read of a session, as it was once an entry had been written. */
export interface Marks extends Pick<SessionFields, 'title' | 'tags' | 'preview' | 'lastMessageAt'> {
  /** The metadata, whether parts are longer than what is indexed, and whether what is shown was ever changed or the leaf moved. */
  readonly data: JsonObject
}

const pageSize = 500

/**
 * The marks that entries 1…seq make. `row` is the session as it is now: at its end nothing is read. Of messages only the
 * first ones are read, for the preview, and the newest, for their time.
 */
export async function marksAt(core: Pick<SessionCore, 'store'>, row: SessionRow, seq: number): Promise<Marks> {
  const kept = {
    ...(row.data['large'] === true ? { large: true } : {}),
    ...(row.data['edited'] === true ? { edited: true } : {}),
    ...given({ moved: row.data['moved'] }),
  }
  if (seq === row.seq) {
    const { title, tags, preview, lastMessageAt, data } = row
    return { title, tags, preview, lastMessageAt, data: { ...kept, ...metadataOf(data) } }
  }
  const marked = await entriesUpTo(core, row, seq)
  const root = marked.find(entry => isType(entry, 'session_created'))
  const created = root !== undefined && isType(root, 'session_created') ? root.data : undefined
  const { set = {}, merge = {} } = headEffect(marked as readonly NewEntry[], { preview: null, data: {}, state: 'active' })
  const metadata = mergePatch(created?.metadata ?? {}, merge['metadata'] ?? {})
  return {
    title: set.title === undefined ? (created?.title ?? null) : set.title,
    tags: set.tags ?? created?.tags ?? [],
    ...(await messagesAt(core, row, seq)),
    data: { ...kept, metadata },
  }
}

async function entriesUpTo(core: Pick<SessionCore, 'store'>, row: SessionRow, seq: number): Promise<Entry[]> {
  const found: Entry[] = []
  const types = ['session_created', 'session_titled', 'session_annotated']
  for (let after = 0; ;) {
    const page = await core.store.entries(row.id, { after, before: seq + 1, types, limit: pageSize })
    found.push(...page)
    if (page.length < pageSize) return found
    after = page.at(-1)?.seq ?? seq
  }
}

async function messagesAt(
  core: Pick<SessionCore, 'store'>,
  row: SessionRow,
  seq: number,
): Promise<Pick<Marks, 'preview' | 'lastMessageAt'>> {
  const range = { before: seq + 1, types: ['message_added'], limit: 100 }
  const newest = await core.store.entries(row.id, { ...range, order: 'desc' })
  const lastMessageAt = newest.length === 0 ? null : Math.max(...newest.map(({ at }) => at))
  for (let after = 0; ;) {
    const page = await core.store.entries(row.id, { ...range, after })
    const { set = {} } = headEffect(page, { preview: null, data: {}, state: 'active' })
    if (set.preview != null || page.length < range.limit) return { preview: set.preview ?? null, lastMessageAt }
    after = page.at(-1)?.seq ?? seq
  }
}

function metadataOf(data: JsonObject): JsonObject {
  return isObject(data['metadata']) ? { metadata: data['metadata'] as JsonObject } : {}
}
