import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createIds, manualClock, manualTimers, seededRandom, SkeinError, systemTimers } from '#kernel'
import { fullUsage, type Summary } from '#journal'
import { verifies } from '#verifies'
import { findAnchors, missingFrom } from './anchors.ts'
import { type TokenCounter, weightsCounter } from './count-tokens.ts'
import { deterministicSummarizer } from './deterministic.ts'
import { lastResortTokens, makeSummary, type SummaryOrder, type SummaryOutcome, summaryTarget } from './escalate.ts'
import { renderSummary, summaryTokens } from './render-summary.ts'
import { summarySources } from './sources.ts'
import type { Source, Summarizer, SummaryRequest } from './summarizer.ts'
import { sourceHash } from './summary-prompt.ts'
import { packAnchors } from './stored-anchors.ts'

const tokens = (text: string): number => weightsCounter.count(text)
const words = (count: number, from = 0): string =>
  Array.from({ length: count }, (_, n) => `word${'abcdefghij'[(from + n) % 10] ?? ''}`).join(' ')
const say = (role: Source['role'], text: string, n: number): Source => ({ ref: `ent_${n}`, role, at: n * 1_000, text })
const session: readonly Source[] = [
  say('user', 'Fix src/login.ts, ticket #4711.', 1),
  say('assistant', `Reading. ${words(600)}`, 2),
  say('tool', `ENOENT in conf/app.yaml after 30 ms\n- [ ] rotate the signing key\n${words(600)}`, 3),
  say('user', 'And then release v1.2.3.', 4),
]

type Answers = readonly (string | Error | ((request: SummaryRequest) => unknown))[]

/** Answers one after the other, the last one for ever, and keeps what it was asked. */
function scripted(answers: Answers, options: Partial<Summarizer> = {}): Summarizer & { readonly asked: SummaryRequest[] } {
  const asked: SummaryRequest[] = []
  return {
    id: 'scripted',
    maxInputTokens: 100_000,
    asked,
    summarize: async request => {
      const answer = answers[Math.min(asked.push(request), answers.length) - 1]
      if (answer instanceof Error) throw answer
      const text = typeof answer === 'function' ? await answer(request) : answer
      return { text: text as string, usage: fullUsage({ inputTokens: 100, outputTokens: 10 }), cost: 7 }
    },
    ...options,
  }
}

/** Counts the seams between sections, which no share allows for. */
const lumpy: TokenCounter = { id: 'lumpy', count: text => tokens(text) + 8 * (text.split('\n\n').length - 1) }

const order = (summarizer: Summarizer, more: Partial<SummaryOrder> = {}): SummaryOrder => {
  const sources = more.sources ?? session
  const sourceTokens = sources.reduce((sum, source) => sum + tokens(source.text) + 4, 0)
  return {
    kind: 'leaf',
    sources,
    children: [],
    covers: { first: 'ent_1', last: 'ent_4', entries: 4, tokens: sourceTokens, fromAt: 1_000, toAt: 4_000 },
    sourceTokens,
    counter: weightsCounter,
    recall: true,
    newId: createIds({ clock: manualClock(), random: seededRandom(1) }),
    clock: manualClock(),
    summarizer,
    previous: null,
    background: false,
    signal: new AbortController().signal,
    timers: systemTimers,
    timeoutMs: 60_000,
    ...more,
  }
}
const accepted = (outcome: SummaryOutcome): Summary => {
  if (outcome.status !== 'accepted') throw new Error(outcome.status)
  return outcome.summary
}
const outcomes = (outcome: SummaryOutcome): string[] => outcome.attempts.map(one => `${one.level} ${one.outcome}`)
const unavailable = new SkeinError('provider.unavailable', 'Later.')

describe('making a summary', () => {
  it('takes a good proposal at level 1, with quotes, identifiers and open items added', async () => {
    const outcome = await makeSummary(order(scripted(['The login in src/login.ts was fixed.'])))
    const summary = accepted(outcome)
    expect(summary).toMatchObject({
      level: 1,
      provisional: false,
      depth: 0,
      kind: 'leaf',
      openItems: ['- [ ] rotate the signing key'],
    })
    expect(summary.quotes.map(quote => quote.text)).toEqual(['Fix src/login.ts, ticket #4711.', 'And then release v1.2.3.'])
    const rendered = renderSummary(summary)
    for (const anchor of ['ENOENT', 'conf/app.yaml', '30 ms', '#4711']) expect(rendered).toContain(anchor)
    expect(summary.tokens).toBe(summaryTokens(summary, weightsCounter))
    expect(outcome).toMatchObject({ usage: { inputTokens: 100 }, cost: 7, authFailed: false })
  })

  it('asks for 12 % of the source within its bounds, and for half of that at level 2', async () => {
    expect([summaryTarget('leaf', 1_000), summaryTarget('leaf', 10_000), summaryTarget('leaf', 90_000)]).toEqual([
      256, 1_200, 2_400,
    ])
    expect(summaryTarget('condensed', 90_000)).toBe(2_000)
    const summarizer = scripted([''])
    await makeSummary(order(summarizer))
    expect(summarizer.asked.map(one => [one.level, one.targetTokens])).toEqual([
      [1, 256],
      [2, 128],
    ])
    expect(summarizer.asked[0]?.openItems).toEqual(['- [ ] rotate the signing key'])
    expect(summarizer.asked[0]?.mustKeep.map(anchor => anchor.text)).toContain('src/login.ts')
  })

  verifies('C52', 'level 1 too long, level 2 without gain: level 3, and attempts list all three', async () => {
    const items = Array.from({ length: 60 }, (_, n) => `- [ ] ${words(4, n)} ${n}`).join('\n')
    const sources = [say('user', items, 1), say('assistant', words(40), 2)]
    const outcome = await makeSummary(order(scripted([words(2_000), 'Fine.']), { sources }))
    expect(outcomes(outcome)).toEqual(['1 too_long', '2 no_gain', '3 accepted'])
    expect(accepted(outcome)).toMatchObject({ level: 3, provisional: true, made: { by: 'deterministic/1' } })
    expect(outcome).toMatchObject({ usage: { inputTokens: 200 }, cost: 14 })
  })

  verifies('C72', 'a proposal with a path that no source has is an attempt that failed', async () => {
    const outcome = await makeSummary(order(scripted(['See src/invented.ts.', 'See src/login.ts.'])))
    expect(outcomes(outcome)).toEqual(['1 invented_anchor', '2 accepted'])
    expect(accepted(outcome).level).toBe(2)
  })

  verifies(
    'C53',
    'a summarizer that always throws ends at level 3, provisional; in the background deferred, with nothing made',
    async () => {
      for (const error of [unavailable, new Error('broken'), 'not even an error' as unknown as Error]) {
        const always = scripted([() => Promise.reject(error)])
        expect(accepted(await makeSummary(order(always)))).toMatchObject({ level: 3, provisional: true })
        const outcome = await makeSummary(order(always, { background: true }))
        expect(outcome.status).toBe('deferred')
        expect(outcome).not.toHaveProperty('summary')
      }
    },
  )

  it('tries level 1 once more after a retryable error, and only then', async () => {
    expect(outcomes(await makeSummary(order(scripted([unavailable, 'Fine.']))))).toEqual(['1 error', '1 accepted'])
    expect(outcomes(await makeSummary(order(scripted([unavailable, unavailable, 'Fine.']))))).toEqual([
      '1 error',
      '1 error',
      '2 accepted',
    ])
    expect(outcomes(await makeSummary(order(scripted([new Error('no'), unavailable, 'Fine.']))))).toEqual([
      '1 error',
      '2 error',
      '3 accepted',
    ])
  })

  verifies('C54', 'an authentication error costs one call, and the next node of the compaction none', async () => {
    const refused = scripted([new SkeinError('auth.rejected', 'No.')])
    const outcome = await makeSummary(order(refused))
    expect([outcomes(outcome), outcome.authFailed]).toEqual([['1 error', '3 accepted'], true])
    const next = await makeSummary(order(refused, { authFailed: outcome.authFailed }))
    expect([outcomes(next), next.authFailed, refused.asked.length]).toEqual([['3 accepted'], true, 1])
    const waiting = await makeSummary(order(refused, { authFailed: true, background: true }))
    expect([waiting.status, refused.asked.length]).toEqual(['deferred', 1])
  })

  it('rejects with the signal’s reason, also while a summarizer ignores it', async () => {
    const controller = new AbortController()
    const never = scripted([() => new Promise(() => undefined)])
    const made = makeSummary(order(never, { signal: controller.signal }))
    controller.abort(new Error('enough'))
    await expect(made).rejects.toThrow('enough')
    await expect(makeSummary(order(never, { signal: controller.signal }))).rejects.toThrow('enough')
    expect(never.asked).toHaveLength(1)
  })

  it('waits so long and no longer, then tells the summarizer, and knows no price', async () => {
    const timers = manualTimers()
    const slow = scripted([() => (queueMicrotask(() => timers.ring(500)), new Promise(() => undefined)), 'Fine.'])
    const outcome = await makeSummary(order(slow, { timers, timeoutMs: 500 }))
    expect(outcomes(outcome)).toEqual(['1 error', '1 accepted'])
    expect(slow.asked[0]?.signal.aborted).toBe(true)
    expect(outcome.cost).toBeNull()
  })

  it('takes what is no text for an empty proposal, and a fence round it away', async () => {
    expect(outcomes(await makeSummary(order(scripted([() => undefined, () => 7]))))).toEqual(['1 empty', '2 empty', '3 accepted'])
    expect(accepted(await makeSummary(order(scripted(['```markdown\nFine.\n```'])))).text).toBe('Fine.')
  })

  verifies(
    'C75',
    'the deterministic summarizer as the chosen one makes level 1, not provisional, also in the background',
    async () => {
      for (const background of [true, false]) {
        const chosen = order(deterministicSummarizer(), { background })
        const outcome = await makeSummary(chosen)
        expect(accepted(outcome)).toMatchObject({ level: 1, provisional: false, made: { by: 'deterministic/1', usage: null } })
        expect(outcome).toMatchObject({ usage: null, cost: 0 })
        expect(accepted(outcome).tokens).toBeLessThanOrEqual(chosen.sourceTokens * 0.8)
        expect(accepted(await makeSummary(order(deterministicSummarizer(), { background })))).toEqual(accepted(outcome))
      }
    },
  )

  verifies(
    'C65',
    'a source above the summarizer’s input is shown cut, counted in inputCut, its identifiers from the full text',
    async () => {
      const sources = [say('user', 'Read it.', 1), say('tool', `${words(3_000)} src/deep/needle.ts ${words(3_000)}`, 2)]
      const summarizer = scripted(['The log names src/deep/needle.ts.'], { maxInputTokens: 1_000 })
      const summary = accepted(await makeSummary(order(summarizer, { sources })))
      const shown = summarizer.asked[0]?.sources ?? []
      expect(shown.map(source => source.ref)).toEqual(['ent_1', 'ent_2'])
      expect(shown.reduce((sum, source) => sum + tokens(source.text), 0)).toBeLessThanOrEqual(1_000)
      expect(shown[1]?.text).not.toContain('needle')
      expect(summary.made.inputCut).toBeGreaterThan(4_000)
      expect(summary.anchors.map(anchor => anchor.text)).toContain('src/deep/needle.ts')
      const blind = scripted(['Fine.'], { maxInputTokens: 1 })
      expect(outcomes(await makeSummary(order(blind, { sources })))).toEqual(['3 accepted'])
    },
  )

  verifies('C22', 'a node names summarizer, prompt and sources', async () => {
    const [one, two] = [await makeSummary(order(scripted(['Fine.']))), await makeSummary(order(scripted(['Good.'])))].map(
      accepted,
    )
    expect(one?.made).toMatchObject({ by: 'scripted', sourceHash: sourceHash(session), usage: { inputTokens: 100 } })
    expect(one?.made.promptHash).toMatch(/^[0-9a-f]{64}$/)
    expect([two?.made.promptHash, two?.made.sourceHash]).toEqual([one?.made.promptHash, one?.made.sourceHash])
  })

  verifies('C55', 'a node that is made again says which one it replaces', async () => {
    expect(accepted(await makeSummary(order(scripted(['Fine.']), { replaces: 'sum_old' }))).replaces).toBe('sum_old')
    expect(accepted(await makeSummary(order(scripted(['Fine.']))))).not.toHaveProperty('replaces')
  })

  it('does not begin where no node would be half of the range', async () => {
    const summarizer = scripted(['Fine.'])
    expect((await makeSummary(order(summarizer, { sources: [say('user', words(8), 1)] }))).status).toBe('too_small')
    expect(summarizer.asked).toEqual([])
  })
})

describe('whatever is proposed', () => {
  const piece = fc.constantFrom(
    'src/a.ts',
    'https://a.b/c',
    '#4711',
    '30 ms',
    '`a name`',
    'ENOENT',
    'v1.2.3',
    'req-8f3k2a',
    '文件，请',
    '- [ ] ship it\n',
    '\n',
    words(20),
    '3f2a9bc1d',
    '2026-01-02',
  )
  const text = fc.array(piece, { minLength: 1, maxLength: 40 }).map(pieces => pieces.join(' '))
  const role = fc.constantFrom<Source['role']>('user', 'assistant', 'tool')
  const sourcesOf = fc
    .array(fc.tuple(role, text), { minLength: 2, maxLength: 8 })
    .map(all => all.map(([who, said], n) => say(who, said, n + 1)))
    .filter(all => all.reduce((sum, one) => sum + tokens(one.text), 0) > 150)
  const proposal = fc.oneof(text, fc.constantFrom('', words(2_000), 'See /no/such/path.ts', '</summary>'))
  const summarizer = fc.oneof(
    fc.array(proposal, { minLength: 1, maxLength: 2 }).map(answers => scripted(answers)),
    fc.constant(scripted([unavailable])),
    fc.constant(deterministicSummarizer()),
  )

  verifies('C71', 'every identifier of what is covered is in the text or the stored list, through condensing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(sourcesOf, { minLength: 2, maxLength: 3 }), summarizer, async (ranges, by) => {
        const children = await Promise.all(ranges.map(async sources => accepted(await makeSummary(order(by, { sources })))))
        const sources = summarySources(children)
        const parent = await makeSummary(order(by, { kind: 'condensed', children, sources }))
        const nodes = parent.status === 'accepted' ? [...children, parent.summary] : children
        for (const node of nodes) {
          const covered = node.kind === 'condensed' ? ranges.flat() : (ranges[children.indexOf(node)] ?? [])
          const anchors = covered.flatMap(source => findAnchors(source.text, 'ent_1'))
          const kept = new Set(node.anchors.map(anchor => anchor.text))
          expect(missingFrom(anchors, node.text).filter(anchor => !kept.has(anchor.text))).toEqual([])
          expect(node.depth).toBe(node.kind === 'condensed' ? 1 : 0)
        }
      }),
      { numRuns: 60 },
    )
  })

  it('what is shown is less than what it stands for; at level 3 within 512 tokens and half of it', async () => {
    await fc.assert(
      fc.asyncProperty(sourcesOf, summarizer, fc.constantFrom(weightsCounter, lumpy), async (sources, by, counter) => {
        const sourceTokens = sources.reduce((sum, source) => sum + counter.count(source.text) + 4, 0)
        const asked = order(by, { sources, counter, sourceTokens })
        const outcome = await makeSummary(asked)
        if (outcome.status === 'too_small') return
        const summary = accepted(outcome)
        expect(summary.tokens).toBe(summaryTokens(summary, counter))
        const limit = summary.level === 3 ? lastResortTokens(asked.sourceTokens) : asked.sourceTokens * 0.8
        expect(summary.tokens).toBeLessThanOrEqual(limit)
      }),
      { numRuns: 60 },
    )
  })

  it('shrinks text, quotes, items and identifiers alike where they do not fit together', async () => {
    const all = Array.from({ length: 40 }, (_, n) => [
      say('user', `Ask ${n}: ${words(9, n)}.`, 4 * n),
      say('assistant', `Answer ${n} ${words(7, n)}. In src/file-${n}.ts.`, 4 * n + 1),
      say('tool', `Error ${n}: ${words(8, n)}\n- [ ] task ${n} ${words(3, n)}`, 4 * n + 2),
    ])
    for (const groups of [6, 12, 40]) {
      const sources = all.slice(0, groups).flat()
      for (const seam of [0, 30, 60]) {
        const counter: TokenCounter = { id: 'seams', count: text => tokens(text) + seam * (text.split('\n\n').length - 1) }
        const sourceTokens = sources.reduce((sum, source) => sum + tokens(source.text), 0)
        const summary = accepted(await makeSummary(order(scripted(['']), { sources, counter, sourceTokens, authFailed: true })))
        expect(summary.tokens).toBeLessThanOrEqual(lastResortTokens(sourceTokens))
        expect(summary.text).toMatch(/^Aim: Ask 0/)
      }
    }
  })

  it('takes no more than 150 kB of an entry for any source', async () => {
    const ids = Array.from({ length: 60_000 }, (_, n) => `identifier-${n}`).join(' ')
    const items = Array.from({ length: 500 }, (_, n) => `- [ ] ${'文'.repeat(400)} ${n}`).join('\n')
    const sources = [say('user', words(5_000), 1), say('tool', ids, 2), say('assistant', items, 3)]
    for (const by of [deterministicSummarizer(), scripted(['Fine.'])]) {
      const summary = accepted(await makeSummary(order(by, { sources })))
      const { parts = [], ...beside } = packAnchors(summary)
      expect(Buffer.byteLength(JSON.stringify(beside))).toBeLessThan(150_000)
      expect(parts).toHaveLength(1)
      expect(summary.anchors.length).toBeGreaterThan(2_000)
    }
  })
})
