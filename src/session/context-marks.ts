import type { EntryId } from '#kernel'
import { renderSummary } from '#context'
import { isType, type SessionRow } from '#journal'
import type { SessionCore } from './core.ts'
import type { ContextMarks, SessionMessage } from './read-messages.ts'
import { summaryEntryId } from './summary-nodes.ts'

/** The marks of the newest edit that was asked for. */
const known = new WeakMap<SessionCore['memory'], { readonly edit: EntryId; readonly marks: ContextMarks }>()

/** How the newest edit on the branch shows what is before it. Reads no message; nothing at all where there never was an edit. */
export async function contextMarks(core: SessionCore, row: SessionRow): Promise<ContextMarks | undefined> {
  if (row.leafId === null || row.data['edited'] !== true) return undefined
  const [edit] = await core.store.branch(core.id, { from: row.leafId, types: ['context_edited'], limit: 1 })
  if (edit === undefined || !isType(edit, 'context_edited')) return undefined
  const { memory } = core
  const last = known.get(memory)
  if (last?.edit === edit.id) return last.marks
  const summaries = new Map<EntryId, SessionMessage>()
  const pruned = new Map<EntryId, readonly number[]>()
  for (const item of edit.data.frontier) {
    if ('entry' in item) {
      if (item.pruned !== undefined) pruned.set(item.entry, item.pruned)
      continue
    }
    const entry = await core.store.entry(core.id, summaryEntryId(item.summary))
    if (entry === undefined || !isType(entry, 'summary_added')) continue
    const { id, seq, at, data } = entry
    const parts = [{ type: 'text', text: renderSummary(data) }] as const
    summaries.set(data.covers.last, { id, seq, at, role: 'user', parts, isSummary: true, summary: data.id })
  }
  const marks = { summaries, pruned }
  known.set(memory, { edit: edit.id, marks })
  return marks
}
