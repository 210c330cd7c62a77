import { given, type Id, type NewId, type SessionId } from '#kernel'
import type { TurnResult } from '#agent'
import type { Change } from '#journal'
import { type InboxRow, movedTo, putInbox, type StoredInbox } from './inbox-row.ts'
import { type Destination, outboxChanges, type OutboxRow } from './outbox-row.ts'
import { intoQueue, joinQueue, queueOf, unmarkOpen } from './queue.ts'
import { turnClosed } from './turn-marks.ts'
import { type FoundRoute, type KeptRoute, putRoute } from './route.ts'
import { splitText } from './split-text.ts'
import { type Source, threadOf } from './source.ts'

/** What a turn was begun as. */
export interface Claim {
  readonly key: string
  readonly generation: number
  readonly session: SessionId
  readonly turn: string
  readonly inbox: readonly Id<'inb'>[]
}

/** All that the end of a turn is decided from. */
export interface TurnEnd {
  readonly claim: Claim
  readonly result: Pick<TurnResult, 'status' | 'reason' | 'text' | 'error'>
  /** The route as it is now; undefined if it is gone. */
  readonly found: FoundRoute | undefined
  /** The rows of the turn, the first one first, and those that were steered into its run. */
  readonly rows: readonly StoredInbox[]
  readonly steered: readonly StoredInbox[]
  /** Inputs that the run did not show. */
  readonly dropped: readonly string[]
  /** What is said before the first answer of a session that began by itself. */
  readonly notice: string | undefined
  readonly mostChars: number
  readonly now: number
  readonly ids: NewId
  readonly tenant: string
}

export const silence: ReadonlySet<string> = new Set(['[SILENT]', 'SILENT', 'NO_REPLY'])
const completed: ReadonlySet<string> = new Set(['done', 'done_with_concerns', 'needs_user_input', 'blocked'])

/** Pure: what the commit that ends a turn writes beside its entries. Laws G24, G34, G38, G56, G59, G60, G86. */
export function endTurn(end: TurnEnd): readonly Change[] {
  const { claim, result, found, rows, now } = end
  const isHere = found !== undefined && found.route.generation === claim.generation && found.route.sessionId === claim.session
  const answers = isHere ? answersOf(end, found.route) : []
  const state = result.status === 'failed' ? 'failed' : 'done'
  const silent = answers.every(row => row.kind === 'notice' || row.state === 'suppressed')
  const reason = !isHere
    ? 'route.stale'
    : result.status === 'failed'
      ? codeOf(result)
      : silent
        ? reasonOf(result, answers)
        : undefined
  return [
    ...rows.map(({ row, version }) => putInbox(movedTo(row, state, { endedAt: now, ...given({ reason }) }), version)),
    ...steeredChanges(end),
    ...routeChanges(end, isHere),
    ...outboxChanges(end, answers),
  ]
}

const isUnheard = ({ input }: InboxRow, { dropped }: TurnEnd): boolean => input !== undefined && dropped.includes(input)

/** Those that the run showed are done with it; the others are said again, as turns of their own. Law G62. */
function steeredChanges(end: TurnEnd): Change[] {
  const { steered, found, rows, now } = end
  const into = given({ into: rows[0]?.row.id })
  return steered.map(({ row, version }) =>
    isUnheard(row, end)
      ? putInbox(saidAgain(row, found?.route.key), version)
      : putInbox(movedTo(row, 'done', { endedAt: now, ...into }), version),
  )
}

/** What a run did not hear waits for a turn of its own, under the key that its route has by now. */
export function saidAgain(row: InboxRow, key: string | undefined): InboxRow {
  const { input: _input, run: _run, turn: _turn, into: _into, ...rest } = row
  return movedTo(rest, 'queued', { said: row.said + 1, ...given({ key }) })
}

function routeChanges(end: TurnEnd, isHere: boolean): Change[] {
  const { found, steered } = end
  const again = steered.flatMap(({ row }) => (isUnheard(row, end) ? [saidAgain(row, found?.route.key)] : []))
  if (found === undefined) return again.flatMap(row => intoQueue(row.key ?? '', [row]))
  const { route, changes } = joinQueue(found.route, again)
  if (!isHere) return again.length === 0 ? [] : [...changes, putRoute({ ...found, route })]
  const isOver = queueOf(route).waiting === 0
  return [...changes, putRoute({ ...found, route: afterTurn(route, end) }), ...(isOver ? [unmarkOpen(route)] : [])]
}

function afterTurn(route: KeptRoute, { result, rows, now }: TurnEnd): KeptRoute {
  const byUser = rows.some(({ row }) => row.internal !== true)
  return turnClosed(route, { completed: completed.has(result.status), byUser, now })
}

const codeOf = ({ error, reason }: TurnEnd['result']): string => error?.code ?? reason

function reasonOf({ status, reason }: TurnEnd['result'], answers: readonly OutboxRow[]): string {
  if (answers.some(({ kind }) => kind === 'answer')) return 'silent'
  return status === 'done' ? 'no_answer' : reason
}

function answersOf(end: TurnEnd, route: KeptRoute): OutboxRow[] {
  const { result, rows, notice, mostChars } = end
  const [first] = rows
  if (first === undefined) return []
  const isFailed = result.status === 'failed'
  const said = result.text.trim()
  const text = isFailed ? `The turn failed: ${codeOf(result)}.` : result.status === 'cancelled' ? '' : said
  const kept = rows.every(({ row }) => row.internal === true) && silence.has(said) && !isFailed
  const parts = splitText(text, mostChars)
  const about = (kind: OutboxRow['kind'], part: string): OutboxRow => ({
    ...replyRow(end.ids, first.row, part, end.now),
    kind,
    key: route.key,
    session: end.claim.session,
    ...(kept ? ({ state: 'suppressed', reason: 'silent', endedAt: end.now } as const) : {}),
  })
  return [...(notice === undefined ? [] : [about('notice', notice)]), ...parts.map(part => about('answer', part))]
}

/** A message back to where one came from. */
export function replyRow(ids: NewId, row: Pick<InboxRow, 'id' | 'source'>, text: string, now: number): OutboxRow {
  const { source } = row
  return {
    id: ids('out'),
    state: 'pending',
    to: destinationOf(source),
    text,
    kind: 'notice',
    inbox: row.id,
    ...given({ replyTo: source.messageId }),
    attempts: 0,
    at: now,
  }
}

export function destinationOf(source: Source): Destination {
  const { platform, chatId, scopeId, userId } = source
  const threadId = threadOf(source)
  return { platform, chatId: chatId === '' ? (userId ?? '') : chatId, ...given({ threadId, scopeId }) }
}
