import { isSkeinError } from '#kernel'
import {
  canonicalWhatsApp,
  decodeSource,
  describeSource,
  encodeSource,
  formatKey,
  isShared,
  type KeyFlags,
  keyOf,
  legacyKeyOf,
  normalizeWhatsApp,
  parseKey,
  parseTarget,
  pseudonym,
  type SessionKey,
  type SourceInput,
} from '#gateway'
import { verifies } from '#verifies'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

/** The code and the field that a refusal names. */
function refusal(work: () => unknown): readonly unknown[] {
  try {
    return ['accepted', work()]
  } catch (error) {
    if (isSkeinError(error)) return [error.code, error.details['path']]
    throw error
  }
}

const word = fc
  .stringMatching(/^[a-z][a-z0-9_]{0,31}$/)
  .filter(text => text !== 'person' && text !== 'legacy' && text.length <= 32)
/** Ids with everything that a key has to escape. */
const id = fc
  .string({
    unit: fc.oneof(
      fc.constantFrom(':', '%', '=', 'c=', 's=', '@', '!', ' ', '\n', '/', '東', '😀', 'A', '7', '~', '-', '+'),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    ),
    minLength: 1,
    maxLength: 12,
  })
  .filter(text => text.isWellFormed() && !text.includes('\u0000'))
const maybe = <T>(inner: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(inner, { nil: undefined })
const named = fc.record({
  chatName: maybe(fc.string({ minLength: 1 })),
  chatTopic: maybe(fc.string({ minLength: 1 })),
  userName: maybe(fc.string({ minLength: 1 })),
})
const placed = fc.record({
  platform: fc.oneof(fc.constantFrom('telegram', 'discord', 'whatsapp', 'slack', 'local'), word),
  chatType: fc.oneof(fc.constantFrom('dm', 'group', 'channel', 'thread'), word),
  chatId: maybe(id),
  threadId: maybe(id),
  userId: maybe(id),
  userIdAlt: maybe(id),
  scopeId: maybe(id),
})
const told = fc.record({ chatIdAlt: maybe(id), parentChatId: maybe(id), messageId: maybe(id), isBot: fc.boolean() })
const source = fc.tuple(placed, named, told).map(parts => Object.assign({}, ...parts) as SourceInput)
const flags: fc.Arbitrary<KeyFlags> = fc.record({ groupSessionsPerUser: fc.boolean(), threadSessionsPerUser: fc.boolean() })

describe('a source', () => {
  verifies('G1', 'has texts as ids, and a field that can be none is named', () => {
    const fields = ['chatId', 'chatIdAlt', 'parentChatId', 'threadId', 'messageId', 'userId', 'userIdAlt', 'scopeId'] as const
    for (const field of fields) {
      const read = (value: unknown): unknown => decodeSource({ platform: 'telegram', [field]: value })[field]
      expect([read(12345), read(-100), read(0), read('007')]).toEqual(['12345', '-100', '0', '007'])
      expect(read('é'.repeat(256))).toBe('é'.repeat(256))
      const bad = [2 ** 53, -(2 ** 53), 1.5, Number.NaN, true, { id: 1 }, ['1'], '\ud800', 'a\u0000b', 'é'.repeat(257)]
      for (const value of bad)
        expect(
          refusal(() => read(value)),
          JSON.stringify(value),
        ).toEqual(['source.invalid', field])
    }
    expect(refusal(() => decodeSource({ platform: 'telegram', isBot: 'yes' }))).toEqual(['source.invalid', 'isBot'])
    for (const value of [undefined, null, 7, 'telegram', []]) expect(refusal(() => decodeSource(value))[0]).toBe('source.invalid')
  })

  verifies('G2', 'is a DM of a person if it says nothing else, and knows its platform in any case', () => {
    const least = { platform: 'telegram', chatId: '', chatType: 'dm', isBot: false }
    expect(decodeSource({ platform: 'Telegram' })).toEqual(least)
    const absent = { chatType: null, isBot: null, chatId: '', userId: '', threadId: null, chatName: '', unknown: { a: 1 } }
    expect(decodeSource({ platform: 'TELEGRAM', ...absent })).toEqual(least)
    for (const platform of ['tele gram', '', null, undefined, 7, 'tele-gram', '1st', 'x'.repeat(33), 'person', 'legacy'])
      expect(refusal(() => decodeSource({ platform }))).toEqual(['source.invalid', 'platform'])
    expect(refusal(() => decodeSource({ platform: 'x', chatType: 'a b' }))).toEqual(['source.invalid', 'chatType'])
    expect(decodeSource({ platform: 'api_server', chatType: 'room2' })).toMatchObject({
      platform: 'api_server',
      chatType: 'room2',
    })
  })

  verifies('G3 G4', 'comes back from what is written of it, in either case, without what it lacks', () => {
    fc.assert(
      fc.property(source, given => {
        const decoded = decodeSource(given)
        const written = encodeSource(decoded)
        expect(decodeSource(JSON.parse(JSON.stringify(written)))).toEqual(decoded)
        expect(Object.values(written)).not.toContain(undefined)
        expect(Object.values(written)).not.toContain('')
        expect(Object.keys(written).filter(key => key.includes('_'))).toEqual([])
        const snake = Object.entries(written).map(([key, value]) => [key.replace(/[A-Z]/g, l => `_${l.toLowerCase()}`), value])
        expect(decodeSource(Object.fromEntries(snake))).toEqual(decoded)
      }),
    )
    expect(encodeSource(decodeSource({ platform: 'discord', is_bot: true, guild_id: 'G', scope_id: 'S' }))).toEqual({
      platform: 'discord',
      chatType: 'dm',
      scopeId: 'S',
      isBot: true,
    })
    expect(decodeSource({ platform: 'discord', guild_id: 5 }).scopeId).toBe('5')
  })

  verifies('G5', 'is described by the table', () => {
    const describe = (given: object): string => describeSource({ platform: 'telegram', ...given })
    expect(describe({ threadId: 9 })).toBe('DM with user, thread: 9')
    expect(describe({ userId: 42, chatName: 'x' })).toBe('DM with 42')
    expect(describe({ userId: 42, userName: 'Ada', threadId: '1' })).toBe('DM with Ada, thread: 1')
    expect(describe({ chatType: 'group', chatId: -5 })).toBe('group: -5')
    expect(describe({ chatType: 'channel', chatId: 5, chatName: 'News', threadId: 2 })).toBe('channel: News, thread: 2')
    expect(describe({ chatType: 'forum', chatId: 5 })).toBe('5')
    expect(describe({ chatType: 'thread', chatId: 5, chatName: 'T' })).toBe('T')
    expect(describeSource({ platform: 'local', threadId: '9', userName: 'Ada' })).toBe('CLI terminal')
  })
})

const tables: readonly [given: object, legacy: string, canonical: string][] = [
  [
    { platform: 'telegram', chatId: '99', threadId: '7', userId: '42' },
    'agent:main:telegram:dm:99:7',
    'k1:main:telegram:dm:c=99:t=7',
  ],
  [{ platform: 'telegram', userId: 'jordan' }, 'agent:main:telegram:dm', 'k1:main:telegram:dm:u=jordan'],
  [
    { platform: 'telegram', chatType: 'group', chatId: '-100', threadId: '42', userId: 'alice' },
    'agent:main:telegram:group:-100:42',
    'k1:main:telegram:group:c=-100:t=42',
  ],
  [
    { platform: 'telegram', chatType: 'group', chatId: '-100', userId: '42' },
    'agent:main:telegram:group:-100:42',
    'k1:main:telegram:group:c=-100:u=42',
  ],
  [
    { platform: 'matrix', chatType: 'group', chatId: '!r:ex.org', userId: '@a:ex.org' },
    'agent:main:matrix:group:!r:ex.org:@a:ex.org',
    'k1:main:matrix:group:c=%21r%3Aex.org:u=@a%3Aex.org',
  ],
  [
    { platform: 'slack', chatType: 'channel', chatId: 'C1', scopeId: 'T1', userId: 'U1' },
    'agent:main:slack:channel:C1:U1',
    'k1:main:slack:channel:s=T1:c=C1:u=U1',
  ],
  [{ platform: 'local', chatId: 'cli' }, 'agent:main:local:dm:cli', 'k1:main:local:dm:c=cli'],
  [{ platform: 'slack', chatType: 'group' }, 'agent:main:slack:group', 'k1:main:slack:group'],
  [{ platform: 'telegram', threadId: '7', userId: '42' }, 'agent:main:telegram:dm:7', 'k1:main:telegram:dm:t=7:u=42'],
  [{ platform: 'signal', userId: '+1', userIdAlt: 'uuid' }, 'agent:main:signal:dm', 'k1:main:signal:dm:u=uuid'],
]

describe('a session key', () => {
  verifies('G6', 'has both forms of the tables', () => {
    for (const [given, legacy, canonical] of tables)
      expect([legacyKeyOf(given as SourceInput), keyOf(given as SourceInput)]).toEqual([legacy, canonical])
    const thread = { platform: 'discord', chatType: 'thread', chatId: 'c', threadId: 't', userId: 'u' }
    const keys = (given: KeyFlags): string[] => [keyOf(thread, given), legacyKeyOf(thread, given)]
    expect(keys({ threadSessionsPerUser: true })).toEqual([
      'k1:main:discord:thread:c=c:t=t:u=u',
      'agent:main:discord:thread:c:t:u',
    ])
    expect(keys({ threadSessionsPerUser: true, groupSessionsPerUser: false })).toEqual([
      'k1:main:discord:thread:c=c:t=t',
      'agent:main:discord:thread:c:t',
    ])
    expect(keyOf({ ...thread, threadId: undefined }, { groupSessionsPerUser: false })).toBe('k1:main:discord:thread:c=c')
  })

  verifies('G7', 'is injective: equal keys are equal in all that they pin', () => {
    const pins = (given: SourceInput, use: KeyFlags): unknown => {
      const { platform, chatType, chatId, threadId, scopeId, userId, userIdAlt } = decodeSource(given)
      const isDm = chatType === 'dm'
      const isolated = use.groupSessionsPerUser !== false && (threadId === undefined || use.threadSessionsPerUser === true)
      const bare = (text: string | undefined): string | undefined =>
        text !== undefined && platform === 'whatsapp' ? normalizeWhatsApp(text) || text : text
      const user = (isDm ? chatId === '' : isolated) ? bare(userIdAlt ?? userId) : undefined
      const chat = isDm ? bare(chatId) : chatId
      return [platform, scopeId ?? null, chatType, chat === '' ? null : chat, threadId ?? null, user ?? null]
    }
    // Few values, so that many pairs nearly meet.
    const few = fc.constantFrom('a', 'b', 'a:b', 'a%3Ab', 'c=a', 't=b', '')
    const near = fc.record({
      platform: fc.constantFrom('telegram', 'whatsapp'),
      chatType: fc.constantFrom('dm', 'group'),
      chatId: few,
      threadId: few,
      userId: few,
      userIdAlt: few,
      scopeId: few,
    })
    fc.assert(
      fc.property(near, near, flags, (a, b, use) => {
        const same = JSON.stringify(pins(a, use)) === JSON.stringify(pins(b, use))
        expect(keyOf(a, use) === keyOf(b, use)).toBe(same)
      }),
      { numRuns: 2_000 },
    )
    fc.assert(
      fc.property(source, flags, (given, use) => {
        expect(keyOf(given, use)).toBe(keyOf(encodeSource(decodeSource(given)), use))
      }),
    )
  })

  verifies('G8', 'is parsed to what it was formatted from, in one form only', () => {
    const parts: fc.Arbitrary<SessionKey> = fc
      .record({ agent: word, platform: word, type: word, scope: maybe(id), chat: maybe(id), thread: maybe(id), user: maybe(id) })
      .map(key => Object.fromEntries(Object.entries(key).filter(([, value]) => value !== undefined)) as unknown as SessionKey)
    fc.assert(
      fc.property(parts, key => {
        const text = formatKey(key)
        expect(parseKey(text)).toEqual(key)
        expect(formatKey(parseKey(text))).toBe(text)
        expect(text).toMatch(/^[A-Za-z0-9\-._~@%=:]+$/)
      }),
    )
    const bad = [
      'k1:main:telegram:dm:c=%3a',
      'k1:main:telegram:dm:c=%41',
      'k1:main:telegram:dm:u=a:c=b',
      'k1:main:telegram:dm:c=',
      'k1:main:telegram:dm:c=a:c=a',
      'k1:main:telegram:dm:c=a:c=b',
      'k1:main:telegram:dm:x=a',
      'k1:main:telegram:dm:',
      'k1:main:telegram:dm:c=%FF',
      'k1:main:telegram:dm:c=%ED%A0%80',
      'k1:main:telegram:dm:c=%00',
      'k1:main:telegram:dm:c=a b',
      'k1:main:telegram:dm:c=é',
      'k1:Main:telegram:dm',
      'k1::telegram:dm',
      'k1:main:telegram',
      'k2:main:telegram:dm',
      'agent:main:telegram:dm',
      '',
    ]
    for (const key of [...bad, 7, null, {}]) expect(refusal(() => parseKey(key))[0], JSON.stringify(key)).toBe('key.invalid')
    expect(refusal(() => formatKey({ agent: 'main', platform: 'x', type: 'dm', chat: '' }))[0]).toBe('key.invalid')
    expect(refusal(() => formatKey({ agent: 'A', platform: 'x', type: 'dm' }))[0]).toBe('key.invalid')
  })

  verifies('G9', 'says by itself whether many speak under it', () => {
    fc.assert(
      fc.property(source, flags, (given, use) => {
        const { type, chat, thread, user } = parseKey(keyOf(given, use))
        const pinsNobody = type === 'dm' ? chat === undefined && thread === undefined && user === undefined : user === undefined
        expect([isShared(given, use), isShared(keyOf(given, use))]).toEqual([pinsNobody, pinsNobody])
      }),
    )
    const thread = { platform: 'discord', chatType: 'thread', chatId: 'c', threadId: 't', userId: 'u' }
    expect(isShared(thread, { groupSessionsPerUser: false, threadSessionsPerUser: true })).toBe(true)
    expect(isShared(thread)).toBe(true)
    expect(isShared({ ...thread, threadId: null })).toBe(false)
    expect(isShared({ ...thread, userId: null, threadId: null })).toBe(true)
    expect(isShared({ platform: 'telegram' })).toBe(true)
  })
})

describe('a WhatsApp id', () => {
  const dm = (chatId: string): string => legacyKeyOf({ platform: 'whatsapp', chatId })

  verifies('G14', 'is one person with and without device, host and plus', () => {
    for (const chatId of ['15551234567@s.whatsapp.net', '15551234567:47@s.whatsapp.net', '+15551234567', ' 15551234567 '])
      expect(dm(chatId)).toBe('agent:main:whatsapp:dm:15551234567')
    expect(dm('900000000000001@lid')).toBe('agent:main:whatsapp:dm:900000000000001')
    expect(canonicalWhatsApp('900000000000001@lid', ['+15551234567'])).toBe('15551234567')
    expect(canonicalWhatsApp('22@lid', ['11@lid', '333'])).toBe('11')
    expect(normalizeWhatsApp('++1:2@3')).toBe('+1')
  })

  verifies('G15', 'is normalized as a member and raw as a group', () => {
    const group = { platform: 'whatsapp', chatType: 'group', chatId: '120363000000000000@g.us' }
    expect(legacyKeyOf({ ...group, userId: '15551234567@s.whatsapp.net' })).toBe(
      'agent:main:whatsapp:group:120363000000000000@g.us:15551234567',
    )
    expect(keyOf({ ...group, userId: '@lid' })).toBe('k1:main:whatsapp:group:c=120363000000000000@g.us:u=@lid')
  })
})

describe('a pseudonym', () => {
  verifies('G73', "is the seed's where that form is asked for", () => {
    const chat = (text: string): string => pseudonym('chat', text, { form: 'seed' })
    expect(['12345', 'telegram:12345', 'a:b:c', ':x'].map(chat)).toEqual([
      '5994471abb01',
      'telegram:5994471abb01',
      'a:333edf7c3ca3',
      '37469d445254',
    ])
    expect(pseudonym('user', 'user-123', { form: 'seed' })).toBe('user_fcdec6df4d44')
  })

  verifies('G75', 'differs by key, kind and platform', () => {
    const key = new Uint8Array(32).fill(1)
    const made = [
      pseudonym('user', '1', { key, platform: 'telegram' }),
      pseudonym('user', '1', { key, platform: 'signal' }),
      pseudonym('user', '1', { key: new Uint8Array(32).fill(2), platform: 'telegram' }),
      `user_${pseudonym('chat', '1', { key, platform: 'telegram' })}`,
      pseudonym('user', '1', { form: 'seed' }),
    ]
    expect(new Set(made).size).toBe(made.length)
    expect(pseudonym('chat', 'telegram:1', { key, platform: 'telegram' })).toBe(
      `telegram:${pseudonym('chat', '1', { key, platform: 'telegram' })}`,
    )
  })
})

describe('a target', () => {
  it('keeps ids as they are and reads platforms in any case', () => {
    expect(parseTarget('origin')).toEqual({ kind: 'origin' })
    expect(parseTarget('LOCAL')).toEqual({ kind: 'local' })
    expect(parseTarget('Telegram')).toEqual({ kind: 'home', platform: 'telegram' })
    expect(parseTarget('SLACK:C123ABC')).toEqual({ kind: 'chat', platform: 'slack', chatId: 'C123ABC' })
    expect(parseTarget('telegram:-100:17')).toEqual({ kind: 'chat', platform: 'telegram', chatId: '-100', threadId: '17' })
    expect(parseTarget('x:a%3Ab:c')).toEqual({ kind: 'chat', platform: 'x', chatId: 'a:b', threadId: 'c' })
    expect(parseTarget('matrix:!r:ex.org')).toEqual({ kind: 'chat', platform: 'matrix', chatId: '!r:ex.org' })
    for (const bad of ['', 'tele gram', 'telegram:', 'telegram:a:b:c', 'telegram:a:', ':a', 7, null])
      expect(refusal(() => parseTarget(bad))[0], String(bad)).toBe('target.invalid')
  })
})
