import { holdOf, type KeptRoute, type OpenTurn } from './route.ts'
import { withoutHold } from './holds.ts'
import { withoutTurn } from './rebind.ts'

/** The route as a turn is claimed for it, before any model is asked. */
export function turnOpened(route: KeptRoute, turn: OpenTurn): KeptRoute {
  return { ...route, openTurn: turn }
}

/**
 * The route as its turn ends. Of a user's turn the end is a clock of the policy; a completed one ends a run of interruptions
 * and what was pending. Laws G38, G40, G86.
 */
export function turnClosed(
  route: KeptRoute,
  { completed, byUser, now }: { readonly completed: boolean; readonly byUser: boolean; readonly now: number },
): KeptRoute {
  // However the first turn of a session ended, it is committed.
  const { fresh: _fresh, ...before } = withoutTurn(route)
  const ended: KeptRoute = { ...before, lastActivityAt: now, ...(byUser ? { lastTurnEndedAt: now } : {}) }
  if (!completed) return ended
  const rest: KeptRoute = { ...ended, interruptions: 0 }
  return holdOf(rest, 'resume_pending') === undefined ? rest : withoutHold(rest, 'resume_pending')
}
