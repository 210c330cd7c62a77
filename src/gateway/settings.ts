import { given } from '#kernel'
import type { Answer } from './answer-turn.ts'
import { bareId, type KeyFlags, linkKey } from './key.ts'
import { asPolicy, type ResetMode, resetModes, type ResetPolicy } from './reset-policy.ts'
import {
  aFlag,
  aFunction,
  aNumber,
  anyOf,
  aText,
  aValue,
  byName,
  type Issue,
  listOf,
  members,
  oneOf,
  type Reader,
  readWhole,
} from './settings-reader.ts'
import { isId, knownPlatforms, reservedPlatforms, type Source, threadOf, wordShape } from './source.ts'
import { formatChat, parseTarget } from './target.ts'
import { isZone } from './zones.ts'

export const busyModes = ['steer', 'followUp', 'next', 'collect', 'interrupt', 'reject'] as const
/** What becomes of a message that comes while its route's run goes on. */
export type BusyMode = (typeof busyModes)[number]

export interface ResetRules {
  readonly default?: ResetPolicy | ResetMode
  /** By `platform:chat` or `platform:chat:thread`, as targets are written. */
  readonly byChat?: Readonly<Record<string, ResetPolicy | ResetMode>>
  /** By chat type. */
  readonly byType?: Readonly<Record<string, ResetPolicy | ResetMode>>
  readonly byPlatform?: Readonly<Record<string, ResetPolicy | ResetMode>>
}

export interface HomeChannel {
  readonly chatId: string
  /** Default `Home`. */
  readonly name?: string
  readonly threadId?: string
}

export interface PlatformOptions {
  /** Default true. */
  readonly enabled?: boolean
  /** Who may speak: all, or these ids by any of their aliases. */
  readonly allow?: 'all' | readonly string[]
  /** Default false. */
  readonly allowBots?: boolean
  /** What a stranger's DM gets: a pairing code (default), or nothing (default on email). */
  readonly unauthorizedDm?: 'pair' | 'ignore'
  readonly busy?: BusyMode
  readonly home?: HomeChannel
}

/** `openSkein({ gateway })`. Source: spec/gateway.md 16. */
export interface GatewayOptions {
  /** IANA; default: the host's. */
  readonly zone?: string
  /** When conversations begin afresh by themselves; a mode alone holds everywhere. Default `none`. */
  readonly reset?: ResetRules | ResetMode
  readonly groupSessionsPerUser?: boolean
  readonly threadSessionsPerUser?: boolean
  /** `person`: the DMs of somebody whom `identityLinks` name are one session. Default `chat`. */
  readonly dmScope?: 'chat' | 'person'
  /** Who is whom on which platform, by a name of your own: `{ alice: ['telegram:123', 'discord:987'] }`. */
  readonly identityLinks?: Readonly<Record<string, readonly string[]>>
  /** Default `steer`. */
  readonly busy?: BusyMode
  /** How many messages of a route may wait. Default 32. */
  readonly queueMax?: number
  /** Default `/new`, `/reset`. */
  readonly resetTriggers?: readonly string[]
  /** Default true. */
  readonly autoResume?: boolean
  /** How old the mark of an interrupted turn may be for it to go on by itself; 0 or less: any age. Default 60. */
  readonly resumeWindowMinutes?: number
  /** Work that began longer ago pins no session. Default 24. */
  readonly activeWorkMaxAgeHours?: number
  /** Default 0: nothing is pruned. */
  readonly pruneDays?: number
  readonly outputDir?: string
  /** Platform notes in place of the built-in ones. */
  readonly notes?: Readonly<Record<string, string>>
  readonly prompt?: { readonly guard?: boolean }
  /** Everybody may speak everywhere. Default false. */
  readonly allowAll?: boolean
  readonly privacy?: {
    readonly redact?: boolean
    readonly pseudonyms?: 'hmac' | 'seed'
    /** 64 hex digits, in place of a key that is made once for each tenant. */
    readonly key?: string
  }
  readonly platforms?: Readonly<Record<string, PlatformOptions>>
  /** Whether the host works on something for a session key, and since when. One that throws counts as yes. */
  readonly hasActiveWork?: (key: string) => ActiveWork | Promise<ActiveWork>
  /** Answers turns in place of a model. */
  readonly answer?: Answer
}

export type ActiveWork = boolean | { readonly since: number } | null | undefined

/** What holds, with every default. */
export interface GatewaySettings {
  readonly zone: string | undefined
  readonly reset: {
    readonly default: ResetPolicy
    readonly byChat: Readonly<Record<string, ResetPolicy>>
    readonly byType: Readonly<Record<string, ResetPolicy>>
    readonly byPlatform: Readonly<Record<string, ResetPolicy>>
  }
  readonly flags: KeyFlags
  readonly busy: BusyMode
  readonly queueMax: number
  readonly resetTriggers: readonly string[]
  readonly autoResume: boolean
  readonly resumeWindowMinutes: number
  readonly activeWorkMaxAgeHours: number
  readonly pruneDays: number
  readonly outputDir: string | undefined
  readonly notes: Readonly<Record<string, string>>
  readonly guard: boolean
  readonly allowAll: boolean
  readonly privacy: { readonly redact: boolean; readonly pseudonyms: 'hmac' | 'seed'; readonly key: string | undefined }
  readonly platforms: Readonly<Record<string, PlatformOptions>>
  readonly hasActiveWork: GatewayOptions['hasActiveWork']
  readonly answer: Answer | undefined
}

const most = Number.MAX_SAFE_INTEGER
const word = 'Expected 1–32 letters, digits and underscores, beginning with a letter.'
const platformName = (name: string): string | undefined => {
  const platform = name.toLowerCase()
  return wordShape.test(platform) && !reservedPlatforms.includes(platform) ? platform : undefined
}
const typeName = (name: string): string | undefined => (wordShape.test(name.toLowerCase()) ? name.toLowerCase() : undefined)
const chatName = (name: string): string | undefined => {
  try {
    const target = parseTarget(name)
    return target.kind === 'chat' && !reservedPlatforms.includes(target.platform) ? formatChat(target) : undefined
  } catch {
    return undefined
  }
}
const zone: Reader<string> = aValue(isZone, 'Expected a time zone of the IANA database, such as Europe/Berlin.')
const id: Reader<string> = aValue(
  value => (typeof value === 'number' ? Number.isSafeInteger(value) : typeof value === 'string' && isId(value)),
  'Expected an id.',
  String,
)

const mode: Reader<ResetPolicy | ResetMode> = oneOf(...resetModes)
const policy: Reader<ResetPolicy | ResetMode> = members<ResetPolicy>(
  {
    mode: oneOf(...resetModes),
    idleMinutes: aNumber(0, most),
    atHour: aNumber(0, 23, { whole: true }),
    zone,
    notify: aFlag,
    notifyExclude: listOf(aText),
  },
  ['mode'],
)
/** A mode alone, or a policy. */
const rule: Reader<ResetPolicy | ResetMode> = (value, path, issues) =>
  (typeof value === 'string' ? mode : policy)(value, path, issues)

const rules: Reader<ResetRules | ResetMode> = members<ResetRules>({
  default: rule,
  byChat: byName(rule, chatName, 'Expected platform:chat or platform:chat:thread.'),
  byType: byName(rule, typeName, word),
  byPlatform: byName(rule, platformName, word),
})

const platform: Reader<PlatformOptions> = members<PlatformOptions>({
  enabled: aFlag,
  allow: anyOf<'all' | readonly string[]>(oneOf('all'), listOf(id)),
  allowBots: aFlag,
  unauthorizedDm: oneOf('pair', 'ignore'),
  busy: oneOf(...busyModes),
  home: members<HomeChannel>({ chatId: id, name: aText, threadId: id }, ['chatId']),
})

const whole: Reader<GatewayOptions> = members<GatewayOptions>({
  zone,
  reset: (value, path, issues) =>
    typeof value === 'string' ? oneOf(...resetModes)(value, path, issues) : rules(value, path, issues),
  groupSessionsPerUser: aFlag,
  threadSessionsPerUser: aFlag,
  dmScope: oneOf('chat', 'person'),
  identityLinks: byName<readonly string[]>(listOf(aText), name => (isId(name) ? name : undefined), 'Expected a name.'),
  busy: oneOf(...busyModes),
  queueMax: aNumber(0, 10_000, { whole: true }),
  resetTriggers: listOf(aText),
  autoResume: aFlag,
  resumeWindowMinutes: aNumber(-most, most),
  activeWorkMaxAgeHours: aNumber(0, most),
  pruneDays: aNumber(0, most),
  outputDir: aText,
  notes: byName<string>(
    aValue(value => typeof value === 'string', 'Expected a text.'),
    platformName,
    word,
  ),
  prompt: members<{ guard?: boolean }>({ guard: aFlag }),
  allowAll: aFlag,
  privacy: members<NonNullable<GatewayOptions['privacy']>>({
    redact: aFlag,
    pseudonyms: oneOf('hmac', 'seed'),
    key: aValue(value => typeof value === 'string' && /^[0-9a-fA-F]{64}$/.test(value), 'Expected 64 hex digits.'),
  }),
  platforms: byName(platform, platformName, word),
  hasActiveWork: aFunction<NonNullable<GatewayOptions['hasActiveWork']>>(),
  answer: aFunction<Answer>(),
})

/** Links are checked against the platforms beside them. */
const options: Reader<GatewayOptions> = (value, path, issues) => {
  const read = whole(value, path, issues)
  if (read?.identityLinks !== undefined) issues.push(...linkIssues(read, `${path}.identityLinks`))
  return read
}

/** A link names a platform that is known or configured, and one person. Law G18. */
function linkIssues({ identityLinks = {}, platforms = {} }: GatewayOptions, path: string): Issue[] {
  const names = new Map<string, string>()
  const isKnown = (platform: string): boolean => knownPlatforms.includes(platform) || Object.hasOwn(platforms, platform)
  return Object.entries(identityLinks).flatMap(([name, links]) =>
    links.flatMap((link, index): Issue[] => {
      const at = `${path}.${name}[${index}]`
      const key = linkKey(link)
      const colon = key.indexOf(':')
      if (!link.includes(':') || !isKnown(key.slice(0, colon)) || !isId(key.slice(colon + 1)))
        return [{ path: at, message: 'Expected platform:id, with a platform that is known or configured.' }]
      const other = names.get(key)
      names.set(key, name)
      return other === undefined || other === name ? [] : [{ path: at, message: `${link} is linked to ${other}, too.` }]
    }),
  )
}

/** Throws `config.invalid` with all problems and their paths at once. Laws G31, G83. */
export function readGatewaySettings(value: unknown = {}): GatewaySettings {
  const read = readWhole(options, value, 'gateway')
  const reset: ResetRules = typeof read.reset === 'string' ? { default: read.reset } : (read.reset ?? {})
  const policies = (of: ResetRules['byType'] = {}): Record<string, ResetPolicy> =>
    Object.fromEntries(Object.entries(of).map(([name, one]) => [name, asPolicy(one)]))
  return {
    zone: read.zone,
    reset: {
      default: asPolicy(reset.default ?? 'none'),
      byChat: policies(reset.byChat),
      byType: policies(reset.byType),
      byPlatform: policies(reset.byPlatform),
    },
    flags: {
      groupSessionsPerUser: read.groupSessionsPerUser ?? true,
      threadSessionsPerUser: read.threadSessionsPerUser ?? false,
      dmScope: read.dmScope ?? 'chat',
      identityLinks: read.identityLinks ?? {},
    },
    busy: read.busy ?? 'steer',
    queueMax: read.queueMax ?? 32,
    resetTriggers: read.resetTriggers ?? ['/new', '/reset'],
    autoResume: read.autoResume ?? true,
    resumeWindowMinutes: read.resumeWindowMinutes ?? 60,
    activeWorkMaxAgeHours: read.activeWorkMaxAgeHours ?? 24,
    pruneDays: read.pruneDays ?? 0,
    outputDir: read.outputDir,
    notes: read.notes ?? {},
    guard: read.prompt?.guard ?? true,
    allowAll: read.allowAll ?? false,
    privacy: { redact: false, pseudonyms: 'hmac', key: undefined, ...given(read.privacy ?? {}) },
    platforms: read.platforms ?? {},
    hasActiveWork: read.hasActiveWork,
    answer: read.answer,
  }
}

export interface NamedRule {
  /** `default`, `byType.group`, `byPlatform.telegram`, `byChat.telegram:-100`. */
  readonly name: string
  readonly policy: ResetPolicy
}

/** The rule that counts for a source, whole, in its zone. Law G30. */
export function ruleFor({ reset, zone }: GatewaySettings, source: Source): NamedRule {
  const { platform, chatType } = source
  const found = (by: 'byChat' | 'byPlatform' | 'byType', name: string): NamedRule | undefined => {
    const policy = Object.hasOwn(reset[by], name) ? reset[by][name] : undefined
    return policy === undefined ? undefined : { name: `${by}.${name}`, policy }
  }
  const byChat = chatNames(source).map(chat => found('byChat', chat))
  const { name, policy } = byChat.find(one => one !== undefined) ??
    found('byPlatform', platform) ??
    found('byType', chatType) ?? { name: 'default', policy: reset.default }
  return { name, policy: { ...given({ zone }), ...policy } }
}

/** What a source's chat may be called in the rules: its thread first; the person of a WhatsApp DM by number alone as well. */
function chatNames(source: Source): string[] {
  const { platform, chatId, chatType } = source
  if (chatId === '') return []
  const threadId = threadOf(source)
  const chats = [...new Set(chatType === 'dm' ? [chatId, bareId(platform, chatId)] : [chatId])]
  const inThread = threadId === undefined ? [] : chats.map(chat => formatChat({ platform, chatId: chat, threadId }))
  return [...inThread, ...chats.map(chat => formatChat({ platform, chatId: chat }))]
}
