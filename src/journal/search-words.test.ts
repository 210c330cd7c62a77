import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { indexedLength, matches, parseQuery, searchText, searchWords, snippetOf, splitText, type Entry } from '#journal'
import { newId } from '#kernel'

const finds = (text: string, query: string, match?: 'all' | 'any'): boolean =>
  matches(searchWords(text), parseQuery(query), match)
const anyText = fc.string({
  unit: fc.oneof(
    fc.string({ unit: 'binary', maxLength: 1 }),
    fc.constantFrom('a', 'B', ' ', '"', '*', '-', '東', '京', 'é', '1', '_'),
  ),
  maxLength: 60,
})

describe('words of a text', () => {
  it('are left to an index that splits ASCII by itself, where there is nothing else', () => {
    expect(splitText('Foo_bar-2\0')).toBe('Foo_bar-2\0')
    expect(splitText('Foo_bär 東京都')).toBe('foo bär 東京 京都')
  })

  verifies('J45', 'are runs of letters and digits, NFKC, in lower case; CJK as overlapping pairs', () => {
    const table: [string, string[]][] = [
      ['Hello, World!', ['hello', 'world']],
      ['foo-bar_baz v2.10', ['foo', 'bar', 'baz', 'v2', '10']],
      ['ﬁne ①②', ['fine', '12']],
      ['CAFÉ cafe\u0301', ['café', 'café']],
      ['私は東京に住む', ['私は', 'は東', '東京', '京に', 'に住', '住む']],
      ['東', ['東']],
      ['iPhone東京x', ['iphone', '東京', 'x']],
      ['한국어', ['한국', '국어']],
      ['ラーメン', ['ラー', 'ーメ', 'メン']],
      ['\ud800', []],
      ['', []],
      ['!!! ---', []],
    ]
    for (const [text, words] of table) expect(searchWords(text), text).toEqual(words)
  })

  it('finds the same words in an ASCII text whether or not other letters follow', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii' }), text => {
        expect(searchWords(`${text} é`)).toEqual([...searchWords(text), 'é'])
      }),
    )
  })
})

describe('matching a query', () => {
  verifies('J45', '東京 finds 私は東京に住む', () => {
    expect(finds('私は東京に住む', '東京')).toBe(true)
    expect(finds('京都の東', '東京')).toBe(false)
  })

  verifies('J45', 'no text is an error, as a query or as what is searched', () => {
    fc.assert(
      fc.property(anyText, anyText, (query, text) => {
        for (const match of ['all', 'any'] as const) expect(typeof finds(text, query, match)).toBe('boolean')
      }),
    )
    for (const query of ['"', '*', '-', '""', '-"', '- "', '**']) expect(finds('anything " * -', query)).toBe(false)
  })

  verifies('J45', 'every text is found by its own words, as a phrase, by prefixes; and not by their negation', () => {
    fc.assert(
      fc.property(anyText, text => {
        const words = searchWords(text)
        const [first] = words
        if (first === undefined) return
        if (searchWords(words.join(' ')).join() === words.join()) expect(finds(text, `"${words.join(' ')}"`)).toBe(true)
        if (searchWords(first).join() !== first) return
        expect(finds(text, `${first}*`)).toBe(true)
        expect(finds(text, first)).toBe(true)
        expect(finds(text, `nowhereword ${first}`, 'any')).toBe(true)
        expect(finds(text, `nowhereword ${first}`)).toBe(false)
        expect(finds(text, `${first} -${first}`)).toBe(false)
      }),
    )
  })

  it('reads words, phrases, prefixes and negations, and anything else as text', () => {
    expect(parseQuery('one "two three" fo* -bar -"x y" a-b 東')).toEqual([
      { words: ['one'], prefix: false, negated: false },
      { words: ['two', 'three'], prefix: false, negated: false },
      { words: ['fo'], prefix: true, negated: false },
      { words: ['bar'], prefix: false, negated: true },
      { words: ['x', 'y'], prefix: false, negated: true },
      { words: ['a', 'b'], prefix: false, negated: false },
      { words: ['東'], prefix: true, negated: false },
    ])
    expect(parseQuery('"a"b "unclosed end').map(term => term.words)).toEqual([['a'], ['b'], ['unclosed'], ['end']])
  })

  it('wants at least one thing that is not negated', () => {
    expect(finds('a b', '-c')).toBe(false)
    expect(finds('a b', '')).toBe(false)
  })
})

describe('what is shown of a hit', () => {
  it('is a window round the first word, with whole characters, and ranges that mark words', () => {
    fc.assert(
      fc.property(anyText, anyText, fc.constantFrom('needle', '東京', 'é'), (before, after, word) => {
        const text = `${before.repeat(9)} ${word} ${after.repeat(9)}`
        const { snippet, ranges } = snippetOf(text, [word])
        expect(text.includes(snippet)).toBe(true)
        for (const [from, to] of ranges) expect(snippet.slice(from, to).toLowerCase()).toBe(word)
        const sorted = ranges.every(([from], index) => index === 0 || (ranges[index - 1]?.[0] ?? 0) <= from)
        expect(sorted).toBe(true)
      }),
    )
    expect(snippetOf(`${'x'.repeat(500)} needle`, ['needle']).snippet).toContain('needle')
  })
})

describe('what of an entry is searched', () => {
  const entry = (type: string, data: unknown): Entry => ({
    id: newId('ent'),
    session: newId('ses'),
    seq: 1,
    parentId: null,
    type,
    v: 1,
    at: 1,
    data,
  })

  it('is texts and tool results of messages, titles, labels, summaries and custom texts', () => {
    const table: [Entry, ReturnType<typeof searchText>][] = [
      [
        entry('message_added', {
          role: 'tool',
          parts: [
            { type: 'tool_result', output: { a: ['x', 1, { b: 'y' }, { b: 'w' }], c: null, d: 0.1234567890123 } },
            { type: 'tool_result', output: 'z' },
          ],
        }),
        { role: 'tool', text: 'a\nx\n1\nb: y\nw\nc: \nd: \nz' },
      ],
      [
        entry('message_added', {
          role: 'user',
          parts: [{ type: 'text', text: 'a' }, { type: 'reasoning', text: 'b' }, { type: 'file' }, null],
        }),
        { role: 'user', text: 'a' },
      ],
      [entry('message_added', { role: 'user', parts: [] }), undefined],
      [entry('session_titled', { title: 'T' }), { role: 'session_titled', text: 'T' }],
      [entry('session_created', { title: null }), undefined],
      [entry('entry_labelled', { label: 'L' }), { role: 'entry_labelled', text: 'L' }],
      [entry('summary_added', { text: 'S' }), { role: 'summary_added', text: 'S' }],
      [entry('custom', { name: 'n', data: 'd', text: 'C' }), { role: 'custom', text: 'C' }],
      [entry('model_changed', { model: 'm' }), undefined],
      [entry('erased', {}), undefined],
      [entry('message_added', 5), undefined],
    ]
    for (const [given, expected] of table) expect(searchText(given)).toEqual(expected)
    expect(searchText(entry('custom', { text: 'x'.repeat(indexedLength + 5) }))?.text).toHaveLength(indexedLength)
  })
})
