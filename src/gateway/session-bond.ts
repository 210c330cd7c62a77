import { given, type SessionId } from '#kernel'
import { type Change, headEffect, type RouteBound, type SessionRow } from '#journal'
import { commitLater } from '#memory'
import { type Draft, draft, placeDrafts, type Runtime } from '#session'

/** Side entries of a session, from any process. The session must still be what it was read as. */
export function sideEntries(runtime: Runtime, row: SessionRow, drafts: readonly Draft[]): Change[] {
  if (drafts.length === 0) return []
  const entries = placeDrafts(drafts, row, runtime.clock.now(), runtime.ids)
  return [
    { type: 'require', that: { session: row.id, states: [row.state] } },
    { type: 'append', session: row.id, entries, head: headEffect(entries, row) },
  ]
}

/** That a source speaks to a session that is new in this commit. */
export function boundAtBirth(runtime: Runtime, session: SessionId, bound: RouteBound): Change {
  const entries = placeDrafts([draft('route_bound', bound)], { leafId: null, totals: noTotals }, runtime.clock.now(), runtime.ids)
  return { type: 'append', session, entries, head: headEffect(entries, { preview: null, data: {}, state: 'active' }) }
}

const noTotals = { messages: 0, turns: 0, tokens: 0 }

/** That a source speaks to a session that is there; one that had ended is reopened. */
export function boundAgain(runtime: Runtime, row: SessionRow, bound: RouteBound): Change[] {
  return sideEntries(runtime, row, [
    ...(row.state === 'ended' ? [draft('session_reopened', {})] : []),
    draft('route_bound', bound),
  ])
}

export interface Leaving {
  readonly key: string
  readonly generation: number
  readonly reason: string
  readonly next?: SessionId | undefined
}

/**
 * That a route leaves a session, which ends and is sealed. One that is deleted or gone is left as it is. `endReason`: of
 * the session's end.
 */
export function leaveSession(runtime: Runtime, row: SessionRow | undefined, leaving: Leaving, endReason: string): Change[] {
  if (row === undefined || row.hidden || row.state === 'deleted') return []
  const { key, generation, reason, next } = leaving
  const drafts = [
    draft('route_unbound', { key, generation, reason, ...given({ next }) }),
    ...(row.state === 'ended' ? [] : [draft('session_ended', { reason: endReason })]),
  ]
  return [...sideEntries(runtime, row, drafts), commitLater(runtime.ids, row.id, 'reset')]
}

/** Whether the session is there for its user. */
export function isThere(row: SessionRow | undefined): row is SessionRow {
  return row !== undefined && !row.hidden && row.state !== 'deleted'
}
