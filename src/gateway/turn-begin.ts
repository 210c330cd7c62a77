import { given, type SessionId, SkeinError } from '#kernel'
import type { Placed, Run, SendOptions, TurnResult } from '#agent'
import type { Change, Message } from '#journal'
import type { MemorySession } from '#memory'
import type { MessageInput } from '#session'
import { hostAnswers, type Place } from './answer.ts'
import type { Front } from './desk.ts'
import { routeAt } from './find-route.ts'
import { freshNotice } from './fresh-notice.ts'
import { busyInbox, inboxRow, type InboxRow, movedTo, putInbox, type StoredInbox } from './inbox-row.ts'
import { arrived, leaveQueue, markOpen } from './queue.ts'
import { type Clocks, type Resolved, touchedBy, withoutFresh } from './resolve.ts'
import { type FoundRoute, putRoute } from './route.ts'
import { ruleFor } from './settings.ts'
import { type Claim, endTurn } from './turn-end.ts'
import { turnInput } from './turn-input.ts'
import { turnOpened } from './turn-marks.ts'

/** What a turn's end needs to know of the platform. */
export interface EndPorts {
  readonly front: Front
  /** UTF-16 units of one message of the platform. */
  mostChars(platform: string): number
}

/** What rides in the commit that begins the turn of a message which is stored by it. */
export interface Arrival {
  /** The route as it was read; what changed it since refuses the commit. */
  readonly found: FoundRoute
  /** Which clocks of the route it sets. */
  readonly clocks: Clocks
  alongside(placed: Placed, row: InboxRow): readonly Change[]
}

/**
 * Begins one turn of these rows in the session that was resolved: the rows, the mark on the route and the user's entry are one
 * commit. Undefined where the route has changed since. Throws what the session refuses with.
 */
export async function beginTurn(
  ports: EndPorts,
  rows: readonly [StoredInbox, ...StoredInbox[]],
  { session, route }: Resolved,
  arrival?: Arrival,
): Promise<Run | undefined> {
  const { front } = ports
  const found = arrival?.found ?? (await routeAt(front.store, route.key))
  if (found === undefined || found.version !== route.version) return undefined
  const [{ row: head }] = rows
  // What its route shows no more, such as that it is fresh, is no more to be told.
  const known = route.fresh === undefined ? { ...found, route: withoutFresh(found.route) } : found
  const touched =
    arrival === undefined
      ? known
      : { ...known, route: touchedBy(arrived(known.route, head.order), head.source, arrival.clocks, front.desk.now) }
  const claim = { key: route.key, generation: route.generation, session: session.id }
  let claimed: Claim | undefined
  const run = session.send(await inputOf(session, rows), {
    ...answering(front, session, { key: claim.key, turnOf: () => claimed?.turn }),
    idempotencyKey: head.said === 0 ? head.id : `${head.id}/${head.said}`,
    alongside: placed => {
      claimed = { ...claim, turn: placed.turn, inbox: rows.map(({ row }) => row.id) }
      const row = { ...head, session: session.id }
      return [...claimChanges(front, rows, touched, session.id, placed), ...(arrival?.alongside(placed, row) ?? [])]
    },
    atEnd: (result, dropped) => endingOf(ports, claimed, result, dropped),
  })
  // A refusal is the receipt's to tell.
  run.result().catch(() => undefined)
  const { disposition } = await run.receipt
  if (disposition !== 'started') throw new SkeinError('skein.bug', `Message ${head.id} had been said before.`)
  return run
}

/** Who answers: the session's model, or the host. */
export function answering(
  front: Front,
  session: MemorySession,
  place: Omit<Place, 'session'>,
): Pick<SendOptions, 'modelOverride' | 'noTools'> {
  const { answer } = front.desk.settings
  return answer === undefined ? {} : { modelOverride: hostAnswers(front, answer, { ...place, session }), noTools: true }
}

async function inputOf(session: MemorySession, rows: readonly StoredInbox[]): Promise<MessageInput> {
  const { again } = rows[0]?.row ?? {}
  if (again === undefined) return turnInput(rows.map(({ row }) => row))
  const { data } = await session.entry(again)
  const { parts, source } = data as Message
  return { role: 'user', parts, ...given({ source }) } as MessageInput
}

function claimChanges(
  { desk: { now } }: Front,
  rows: readonly [StoredInbox, ...StoredInbox[]],
  found: FoundRoute,
  session: SessionId,
  { run, turn, token }: Placed,
): Change[] {
  const [head] = rows
  const waited = rows.flatMap(({ row, version }) => (version === 0 ? [] : [row]))
  const left = leaveQueue(found.route, waited)
  const route = turnOpened(left.route, { turnId: turn, inboxId: head.row.id, at: now, fence: token })
  const begun = { key: route.key, session, run, turn, startedAt: now }
  return [
    ...rows.map(({ row, version }) => {
      const waiting = row.state === 'collected' ? movedTo(row, 'queued') : row
      const into = row.id === head.row.id ? {} : { into: head.row.id }
      return putInbox(
        version === 0 ? { ...row, ...begun, state: 'running' } : movedTo(waiting, 'running', { ...begun, ...into }),
        version,
      )
    }),
    putRoute({ ...found, route }),
    ...left.changes,
    markOpen(route),
  ]
}

/** What the commit that ends a turn writes for the gateway. */
export async function endingOf(
  { front, mostChars }: EndPorts,
  claim: Claim | undefined,
  result: TurnResult,
  dropped: readonly string[],
): Promise<readonly Change[]> {
  if (claim === undefined) return []
  const { store, desk, tenant } = front
  const found = await routeAt(store, claim.key)
  const read = await Promise.all(claim.inbox.map(id => inboxRow(store, id)))
  // Somebody may have given it up meanwhile; it has ended all the same.
  const mine = read.filter(row => row?.row.turn === claim.turn) as StoredInbox[]
  const rows = mine.flatMap(({ row, version }) =>
    row.state === 'interrupted' ? { row: movedTo(row, 'running'), version } : row.state === 'running' ? { row, version } : [],
  )
  const [first] = mine
  if (first === undefined) return []
  const { policy } = ruleFor(desk.settings, first.row.source)
  return endTurn({
    claim,
    result,
    found,
    rows,
    steered: (await busyInbox(store, first.row.key ?? claim.key)).filter(
      ({ row }) => row.state === 'steered' && row.run === first.row.run,
    ),
    dropped,
    notice: freshNotice(found?.route.fresh, policy, first.row.source.platform),
    mostChars: mostChars(first.row.source.platform),
    now: desk.now,
    ids: desk.runtime.ids,
    tenant,
  })
}
