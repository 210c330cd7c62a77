import { readFileSync } from 'node:fs'
import { isType, type Message } from '#journal'
import { scriptedModel } from '#models'
import type { ImportFormat } from '#session'
import type { Session } from '#skein'
import { describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { codeOf, said } from './agent-talk.ts'
import { memoryPlace, onEveryStore, type Place } from './stores.ts'

const fixture = (format: ImportFormat): string => readFileSync(`test/fixtures/${format}/ferries.jsonl`, 'utf8')
const spoken = async (session: Session): Promise<string[]> =>
  (await session.conversation()).map(message => `${message.role}: ${said(message as Message)}`)
const usageIn = async (session: Session) =>
  (await session.entries({ types: ['usage_recorded'] })).flatMap(entry => (isType(entry, 'usage_recorded') ? [entry.data] : []))

onEveryStore('importing a session of another program', (place: () => Promise<Place>) => {
  verifies(
    'A57',
    'the lines of Claude Code that tell one answer are one message, its results behind it, its usage once',
    async () => {
      const skein = await (await place()).open()
      const { session, ...report } = await skein.sessions.import('claude-code', fixture('claude-code'))
      expect(report).toEqual({ id: session.id, created: true, entries: expect.any(Number) as number, messages: 12, badLines: 1, unknown: 1, dangling: 1 }) // prettier-ignore
      expect(await spoken(session)).toEqual([
        'user: Which ferries leave before noon?',
        'assistant: <reasoning>|I look at both timetables.|<tool_call>|<tool_call>',
        'tool: 08:10\n13:40|File does not exist.',
        'assistant: One: the 08:10 from the north pier.',
        'user: What does it cost?',
        'assistant: API Error: 529 Overloaded',
        'user: Again, please.',
        'assistant: <tool_call>',
        'user: Thank you.',
        'assistant: You are welcome.',
      ])
      expect(await session.info()).toMatchObject({
        alias: '2c9f1d7e-4b0a-4c55-9a3e-6d1f0b8e7a21',
        title: 'Ferries before noon',
        cwd: '/home/ada/ferry',
        createdAt: Date.parse('2026-03-02T09:00:01.000Z'),
      })
      const used = await usageIn(session)
      expect(
        used.map(({ purpose, usage }) => [purpose, usage.inputTokens, usage.outputTokens, usage.cacheWrite1hTokens]),
      ).toEqual([
        ['turn', 5, 212, 0],
        ['turn', 9, 21, 310],
        ['turn', 11, 4, 0],
        ['turn', 3, 9, 0],
        ['turn', 40, 6, 0],
        ['child', 7, 40, 0],
      ])
      const [first] = (await session.messages()).filter(({ role }) => role === 'assistant')
      expect(first).toMatchObject({ model: 'anthropic/claude-sonnet-4-5-20250929', finishReason: 'tool_calls' })
      expect(first?.parts[0]).toMatchObject({ type: 'reasoning', signature: 'c2lnbmF0dXJl' })
      const tool = (await session.messages()).find(({ role }) => role === 'tool')
      expect(tool?.parts).toMatchObject([
        { tool: 'Read', callId: 'toolu_north', status: 'ok', details: { file: { numLines: 2 } } },
        { tool: 'Read', callId: 'toolu_south', status: 'error' },
      ])
    },
  )

  verifies('A57', "the results that imp stores before their answer come behind it, and its records' costs add up", async () => {
    const skein = await (await place()).open()
    const { session, ...report } = await skein.sessions.import('imp', fixture('imp'))
    expect(report).toMatchObject({ created: true, messages: 9, badLines: 1, unknown: 1, dangling: 1 })
    expect(await spoken(session)).toEqual([
      'user: Which ferries leave before noon?',
      'assistant: <reasoning>|I look at both.|<tool_call>|<tool_call>',
      'tool: 08:10\n13:40',
      'tool: File not found: south.txt',
      'assistant: One: the 08:10.',
      'user: And after?',
      'assistant: <tool_call>',
    ])
    expect(await session.info()).toMatchObject({
      alias: null,
      title: 'Ferries before noon',
      cwd: '/home/ada/ferry',
      createdAt: 1_772_442_000_000,
      usage: { cost: { nano: 3_847_500 + 905_000, complete: false, unknownRequests: 1 } },
    })
    const used = await usageIn(session)
    expect(used.map(({ model, cost, usage }) => [model, cost, usage.inputTokens, usage.cacheReadTokens])).toEqual([
      ['anthropic/claude-sonnet-4-6', 3_847_500, 900, 400],
      ['openai/gpt-5.4', 905_000, 300, 200],
      [null, null, 1_200, 0],
    ])
    const answer = (await session.messages()).find(message => said(message as Message) === 'One: the 08:10.')
    expect(used[2]?.entry).toBe(answer?.id)
    expect(labelsOf(await session.tree())).toEqual(['the answer'])
  })

  for (const format of ['claude-code', 'imp'] as const) {
    verifies('A57', `the same bytes of ${format} are the same session, however they are cut, and add nothing`, async () => {
      const here = await place()
      const skein = await here.open()
      const text = fixture(format)
      const first = await skein.sessions.import(format, text)
      const before = await first.session.info()
      const bytes = Buffer.from(text)
      const pieces = Array.from({ length: Math.ceil(bytes.length / 7) }, (_, at) => bytes.subarray(at * 7, at * 7 + 7))
      const again = await skein.sessions.import(format, pieces)
      expect(again).toMatchObject({ id: first.id, created: false, entries: first.entries, badLines: 1 })
      expect((await again.session.info()).seq).toBe(before.seq)
      const other = await skein.sessions.import(format, text, { as: 'new' })
      expect(other.id).not.toBe(first.id)
      expect(await spoken(other.session)).toEqual(await spoken(first.session))
      // What has grown is another one under that id.
      expect(await codeOf(skein.sessions.import(format, `${text}${text.trimEnd().split('\n').at(-1) ?? ''}\n`))).toBe(
        'session.exists',
      )
      expect((await skein.store.check({ deep: true })).findings).toEqual([])
    })

    verifies('A57 A22', `a session of ${format} goes on: its dangling call is repaired, and nothing else is lost`, async () => {
      const skein = await (await place()).open()
      const { id } = await skein.sessions.import(format, fixture(format))
      const model = scriptedModel(['Gladly.'])
      const session = await skein.sessions.open(id, { modelOverride: model })
      expect(await session.send('And tomorrow?').result()).toMatchObject({ status: 'done', text: 'Gladly.' })
      const messages = model.requests[0]?.messages ?? []
      const calls = messages.flatMap(({ parts }) => parts.flatMap(part => (part.type === 'tool_call' ? [part.callId] : [])))
      const results = messages.flatMap(({ parts }) => parts.flatMap(part => (part.type === 'tool_result' ? [part.callId] : [])))
      expect(results).toEqual(calls)
      expect(calls).toHaveLength(3)
      expect(said(messages.at(-1) as Message)).toBe('And tomorrow?')
      expect(messages.map(message => said(message as Message)).join()).not.toContain('ran out of room')
    })
  }
})

describe('importing a session of another program', () => {
  verifies('A57', 'every line is kept: what is no message stands raw beside the conversation', async () => {
    const skein = await (await memoryPlace()).open()
    for (const format of ['claude-code', 'imp'] as const) {
      const { session } = await skein.sessions.import(format, fixture(format))
      const kept = JSON.stringify(await session.entries())
      for (const line of fixture(format).trim().split('\n')) {
        const value = parse(line)
        const mark = value === undefined ? JSON.stringify(line).slice(1, -1) : (value['uuid'] ?? value['id'] ?? value['type'])
        expect(kept).toContain(String(mark))
      }
    }
  })

  it('keeps the summary of a compaction whose conversation stayed in another file', async () => {
    const skein = await (await memoryPlace()).open()
    const line = (more: object): string => JSON.stringify({ sessionId: 's-1', timestamp: '2026-03-02T09:00:00Z', ...more })
    const text = [
      line({
        type: 'user',
        uuid: 'a',
        parentUuid: 'gone',
        isCompactSummary: true,
        message: { role: 'user', content: 'So far.' },
      }),
      line({ type: 'user', uuid: 'b', parentUuid: 'a', message: { role: 'user', content: 'Go on.' } }),
    ].join('\n')
    const { session } = await skein.sessions.import('claude-code', text)
    expect(await spoken(session)).toEqual(['user: So far.', 'user: Go on.'])
  })

  it('takes the file of a sub-agent as a session of its own', async () => {
    const skein = await (await memoryPlace()).open()
    const line = (more: object): string =>
      JSON.stringify({ sessionId: 's-1', agentId: 'x', isSidechain: true, timestamp: '2026-03-02T09:00:00Z', ...more })
    const text = [
      line({ type: 'user', uuid: 'a', parentUuid: null, message: { role: 'user', content: 'Find it.' } }),
      line({ type: 'assistant', uuid: 'b', parentUuid: 'a', message: { id: 'm', role: 'assistant', content: [{ type: 'text', text: 'Found.' }] } }), // prettier-ignore
    ].join('\n')
    const { session } = await skein.sessions.import('claude-code', text)
    expect(await spoken(session)).toEqual(['user: Find it.', 'assistant: Found.'])
  })

  verifies('A57', 'what is no such session is refused, with its line, and nothing is stored', async () => {
    const skein = await (await memoryPlace()).open()
    const strange = ['', '\n\n', 'hello', '{"type":"session","id":"x","version":3}', '[1,2]', 'null\n{"type":"user"}', '\u0000']
    for (const format of ['claude-code', 'imp'] as const)
      for (const text of [...strange, fixture(format === 'imp' ? 'claude-code' : 'imp')]) {
        const error: unknown = await skein.sessions.import(format, text).catch((thrown: unknown) => thrown)
        expect([format, text.slice(0, 30), (error as { code?: unknown }).code]).toEqual([
          format,
          text.slice(0, 30),
          'input.invalid',
        ])
        expect((error as { details: { line?: unknown } }).details.line).toEqual(expect.any(Number))
      }
    expect((await skein.sessions.list()).items).toEqual([])
    expect(await codeOf(skein.sessions.import('cobol' as never, 'x'))).toBe('input.unsupported')
  })

  verifies('A57', 'no line, however it is broken, keeps the others from being read', async () => {
    const skein = await (await memoryPlace()).open()
    for (const format of ['claude-code', 'imp'] as const) {
      const lines = fixture(format).trimEnd().split('\n')
      for (const hostile of hostileLines(format)) {
        const text = [...lines.slice(0, 8), hostile, ...lines.slice(8)].join('\n')
        const { session, ...report } = await skein.sessions.import(format, text, { as: 'new' })
        expect([hostile.slice(0, 80), report.badLines + report.unknown]).toEqual([hostile.slice(0, 80), 3])
        expect((await spoken(session)).filter(line => line.startsWith('user: '))).toEqual(
          expect.arrayContaining(['user: Which ferries leave before noon?']),
        )
        expect((await session.context()).messages.length).toBeGreaterThan(4)
      }
    }
    expect((await skein.store.check({ deep: true })).findings).toEqual([])
  })
})

/** Each is one bad line, or one that is of no known shape. */
function hostileLines(format: 'claude-code' | 'imp'): string[] {
  const broken = [
    '{"type":"user"',
    '"text"',
    '{"no":"type"}',
    '\u0007\u0000',
    `{"type":"${'x'.repeat(300)}"}`,
    '{"type":"__proto__"}',
  ]
  const deep = `{"type":"user","message":${'['.repeat(2_000)}${']'.repeat(2_000)}}`
  const shapes: object[] =
    format === 'imp'
      ? [
          { type: 'message', id: 'x', parent_id: 'x', message: { role: 'assistant', content: 5 } },
          { type: 'message', id: 'x', parent_id: null, message: { role: 'emperor', content: [] } },
          { type: 'message', id: 'x', message: { role: 'tool_result', tool_call_id: '', tool_name: 'x', content: [] } },
          { type: 'message', message: null },
        ]
      : [
          {
            type: 'assistant',
            uuid: 'x',
            parentUuid: 'x',
            message: { id: 'q', role: 'assistant', content: [{ type: 'tool_use' }] },
          },
          {
            type: 'user',
            uuid: 'x',
            message: { role: 'user', content: [{ type: 'image', source: { type: 'base64', data: '!' } }] },
          },
          { type: 'user', uuid: 'x', message: { role: 'user', content: [5] } },
          { type: 'user', message: null },
        ]
  return [...broken, deep, ...shapes.map(shape => JSON.stringify(shape))]
}

interface Labelled {
  readonly label?: string | null
  readonly children: readonly Labelled[]
}
const labelsOf = ({ label, children }: Labelled): string[] => [...(label == null ? [] : [label]), ...children.flatMap(labelsOf)]

function parse(line: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return undefined
  }
}
