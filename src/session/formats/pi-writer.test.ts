import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type BlobId, canonical, isId, type Json } from '#kernel'
import {
  type BlobRow,
  type Entry,
  fetchParts,
  isPath,
  isType,
  type NewEntry,
  noCounters,
  noLease,
  type SessionRow,
  type TenantStore,
} from '#journal'
import { verifies } from '#verifies'
import type { FormatInput } from './lines.ts'
import { type ImportReport, type PiSession, readPi, stowData, writePi } from './pi.ts'

const fixture = (name: string): string => readFileSync(`test/fixtures/pi/${name}.jsonl`, 'utf8')
/** Real input, where it is present beside the repository. */
const realFile = '../shared/data/pi/large-session.jsonl'

interface Read {
  readonly session: PiSession
  /** As a store would hold them. */
  readonly entries: Entry[]
  readonly rows: Map<BlobId, BlobRow>
  readonly report: ImportReport
  readonly title: string | null
}

async function read(input: FormatInput): Promise<Read> {
  const rows = new Map<BlobId, BlobRow>()
  const entries: Entry[] = []
  let session: PiSession | undefined
  for await (const item of readPi(input)) {
    if (item.type === 'session') session = item.session
    if (item.type === 'entry' && session !== undefined) {
      const { data, blobs } = stowData(item.entry.data as never)
      for (const blob of [...item.blobs, ...blobs]) rows.set(blob.id, blob)
      entries.push(JSON.parse(JSON.stringify({ ...item.entry, data, session: session.id, seq: entries.length + 1 })) as Entry)
    }
    if (item.type === 'end' && session !== undefined) return { session, entries, rows, report: item.report, title: item.title }
  }
  throw new Error('the reader must end')
}

async function write({ session, entries, rows }: Pick<Read, 'session' | 'entries' | 'rows'>): Promise<string[]> {
  const blobs = async (ids: readonly BlobId[]): Promise<BlobRow[]> => ids.flatMap(id => rows.get(id) ?? [])
  const row: SessionRow = {
    id: session.id,
    alias: session.alias,
    state: 'active',
    hidden: false,
    title: null,
    preview: null,
    user: null,
    agent: 'main',
    platform: null,
    cwd: session.cwd,
    parent: null,
    model: null,
    tags: [],
    createdAt: 0,
    updatedAt: 0,
    lastMessageAt: null,
    lastAccessedAt: 0,
    seq: entries.length,
    leafId: null,
    totals: { messages: 0, turns: 0, tokens: 0 },
    counters: noCounters,
    data: {},
    lease: noLease,
  }
  const full = (await fetchParts({ blobs } as unknown as TenantStore, entries)).entries
  let text = ''
  for await (const piece of writePi(row, full, blobs)) text += piece
  return text.split('\n').slice(0, -1)
}

const linesOf = (text: string): string[] => text.split('\n').filter(line => line.trim() !== '')
const content = (line: string): string => {
  try {
    return canonical(JSON.parse(line) as Json)
  } catch {
    return line
  }
}
const ofType = <T extends Parameters<typeof isType>[1]>(entries: readonly Entry[], type: T) =>
  entries.flatMap(entry => (isType(entry, type) ? [entry] : []))

/** What every journal promises: rooted, parents earlier, a path entry follows the leaf. */
function expectJournal(entries: readonly Entry[]): string | null {
  let leaf: string | null = null
  const seen = new Set<string>()
  for (const entry of entries) {
    expect(isId('ent', entry.id), entry.id).toBe(true)
    expect(seen.has(entry.id)).toBe(false)
    if (isPath(entry)) {
      expect(entry.parentId).toBe(leaf)
      leaf = entry.id
    }
    if (isType(entry, 'leaf_moved')) {
      expect(seen.has(entry.data.to)).toBe(true)
      leaf = entry.data.to
    }
    seen.add(entry.id)
  }
  return leaf
}

function branch(entries: readonly Entry[], leaf: string | null): Entry[] {
  const byId = new Map(entries.map(entry => [entry.id as string, entry]))
  const out: Entry[] = []
  for (let at = byId.get(leaf ?? ''); at !== undefined; at = byId.get(at.parentId ?? '')) out.unshift(at)
  return out
}

describe('exporting what was imported', () => {
  it.each(['v1', 'v2', 'v3'])('gives back every line of %s', async name => {
    const lines = linesOf(fixture(name))
    expect((await write(await read(fixture(name)))).map(content)).toEqual(lines.map(content))
  })

  it('gives back odd lines, and keeps whole what it cannot rebuild', async () => {
    const odd = [
      '{"type":"session","version":3,"id":"x"}',
      '{"type":"message","id":"1","parentId":null,"timestamp":"2026-01-01T00:00:00Z","message":{"role":"user","content":[{"type":"video","x":1},{"type":"text"}]}}',
      '{"type":"message","id":"2","parentId":"nowhere","timestamp":5,"message":{"role":"assistant","content":"plain","stopReason":"new"}}',
      '{"type":"message","id":"3","parentId":"2","message":{"role":"toolResult","toolCallId":"a","toolName":"b","content":[{"type":"image","data":"AAAA","mimeType":"image/png"},{"type":"text","text":"late"}]}}',
      '{"type":"message","id":"4","parentId":"3","message":{"role":"toolResult","toolCallId":"a"}}',
      '{"type":"message","id":"5","parentId":"4","message":{"role":"user","content":[{"type":"image","data":"not base64","mimeType":"image/png"}]}}',
      '{"type":"label","id":"6","parentId":"5","targetId":"gone","label":"x"}',
      '{"type":"session_info","id":"7","parentId":"6"}',
      '{"type":"model_change","id":"8","parentId":"7","provider":"a"}',
      '{"type":"message","id":"9","parentId":"8","message":null}',
      '{"__proto__":{"a":1},"type":"new"}',
      'null',
      '[1]',
    ]
    const made = await read(`${odd.join('\r\n')}\r\n`)
    expectJournal(made.entries)
    expect((await write(made)).map(content)).toEqual(odd.map(content))
    expect(made.report).toMatchObject({ badLines: 2, unknown: 1 })
  })

  it('keeps a line whose odd members are too large for an entry', async () => {
    const big = 'y'.repeat(2 ** 20)
    const lines = [
      '{"type":"session","id":"x","timestamp":"2025-01-02T03:04:05.000Z"}',
      JSON.stringify({
        type: 'message',
        timestamp: '2025-01-02T03:04:05.000Z',
        message: { role: 'user', content: [{ type: 'text', text: 'hi' }], odd: big },
      }),
      JSON.stringify({ type: 'custom', customType: 'x', data: big }),
      `{"broken":"${big}`,
    ]
    const made = await read(lines.join('\n'))
    for (const entry of made.entries) expect(JSON.stringify(entry).length).toBeLessThan(2 ** 19)
    expect((await write(made)).map(content)).toEqual(lines.map(content))
    expect(ofType(made.entries, 'message_added')[0]?.data.parts[0]).toEqual({ type: 'text', text: 'hi' })
  })
})

describe('exporting a session of our own', () => {
  const at = Date.parse('2026-01-01T00:00:00.000Z')
  const build = (list: readonly [type: string, parent: number | null, data: unknown][]): Entry[] => {
    const ids = list.map((_, index) => `ent_${String(index + 1).padStart(26, '0')}` as const)
    return list.map(([type, parent, data], index) => ({
      id: ids[index] as NewEntry['id'],
      session: 'ses_1',
      seq: index + 1,
      parentId: parent === null ? null : (ids[parent - 1] ?? null),
      type,
      v: 1,
      at,
      data,
    }))
  }
  const session: PiSession = { id: 'ses_1', alias: null, createdAt: at, cwd: '/w', model: null, thinking: null, version: 3 }
  const usage = {
    inputTokens: 3,
    outputTokens: 4,
    cacheReadTokens: null,
    cacheWrite5mTokens: 1,
    cacheWrite1hTokens: 1,
    reasoningTokens: null,
  }

  it('gives version 3, which reads back the same', async () => {
    const entries = build([
      ['session_created', null, { model: 'anthropic/claude-opus-4-6' }],
      ['turn_started', 1, { index: 0 }],
      ['message_added', 2, { role: 'user', parts: [{ type: 'text', text: 'Hi' }] }],
      [
        'message_added',
        3,
        {
          role: 'assistant',
          model: 'anthropic/claude-opus-4-6',
          finishReason: 'tool_calls',
          parts: [
            { type: 'reasoning', text: 'r', signature: 's' },
            { type: 'tool_call', callId: 'c', tool: 't', input: { a: 1 } },
          ],
        },
      ],
      [
        'usage_recorded',
        null,
        { requestId: 'req_1', purpose: 'turn', model: null, entry: 'ent_00000000000000000000000004', usage, cost: 1_500 },
      ],
      [
        'message_added',
        4,
        { role: 'tool', parts: [{ type: 'tool_result', callId: 'c', tool: 't', status: 'denied', output: { no: 1 } }] },
      ],
      ['message_added', 6, { role: 'assistant', finishReason: 'stop', parts: [{ type: 'text', text: 'Done.' }] }],
      ['turn_ended', 7, { index: 0, status: 'done' }],
      ['entry_labelled', null, { entry: 'ent_00000000000000000000000003', label: 'here' }],
      ['custom', 8, { name: 'note', data: { a: 1 }, text: 'Mind the gap.' }],
      ['leaf_moved', null, { to: 'ent_00000000000000000000000003', reason: 'retry' }],
    ])
    const lines = (await write({ session, entries, rows: new Map() })).map(
      line => JSON.parse(line) as Record<string, Json> & { message?: Record<string, Json> },
    )
    expect(lines.map(line => line['type'])).toEqual([
      'session',
      'message',
      'message',
      'message',
      'message',
      'label',
      'custom_message',
      'custom',
    ])
    expect(lines.map(line => line['parentId'])).toEqual([
      undefined,
      null,
      ...[1, 2, 3, 4, 4, 1].map(index => lines[index]?.['id']),
    ])
    expect(lines[2]?.message).toMatchObject({
      provider: 'anthropic',
      stopReason: 'toolUse',
      usage: { input: 3, output: 4, cacheWrite: 2, totalTokens: 9, cost: { total: 0.0000015 } },
    })
    expect(lines[3]?.message).toMatchObject({ role: 'toolResult', isError: true, content: [{ type: 'text', text: '{"no":1}' }] })
    const back = await read(lines.map(line => JSON.stringify(line)).join('\n'))
    const leaf = expectJournal(back.entries)
    expect(branch(back.entries, leaf).flatMap(entry => (isType(entry, 'message_added') ? [entry.data.role] : []))).toEqual([
      'user',
    ])
    expect(ofType(back.entries, 'usage_recorded').map(entry => entry.data.cost)).toContain(1_500)
  })

  it('goes on behind what was imported', async () => {
    const made = await read(fixture('v2'))
    const leaf = made.entries.findLast(isPath)?.id ?? null
    const more: Entry = {
      id: 'ent_00000000000000000000000009',
      session: made.session.id,
      seq: made.entries.length + 1,
      parentId: leaf,
      type: 'message_added',
      v: 1,
      at,
      by: 'user',
      data: { role: 'user', parts: [{ type: 'text', text: 'More' }] },
    }
    const lines = await write({ ...made, entries: [...made.entries, more] })
    expect(lines.slice(0, -1).map(content)).toEqual(linesOf(fixture('v2')).map(content))
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({
      type: 'message',
      id: more.id,
      parentId: 'a0000004',
      message: { role: 'user', content: [{ type: 'text', text: 'More' }] },
    })
  })
})

describe.runIf(existsSync(realFile))('a real session of 1,019 lines', () => {
  verifies('A57', 'comes back line by line, with its costs', async () => {
    const text = readFileSync(realFile, 'utf8')
    const lines = linesOf(text)
    const made = await read(text)
    expectJournal(made.entries)
    const written = await write(made)
    expect(written.length).toBe(1_019)
    expect(written.filter((line, index) => content(line) === content(lines[index] ?? '')).length).toBe(1_019)
    expect(made.report).toMatchObject({ messages: 914, badLines: 0, unknown: 0 })
    const used = ofType(made.entries, 'usage_recorded')
    expect(used.length).toBe(453)
    // Counted apart: each line's total in dollars, to whole nano-dollars.
    const expected = lines.reduce(
      (sum, line) =>
        sum +
        Math.round(
          ((JSON.parse(line) as { message?: { usage?: { cost: { total: number } } } }).message?.usage?.cost.total ?? 0) * 1e9,
        ),
      0,
    )
    expect(used.reduce((sum, entry) => sum + (entry.data.cost ?? 0), 0)).toBe(expected)
    expect(ofType(made.entries, 'turn_started').map(entry => entry.data.index)).toEqual(
      ofType(made.entries, 'turn_ended').map(entry => entry.data.index),
    )
    // No line was kept twice: everything was understood.
    expect(made.entries.filter(entry => JSON.stringify(entry.data).includes('"pi":{"line"')).length).toBe(0)
    expect((await read(Buffer.from(text))).session.id).toBe(made.session.id)
  })
})

describe.skipIf(existsSync(realFile))('a real session of 1,019 lines', () => {
  it.skip('is not on this machine')
})
