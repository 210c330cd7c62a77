import type { CompactionId, CompactionTrigger, Summary } from '#journal'
import { type Draft, draft } from './draft.ts'
import { summaryEntryId } from './summary-nodes.ts'

export const startedDraft = (compaction: CompactionId, trigger: CompactionTrigger): Draft =>
  draft('compaction_started', { compaction, trigger }, { by: 'compaction' })

/** A node under the id that it is found by. */
export const summaryDraft = (summary: Summary): Draft =>
  draft('summary_added', summary, { id: summaryEntryId(summary.id), by: 'compaction' })
