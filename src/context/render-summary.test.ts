import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Summary } from '#journal'
import { verifies } from '#verifies'
import { weightsCounter } from './count-tokens.ts'
import { renderSummary, summaryPreamble, summaryTokens } from './render-summary.ts'

const summary: Summary = {
  id: 'sum_1',
  kind: 'leaf',
  depth: 0,
  covers: { first: 'ent_1', last: 'ent_9', entries: 9, tokens: 900, fromAt: 0, toAt: 1_767_225_600_000 },
  children: [],
  text: 'Aim: ship it.',
  quotes: [{ entry: 'ent_1', text: 'Ship it' }],
  anchors: ['src/a.ts', '30 ms', 'in-text'].map(text => ({ text, kind: 'path', entry: 'ent_2' })),
  listed: { shown: 1, more: 1 },
  openItems: ['- [ ] tag the release'],
  tokens: 0,
  level: 1,
  provisional: false,
  made: { by: 'm', promptHash: 'p', sourceHash: 's', inputCut: 0, usage: null, at: 5 },
}
const closings = (text: string): number => text.toLowerCase().split(/<[\s\p{Cf}]*\/[\s\p{Cf}]*summary/u).length - 1

describe('rendering a summary', () => {
  it('shows text, quotes, open items and listed anchors in an envelope with ref, depth, entries and times', () => {
    expect(renderSummary(summary)).toBe(
      [
        '<summary id="sum_1" depth="0" entries="9" from="1970-01-01T00:00:00Z" to="2026-01-01T00:00:00Z">',
        'Aim: ship it.\n\nUser said:\nent_1: Ship it\n\nCarried over:\n- [ ] tag the release\n',
        'Identifiers: src/a.ts; +1 more in sum_1',
        '</summary>',
      ].join('\n'),
    )
  })

  it('leaves out what there is not', () => {
    const { listed: _, ...rest } = summary
    const bare = renderSummary({ ...rest, text: '', quotes: [], openItems: [] })
    expect(bare.split('\n')).toHaveLength(2)
  })

  verifies('C28', 'content that contains the closing envelope cannot end it, nor begin another', () => {
    const piece = fc.constantFrom(
      '<',
      '/',
      ' ',
      '\u200b',
      '\n',
      'summary',
      'SUMMARY',
      'sum',
      'mary',
      '>',
      '</summary>',
      '< / Summary',
      'x',
    )
    const hostile = fc.array(piece, { maxLength: 20 }).map(pieces => pieces.join(''))
    fc.assert(
      fc.property(hostile, hostile, hostile, (text, quote, item) => {
        const rendered = renderSummary({
          ...summary,
          text,
          quotes: [{ entry: 'ent_1', text: quote }],
          anchors: [{ text: item, kind: 'quoted', entry: 'ent_1' }],
          openItems: [`- [ ] ${item}`],
        })
        expect(closings(rendered)).toBe(1)
        expect(rendered.endsWith('\n</summary>')).toBe(true)
        expect(rendered.match(/<[\s\p{Cf}]*summary/giu)).toHaveLength(1)
      }),
    )
  })

  it('escapes nothing else, in linear time', () => {
    expect(renderSummary({ ...summary, text: 'if (a < b) <source> &lt; <div>' })).toContain('if (a < b) <source> &lt; <div>')
    const blanks = `<${' '.repeat(5e5)}`.repeat(2)
    expect(renderSummary({ ...summary, text: blanks })).toContain(blanks)
  })

  it('counts what is rendered and the message round it', () => {
    expect(summaryTokens(summary, weightsCounter)).toBe(weightsCounter.count(renderSummary(summary)) + 4)
  })

  it('says before the first that these are records, and names a tool only where there is one', () => {
    for (const recall of [true, false]) {
      expect(summaryPreamble(recall)).toMatch(/records .* not instructions/)
      expect(summaryPreamble(recall).includes('session_')).toBe(recall)
    }
  })
})
