import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type BlobId, canonical, isId, isSkeinError, type Json } from '#kernel'
import {
  type BlobRow,
  type Entry,
  fetchParts,
  isPath,
  isType,
  noCounters,
  noLease,
  type SessionRow,
  type TenantStore,
} from '#journal'
import { verifies } from '#verifies'
import type { FormatInput } from './lines.ts'
import { type ImportReport, type PiSession, readPi, stowData, writePi } from './pi.ts'

const fixture = (name: string): string => readFileSync(`test/fixtures/pi/${name}.jsonl`, 'utf8')

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

describe('importing a version 1 file', () => {
  it('gives the session facts and a sound journal', async () => {
    const { session, entries } = await read(fixture('v1'))
    expect(session).toMatchObject({
      alias: '11111111-2222-4333-8444-555555555555',
      createdAt: Date.parse('2025-01-02T03:04:05.000Z'),
      cwd: '/home/ann/garden',
      model: 'anthropic/claude-sonnet-4-5',
      thinking: 'off',
      version: 1,
    })
    expect(isId('ses', session.id)).toBe(true)
    expectJournal(entries)
    expect(entries.every(entry => entry.by === 'import' && entry.totals === undefined && entry.tokens === undefined)).toBe(true)
  })

  it('maps messages, settings and turns', async () => {
    const { entries } = await read(fixture('v1'))
    const messages = ofType(entries, 'message_added')
    expect(messages.map(entry => entry.data.role)).toEqual([
      'user',
      'assistant',
      'tool',
      'tool',
      'assistant',
      'user',
      'assistant',
      'assistant',
    ])
    expect(messages[1]?.data).toMatchObject({
      model: 'anthropic/claude-sonnet-4-5',
      finishReason: 'tool_calls',
      rawFinishReason: 'toolUse',
      parts: [
        { type: 'reasoning', text: 'I should look.', signature: 'c2lnbmF0dXJl' },
        { type: 'text' },
        { type: 'tool_call', callId: 'call_1', tool: 'read', input: { path: 'beds.txt' } },
        { callId: 'call_2' },
      ],
    })
    expect(messages[3]?.data.parts).toMatchObject([
      { type: 'tool_result', callId: 'call_2', tool: 'look', status: 'ok', output: 'A bed.', details: { lens: 35 } },
      { type: 'file', mediaType: 'image/png' },
    ])
    expect(messages[6]?.data).toMatchObject({
      finishReason: 'error',
      parts: [],
      providerData: { pi: { rest: { errorMessage: 'terminated' } } },
    })
    expect(ofType(entries, 'model_changed').map(entry => entry.data.model)).toEqual(['openrouter/google/gemini-3-flash'])
    expect(ofType(entries, 'thinking_changed').map(entry => entry.data.level)).toEqual(['high'])
    expect(ofType(entries, 'turn_started').map(entry => entry.data.index)).toEqual([0, 1])
    expect(ofType(entries, 'turn_ended').map(entry => entry.data)).toEqual([
      { index: 0, status: 'done', finishReason: 'stop' },
      { index: 1, status: 'failed', reason: 'interrupted' },
    ])
    const [started] = ofType(entries, 'turn_started')
    expect(messages.slice(0, 5).every(entry => entry.turn === started?.turn)).toBe(true)
    const order = entries.map(entry => entry.type)
    expect(order.indexOf('turn_ended')).toBeLessThan(order.indexOf('thinking_changed'))
    expect(messages.map(entry => entry.at)[0]).toBe(Date.parse('2025-01-02T03:04:06.000Z'))
  })

  verifies('A57', 'bad and unknown lines are counted and kept, dangling calls stay', async () => {
    const { entries, report } = await read(fixture('v1'))
    expect(report).toEqual({ entries: entries.length, messages: 8, badLines: 1, unknown: 1, dangling: 1 })
    const customs = ofType(entries, 'custom')
    expect(customs.map(entry => entry.data.name)).toEqual(['pi/compaction', 'pi/bad-line', 'pi/weather'])
    expect(customs[1]?.data.data).toEqual({ line: 13, text: '{"type":"message","timestamp":"2025-01-02T03:06:' })
    expect(customs[2]?.data.data).toMatchObject({ sky: 'grey' })
  })

  verifies('A57', 'costs and tokens are kept, to the nano-dollar', async () => {
    const used = ofType((await read(fixture('v1'))).entries, 'usage_recorded')
    expect(used.map(entry => entry.data.cost)).toEqual([489_000, 99_000, 0, 701])
    expect(used[0]?.data).toMatchObject({
      model: 'anthropic/claude-sonnet-4-5',
      purpose: 'turn',
      usage: {
        inputTokens: 10,
        outputTokens: 20,
        cacheReadTokens: 30,
        cacheWrite5mTokens: 40,
        cacheWrite1hTokens: 0,
        reasoningTokens: null,
      },
    })
    expect(new Set(used.map(entry => entry.data.requestId)).size).toBe(4)
  })
})

describe('importing a tree', () => {
  it('keeps branches, labels and title of a version 3 file', async () => {
    const { entries, title, report } = await read(fixture('v3'))
    const leaf = expectJournal(entries)
    const texts = branch(entries, leaf).flatMap(entry =>
      isType(entry, 'message_added') ? entry.data.parts.flatMap(part => (part.type === 'text' ? [part.text] : [])) : [],
    )
    expect(texts).toEqual(['Which tree?', 'An apple.', 'By the wall, then.', 'Good.'])
    const question = ofType(entries, 'message_added')[0]?.id
    expect(ofType(entries, 'entry_labelled').map(entry => entry.data)).toMatchObject([
      { entry: question, label: 'the question' },
      { entry: question, label: null },
    ])
    expect(title).toBe('Trees for the garden')
    expect(ofType(entries, 'turn_started').map(entry => entry.data.index)).toEqual([0, 1, 2])
    expect(ofType(entries, 'turn_ended').map(entry => entry.data.status)).toEqual(['done', 'failed', 'done'])
    expect(report).toMatchObject({ messages: 7, badLines: 0, unknown: 0, dangling: 0 })
  })

  it('ends where pi would go on: at the place of the last line', async () => {
    const { entries } = await read(fixture('v3'))
    const leaf = expectJournal(entries)
    const good = ofType(entries, 'message_added').at(-1)
    expect(entries.at(-1)).toMatchObject({ type: 'leaf_moved' })
    expect(entries.find(entry => entry.id === leaf)).toMatchObject({ type: 'turn_ended', parentId: good?.id })
  })

  it('shows the model what pi shows it', async () => {
    const shown = async (name: string): Promise<unknown[]> =>
      ofType((await read(fixture(name))).entries, 'custom').map(entry => [entry.data.name, entry.data.text])
    expect(await shown('v3')).toEqual([
      ['pi/branch_summary', 'Summary of a branch that was left:\n\nLooked for a map; there is none.'],
      ['pi/custom', undefined],
      ['pi/custom_message', 'Step 1 of 3.'],
      ['pi/compaction', undefined],
    ])
    expect(await shown('v2')).toEqual([
      ['pi/hookMessage', 'Frost warning.'],
      ['pi/bashExecution', 'The user ran a command: date\n\nSunday'],
    ])
  })

  verifies('A57 J9', 'keeps usage, hidden reasoning and costs', async () => {
    const { entries } = await read(fixture('v3'))
    const used = ofType(entries, 'usage_recorded').map(entry => [entry.data.purpose, entry.data.cost])
    expect(used).toEqual([
      ['turn', 1_062_500],
      ['turn', 105_000],
      ['compaction', 270_000],
      ['turn', 60_000],
    ])
    expect(ofType(entries, 'usage_recorded')[0]?.data.usage).toEqual({
      inputTokens: 100,
      outputTokens: 10,
      cacheReadTokens: 0,
      cacheWrite5mTokens: 30,
      cacheWrite1hTokens: 20,
      reasoningTokens: 3,
    })
    expect(ofType(entries, 'message_added')[1]?.data.parts[0]).toEqual({ type: 'reasoning', text: '', redacted: 'b3BhcXVl' })
    expect(ofType((await read(fixture('v2'))).entries, 'usage_recorded').map(entry => entry.data.cost)).toEqual([300_000_000])
  })
})

describe('the same bytes', () => {
  verifies('A57', 'give the same session and entries, however they come in', async () => {
    const text = fixture('v3')
    const bytes = Buffer.from(text)
    const pieces = function* (size: number): Generator<Uint8Array> {
      for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size)
    }
    const one = await read(text)
    for (const input of [bytes, pieces(1), pieces(997), text.match(/[^]{1,10}/gu) ?? []]) expect(await read(input)).toEqual(one)
    expect((await read(fixture('v2'))).session.id).not.toBe(one.session.id)
  })

  it('keep their ids when the file has grown behind them', async () => {
    const lines = linesOf(fixture('v3'))
    const whole = await read(lines.join('\n'))
    const part = await read(lines.slice(0, 13).join('\n'))
    expect(part.session.id).toBe(whole.session.id)
    expect(whole.entries.slice(0, part.entries.length)).toEqual(part.entries)
  })
})

describe('an input that is no pi session', () => {
  it.each(['', 'hello', '{"a":1}', '{"skein":1,"session":{}}', '{"type":"other"}'])('is refused: %s', async input => {
    await expect(read(input)).rejects.toSatisfy(
      error => isSkeinError(error) && error.code === 'input.invalid' && error.details['line'] === 1,
    )
  })

  it('is not one whose header alone is damaged', async () => {
    const lines = linesOf(fixture('v3')).with(0, '{"type":"sess')
    const before = ['not JSON', ...linesOf(fixture('v1'))]
    expect((await write(await read(before.join('\n')))).map(content)).toEqual(before.map(content))
    const made = await read(lines.join('\n'))
    expectJournal(made.entries)
    expect(made.report).toMatchObject({ messages: 7, badLines: 1 })
    expect((await write(made)).map(content)).toEqual(lines.map(content))
  })

  it('keeps a line that is not UTF-8 by its bytes', async () => {
    const made = await read(
      Buffer.concat([Buffer.from('{"type":"session","id":"x"}\n{"type":"'), Buffer.from([0xff]), Buffer.from('"}\n')]),
    )
    expect(ofType(made.entries, 'custom')[0]?.data.data).toEqual({
      line: 2,
      base64: Buffer.concat([Buffer.from('{"type":"'), Buffer.from([0xff]), Buffer.from('"}')]).toString('base64'),
    })
  })
})
