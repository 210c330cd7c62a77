import { type EntryId, given, type Json, type RunId, type TurnId } from '#kernel'
import type { Change, CompactionResult, PrefixChange, SessionRow, TurnSnapshot, Usage } from '#journal'
import { isType } from '#journal'
import { sampleChange } from './calibrate.ts'
import { compacting } from './compact.ts'
import { compactLater } from './compact-job.ts'
import { type ContextState, prefixOf, requestMark } from './context-state.ts'
import type { Plan, SessionCore } from './core.ts'
import { type Draft, draft } from './draft.ts'
import { viewsArchives } from './read-context.ts'

/** What is known of a turn when it ends. */
export interface EndedTurn {
  readonly turn: TurnId
  readonly run?: RunId
  readonly index: number
  readonly startedAt: number
  /** As it was when its last request was made. */
  readonly state: ContextState
  readonly prefix?: PrefixChange
  /** Of that request, when a run of ours made it; a host's own are not known. */
  readonly repairs?: number
  readonly model: string | null
  readonly steps: number
  readonly usage: Usage
  readonly cost: number | null
  readonly finishReason: string
  readonly doomLoop: boolean
  /** What the last request was reported to take. */
  readonly reported: number | null
  /** Estimated tokens that the request showed beside the state's, and that came after it. */
  readonly asked: { readonly messages: number; readonly toolResults: number }
  readonly answered: number
}

/** What goes into a turn's last commit beside its own entries. */
export interface TurnEnding extends Plan {
  readonly compaction: 'none' | 'queued' | 'running'
}

/**
 * The snapshot of a turn, and the job that prepares a compaction when the next request comes near the budget. Both ride in
 * the commit that ends the turn, so neither is there without it. Laws C8, C56, C82, C85.
 */
export async function turnEnding(core: SessionCore, row: SessionRow, ended: EndedTurn): Promise<TurnEnding> {
  const { state, asked, reported } = ended
  const sent = state.tokens.total + asked.messages
  const base = reported ?? Math.max(state.projected, state.factor * state.tokens.total) + state.factor * asked.messages
  const next = Math.ceil(base + state.factor * ended.answered)
  const isNear = state.settings.auto && !viewsArchives(row) && next >= state.settings.softFraction * state.budget.usable
  const compaction = compacting(core) ? 'running' : isNear ? 'queued' : 'none'
  const snapshot: TurnSnapshot = {
    index: ended.index,
    turn: ended.turn,
    role: 'assistant',
    model: ended.model,
    startedAt: ended.startedAt,
    endedAt: core.runtime.clock.now(),
    context: {
      ...state.tokens,
      messages: state.tokens.messages + asked.messages,
      toolResults: state.tokens.toolResults + asked.toolResults,
      total: sent,
    },
    reported,
    budget: state.budget,
    items: itemsOf(state),
    prefix: ended.prefix ?? prefixOf(state),
    compactionQueued: compaction === 'queued',
    compactions: await compactionsSince(core, row),
    repairs: ended.repairs ?? 0,
    steps: ended.steps,
    usage: ended.usage,
    cost: ended.cost,
    finishReason: ended.finishReason,
    doomLoop: ended.doomLoop,
  }
  const drafts: Draft[] = [draft('snapshot_taken', snapshot, given({ turn: ended.turn, run: ended.run }))]
  const alongside: Change[] = compaction === 'queued' ? [compactLater(core)] : []
  return { drafts, alongside, head: { merge: { snapshot: row.seq } }, compaction }
}

/** The mark and the sample that a host's own request leaves; `state`: what it was made from. */
export async function askedByHost(
  core: SessionCore,
  state: ContextState,
  usage: Usage | null,
  askedTokens: number,
  newest: EntryId | null,
): Promise<Pick<Plan, 'alongside' | 'head'> & { readonly reported: number | null }> {
  const mark = { ...requestMark(state, usage, newest), estimate: state.tokens.total + askedTokens }
  const sample = await sampleChange(core, state.model, mark.reported, mark.estimate)
  return {
    reported: mark.reported,
    head: { merge: { request: mark as unknown as Json } },
    ...(sample === undefined ? {} : { alongside: [sample] }),
  }
}

function itemsOf({ frontier }: ContextState): TurnSnapshot['items'] {
  const counts = { summaries: 0, entries: 0, notes: 0, pruned: 0, cut: 0 }
  for (const item of frontier.items) {
    if (item.kind === 'summary') counts.summaries++
    else if (item.hidden !== undefined) continue
    else if (item.entry.note !== undefined) counts.notes++
    else {
      counts.entries++
      counts.pruned += item.pruned.length
      counts.cut += item.cut.length
    }
  }
  return counts
}

/** Compactions that ended after the last snapshot; each belongs to one. */
async function compactionsSince(core: SessionCore, row: SessionRow): Promise<CompactionResult[]> {
  const last = row.data['snapshot']
  const after = typeof last === 'number' ? last : await newestSnapshot(core)
  if (after >= row.seq) return []
  const found = await core.store.entries(core.id, { after, types: ['compaction_ended'], limit: 100 })
  return found.flatMap(entry => (isType(entry, 'compaction_ended') ? [entry.data] : []))
}

/** Of a session whose row doesn't say it: a new one, or a copy. */
async function newestSnapshot(core: SessionCore): Promise<number> {
  const [newest] = await core.store.entries(core.id, { types: ['snapshot_taken'], order: 'desc', limit: 1 })
  return newest?.seq ?? 0
}
