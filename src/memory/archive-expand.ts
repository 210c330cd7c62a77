import type { SessionId } from '#kernel'
import { readableEntry, type ShowOptions } from '#context'
import { type Entry, fetchParts, isType, type Message, type TenantStore } from '#journal'
import type { Runtime } from '#session'
import { storedArchive } from './archive-row.ts'

const pageSize = 500
const types = ['message_added', 'custom', 'context_noted']

/**
 * All that a range holds, as the journal has it, oldest first; of a merged one what all its sources hold. For models what
 * failed is left out. Undefined: the session has no such archive. Laws M27, M33.
 */
export async function archiveText(
  { counter }: Pick<Runtime, 'counter'>,
  store: TenantStore,
  session: SessionId,
  id: string,
  { forModel = false }: { readonly forModel?: boolean } = {},
): Promise<string | undefined> {
  const row = await store.archive(id)
  if (row === undefined || row.session !== session) return undefined
  const { fromSeq, toSeq } = storedArchive(row)
  const show: ShowOptions = { counter, recall: true }
  const texts: string[] = []
  for (let after = fromSeq - 1; after < toSeq;) {
    const page = await store.entries(session, { after, before: toSeq + 1, types, limit: pageSize })
    const { entries } = await fetchParts(store, page, { outlined: 'stub', files: 'trust' })
    for (const entry of entries) {
      const text = readable(entry, show, forModel)
      if (text !== undefined) texts.push(`${text}\n`)
    }
    if (page.length < pageSize) break
    after = page.at(-1)?.seq ?? toSeq
  }
  return texts.join('\n')
}

function readable(entry: Entry, show: ShowOptions, hidesFailed: boolean): string | undefined {
  const { id, seq, at, tokens = 0 } = entry
  const base = { id, seq, at, tokens }
  if (isType(entry, 'message_added')) return readableEntry({ ...base, message: entry.data }, show, { hidesFailed })
  const text = isType(entry, 'custom') || isType(entry, 'context_noted') ? entry.data.text : undefined
  if (text === undefined) return undefined
  const message: Message = { role: 'user', parts: [{ type: 'text', text }] }
  const note = isType(entry, 'context_noted') ? { note: entry.data } : {}
  return readableEntry({ ...base, message, ...note }, show, { hidesFailed })
}
