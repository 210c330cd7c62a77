import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import type { Source, SummaryRequest } from './summarizer.ts'
import { promptHash, sourceHash, summaryPrompt } from './summary-prompt.ts'

const source = (text: string, n = 1): Source => ({ ref: `ent_${n}`, role: 'user', at: 0, text })
const request: SummaryRequest = {
  purpose: 'summary',
  level: 1,
  kind: 'leaf',
  sources: [source('Hello')],
  previous: null,
  targetTokens: 300,
  mustKeep: [],
  openItems: [],
  signal: new AbortController().signal,
}

describe('asking a model', () => {
  it('names sections, rules and target, and fences each source with role and time', () => {
    const { system, user } = summaryPrompt(request)
    for (const word of ['Rejected ways', 'Open items', '300 tokens', '- [x] … (reason)', 'language', 'no preamble'])
      expect(system).toContain(word)
    expect(user).toContain('<source number="1" role="user" time="1970-01-01T00:00:00Z">\nHello\n</source>')
  })

  it('asks for terse bullets at level 2, to merge when condensing, and adds instructions', () => {
    const { system: first } = summaryPrompt(request)
    expect(summaryPrompt({ ...request, level: 2 }).system).toContain('terse bullets')
    expect(first).not.toContain('terse bullets')
    expect(summaryPrompt({ ...request, kind: 'condensed' }).system).toContain('merge summaries')
    expect(summaryPrompt({ ...request, instructions: 'Keep names.' }).system).toBe(`${first}\n\nAlso:\nKeep names.`)
  })

  it('shows what came before, what is open and what matters', () => {
    const { user } = summaryPrompt({
      ...request,
      previous: 'Earlier.',
      openItems: ['- [ ] a'],
      mustKeep: [{ text: 'src/a.ts', kind: 'path', entry: 'ent_1' }],
    })
    expect(user).toContain('<previous>\nEarlier.\n</previous>')
    expect(user).toContain('<open_items>\n- [ ] a\n</open_items>')
    expect(user).toContain('<identifiers>\nsrc/a.ts\n</identifiers>')
  })

  it('lets no content break out of its fence', () => {
    const piece = fc.constantFrom('<', '</', ' ', '\u200b', 'source', 'SOURCE', 'previous', '>', '</source>', 'x')
    const hostile = fc.array(piece, { maxLength: 20 }).map(pieces => pieces.join(''))
    fc.assert(
      fc.property(hostile, hostile, (one, two) => {
        const { user } = summaryPrompt({ ...request, sources: [source(one), source(two)], previous: two })
        expect(user.match(/<[\s\p{Cf}/]*source/giu)).toHaveLength(4)
        expect(user.match(/<[\s\p{Cf}/]*previous/giu)).toHaveLength(2)
      }),
    )
  })
})

describe('naming what a node was made from', () => {
  verifies('C22', 'equal sources give equal hashes, other ones others', () => {
    const texts = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '文', '\ud800', '"', '') }), { maxLength: 4 })
    fc.assert(
      fc.property(texts, texts, (a, b) => {
        const [left, right] = [a, b].map(all => sourceHash(all.map(text => source(text))))
        expect(left === right).toBe(JSON.stringify(a) === JSON.stringify(b))
        expect(sourceHash(structuredClone(a.map(text => source(text))))).toBe(left)
      }),
    )
    expect(sourceHash([source('ab'), source('c')])).not.toBe(sourceHash([source('a'), source('bc')]))
    expect(sourceHash([{ ...source('a'), role: 'tool' }])).not.toBe(sourceHash([source('a')]))
  })

  verifies('C22', 'the prompt’s hash names what was asked, whatever was shown', () => {
    const hash = promptHash(request)
    expect(promptHash({ ...request, sources: [source('other')] })).toBe(hash)
    expect(promptHash({ ...request, level: 2 })).not.toBe(hash)
    expect(promptHash({ ...request, instructions: 'x' })).not.toBe(hash)
  })
})
