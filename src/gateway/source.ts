import { byteLength, isObject, SkeinError } from '#kernel'

/** Where a message came from. Ids are opaque, their case kept, at most 512 UTF-8 bytes. */
export interface Source {
  /** telegram, discord, slack, whatsapp, signal, matrix, email, webhook, api_server, local, … */
  readonly platform: string
  /** '' when unknown. */
  readonly chatId: string
  /** dm, group, channel, thread, or a platform's own word. */
  readonly chatType: string
  readonly chatName?: string
  readonly chatTopic?: string
  readonly chatIdAlt?: string
  readonly parentChatId?: string
  readonly threadId?: string
  /** The thread that the answer to this message opens. */
  readonly prospectiveThreadId?: string
  readonly messageId?: string
  readonly userId?: string
  /** The stable one of two, such as a Signal UUID. */
  readonly userIdAlt?: string
  readonly userName?: string
  /** Guild, workspace or server. */
  readonly scopeId?: string
  readonly isBot: boolean
}

/** A source as it may be handed in: `chatType` and `isBot` may be left out, ids may be numbers. */
export type SourceInput = {
  readonly [K in keyof Source]?: Source[K] | (K extends 'isBot' ? never : number) | null | undefined
} & { readonly platform: string }

const ids = [
  'chatId',
  'chatIdAlt',
  'parentChatId',
  'threadId',
  'prospectiveThreadId',
  'messageId',
  'userId',
  'userIdAlt',
  'scopeId',
] as const
const names = ['chatName', 'chatTopic', 'userName'] as const
type Id = (typeof ids)[number]

/** What people see of a source and what may change from message to message. */
export const displayFields: typeof names = names

export const maxIdBytes = 512
/** How platforms, chat types and agents are called. */
export const wordShape: RegExp = /^[a-z][a-z0-9_]{0,31}$/
/** No message comes from these: their keys stand for something else. */
export const reservedPlatforms: readonly string[] = ['person', 'legacy']

/** Those that need not be configured to be named in a link. */
export const knownPlatforms: readonly string[] = [
  'telegram',
  'discord',
  'slack',
  'whatsapp',
  'signal',
  'matrix',
  'email',
  'webhook',
  'api_server',
  'local',
  'irc',
  'teams',
  'bluebubbles',
  'yuanbao',
  'feishu',
  'mattermost',
  'sms',
  'line',
  'wechat',
  'wecom',
  'dingtalk',
  'homeassistant',
]

const snake = (field: string): string => field.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)

/** Reads a source, in camel or snake case. Throws `source.invalid`, naming the field. Laws G1, G2, G4. */
export function decodeSource(value: unknown): Source {
  if (!isObject(value)) throw invalidSource('', 'Expected a source.')
  const given = (field: string): unknown => {
    for (const name of field === 'scopeId' ? [field, 'scope_id', 'guild_id'] : [field, snake(field)]) {
      const found = value[name]
      if (found !== undefined && found !== null && found !== '') return found
    }
    return undefined
  }
  const platform = readWord('platform', given('platform'))
  if (reservedPlatforms.includes(platform)) throw invalidSource('platform', `${platform} is no platform of messages.`)
  const isBot = given('isBot') ?? false
  if (typeof isBot !== 'boolean') throw invalidSource('isBot', 'Expected true or false.')
  const optional = Object.fromEntries(
    [
      ...names.map(field => [field, readText(field, given(field))]),
      ...ids.map(field => [field, readId(field, given(field))]),
    ].filter(([, text]) => text !== undefined),
  ) as { readonly [K in Id]?: string }
  return {
    ...optional,
    platform,
    chatId: optional.chatId ?? '',
    chatType: readWord('chatType', given('chatType') ?? 'dm'),
    isBot,
  }
}

/** The source in camel case, without what it does not have. Law G3. */
export function encodeSource(source: Source): Partial<Source> & Pick<Source, 'platform' | 'chatType' | 'isBot'> {
  const { platform, chatId, chatType, ...rest } = decodeSource(source)
  return { platform, ...(chatId === '' ? {} : { chatId }), chatType, ...rest }
}

/** The place in words, as people know it. Law G5. */
export function describeSource(given: SourceInput): string {
  const source = decodeSource(given)
  if (source.platform === 'local') return 'CLI terminal'
  const thread = threadOf(source)
  return `${describePlace(source)}${thread === undefined ? '' : `, thread: ${thread}`}`
}

function describePlace({ chatType, chatName, chatId, userName, userId }: Source): string {
  const chat = chatName ?? chatId
  switch (chatType) {
    case 'dm':
      return `DM with ${userName ?? userId ?? 'user'}`
    case 'group':
    case 'channel':
      return `${chatType}: ${chat}`
    default:
      return chat
  }
}

/** The thread that a message stands in, or opens. Law G13. */
export function threadOf({ threadId, prospectiveThreadId }: Source): string | undefined {
  return threadId ?? prospectiveThreadId
}

export function invalidSource(field: string, problem: string): SkeinError {
  return new SkeinError('source.invalid', field === '' ? problem : `${field}: ${problem}`, {
    details: { path: field, issues: [{ path: field, message: problem }] },
  })
}

function readWord(field: string, value: unknown): string {
  const word = typeof value === 'string' ? value.toLowerCase() : ''
  if (wordShape.test(word)) return word
  throw invalidSource(field, 'Expected 1–32 letters, digits and underscores, beginning with a letter.')
}

function readText(field: string, value: unknown): string | undefined {
  if (value === undefined || typeof value === 'string') return value
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value)
  throw invalidSource(field, 'Expected a text.')
}

function readId(field: string, value: unknown): string | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value)
  if (typeof value !== 'string') throw invalidSource(field, 'Expected a text or a safe whole number.')
  if (isId(value)) return value
  throw invalidSource(field, `Expected at most ${maxIdBytes} bytes of well-formed text without NUL.`)
}

/** Whether a text may be an id: not empty, not too long, and the same in every encoding. */
export function isId(value: string): boolean {
  return value !== '' && value.isWellFormed() && !value.includes('\u0000') && byteLength(value) <= maxIdBytes
}
