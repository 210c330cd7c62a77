import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Anchor } from '#journal'
import { distinctAnchors, findAnchors, listAnchors, missingFrom, rankAnchors } from './anchors.ts'
import { weightsCounter } from './count-tokens.ts'

const entry = 'ent_1'
const found = (text: string): string[] => findAnchors(text, entry).map(anchor => `${anchor.kind} ${anchor.text}`)

describe('finding anchors', () => {
  const table: readonly (readonly [string, readonly string[]])[] = [
    ['see src/kernel/ids.ts:42 and ./a/b, not and/or, 24/7 or Node.js', ['path src/kernel/ids.ts', 'path ./a/b']],
    ['(package.json), --config=conf/app.yaml; Makefile', ['path package.json', 'path conf/app.yaml', 'path Makefile']],
    ['open C:\\Users\\me\\x.txt.', ['path C:\\Users\\me\\x.txt']],
    ['<div></div> <br/> w/o', []],
    ['at https://a.b/c?d=1#e, (https://x.y/z_(w)).', ['url https://a.b/c?d=1#e', 'url https://x.y/z_(w)']],
    ['commit 3f2a9bc1 0xdeadbeef feedbeef 1234567', ['hash 3f2a9bc1', 'hash 0xdeadbeef']],
    ['id 550e8400-e29b-41d4-a716-446655440000', ['uuid 550e8400-e29b-41d4-a716-446655440000']],
    ['fixes #123, GH-12 and acme/repo#45; UTF-8', ['issue #123', 'issue GH-12', 'issue acme/repo#45']],
    ['ENOENT ERR_X TS2345 exit code 1', ['error exit code 1', 'error ENOENT', 'error ERR_X', 'error TS2345']],
    ['TypeError: SQLITE_BUSY', ['error TypeError', 'error SQLITE_BUSY']],
    ['v1.2 and 1.2.3-beta.1, not 3.14', ['version v1.2', 'version 1.2.3-beta.1']],
    ['key req-8f3k2a in gpt-4.1-mini', ['identifier req-8f3k2a', 'identifier gpt-4.1-mini']],
    ['30s, 128 KB, 40%, $1,299.99', ['quantity $1,299.99', 'quantity 30s', 'quantity 128 KB', 'quantity 40%']],
    ['on 2026-01-02T03:04:05Z or Jan 5, 2026', ['date 2026-01-02T03:04:05Z', 'date Jan 5, 2026']],
    ['run `npm test` with ``', ['quoted npm test']],
    ['{"path":"src/x.ts","text":"line\\nsrc/y.ts"}', ['path src/x.ts', 'path src/y.ts']],
  ]
  it.each(table)('%s', (text, expected) => {
    expect(found(text)).toEqual(expected)
  })

  it('holds where no blanks stand between words', () => {
    expect(found('请修改src/a.ts和src/b.ts，超时改为30秒，见https://例.cn不是https://a.cn/x。')).toEqual([
      'url https://a.cn/x',
      'quantity 30秒',
      'path src/a.ts',
      'path src/b.ts',
    ])
    expect(found('见 src/上下文/锚点.ts。')).toEqual(['path src/上下文/锚点.ts'])
    expect(found('2026年1月2日に100毫秒')).toEqual(['date 2026年1月2日', 'quantity 100毫秒'])
  })

  it('gives each text once, with the entry, and every one stands in the text to the letter', () => {
    const word = fc.oneof(
      fc.constantFrom(
        'src/a.ts',
        'https://a.b/c',
        '#12',
        '30 ms',
        '`x y`',
        'ENOENT',
        'v1.2',
        '文件',
        '，',
        'C:\\a\\b',
        '2026-01-02',
      ),
      fc.constantFrom('\ud83d', '\udc00', '\0', 'é', '\u200b', '\\', '(', '=', '`', '#', '-'),
    )
    fc.assert(
      fc.property(fc.array(word, { maxLength: 30 }), fc.constantFrom(' ', '', '\n', '文'), (words, between) => {
        const text = words.join(between)
        const anchors = findAnchors(text, entry)
        expect(new Set(anchors.map(anchor => anchor.text)).size).toBe(anchors.length)
        expect(anchors.filter(anchor => !text.includes(anchor.text) || anchor.entry !== entry)).toEqual([])
      }),
    )
  })

  it('reads a megabyte of anything', () => {
    const hostile = [
      'a',
      'a.',
      'a/',
      '1',
      '1,000 ',
      '`a',
      'a:\\b',
      '文/',
      'a1=b2:c3/',
      'A_',
      `http://a${')'.repeat(2_000)}`,
      ' <',
      'ab12-',
    ]
    for (const piece of hostile) {
      const text = piece.repeat(Math.ceil(1e6 / piece.length))
      expect(
        findAnchors(`${text} src/a.ts`, entry).map(anchor => anchor.text),
        piece,
      ).toContain('src/a.ts')
    }
  })
})

describe('what a text does not name', () => {
  const anchors = ['#12', '1.2', 'src/a.ts', 'abc123', '30秒'].map((text): Anchor => ({ text, kind: 'quoted', entry }))
  const missing = (text: string): string[] => missingFrom(anchors, text).map(anchor => anchor.text)

  it('is what stands nowhere in it as a whole', () => {
    expect(missing('#12, 1.2. lib/src/a.ts:3 (abc123) 等30秒后')).toEqual([])
    expect(missing('#123 1.2.3 src/a.tsx xabc123')).toEqual(['#12', '1.2', 'src/a.ts', 'abc123', '30秒'])
    expect(missing('#123 and #12')).not.toContain('#12')
  })
})

describe('listing anchors', () => {
  const anchor = (text: string, kind: Anchor['kind']): Anchor => ({ text, kind, entry })
  const anchors = [anchor('name', 'quoted'), anchor('src/b.ts', 'path'), anchor('src/a.ts', 'path'), anchor('ENOENT', 'error')]

  it('shows what goes first, then by kind, and counts the others', () => {
    const all = listAnchors(rankAnchors(anchors, new Set(['src/a.ts'])), { budget: 400, counter: weightsCounter })
    expect(all.shown.map(one => one.text)).toEqual(['src/a.ts', 'ENOENT', 'src/b.ts', 'name'])
    const few = listAnchors(rankAnchors(anchors, new Set(['src/a.ts'])), { budget: 32, counter: weightsCounter })
    expect(few.shown.length).toBeGreaterThan(0)
    expect(few.shown[0]?.text).toBe('src/a.ts')
    expect(distinctAnchors([...few.shown, ...few.rest])).toHaveLength(anchors.length)
  })

  it('stays within its tokens', () => {
    const many = Array.from({ length: 200 }, (_, n) => anchor(`src/file-${n}.ts`, 'path'))
    for (const budget of [40, 100, 400]) {
      const { shown, rest } = listAnchors(many, { budget, counter: weightsCounter })
      const line = `Identifiers: ${shown.map(one => one.text).join('; ')}; +${rest.length} more in sum_01ABCDEFGHJKMNPQRSTVWXYZ00`
      expect(weightsCounter.count(line)).toBeLessThanOrEqual(budget)
      expect(weightsCounter.count(line)).toBeGreaterThan(budget * 0.7)
    }
  })

  it('shows nothing where nothing fits', () => {
    expect(listAnchors(anchors, { budget: 5, counter: weightsCounter }).shown).toEqual([])
  })
})
