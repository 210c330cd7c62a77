import { verifies } from '#verifies'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { weightsCounter } from './count-tokens.ts'
import { loadCounter } from './counters.ts'
import { type ContentHints, outlineOf, outlineTokens } from './outline.ts'

const encoded = (text: string): Uint8Array => new TextEncoder().encode(text)
const lines = (content: Uint8Array | string, hints: ContentHints = {}): string[] => outlineOf(content, hints).split('\n')

const names = ['', 'a.json', 'a.csv', 'a.tsv', 'a.md', 'a.ts', 'a.js', 'a.py', 'a.log', 'a.png', 'constructor', '.__proto__']
const types = [
  '',
  'text/plain',
  'application/json',
  'text/csv',
  'text/markdown',
  'image/png',
  'application/pdf',
  'x/y+json',
  'a'.repeat(5_000),
]
const hints = fc.record({ name: fc.constantFrom(...names), mediaType: fc.constantFrom(...types) })
const bits = [
  '"',
  "'",
  '\n',
  '\r',
  ',',
  ';',
  '{',
  '}',
  '[',
  ']',
  '#',
  '# x',
  '```',
  'import ',
  'export ',
  ' from ',
  'class A',
  'def f',
  '\0',
  '\ud800',
  '😀',
  '你',
  'error',
  ' ',
  '\t',
  '=',
  '\\',
]
const content = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.json(),
  fc.array(fc.constantFrom(...bits), { maxLength: 400 }).map(all => all.join('')),
  fc.tuple(fc.constantFrom(...bits), fc.integer({ min: 1, max: 3_000 })).map(([bit, times]) => bit.repeat(times)),
)

describe('an outline', () => {
  verifies('C49', 'of no input throws or takes more than 400 tokens, by any counter', async () => {
    const counters = [weightsCounter, await loadCounter('o200k'), { id: 'units', count: (text: string) => text.length * 3 }]
    fc.assert(
      fc.property(fc.oneof(content, content.map(encoded), fc.uint8Array({ maxLength: 2_000 })), hints, (input, hint) => {
        for (const counter of counters) expect(counter.count(outlineOf(input, hint, counter))).toBeLessThanOrEqual(outlineTokens)
      }),
      { numRuns: 500 },
    )
  })

  verifies('C49', 'of a counter that fails says the size', () => {
    const failing = {
      id: 'failing',
      count: () => {
        throw new Error('no')
      },
    }
    expect(outlineOf('a\nb', {}, failing)).toBe('3 characters')
  })

  verifies('C49', 'of hostile input of a megabyte comes back, within 400 tokens', () => {
    const size = 1_000_000
    const hostile: readonly (readonly [string, ContentHints])[] = [
      ['['.repeat(size), { name: 'deep.json' }],
      [`${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`, { name: 'deep.json' }],
      [`{${Array.from({ length: 50_000 }, (_, n) => `"k${n}":[]`).join(',')}}`, { name: 'wide.json' }],
      ['"'.repeat(size), { name: 'quotes.csv' }],
      [','.repeat(size), { name: 'commas.csv' }],
      ['\n'.repeat(size), { name: 'empty.log' }],
      [' '.repeat(size), { name: 'blank.md' }],
      ['# '.repeat(size / 2), { name: 'one.md' }],
      ['# x\n'.repeat(size / 4), { name: 'many.md' }],
      [`import ${' '.repeat(size)}`, { name: 'a.ts' }],
      ['import {\n'.repeat(size / 9), { name: 'a.ts' }],
      ['export const a = 1\n'.repeat(size / 19), { name: 'a.ts' }],
      ['class A\n'.repeat(size / 8), { name: 'a.py' }],
      ['error '.repeat(size / 6), { name: 'a.log' }],
      ['error\n'.repeat(size / 6), { name: 'a.log' }],
      ['😀'.repeat(size / 2), {}],
      ['\u001b[31m'.repeat(size / 5), {}],
    ]
    for (const [text, hint] of hostile) expect(weightsCounter.count(outlineOf(text, hint))).toBeLessThanOrEqual(outlineTokens)
  })

  it('of JSON names its keys and the lengths of its arrays', () => {
    const value = { total: 2, items: [{ id: 1, tags: ['a', 'b'] }, { id: 2 }], next: null }
    expect(lines(JSON.stringify(value), { name: 'x.json' })).toEqual([
      'JSON, object, 3 keys',
      'total: number',
      'items: array of 2 (object)',
      'next: null',
      'items[0]: object, 2 keys',
      'items[0].id: number',
      'items[0].tags: array of 2 (string)',
    ])
    expect(lines('[1, 2, 3]')).toEqual(['JSON, array of 3 (number)'])
  })

  it('of a table names its columns and counts its rows, quotes respected', () => {
    expect(lines('id,"full, name",note\n1,Ann,"two\nlines"\n2,Bo,\n', { mediaType: 'text/csv' })).toEqual([
      'CSV, 3 columns, 2 rows after the first; columns:',
      '- id',
      '- full, name',
      '- note',
    ])
    expect(lines('a\tb\r\n1\t2\r\n', { name: 'x.tsv' })[0]).toBe('CSV, 2 columns, 1 rows after the first; columns:')
  })

  it('of Markdown lists its headings, but none inside a fence', () => {
    const text = '# One\n\ntext\n\n## Two\n\n```\n# no heading\n```\n\n#tag\n\n### Three\n'
    expect(lines(text, { name: 'README.md' })).toEqual(['Markdown, 13 lines, 3 headings', '# One', '  ## Two', '    ### Three'])
  })

  it('of code lists imports and declarations with their lines', () => {
    const script =
      "import { a } from 'node:fs'\nimport {\n  b,\n} from './b.ts'\nexport async function run(x: number): Promise<void> {\n  const inner = 1\n}\nexport interface Shape {\n}\nconst limit = 5\n"
    expect(lines(script, { name: 'run.ts' })).toEqual([
      'TypeScript, 10 lines, 3 declarations',
      'imports: node:fs, ./b.ts',
      '5: export async function run(x: number): Promise<void>',
      '8: export interface Shape',
      '10: const limit',
    ])
    const python =
      'import os, sys\nfrom a.b import c\n\nLIMIT = 5\n\nclass Tool(Base):\n    async def run(self):\n        pass\n\ndef main():\n    x = 1\n'
    expect(lines(python, { mediaType: 'text/x-python' })).toEqual([
      'Python, 11 lines, 4 declarations',
      'imports: os, sys, a.b',
      '4: LIMIT',
      '6: class Tool(Base):',
      '7:     async def run(self):',
      '10: def main():',
    ])
  })

  it('of other text counts lines and shows both ends, and errors between them', () => {
    const log = Array.from({ length: 40 }, (_, n) => (n === 19 ? 'TypeError: x is not a function' : `step ${n + 1}`)).join('\n')
    expect(lines(log)).toEqual([
      `text, 40 lines, ${log.length} characters`,
      ...[1, 2, 3, 4, 5].map(n => `${n}: step ${n}`),
      'errors:',
      '20: TypeError: x is not a function',
      '…',
      ...[36, 37, 38, 39, 40].map(n => `${n}: step ${n}`),
    ])
  })

  it('of what can’t be read as it says is that of a text', () => {
    expect(lines('{"broken": ', { name: 'x.json' })[0]).toBe('text, 1 line, 11 characters')
    expect(lines('no headings', { name: 'x.md' })[0]).toBe('text, 1 line, 11 characters')
    expect(lines('', { name: 'x.csv' })[0]).toBe('text, 0 lines, 0 characters')
  })

  it('of binary content is type and size', () => {
    expect(outlineOf(new Uint8Array(1_000), { mediaType: 'application/zip' })).toBe('application/zip, 1000 bytes')
    expect(outlineOf(encoded('%PDF-1.4 /Type /Page /Type /Page'), { mediaType: 'application/pdf' })).toBe(
      'application/pdf, 32 bytes, about 2 pages',
    )
    expect(outlineOf(new Uint8Array(10))).toBe('application/octet-stream, 10 bytes')
  })
})
