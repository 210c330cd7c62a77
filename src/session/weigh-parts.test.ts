import { messageOverhead, outlineTokens, partTokens, weightsCounter } from '#context'
import { type Entry, isType, type Part } from '#journal'
import { openSkein, type Skein, type SkeinOptions } from '#skein'
import { scriptedModel } from '#models'
import { verifies } from '#verifies'
import fc from 'fast-check'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'

const folders: string[] = []
const opened: Skein[] = []
afterEach(async () => {
  for (const skein of opened.splice(0)) await skein.close()
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

async function open(options: SkeinOptions = {}): Promise<Skein> {
  const skein = await openSkein({ store: 'memory:', worker: false, ...options })
  opened.push(skein)
  return skein
}

const encoded = (text: string): Uint8Array => new TextEncoder().encode(text)
/** A text of exactly so many tokens. */
const weighing = (tokens: number): string => '字'.repeat(tokens)
const partsOf = (entry: Entry | undefined): readonly Part[] =>
  entry !== undefined && isType(entry, 'message_added') ? entry.data.parts : []
const result = (output: unknown, callId = 'c'): object => ({ type: 'tool_result', callId, tool: 'read', output })
const called = (...callIds: string[]): object => ({
  role: 'assistant',
  parts: callIds.map(callId => ({ type: 'tool_call', callId, tool: 'read', input: {} })),
})

describe('storing a message', () => {
  verifies('C4', 'keeps 4 and the sum of its parts’ tokens, which what is stored gives again', async () => {
    const session = await (await open()).sessions.create()
    const text = fc.string({ unit: 'grapheme', maxLength: 2_000 })
    const file = fc.record({
      type: fc.constant('file'),
      mediaType: fc.constantFrom('text/plain', 'image/png', 'application/pdf', 'application/zip'),
      data: fc.oneof(fc.uint8Array({ maxLength: 300 }), text.map(encoded)),
    })
    const part = fc.oneof(
      fc.record({ type: fc.constant('text'), text }),
      fc.record({ type: fc.constant('reasoning'), text }),
      fc.record({ type: fc.constant('tool_call'), callId: fc.uuid(), tool: fc.constant('t'), input: fc.jsonValue() }),
      file,
    )
    await fc.assert(
      fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 5 }), async parts => {
        const { entries } = await session.append([{ role: 'assistant', parts }])
        const entry = await session.entry(entries[0]?.id ?? 'ent_')
        const sum = partsOf(entry).reduce((total, stored) => total + partTokens(stored), messageOverhead)
        expect(entry.tokens).toBe(sum)
      }),
      { numRuns: 50 },
    )
  })

  verifies('C4', 'counts nothing again when the session is opened again', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'skein-weigh-'))
    folders.push(folder)
    const store = `sqlite:${join(folder, 'a.db')}`
    let counted = 0
    const counter = { id: 'mine', count: (text: string): number => ((counted += 1), text.length) }
    const first = await open({ store, context: { counter } })
    const session = await first.sessions.create()
    await session.append([{ role: 'user', content: 'hello' }])
    await session.record({ user: 'a', assistant: 'b' })
    expect(counted).toBeGreaterThan(0)
    await first.close()
    const again = await (await open({ store, context: { counter } })).sessions.open(session.id)
    counted = 0
    expect((await again.info()).liveTokens).toBe(9 + 5 + 5)
    expect((await again.entries({ types: ['message_added'] })).map(entry => entry.tokens)).toEqual([9, 5, 5])
    expect(counted).toBe(0)
  })

  it('names a counter that is not the default, in the session’s own settings, too', async () => {
    const { sessions } = await open()
    const plain = await sessions.create()
    const other = await sessions.create({ context: { counter: 'o200k' } })
    const textOf = { role: 'user', content: '你好世界' }
    const stored = (await Promise.all([plain.append([textOf]), other.append([textOf])])).map(({ entries }) => entries[0])
    expect(stored.map(entry => entry?.tokens)).toEqual([8, 6])
    expect(stored.map(entry => entry?.counter)).toEqual([undefined, 'o200k'])
    await sessions.evict({ id: other.id })
    const reopened = await sessions.open(other.id)
    expect((await reopened.append([textOf])).entries[0]?.counter).toBe('o200k')
    expect((await (await other.fork()).append([textOf])).entries[0]?.counter).toBe('o200k')
  })

  it('counts files by their content, also one that is named by its blob', async () => {
    const session = await (await open()).sessions.create()
    const pages = encoded('%PDF-1.4 /Type /Page /Type /Page')
    const { entries } = await session.append([
      { role: 'user', parts: [{ type: 'file', mediaType: 'application/pdf', data: pages }] },
    ])
    expect(entries[0]?.tokens).toBe(4_004)
    const [stored] = partsOf(entries[0])
    const { entries: second } = await session.append([{ role: 'user', parts: [stored] }])
    expect(second[0]?.tokens).toBe(4_004)
    expect(partsOf(second[0])).toEqual([stored])
  })

  it('estimates a recorded turn by what its entries weigh', async () => {
    const session = await (await open()).sessions.create()
    const { usage, usageSource } = await session.record({ user: 'hello world', assistant: '1234' })
    expect(usageSource).toBe('estimated')
    expect([usage.inputTokens, usage.outputTokens]).toEqual([7, 6])
  })
})

describe('large content', () => {
  verifies('C44', 'is outlined from `largeTokens` on, and not one token below', async () => {
    const { sessions } = await open()
    for (const [largeTokens, context] of [
      [10_000, undefined],
      [500, { largeTokens: 500 }],
    ] as const) {
      const session = await sessions.create({ ...(context === undefined ? {} : { context }) })
      const outputs = [largeTokens - 9, largeTokens - 8].map(weighing)
      await session.append([called('a', 'b')])
      const { entries } = await session.append([
        { role: 'tool', parts: [result(outputs[0], 'a'), result(outputs[1], 'b')] },
        { role: 'user', parts: outputs.map(output => ({ type: 'file', mediaType: 'text/plain', data: encoded(output) })) },
      ])
      for (const entry of entries) {
        const [below, at] = partsOf(entry)
        expect(below).not.toHaveProperty('outline')
        expect(at?.type === 'lost' ? '' : at?.outline).toContain('text, 1 line')
        expect(weightsCounter.count(at?.type === 'lost' ? '' : (at?.outline ?? ''))).toBeLessThanOrEqual(outlineTokens)
        expect(entry.tokens).toBe(4 + largeTokens - 1 + largeTokens)
      }
      const [read] = await session.messages().then(all => all.filter(message => message.role === 'tool'))
      expect(read?.parts.map(part => (part.type === 'tool_result' ? part.output : ''))).toEqual(outputs)
    }
  })

  verifies('C44', 'is outlined in a recorded turn, by the keys of what is no text', async () => {
    const session = await (await open()).sessions.create()
    const rows = Array.from({ length: 5_000 }, (_, id) => ({ id, name: `row ${id}` }))
    const { entries } = await session.record({
      messages: [
        { role: 'user', content: 'q' },
        called('a'),
        { role: 'tool', parts: [result({ rows }, 'a')] },
        { role: 'assistant', content: 'a' },
      ],
    })
    const parts = entries.flatMap(partsOf).filter(part => part.type === 'tool_result')
    expect(parts.map(part => part.outline?.split('\n').slice(0, 3))).toEqual([
      ['JSON, object, 1 keys', 'rows: array of 5000 (object)', 'rows[0]: object, 2 keys'],
    ])
  })

  verifies('C44', 'that a run’s own tool returned stays whole: its tool layer bounds it', async () => {
    const output = weighing(600)
    const tool = { name: 'read', description: 'Reads.', input: { type: 'object' }, run: () => output }
    const session = await (
      await open()
    ).sessions.create({
      context: { largeTokens: 500 },
      tools: [tool],
      modelOverride: scriptedModel([{ calls: [{ tool: 'read', input: {} }] }, 'done']),
    })
    await session.send({ parts: [{ type: 'file', mediaType: 'text/plain', data: encoded(output) }] }).result()
    const stored = (await session.entries({ types: ['message_added'], parts: 'full' })).flatMap(partsOf)
    expect(stored.filter(part => part.type === 'file').map(part => part.outline)).toEqual([
      expect.stringContaining('text, 1 line'),
    ])
    expect(stored.filter(part => part.type === 'tool_result').map(part => [part.output, part.outline])).toEqual([
      [output, undefined],
    ])
  })

  verifies('C48', 'of a file is as it was when it was handed in, whatever became of the file', async () => {
    const session = await (await open()).sessions.create({ context: { largeTokens: 100 } })
    const data = encoded(`id,name\n${'1,Ann\n'.repeat(200)}`)
    const before = Buffer.from(data).toString('utf8')
    const { entries } = await session.append([
      { role: 'user', parts: [{ type: 'file', mediaType: 'text/csv', name: 'a.csv', data }] },
    ])
    data.fill(65)
    const [part] = partsOf(await session.entry(entries[0]?.id ?? 'ent_'))
    if (part?.type !== 'file' || part.blob === undefined) throw new Error('No file.')
    expect(Buffer.from(await session.blob(part.blob)).toString('utf8')).toBe(before)
    expect(part.outline).toContain('CSV, 2 columns, 200 rows')
  })
})
