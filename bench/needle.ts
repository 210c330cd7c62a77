import { contextBudget, type Summarizer } from '#context'
import { manualClock, seededRandom } from '#kernel'
import { openSkein, type Session, type SkeinOptions } from '#skein'
import { actorFor, type Shown } from './needle/actor.ts'
import { countAsserted, countRetained, factStates, type FactState, judgeFacts, type Verdict } from './needle/judge.ts'
import { drawScene } from './needle/scene.ts'
import { adversarialSummarizer, deadSummarizer, extractiveSummarizer } from './needle/summarizers.ts'

export interface NeedleOptions {
  readonly seed: number
  readonly turns: number
  readonly facts: number
  readonly window: number
  readonly output: number
  readonly summarizer: SummarizerName
  readonly store: NonNullable<SkeinOptions['store']>
  /** Other settings than the default ones, to see what they do. */
  readonly context?: SkeinOptions['context']
}

export type SummarizerName = 'extractive' | 'adversarial' | 'dead' | 'deterministic'

export interface NeedleReport {
  readonly turns: number
  readonly facts: number
  readonly usable: number
  readonly shown: Readonly<Shown>
  /** Tokens of a request, on average. */
  readonly average: number
  readonly states: Readonly<Record<FactState, number>>
  /** Facts that one search for their subject gives. */
  readonly found: number
  /** Of those retained, so many with their subject beside them. */
  readonly named: number
  readonly failedTurns: number
  /** Of the facts that were said before the first change of what is shown, so many are shown after each of the first twenty. */
  readonly decay: { readonly facts: number; readonly retained: readonly number[] }
  /** Proposals that a summary tells as if they held. */
  readonly asserted: number
  readonly summaries: { readonly shown: number; readonly all: number; readonly provisional: number }
  readonly verdicts: readonly Verdict[]
}

/** The spec's scene: 400 turns with 120 facts in a window of 32,000. */
export const wholeScene = { seed: 1, turns: 400, facts: 120, window: 32_000, output: 4_096 } as const

/**
 * Plays a seeded scene through a session, turn by turn, as a process does whose jobs run between turns, and looks where each
 * fact is at the end. No model, no network, and no clock: the same figures for the same options.
 */
export async function runNeedle(options: NeedleOptions): Promise<NeedleReport> {
  const { seed, turns, facts, window, output } = options
  const scene = drawScene(seed, turns, facts)
  const { usable } = contextBudget({ contextWindow: window }, { maxTokens: output })
  const actor = actorFor(scene, { window, output, usable })
  const adversary = adversarialSummarizer(seed)
  const made: Readonly<Record<SummarizerName, Summarizer | undefined>> = {
    extractive: extractiveSummarizer(),
    adversarial: adversary,
    dead: deadSummarizer(),
    deterministic: undefined,
  }
  const summarizer = made[options.summarizer]
  const clock = manualClock(1_795_000_000_000)
  const skein = await openSkein({
    store: options.store,
    clock,
    random: seededRandom(seed),
    worker: false,
    context: { ...options.context, ...(summarizer === undefined ? {} : { summarizer }) },
  })
  try {
    const session = await skein.sessions.create({
      system: 'You help with a large code base.',
      modelOverride: actor.model,
      tools: actor.tools,
    })
    let failedTurns = 0
    let cohort: typeof scene.facts = []
    const decay: number[] = []
    for (const [at, turn] of scene.turns.entries()) {
      clock.advance(60_000)
      const run = session.send(turn.user)
      actor.begin(at, () => void run.cancel())
      const { status } = await run.result()
      if (status !== (turn.abort === undefined ? 'done' : 'cancelled')) failedTurns++
      await session.prepareContext(new AbortController().signal)
      if (actor.shown.breaks <= decay.length || decay.length >= followed) continue
      if (decay.length === 0) cohort = scene.facts.filter(fact => fact.turn < at)
      decay.push(await countRetained(session, cohort))
    }
    const shown = { ...actor.shown }
    const summaries = await countSummaries(session)
    const search = async (query: string): Promise<string> => {
      clock.advance(60_000)
      actor.ask('session_search', { query })
      await session.send('Please look it up.').result()
      return actor.heard()
    }
    const verdicts = await judgeFacts(session, scene.facts, search, adversary.planted)
    return {
      turns,
      facts,
      usable,
      shown,
      average: shown.tokens / shown.requests,
      states: countStates(verdicts),
      found: verdicts.filter(({ found }) => found).length,
      named: verdicts.filter(({ state, named }) => state === 'retained' && named).length,
      failedTurns,
      decay: { facts: cohort.length, retained: decay },
      asserted: await countAsserted(session, scene.decoys),
      summaries,
      verdicts,
    }
  } finally {
    await skein.close()
  }
}

/** So many compactions are followed. */
const followed = 20

function countStates(verdicts: readonly Verdict[]): Record<FactState, number> {
  const counts = Object.fromEntries(factStates.map(state => [state, 0])) as Record<FactState, number>
  for (const { state } of verdicts) counts[state]++
  return counts
}

async function countSummaries(session: Session): Promise<NeedleReport['summaries']> {
  const all = await session.summaries()
  const shown = all.filter(summary => summary.shown)
  return { shown: shown.length, all: all.length, provisional: shown.filter(({ provisional }) => provisional).length }
}
