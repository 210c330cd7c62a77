import { SkeinError } from '#kernel'
import { decodeSource, isId, type Source, type SourceInput, threadOf, wordShape } from './source.ts'
import { normalizeWhatsApp } from './whatsapp.ts'

/** What a canonical key says. Equal keys are equal in all of it. Law G7. */
export interface SessionKey {
  readonly agent: string
  readonly platform: string
  readonly type: string
  readonly scope?: string
  readonly chat?: string
  readonly thread?: string
  readonly user?: string
}

/** Who shares a session with whom. */
export interface KeyFlags {
  /** Each member of a group has a session of their own. Default true. */
  readonly groupSessionsPerUser?: boolean
  /** The same in threads. Default false; without sessions per user in groups it says nothing. */
  readonly threadSessionsPerUser?: boolean
  /** `person`: the DMs of somebody whom `identityLinks` name are one session. Default `chat`. */
  readonly dmScope?: 'chat' | 'person'
  /** Who is whom on which platform, by a name of your own: `{ alice: ['telegram:123', 'discord:987'] }`. */
  readonly identityLinks?: Readonly<Record<string, readonly string[]>>
  /** Default `main`. */
  readonly agent?: string
}

/** Which id stands for a person on a platform, of the normalized one that is handed in. */
export type IdentityResolver = (platform: string, id: string, scope?: string) => string

const asItIs: IdentityResolver = (_platform, id) => id

/** The route's key: typed, injective and versioned. Throws `source.invalid`. */
export function keyOf(source: SourceInput, flags: KeyFlags = {}, resolver: IdentityResolver = asItIs): string {
  return formatKey(keyPartsOf(decodeSource(source), flags, resolver))
}

/** The seed's string. Unlike sources may have the same one, so it finds routes and never is one's key. */
export function legacyKeyOf(source: SourceInput, flags: KeyFlags = {}, resolver: IdentityResolver = asItIs): string {
  return legacyOf(keyPartsOf(decodeSource(source), flags, resolver))
}

/** A key in the seed's words, which lack some of it. */
export function legacyOf({ agent, platform, type, chat, thread, user }: SessionKey): string {
  const rest = type === 'dm' ? [chat, thread] : [chat, thread, user]
  return ['agent', agent, platform, type, ...rest.filter(part => part !== undefined)].join(':')
}

/** Of a DM of somebody who is linked the person, of all else the place. `aliases`: further ids of who speaks. Law G18. */
export function keyPartsOf(
  source: Source,
  flags: KeyFlags,
  resolver: IdentityResolver,
  aliases: readonly string[] = [],
): SessionKey {
  const linked = source.chatType === 'dm' && flags.dmScope === 'person' ? linkOf(source, flags, resolver, aliases) : undefined
  if (linked === undefined) return placeKeyOf(source, flags, resolver)
  return { agent: flags.agent ?? 'main', platform: 'person', type: 'dm', user: linked }
}

/** The key by platform and place alone. */
export function placeKeyOf(source: Source, flags: KeyFlags, resolver: IdentityResolver): SessionKey {
  const { platform, chatType: type, scopeId: scope } = source
  const thread = threadOf(source)
  const isDm = type === 'dm'
  const chat = chatOf(source, resolver)
  const user = (isDm ? chat === undefined : isIsolated(source, flags)) ? userOf(source, resolver) : undefined
  return {
    agent: flags.agent ?? 'main',
    platform,
    type,
    ...(scope === undefined ? {} : { scope }),
    ...(chat === undefined ? {} : { chat }),
    ...(thread === undefined ? {} : { thread }),
    ...(user === undefined ? {} : { user }),
  }
}

/** Whether each user of the place has a session of their own. */
function isIsolated(source: Source, { groupSessionsPerUser = true, threadSessionsPerUser = false }: KeyFlags): boolean {
  return groupSessionsPerUser && (threadOf(source) === undefined || threadSessionsPerUser)
}

/** The chat; in a WhatsApp DM that is the person. */
function chatOf({ platform, chatType, chatId, scopeId }: Source, resolver: IdentityResolver): string | undefined {
  if (chatId === '') return undefined
  return platform === 'whatsapp' && chatType === 'dm' ? personOf(platform, chatId, scopeId, resolver) : chatId
}

/** Who speaks, by the id that stands for them: the alternative one first. */
export function userOf({ platform, userId, userIdAlt, scopeId }: Source, resolver: IdentityResolver): string | undefined {
  const id = userIdAlt ?? userId
  return id === undefined ? undefined : personOf(platform, id, scopeId, resolver)
}

function personOf(platform: string, id: string, scope: string | undefined, resolver: IdentityResolver): string {
  return resolver(platform, bareId(platform, id), scope)
}

/** An id as the platform's aliases are compared: WhatsApp's without device and host. */
export function bareId(platform: string, id: string): string {
  return platform === 'whatsapp' ? normalizeWhatsApp(id) || id : id
}

/** True when the key pins nobody: many may speak in its session. Takes a source, or a canonical key. Law G9. */
export function isShared(given: SourceInput | string, flags: KeyFlags = {}): boolean {
  const key = typeof given === 'string' ? parseKey(given) : keyPartsOf(decodeSource(given), flags, asItIs)
  return key.user === undefined && (key.type !== 'dm' || (key.chat === undefined && key.thread === undefined))
}

function linkOf(source: Source, flags: KeyFlags, resolver: IdentityResolver, aliases: readonly string[]): string | undefined {
  const { platform, userId, userIdAlt } = source
  const chat = platform === 'whatsapp' && userId === undefined && userIdAlt === undefined ? source.chatId : ''
  const named = [userOf(source, resolver), userIdAlt, userId, chat, ...aliases]
  return linkedName(flags, platform, given(named))
}

const given = (ids: readonly (string | undefined)[]): string[] => ids.filter(id => id !== undefined && id !== '') as string[]

const linkTables = new WeakMap<object, ReadonlyMap<string, string>>()

/** How the links call whoever has one of these ids on a platform. */
export function linkedName({ identityLinks }: KeyFlags, platform: string, ids: readonly string[]): string | undefined {
  if (identityLinks === undefined) return undefined
  let table = linkTables.get(identityLinks)
  if (table === undefined) {
    const named = Object.entries(identityLinks).flatMap(([name, linked]) => linked.map(link => [linkKey(link), name] as const))
    linkTables.set(identityLinks, (table = new Map(named)))
  }
  for (const id of ids) {
    const name = table.get(linkKey(`${platform}:${id}`))
    if (name !== undefined) return name
  }
  return undefined
}

/** `platform:id`, the platform in any case, the id as aliases are compared. */
export function linkKey(link: string): string {
  const colon = link.indexOf(':')
  const platform = link.slice(0, Math.max(0, colon)).toLowerCase()
  return `${platform}:${bareId(platform, link.slice(colon + 1))}`
}

const members = [
  ['s', 'scope'],
  ['c', 'chat'],
  ['t', 'thread'],
  ['u', 'user'],
] as const

/** Throws `key.invalid` for what no key can say. */
export function formatKey(key: SessionKey): string {
  for (const member of ['agent', 'platform', 'type'] as const)
    if (!wordShape.test(key[member])) throw invalidKey(`${member}: expected 1–32 letters, digits and underscores.`)
  const rest = members.flatMap(([letter, member]) => {
    const value = key[member]
    if (value === undefined) return []
    if (!isId(value)) throw invalidKey(`${member}: expected an id.`)
    return [`:${letter}=${escaped(value)}`]
  })
  return `k1:${key.agent}:${key.platform}:${key.type}${rest.join('')}`
}

/** The inverse of `formatKey`. Throws `key.invalid` for anything that it does not write. Law G8. */
export function parseKey(key: unknown): SessionKey {
  const [version, agent = '', platform = '', type = '', ...rest] = typeof key === 'string' ? key.split(':') : []
  if (version !== 'k1') throw invalidKey('Expected k1:AGENT:PLATFORM:TYPE and what else it names.')
  const parts: Partial<Record<(typeof members)[number][1], string>> = {}
  for (const part of rest) {
    const member = members.find(([letter]) => part.startsWith(`${letter}=`))?.[1]
    if (member === undefined) throw invalidKey(`Unknown part ${part}.`)
    parts[member] = unescaped(part.slice(2))
  }
  const parsed = { agent, platform, type, ...parts }
  if (formatKey(parsed) !== key) throw invalidKey('Not in the form that keys are written in.')
  return parsed
}

const plain = /[^A-Za-z0-9\-._~@]/gu

/** Percent-encoding in upper-case hex of everything but letters, digits and `-._~@`. */
export function escaped(value: string): string {
  return value.replace(plain, char =>
    [...Buffer.from(char)].map(byte => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  )
}

function unescaped(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    throw invalidKey(`${value} is not percent-encoded UTF-8.`)
  }
}

export function invalidKey(problem: string): SkeinError {
  return new SkeinError('key.invalid', problem, { details: { path: 'key', issues: [{ path: 'key', message: problem }] } })
}
