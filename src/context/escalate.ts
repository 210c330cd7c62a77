import { asSkeinError, given, SkeinError, type Timers, unlessAborted, within } from '#kernel'
import { addUsage, type Anchor, type Summary, type SummaryAttempt, type Usage } from '#journal'
import { distinctAnchors } from './anchors.ts'
import { deterministicId, deterministicText } from './deterministic.ts'
import {
  bareTokens,
  composeSummary,
  type Draft,
  draftOf,
  fittedSummary,
  type SummaryScope,
  usualBudgets,
} from './draft-summary.ts'
import { cutSources } from './input-cut.ts'
import { rejectReason } from './reject.ts'
import { fullText } from './sources.ts'
import { readAnswer, type Summarizer, type SummaryAnswer, type SummaryRequest } from './summarizer.ts'
import { promptHash, sourceHash } from './summary-prompt.ts'

/** A node to be made. */
export interface SummaryOrder extends SummaryScope {
  readonly summarizer: Summarizer
  /** The text of the summary right before the range. */
  readonly previous: string | null
  readonly instructions?: string
  /** Named to the model beside what the engine finds. */
  readonly mustKeep?: readonly Anchor[]
  /** Nobody waits for it: rather later by a model than now without one. */
  readonly background: boolean
  /** The same compaction has been refused for its credentials: no call is made. Law C54. */
  readonly authFailed?: boolean
  readonly signal: AbortSignal
  readonly timers: Timers
  /** Of one call. */
  readonly timeoutMs: number
}

/** `deferred`: no model answered and nobody waits. `too_small`: no node of this range would be half of it; none was asked for. */
export type SummaryOutcome = Spent &
  ({ readonly status: 'accepted'; readonly summary: Summary } | { readonly status: 'deferred' | 'too_small' })

/** Over all attempts, also rejected ones. Law C69. */
export interface Spent {
  readonly attempts: readonly SummaryAttempt[]
  /** `null`: no usage was reported. */
  readonly usage: Usage | null
  /** In nano-dollars; `null`: unknown for a call at least. */
  readonly cost: number | null
  /** Credentials were refused, now or before. */
  readonly authFailed: boolean
}

/** Level 1's target: 12 % of the source, 256..2,400, condensed 2,000. Source: spec/context.md 5. */
export function summaryTarget(kind: Summary['kind'], sourceTokens: number): number {
  return Math.min(kind === 'leaf' ? 2_400 : 2_000, Math.max(256, Math.floor(sourceTokens * 0.12)))
}

/** What level 3 may take, all in all. */
export function lastResortTokens(sourceTokens: number): number {
  return Math.min(512, Math.floor(sourceTokens / 2))
}

/**
 * Makes one node: as asked, then terse, then without a model; what is rendered is always less than what it stands for. Errors of
 * the summarizer are attempts. Rejects with the signal's reason when that aborts, and for nothing else. Laws C52, C53, C54, C65.
 */
export async function makeSummary(order: SummaryOrder): Promise<SummaryOutcome> {
  const { kind, sources, sourceTokens, summarizer, counter, background, signal, clock } = order
  signal.throwIfAborted()
  const draft = draftOf(order)
  const spent = spending(order.authFailed ?? false)
  const target = summaryTarget(kind, sourceTokens)
  const request = { ...requestOf(order, draft), level: 1, targetTokens: target } as const
  const made = { by: deterministicId, promptHash: promptHash(request), sourceHash: sourceHash(sources), inputCut: 0, usage: null }
  const bare = bareTokens(order, draft, made)
  const limit = lastResortTokens(sourceTokens)
  if (bare >= limit) return { ...spent.sum(), status: 'too_small' }

  const withoutModel = (options: { limit: number; level: 1 | 3; targetTokens?: number }): SummaryOutcome => {
    const { level } = options
    const from = clock.now()
    const by = { ...made, usage: spent.sum().usage }
    const summary = fittedSummary(order, draft, by, { ...options, bare, provisional: level === 3 })
    spent.attempt({ level, outcome: 'accepted', tokens: counter.count(summary.text), ms: clock.now() - from })
    return { ...spent.sum(), status: 'accepted', summary }
  }
  if (summarizer.id === deterministicId) {
    return withoutModel({ level: 1, limit: Math.floor(sourceTokens * 0.8), targetTokens: target })
  }

  const shown = cutSources(sources, summarizer.maxInputTokens, counter)
  // What is covered has been shown: sources that cannot all be shown are not for this model. Law C65.
  const levels = shown.sources.every(source => source.text !== '') ? ([1, 2] as const) : []
  const known = knownTo(order, request)
  for (const level of levels) {
    const targetTokens = level === 1 ? target : Math.floor(target / 2)
    const asked: SummaryRequest = { ...request, sources: shown.sources, level, targetTokens }
    for (let again = level === 1; !spent.authFailed; again = false) {
      const from = clock.now()
      const answer = await ask(order, asked)
      const ms = clock.now() - from
      if ('error' in answer) {
        spent.attempt({ level, outcome: 'error', tokens: 0, ms })
        if (answer.error.code.startsWith('auth.')) spent.authFailed = true
        if (answer.error.code === 'provider.truncated') spent.pay({ text: '' })
        if (again && answer.error.retryable) continue
        break
      }
      spent.pay(answer)
      const text = bareText(answer.text)
      const by = {
        by: summarizer.id,
        promptHash: promptHash(asked),
        sourceHash: made.sourceHash,
        inputCut: shown.inputCut,
        usage: spent.sum().usage,
      }
      const summary = composeSummary(order, draft, text, by, { level, budgets: usualBudgets(order) })
      const tokens = counter.count(text)
      const reason = rejectReason({ text, tokens, renderedTokens: summary.tokens, targetTokens, sourceTokens, known })
      spent.attempt({ level, outcome: reason ?? 'accepted', tokens, ms })
      if (reason === undefined) return { ...spent.sum(), status: 'accepted', summary }
      break
    }
  }
  signal.throwIfAborted()
  if (background) return { ...spent.sum(), status: 'deferred' }
  return withoutModel({ level: 3, limit })
}

/** What a bridge says at most: what is too small for a node is not much longer, but for what was left out of it. */
const bridgeTokens = 1_000

/**
 * The node of what is too small for one by itself and stands between nodes that become one: its words, without a model. It
 * would take more than what it stands for, so it is only ever a child.
 */
export function bridgeSummary(scope: SummaryScope): Summary {
  const draft = draftOf(scope)
  const { sources, counter } = scope
  const told = sources.filter(({ role }) => role !== 'user').map(({ role, text }) => `${role}: ${text}`)
  const whole = told.join('\n')
  const request = { purpose: 'summary', level: 1, kind: 'leaf', sources, previous: null, targetTokens: bridgeTokens } as const
  const asked = { ...request, mustKeep: [], openItems: draft.items.open, signal: new AbortController().signal }
  const text = counter.count(whole) <= bridgeTokens ? whole : deterministicText(asked, counter)
  const made = { by: deterministicId, promptHash: promptHash(asked), sourceHash: sourceHash(sources), inputCut: 0, usage: null }
  return composeSummary(scope, draft, text, made, { level: 1, budgets: { quotes: bridgeTokens, anchors: 0, items: Infinity } })
}

/** One call, within its time. Whatever goes wrong in it is an error of the attempt; only the signal's abort is not. */
async function ask(order: SummaryOrder, request: SummaryRequest): Promise<SummaryAnswer | { readonly error: SkeinError }> {
  const { summarizer, signal, timers, timeoutMs } = order
  signal.throwIfAborted()
  const late = new AbortController()
  const call = async (): Promise<SummaryAnswer> =>
    readAnswer(await summarizer.summarize({ ...request, signal: AbortSignal.any([signal, late.signal]) }))
  try {
    const tooLate = (): never => {
      const error = new SkeinError('provider.truncated', `${summarizer.id} did not answer within ${timeoutMs} ms.`)
      late.abort(error)
      throw error
    }
    return await within(timers, timeoutMs, unlessAborted(call(), signal), tooLate, { awaited: !order.background })
  } catch (thrown) {
    signal.throwIfAborted()
    return { error: asSkeinError(thrown) }
  }
}

/** So many identifiers are named to a model; the engine keeps all. */
const mostNamed = 60

function requestOf(order: SummaryOrder, draft: Draft): Omit<SummaryRequest, 'level' | 'targetTokens'> {
  const { kind, sources, previous, instructions, mustKeep = [], signal } = order
  const named = draft.anchors.filter(anchor => draft.first.has(anchor.text)).slice(0, mostNamed)
  return {
    purpose: 'summary',
    kind,
    sources,
    previous,
    mustKeep: distinctAnchors([...mustKeep, ...named]),
    openItems: draft.items.open,
    ...given({ instructions }),
    signal,
  }
}

/** Everything in which a model may have read an identifier, in full even where it was shown a part. */
function knownTo({ sources, previous, instructions }: SummaryOrder, { mustKeep, openItems }: SummaryRequest): string {
  return [
    ...sources.map(fullText),
    previous ?? '',
    instructions ?? '',
    ...mustKeep.map(anchor => anchor.text),
    ...openItems,
  ].join('\n')
}

/** Without a code fence round the whole. */
function bareText(text: string): string {
  const whole = text.toWellFormed().trim()
  const [, inside] = /^```[a-z]*\n([^]*)\n```$/.exec(whole) ?? []
  return (inside ?? whole).trim()
}

interface Spending {
  authFailed: boolean
  attempt(attempt: SummaryAttempt): void
  pay(answer: SummaryAnswer): void
  sum(): Spent
}

function spending(authFailed: boolean): Spending {
  const attempts: SummaryAttempt[] = []
  let usage: Usage | null = null
  let cost: number | null = 0
  return {
    authFailed,
    attempt: attempt => void attempts.push(attempt),
    pay: answer => {
      if (answer.usage !== undefined) usage = usage === null ? answer.usage : addUsage(usage, answer.usage)
      cost = cost === null || answer.cost == null ? null : cost + answer.cost
    },
    sum() {
      return { attempts: [...attempts], usage, cost, authFailed: this.authFailed }
    },
  }
}
