import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { sha256 } from '#kernel'
import { isType } from '#journal'
import type { GatewayOptions } from '#gateway'
import type { Session, Skein } from '#skein'
import { verifies } from '#verifies'
import { expect } from 'vitest'
import { codeOf } from './agent-talk.ts'
import { freshFolder, onEveryStore } from './stores.ts'

type Message = Readonly<Record<string, unknown>>
const user = (content: string): Message => ({ role: 'user', content })
const assistant = (content: string): Message => ({ role: 'assistant', content })

/** A folder of Hermes with these files, and its state database. */
function hermes(
  entries: Record<string, unknown>,
  transcripts: Record<string, readonly (Message | string)[]> = {},
  stored: Record<string, { readonly row?: Message; readonly messages: readonly Message[] }> = {},
): { dir: string; stateDb: string; hash(): string } {
  const folder = freshFolder()
  const dir = join(folder, 'sessions')
  mkdirSync(dir)
  writeFileSync(join(dir, 'sessions.json'), JSON.stringify(entries))
  for (const [id, lines] of Object.entries(transcripts))
    writeFileSync(
      join(dir, `${id}.jsonl`),
      lines.map(line => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join(''),
    )
  const stateDb = join(folder, 'state.db')
  const database = new DatabaseSync(stateDb)
  database.exec(`PRAGMA journal_mode = WAL;
    CREATE TABLE sessions (id TEXT PRIMARY KEY, source TEXT, user_id TEXT, title TEXT, started_at REAL, ended_at REAL, end_reason TEXT);
    CREATE TABLE messages (id INTEGER PRIMARY KEY, session_id TEXT, role TEXT, content TEXT, tool_call_id TEXT, tool_calls TEXT, tool_name TEXT,
      timestamp REAL, finish_reason TEXT, reasoning TEXT, reasoning_content TEXT, reasoning_details TEXT, codex_reasoning_items TEXT,
      codex_message_items TEXT)`)
  const put = (table: string, row: Message): void => {
    const names = Object.keys(row)
    const values = Object.values(row).map(value => (typeof value === 'object' && value !== null ? JSON.stringify(value) : value))
    database
      .prepare(`INSERT INTO ${table} (${names.join()}) VALUES (${names.map(() => '?').join()})`)
      .run(...(values as string[]))
  }
  for (const [id, { row = {}, messages }] of Object.entries(stored)) {
    put('sessions', { id, source: 'telegram', started_at: 1_700_000_000, ...row })
    for (const message of messages) put('messages', { session_id: id, timestamp: 1_700_000_100.5, ...message })
  }
  database.close()
  const hash = (): string =>
    sha256(
      [folder, dir]
        .flatMap(place =>
          readdirSync(place, { withFileTypes: true })
            .filter(item => item.isFile())
            .map(({ name }) => join(place, name)),
        )
        .sort()
        .map(file => `${file} ${sha256(readFileSync(file))}`)
        .join('\n'),
    )
  return { dir, stateDb, hash }
}

const entry = (sessionId: string, more: Message = {}): Message => ({
  session_id: sessionId,
  created_at: '2026-01-05T10:00:00',
  updated_at: '2026-01-06T11:30:00.250000',
  ...more,
})
const origin = { platform: 'telegram', chat_id: '99', chat_type: 'dm', user_id: '42', user_name: 'Ada' }
const dmKey = 'agent:main:telegram:dm:99'

onEveryStore('Hermes', place => {
  const begin = async (gateway: GatewayOptions = {}): Promise<Skein> =>
    await (await place()).open({ gateway: { zone: 'UTC', ...gateway } })
  const conversation = async (session: Session): Promise<readonly unknown[]> => await session.export('messages')

  verifies('G52', 'loads routes, sessions and transcripts once, and changes none of its files', async () => {
    const skein = await begin()
    const source = hermes(
      { [dmKey]: entry('20260105_a', { origin, display_name: 'Ada', platform: 'telegram', chat_type: 'dm' }) },
      {
        '20260105_a': [{ role: 'session_meta', tools: [] }, { ...user('hi'), timestamp: '2026-01-05T10:00:01' }, assistant('ho')],
      },
      {
        '20260101_old': {
          row: { title: 'Before', user_id: '42', ended_at: 1_700_000_500, end_reason: 'session_reset' },
          messages: [user('x'), assistant('y')],
        },
      },
    )
    const before = source.hash()
    const { dir, stateDb } = source
    const counts = { routes: 1, sessions: 2, messages: 4, skipped: [], branches: 0 }
    expect(await skein.sessions.import('hermes', { dir, stateDb, dryRun: true })).toEqual(counts)
    expect((await skein.sessions.list()).items).toEqual([])
    expect(await skein.sessions.import('hermes', { dir, stateDb })).toEqual(counts)
    expect(await skein.sessions.import('hermes', { dir: join(dir, '..'), stateDb })).toEqual({
      ...counts,
      routes: 0,
      sessions: 0,
      messages: 0,
    })
    expect(source.hash()).toBe(before)
    const route = await skein.gateway.get(dmKey)
    expect(route).toMatchObject({ displayName: 'Ada', platform: 'telegram', chatType: 'dm', generation: 1, holds: [] })
    expect([route?.startedAt, route?.lastUserAt]).toEqual([
      Date.parse('2026-01-05T10:00:00Z'),
      Date.parse('2026-01-06T11:30:00.250Z'),
    ])
    const resolved = await skein.gateway.resolve({ platform: 'telegram', chatId: '99', userId: '42' })
    expect([resolved.created, (await resolved.session.info()).alias]).toEqual([false, '20260105_a'])
    expect(await conversation(resolved.session)).toEqual([user('hi'), assistant('ho')])
    expect((await resolved.session.info()).turns).toBe(1)
    const old = await skein.sessions.open('20260101_old')
    expect(await old.info()).toMatchObject({
      title: 'Before',
      user: '42',
      platform: 'telegram',
      state: 'ended',
      createdAt: 1_700_000_000_000,
    })
    expect(await codeOf(skein.gateway.switch(resolved.route.key, '20260101_old', { actor: '43' }))).toBe('session.not_found')
    // An old id is good for a switch, also for the one whose session it was.
    const back = await skein.gateway.switch(resolved.route.key, '20260101_old', { actor: '42' })
    expect(back?.sessionId).toBe(old.id)
    await old.record({ user: 'more', assistant: 'of it' })
    expect(await skein.sessions.import('hermes', { dir, stateDb })).toMatchObject({ routes: 0, sessions: 0, messages: 0 })
    expect((await skein.store.check({ deep: true })).findings).toEqual([])
  })

  verifies('G52', 'skips and lists what is corrupt or unsafe, and loads all else', async () => {
    const skein = await begin()
    const { dir, stateDb } = hermes(
      {
        [dmKey]: entry('good', { origin }),
        'agent:main:telegram:dm:1': { created_at: '2026-01-05', updated_at: '2026-01-05' },
        'agent:main:telegram:dm:2': { session_id: 'undated' },
        'agent:main:telegram:dm:3': entry('../x'),
        'agent:main:telegram:dm:4': entry('C:\\x'),
        'agent:main:telegram:dm:5': entry('bad-date', { created_at: 'yesterday' }),
        nonsense: entry('other'),
        'agent:main:myplatform:room:7': entry('unknown', { origin: { platform: 'myplatform', chat_id: '7', chat_type: 'room' } }),
        'agent:main:telegram:dm:6': 'text',
      },
      {
        good: [
          '{"role":"user","content":"one"}',
          '{broken',
          '[]',
          JSON.stringify({ role: 'wizard', content: 'x' }),
          '{"role":"user","content":"two"}',
        ],
      },
      { '../y': { messages: [user('no')] }, fine: { messages: [user('yes')] } },
    )
    const report = await skein.sessions.import('hermes', { dir, stateDb })
    expect(report).toMatchObject({ routes: 2, sessions: 3, messages: 3, branches: 0 })
    expect(report.skipped.map(({ what }) => what).sort()).toEqual(
      [
        ...['1', '2', '3', '4', '5', '6'].map(chat => `sessions.json: agent:main:telegram:dm:${chat}`),
        'good.jsonl:2',
        'good.jsonl:3',
        'good.jsonl:4',
        'sessions.json: nonsense',
        'state database: session ../y',
      ].sort(),
    )
    expect(report.skipped.every(({ why }) => why.length > 0)).toBe(true)
    expect(await conversation(await skein.sessions.open('good'))).toEqual([user('one'), user('two')])
    expect((await skein.gateway.get('agent:main:myplatform:room:7'))?.key).toBe('k1:main:myplatform:room:c=7')
    expect((await skein.sessions.open('unknown')).id).toMatch(/^ses_/)
    writeFileSync(join(dir, 'sessions.json'), '{"agent')
    writeFileSync(stateDb, 'this is no database at all')
    const broken = await skein.in('other').sessions.import('hermes', { dir, stateDb })
    expect(broken.skipped.map(({ what }) => what)).toEqual([
      'state database',
      'sessions.json',
      'good.jsonl:2',
      'good.jsonl:3',
      'good.jsonl:4',
    ])
    expect(broken.sessions).toBe(1)
    for (const [input, code] of [
      [{}, 'input.invalid'],
      [{ dir: 7 }, 'input.invalid'],
      [{ dir, zone: 'Mars/Olympus' }, 'input.invalid'],
      [{ dir, more: 1 }, 'input.invalid'],
      [{ dir: join(dir, 'nowhere') }, 'input.invalid'],
    ] as const)
      expect(await codeOf(skein.sessions.import('hermes', input as { dir: string }))).toBe(code)
  })

  verifies('G53', 'reads times in the zone, the first of two, and carries marks over', async () => {
    const skein = await begin()
    const marks = {
      suspended: entry('s', { suspended: true, resume_pending: true }),
      pending: entry('p', { resume_pending: true, resume_reason: 'shutdown_timeout', last_resume_marked_at: 'not-a-timestamp' }),
      marked: entry('m', { resume_pending: true, last_resume_marked_at: '2026-01-06T12:00:00+01:00', memory_flushed: true }),
      fresh: entry('f', { was_auto_reset: true, auto_reset_reason: 'daily', reset_had_activity: true }),
      twice: entry('t', { created_at: '2026-10-25T02:30:00', updated_at: '2026-10-25 03:30:00' }),
    }
    const { dir } = hermes(
      Object.fromEntries(Object.entries(marks).map(([name, value]) => [`agent:main:telegram:dm:${name}`, value])),
    )
    await skein.sessions.import('hermes', { dir, zone: 'Europe/Berlin' })
    const route = async (name: string): Promise<object | null> => await skein.gateway.get(`agent:main:telegram:dm:${name}`)
    const updatedAt = Date.parse('2026-01-06T11:30:00.25+01:00')
    expect(await route('suspended')).toMatchObject({
      holds: [{ kind: 'suspended', at: updatedAt }],
      lastUserAt: updatedAt,
      expiryFinalized: false,
    })
    expect(await route('pending')).toMatchObject({
      holds: [{ kind: 'resume_pending', reason: 'shutdown_timeout', at: updatedAt }],
    })
    expect(await route('marked')).toMatchObject({
      holds: [{ kind: 'resume_pending', at: Date.parse('2026-01-06T11:00:00Z') }],
      expiryFinalized: true,
    })
    expect(await route('fresh')).toMatchObject({ fresh: { kind: 'auto', reason: 'daily', hadActivity: true } })
    expect(await route('twice')).toMatchObject({
      startedAt: Date.parse('2026-10-25T02:30:00+02:00'),
      lastUserAt: Date.parse('2026-10-25T03:30:00+01:00'),
    })
    // They mean what they mean here.
    const next = await skein.gateway.resolve({ platform: 'telegram', chatId: 'suspended' })
    expect(next.reset).toMatchObject({ kind: 'auto', reason: 'suspended' })
    const pending = await skein.gateway.resolve({ platform: 'telegram', chatId: 'pending' })
    expect([pending.created, pending.route.holds.length, pending.route.key]).toEqual([false, 1, 'k1:main:telegram:dm:c=pending'])
  })

  verifies('G12', 'routes without origin or scope wait for whoever has their key', async () => {
    const skein = await begin()
    const slack = { platform: 'slack', chat_id: 'C1', chat_type: 'channel', user_id: 'U1' }
    const { dir } = hermes({
      'agent:main:slack:channel:C1:U1': entry('scopeless', { origin: slack }),
      'agent:main:telegram:dm:5': entry('unknown'),
      'agent:main:telegram:dm:6': entry('contrary', { origin: { ...origin, chat_id: '7' } }),
    })
    await skein.sessions.import('hermes', { dir })
    expect((await skein.gateway.list()).items.map(({ key }) => key)).toEqual([
      'k1:main:legacy:dm:c=agent%3Amain%3Atelegram%3Adm%3A5',
      'k1:main:legacy:dm:c=agent%3Amain%3Atelegram%3Adm%3A6',
      'k1:main:slack:channel:c=C1:u=U1',
    ])
    const alias = async (source: object): Promise<string | null> =>
      (await (await skein.gateway.resolve(source as typeof origin)).session.info()).alias
    const here = { platform: 'slack', chatType: 'channel', chatId: 'C1', userId: 'U1' }
    expect(await alias({ ...here, scopeId: 'T1' })).toBe('scopeless')
    expect(await alias({ ...here, scopeId: 'T2' })).toBeNull()
    expect(await alias({ ...here, scopeId: 'T1' })).toBe('scopeless')
    expect(await alias({ platform: 'telegram', chatId: '5' })).toBe('unknown')
    expect(await alias({ platform: 'telegram', chatId: '6' })).toBe('contrary')
    expect(await skein.sessions.import('hermes', { dir })).toMatchObject({ routes: 0, sessions: 0 })
    expect((await skein.gateway.list()).items).toHaveLength(4)
  })

  verifies('G51', 'two transcripts are joined where they meet, contain each other, or stand side by side', async () => {
    const skein = await begin()
    const [a, b, c, d] = [user('a'), assistant('b'), user('c'), assistant('d')] as const
    const cases: Record<string, { json: Message[]; stored: Message[]; expected: Message[]; beside?: Message[] }> = {
      'json-later': { stored: [a, b, c], json: [b, c, d], expected: [a, b, c, d] },
      'stored-later': { json: [a, b], stored: [b, c, d], expected: [a, b, c, d] },
      contained: { json: [b, c], stored: [a, b, c, d], expected: [a, b, c, d] },
      containing: { json: [a, b, c, d], stored: [a, b], expected: [a, b, c, d] },
      longest: { stored: [a, b, a, b], json: [a, b, a, b, c], expected: [a, b, a, b, c] },
      apart: { stored: [a, b], json: [c, d, user('e')], expected: [c, d, user('e')], beside: [a, b] },
      only: { stored: [], json: [a], expected: [a] },
    }
    const { dir, stateDb } = hermes(
      {},
      Object.fromEntries(Object.entries(cases).map(([name, { json }]) => [name, json])),
      Object.fromEntries(Object.entries(cases).map(([name, { stored }]) => [name, { messages: stored }])),
    )
    expect(await skein.sessions.import('hermes', { dir, stateDb })).toMatchObject({
      sessions: 7,
      branches: 1,
      messages: 4 * 4 + 5 + 5 + 1,
      skipped: [],
    })
    for (const [name, { expected, beside }] of Object.entries(cases)) {
      const session = await skein.sessions.open(name)
      expect(await conversation(session), name).toEqual(expected)
      if (beside === undefined) continue
      const all = await session.entries({ types: ['message_added'], limit: 100 })
      expect(all.filter(entry => isType(entry, 'message_added'))).toHaveLength(beside.length + expected.length)
      const last = all[beside.length - 1]
      await session.moveTo(last?.id ?? 'ent_x')
      expect(await conversation(session)).toEqual(beside)
    }
    expect((await skein.store.check({ deep: true })).findings).toEqual([])
  })

  verifies('G87', 'a message with all its fields comes out as it went in, from either transcript', async () => {
    const skein = await begin()
    const call = { id: 'call_1', type: 'function', function: { name: 'look', arguments: '{"q":"x"}' } }
    const all = [
      user('look'),
      {
        role: 'assistant',
        content: 'looking',
        finish_reason: 'tool_calls',
        tool_calls: [call],
        reasoning: 'short',
        reasoning_content: 'long',
        reasoning_details: [{ type: 'x', data: 'y' }],
        codex_reasoning_items: [{ id: 'r1', encrypted_content: 'zz' }],
        codex_message_items: [{ id: 'm1' }],
      },
      { role: 'tool', content: 'seen', tool_call_id: 'call_1', tool_name: 'look' },
    ]
    const parts = [
      {
        role: 'user',
        content: '\u0000json:[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"https://x/y.png"}}]',
      },
    ]
    const { dir, stateDb } = hermes({}, { lines: all }, { rows: { messages: all }, parts: { messages: parts } })
    await skein.sessions.import('hermes', { dir, stateDb })
    for (const name of ['lines', 'rows']) expect(await conversation(await skein.sessions.open(name))).toEqual(all)
    expect(await conversation(await skein.sessions.open('parts'))).toEqual([
      {
        role: 'user',
        content: [
          { type: 'text', text: 'see' },
          { type: 'image_url', image_url: { url: 'https://x/y.png' } },
        ],
      },
    ])
  })
})
