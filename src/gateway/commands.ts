import { type EntryId, given, isSkeinError, type SessionId } from '#kernel'
import type { SessionRow } from '#journal'
import { sessionInfo, type SessionInfo } from '#session'
import { actorSessions, namedSession } from './actor-sessions.ts'
import { readSituation } from './decide.ts'
import type { Exchange } from './exchange.ts'
import { routeAt } from './find-route.ts'
import { busyInbox, type InboxRow } from './inbox-row.ts'
import type { Handled } from './intake.ts'
import { clearResumePending, suspend } from './holds.ts'
import { resetRoute, switchRoute } from './operations.ts'
import { readPeople } from './person.ts'
import { queueOf } from './queue.ts'
import type { Command, CommandName } from './read-command.ts'
import { resolveSource } from './resolve.ts'
import { evaluateReset } from './reset-policy.ts'
import { type FoundRoute, holdOf } from './route.ts'
import { ruleFor } from './settings.ts'
import { beforeUserMessage } from './user-messages.ts'

interface Asked {
  readonly exchange: Exchange
  readonly row: InboxRow
  readonly rest: string
  /** The route, or none before the first message. */
  readonly found: FoundRoute | undefined
  readonly key: string
  readonly session: SessionRow | undefined
}

type Answer = string | Handled

/** Commands that nobody may give while a turn goes on. */
const refusedBusy: ReadonlySet<CommandName> = new Set(['resume', 'retry', 'undo', 'compact'])

const carryOut: Readonly<Record<CommandName, (asked: Asked) => Promise<Answer> | Answer>> = {
  new: reset,
  reset,
  stop,
  resume,
  sessions,
  title,
  retry,
  undo,
  compact,
  status,
  help: () => helpText,
}

/** Carries out a command and says how it went. It is never part of a conversation. Laws G65–G67. */
export async function runCommand(exchange: Exchange, { name, rest }: Command, row: InboxRow): Promise<Handled> {
  const { desk, store } = exchange.front
  const situation = await readSituation(desk, store, row.source, await readPeople(store, row.source))
  const { key, found } = situation
  const asked: Asked = { exchange, row, rest, found, key: found?.route.key ?? key, session: situation.row }
  if (refusedBusy.has(name) && (await isBusy(asked))) return { answer: 'busy', refused: 'busy', key: asked.key }
  try {
    const answer = await carryOut[name](asked)
    return { key: asked.key, ...(typeof answer === 'string' ? { answer } : answer) }
  } catch (error) {
    if (!isSkeinError(error) || error.code.startsWith('store.')) throw error
    // A run that a host began here.
    if (error.code === 'session.busy') return { answer: 'busy', refused: 'busy', key: asked.key }
    return { answer: `That did not work: ${error.code}.`, refused: error.code, key: asked.key }
  }
}

async function isBusy({ exchange, key, found }: Asked): Promise<boolean> {
  if (found?.route.openTurn !== undefined) return true
  return (await busyInbox(exchange.front.store, key)).some(({ row }) => row.state === 'running')
}

async function reset({ exchange, row, rest, found }: Asked): Promise<string> {
  const title = rest === '' ? null : titleOf(rest)
  if (found === undefined) {
    const { session } = await resolveSource(exchange.front, row.source, { clocks: 'none' })
    if (title !== null) await session.rename(title)
  } else await resetRoute(exchange.front, found.route.key, title)
  return title === null ? 'New session.' : `New session: ${title}.`
}

/** Ends the turn and forgets what waits. A healthy session stays; one that keeps breaking off is left. */
async function stop({ exchange, found, key }: Asked): Promise<string> {
  const { route } = found ?? {}
  const isSick = route !== undefined && (route.interruptions > 0 || holdOf(route, 'resume_pending') !== undefined)
  const { stopped, dropped } = await exchange.turns.stop(key)
  if (isSick) {
    await clearResumePending(exchange.front, key)
    await suspend(exchange.front, key, 'stop')
  }
  if (!stopped && dropped === 0) return 'Nothing is going on.'
  return `Stopped.${dropped === 0 ? '' : ` ${dropped} waiting ${dropped === 1 ? 'message was' : 'messages were'} dropped.`}`
}

async function sessions({ exchange, row, rest, found, session }: Asked): Promise<string> {
  const listed = await actorSessions(exchange.front, row.source, found?.route, session, rest)
  if (listed.length === 0) return 'No other sessions.'
  return listed.map((one, index) => `${index + 1}. ${lineOf(one)}`).join('\n')
}

async function resume(asked: Asked): Promise<string> {
  const { exchange, row, rest, session, key } = asked
  if (rest === '') return await sessions(asked)
  const found = asked.found ?? (await firstHere(exchange, row))
  const target = found && (await namedSession(exchange.front, row.source, found.route, session, rest))
  if (target === undefined) return 'No such session.'
  try {
    await switchRoute(exchange.front, key, target.id, { actor: row.source })
  } catch (error) {
    if (isSkeinError(error) && error.code === 'session.not_found') return 'No such session.'
    throw error
  }
  return `Resumed: ${lineOf(target)}`
}

/** The route of a chat where nothing was said yet. */
async function firstHere({ front }: Exchange, { source }: InboxRow): Promise<FoundRoute | undefined> {
  const { route } = await resolveSource(front, source, { clocks: 'none' })
  return await routeAt(front.store, route.key)
}

async function title({ exchange, rest, session, row, found }: Asked): Promise<Answer> {
  const wanted = titleOf(rest)
  if (wanted === '') return { answer: 'Say the title: /title My trip.', refused: 'input.invalid' }
  if (session === undefined) return 'There is no session yet.'
  const others = await actorSessions(exchange.front, row.source, found?.route, session, '', 200)
  const taken = new Set(others.map(one => one.title))
  let free = wanted
  for (let n = 2; taken.has(free); n++) free = `${titleOf(wanted, String(n).length + 2)} #${n}`
  await (await exchange.front.sessions.open(session.id)).rename(free)
  return `Title: ${free}`
}

async function undo({ exchange, rest, session }: Asked): Promise<string> {
  const count = /^\d{1,4}$/.test(rest) ? Number(rest) : 1
  const place = session === undefined ? undefined : await beforeUserMessage(exchange.front, session, Math.max(1, count))
  if (place === undefined || session === undefined) return 'Nothing to undo.'
  await moveTo(exchange, session.id, place.to)
  return place.count === 1 ? 'Undone.' : `Undone: ${place.count} messages.`
}

/** The same input again, from where it was first said: a message of its own behind this command. */
async function retry({ exchange, row, session, key }: Asked): Promise<Answer> {
  const place = session === undefined ? undefined : await beforeUserMessage(exchange.front, session, 1)
  if (place === undefined || session === undefined) return 'Nothing to retry.'
  await moveTo(exchange, session.id, place.to)
  const { desk } = exchange.front
  const again: InboxRow = {
    id: desk.runtime.ids('inb'),
    state: 'queued',
    key,
    source: row.source,
    text: '',
    again: place.message,
    mode: 'next',
    order: desk.now,
    said: 0,
    at: desk.now,
    ...given({ sender: row.sender, replyTo: row.source.messageId }),
  }
  return { answer: 'Once more.', behind: again }
}

async function moveTo(exchange: Exchange, session: SessionId, to: EntryId): Promise<void> {
  await (await exchange.front.sessions.open(session)).moveTo(to, { reason: 'undo' })
}

async function compact({ exchange, session }: Asked): Promise<string> {
  if (session === undefined) return 'There is no session yet.'
  const { status } = await (await exchange.front.sessions.open(session.id)).compact()
  return `Compaction: ${status}.`
}

async function status({ exchange, row, found, key, session }: Asked): Promise<string> {
  const { desk, store } = exchange.front
  const route = found?.route
  const busy = (await busyInbox(store, key)).map(one => one.row.state)
  const waiting = queueOf(route ?? {}).waiting + busy.filter(state => state === 'interrupted').length
  const lines = [
    `Key: ${key}`,
    `Session: ${session === undefined ? 'none yet' : lineOf(session)}`,
    `Turn: ${busy.includes('running') ? 'going on' : 'none'}, waiting: ${waiting}`,
  ]
  if (session !== undefined) lines.push(`Usage: ${usageLine(sessionInfo(exchange.front.tenant, session))}`)
  if (route !== undefined && route.holds.length > 0)
    lines.push(`Holds: ${route.holds.map(({ kind, reason }) => `${kind} (${reason})`).join(', ')}`)
  if (route !== undefined) {
    const { nextAt } = evaluateReset(ruleFor(desk.settings, row.source).policy, route, desk.now)
    lines.push(`Begins afresh: ${nextAt === null ? 'never by itself' : `from ${new Date(nextAt).toISOString()}`}`)
  }
  return lines.join('\n')
}

/** Turns, tokens and money of a session, as far as they are known. */
function usageLine({ turns, usage: { usage, cost, requests } }: SessionInfo): string {
  const counted = (count: number, noun: string): string => `${count.toLocaleString('en')} ${noun}`
  const told = [counted(turns, turns === 1 ? 'turn' : 'turns')]
  if (requests > 0) {
    const { inputTokens, cacheReadTokens, cacheWrite5mTokens, cacheWrite1hTokens, outputTokens } = usage
    const asked = inputTokens + cacheReadTokens + cacheWrite5mTokens + cacheWrite1hTokens
    told.push(counted(asked, 'tokens in'), counted(outputTokens, 'tokens out'))
    const dollars = cost.nano === null ? 'cost unknown' : `$${(cost.nano / 1e9).toFixed(4)}`
    told.push(cost.complete || cost.nano === null ? dollars : `${dollars} and more`)
  }
  return told.join(', ')
}

const lineOf = ({ id, title: named, preview }: Pick<SessionRow, 'id' | 'title' | 'preview'>): string =>
  `${named ?? preview?.slice(0, 60) ?? 'untitled'} (${id})`

/** One line without control or format characters, of at most 100 code points less `room`. */
function titleOf(text: string, room = 0): string {
  const clean = text
    .toWellFormed()
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim()
  return [...clean]
    .slice(0, 100 - room)
    .join('')
    .trim()
}

const helpText = [
  '/new [title]: a new session (also /reset)',
  '/stop: end the turn that goes on, and forget what waits',
  '/sessions [query]: your other sessions',
  '/resume [number, title or id]: go back to one of them',
  '/title text: name this session',
  '/retry: the last message again',
  '/undo [n]: as if the last n messages had not been',
  '/compact: make room in the context',
  '/status: where this chat stands',
].join('\n')
