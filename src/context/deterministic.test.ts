import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Message } from '#journal'
import { verifies } from '#verifies'
import { weightsCounter } from './count-tokens.ts'
import { deterministicSummarizer, deterministicText, firstSentence } from './deterministic.ts'
import type { Source } from './summarizer.ts'

const say = (role: Source['role'], text: string, n = 1): Source => ({ ref: `ent_${n}`, role, at: n, text })
const edit: Message = {
  role: 'assistant',
  parts: [{ type: 'tool_call', callId: 'c', tool: 'edit', input: { path: 'src/a.ts' } }],
}
const session: readonly Source[] = [
  say('user', 'Fix the login. It breaks on Mondays.'),
  say('assistant', 'I look at the parser first. Then more.'),
  { ...say('assistant', '[call edit]'), message: edit },
  say('tool', 'ok\nTypeError: x is undefined\nmore'),
  say('assistant', 'The date was wrong. Details follow.'),
  say('user', 'Now release it! Please.\n- [ ] tag it'),
]
const text = (sources: readonly Source[], targetTokens = 400): string =>
  deterministicText({ sources, targetTokens, openItems: [] }, weightsCounter)

describe('summarizing without a model', () => {
  it('tells aim, last ask, files, errors, open items, and what was said, newest first', () => {
    expect(text(session).split('\n')).toEqual([
      'Aim: Fix the login.',
      'Last ask: Now release it!',
      'Files:',
      '- src/a.ts (edited)',
      'Errors:',
      '- TypeError: x is undefined',
      'Open items:',
      '- [ ] tag it',
      'Said:',
      '- The date was wrong.',
      '- I look at the parser first.',
    ])
  })

  it('of summaries tells the oldest one’s beginning, then the newest ones’ lines, each once', () => {
    const summaries = [
      say('summary', 'Aim: ship.\nSaid:\n- old', 1),
      say('summary', 'Aim: ship.\n- new\n\nUser said:\nent_1: hi', 2),
    ]
    expect(text(summaries).split('\n')).toEqual(['Aim: ship.', '- new', '- old'])
  })

  verifies('C75', 'gives the same bytes for the same input, never over its target, and never fails', async () => {
    const words = fc.string({
      unit: fc.oneof(
        fc.constantFrom('\ud83d', '\udc00', '\0', 'é', '\u200b', '\\', '(', '=', '`', '#', '-'),
        fc.constantFrom('a', ' ', '.', '\n', '文', '😀'),
      ),
      maxLength: 300,
    })
    const role = fc.constantFrom<Source['role']>('user', 'assistant', 'tool', 'system', 'summary')
    const line = fc.constantFrom('Error: no', '- [ ] do it', '', 'Aim: x')
    const source = fc.tuple(role, words, line, fc.nat(99)).map(([who, said, more, n]) => say(who, `${said}\n${more}`, n))
    const summarizer = deterministicSummarizer()
    await fc.assert(
      fc.asyncProperty(fc.array(source, { maxLength: 12 }), fc.nat(300), async (sources, targetTokens) => {
        const request = {
          purpose: 'summary',
          level: 1,
          kind: 'leaf',
          sources,
          previous: null,
          targetTokens,
          mustKeep: [],
          openItems: [],
          signal: new AbortController().signal,
        } as const
        const { text: first } = await summarizer.summarize(request)
        const again = await summarizer.summarize({ ...request, sources: structuredClone(sources) })
        expect(again.text).toBe(first)
        expect(weightsCounter.count(first)).toBeLessThanOrEqual(targetTokens)
        expect(first.isWellFormed()).toBe(true)
      }),
    )
  })

  it('leaves each section its share: many errors do not push out what was said', () => {
    const errors = Array.from({ length: 50 }, (_, n) => `Error ${n}: ${'bad '.repeat(20)}`)
    const all = text([...errors.map(line => say('tool', line)), say('assistant', 'All is fixed.'), say('user', 'Why?')], 200)
    expect(all).toContain('Error 49')
    expect(all).toContain('- All is fixed.')
  })

  it('says something of anything that says something', () => {
    expect(text([say('user', `word ${'x'.repeat(1e6)}`)], 20)).toMatch(/^Aim: word x+$/)
    expect(text([say('assistant', '修复完成。然后')], 100)).toContain('修复完成。')
  })
})

describe('a first sentence', () => {
  it.each([
    ['See v1.2.3 in a.ts. Then more.', 'See v1.2.3 in a.ts.'],
    ['  你好。再见。', '你好。'],
    ['One line\nand another.', 'One line'],
    ['', ''],
  ])('%j is %j', (words, sentence) => {
    expect(firstSentence(words)).toBe(sentence)
  })
})
