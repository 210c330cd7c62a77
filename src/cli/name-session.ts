import { given, invalidInput, isAlias, isId, isSkeinError, type SessionId, SkeinError } from '#kernel'
import type { ListFilter, SessionInfo } from '#session'
import type { Verbs } from './verbs.ts'

const leastPrefix = 8

/**
 * The session that a person means: by id or alias, by unique id prefix (8 characters or more), or by exact title.
 * Throws `session.not_found`, or `input.invalid` with the candidates where several are meant. Source: spec/foundation.md 7.1.
 */
export async function findSession(verbs: Pick<Verbs, 'info' | 'list'>, name: string, state?: 'deleted'): Promise<SessionId> {
  if (isId('ses', name)) return name
  if (name.trim() === '')
    throw invalidInput('session', 'Name a session by its id, its alias, the beginning of its id, or its title.')
  const aliased = state === undefined && isAlias(name) ? await idOf(verbs, name) : undefined
  if (aliased !== undefined) return aliased
  const found = await candidates(verbs, name, given({ state }))
  const [first] = found
  if (first === undefined) throw unknown(name)
  if (found.length > 1) throw ambiguous(name, found)
  return first.id
}

async function idOf(verbs: Pick<Verbs, 'info'>, name: string): Promise<SessionId | undefined> {
  try {
    return (await verbs.info(name)).id
  } catch (error) {
    if (isSkeinError(error) && error.code === 'session.not_found') return undefined
    throw error
  }
}

/** Up to ten, enough to say which are meant. */
async function candidates(verbs: Pick<Verbs, 'list'>, name: string, filter: ListFilter): Promise<SessionInfo[]> {
  const found: SessionInfo[] = []
  let cursor: string | undefined
  do {
    const page = await verbs.list({ ...filter, query: name, limit: 200, ...given({ cursor }) })
    found.push(...page.items.filter(info => isMeant(info, name)))
    cursor = page.next
  } while (cursor !== undefined && found.length < 10)
  return found.slice(0, 10)
}

const isMeant = ({ id, alias, title }: SessionInfo, name: string): boolean =>
  title === name || alias === name || (name.length >= leastPrefix && id.startsWith(name))

function unknown(name: string): SkeinError {
  const short =
    name.length < leastPrefix && 'ses_'.startsWith(name.slice(0, 4))
      ? ` The beginning of an id takes ${leastPrefix} characters or more.`
      : ''
  return new SkeinError('session.not_found', `There is no session ${name}.${short}`, { details: { session: name } })
}

function ambiguous(name: string, found: readonly SessionInfo[]): SkeinError {
  const named = found.map(({ id, title }) => `${id}${title === null ? '' : `  ${title}`}`)
  return new SkeinError('input.invalid', `Several sessions are meant by ${name}:\n  ${named.join('\n  ')}`, {
    details: { path: 'session', candidates: found.map(({ id, title }) => ({ id, title })) },
  })
}
