import { isSkeinError } from '#kernel'
import type { Run } from '#agent'
import type { Change } from '#journal'
import { routeAt } from './find-route.ts'
import { movedTo, putInbox, type StoredInbox } from './inbox-row.ts'
import { markOpen } from './queue.ts'
import { type FoundRoute, holdOf, putRoute } from './route.ts'
import { answering, type EndPorts, endingOf } from './turn-begin.ts'
import type { Claim } from './turn-end.ts'
import { turnOpened } from './turn-marks.ts'

export interface CarryOnPorts extends EndPorts {
  /** Whether who sent it may speak now. */
  mayGoOn(row: StoredInbox['row']): Promise<boolean>
}

/** What becomes of a turn that died. `gone`: its run is over or cannot go on. */
export type CarriedOn =
  | { readonly run: Run; readonly found: FoundRoute }
  | { readonly gone: string; readonly told?: string }
  | 'may_not'
  | 'paused'
  | 'later'
  | 'again'

/**
 * Goes on with a turn whose process died, where the mark is young enough, whoever asked may still speak and the adapter is
 * connected. Laws G41, G42.
 */
export async function carryOn(ports: CarryOnPorts, key: string, rows: readonly StoredInbox[]): Promise<CarriedOn> {
  const found = await routeAt(ports.front.store, key)
  if (found !== undefined && holdOf(found.route, 'paused') !== undefined) return 'paused'
  if (found === undefined || !(await mayResume(ports, found, rows))) return 'may_not'
  try {
    return await resume(ports, found, rows)
  } catch (error) {
    if (!isSkeinError(error) || error.code.startsWith('store.un')) throw error
    if (error.code === 'store.conflict') return 'again'
    if (error.retryable) return 'later'
    return { gone: error.code, told: `The turn failed: ${error.code}.` }
  }
}

async function mayResume(ports: CarryOnPorts, { route }: FoundRoute, rows: readonly StoredInbox[]): Promise<boolean> {
  const { settings, connected, now } = ports.front.desk
  const mark = holdOf(route, 'resume_pending')
  const { autoResume, resumeWindowMinutes } = settings
  if (!autoResume || mark === undefined || rows.some(({ row }) => row.session !== route.sessionId)) return false
  if (resumeWindowMinutes > 0 && now - mark.at > resumeWindowMinutes * 60_000) return false
  if (rows.some(({ row: { source } }) => source.platform !== 'local' && !connected.has(source.platform))) return false
  const may = await Promise.all(rows.map(({ row }) => ports.mayGoOn(row)))
  return may.every(Boolean)
}

async function resume(ports: CarryOnPorts, found: FoundRoute, rows: readonly StoredInbox[]): Promise<CarriedOn> {
  const { front } = ports
  const { route } = found
  const session = await front.sessions.open(route.sessionId)
  const inbox = rows.map(({ row }) => row.id)
  const turnId = rows[0]?.row.turn ?? ''
  const claim: Claim = { key: route.key, generation: route.generation, session: session.id, turn: turnId, inbox }
  const host = answering(front, session, { key: claim.key, turnOf: () => turnId })
  const { run } = await (host.modelOverride === undefined ? session : session.equip(host)).recover({
    apply: true,
    // What may have happened is not done again, and nobody is there to be asked.
    approvals: 'deny',
    alongside: ({ token }): Change[] => {
      const again = turnOpened(route, { turnId, inboxId: inbox[0] ?? '', at: front.desk.now, fence: token })
      return [
        ...rows.map(({ row, version }) => putInbox(movedTo(row, 'running'), version)),
        putRoute({ ...found, route: again }),
        markOpen(again),
      ]
    },
    atEnd: (result, dropped) => endingOf(ports, claim, result, dropped),
  })
  // Its run has ended by other hands.
  if (run === null) return { gone: 'interrupted' }
  run.result().catch(() => undefined)
  return { run, found }
}
