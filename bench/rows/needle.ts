import { runNeedle, type NeedleReport, type SummarizerName, wholeScene } from '../needle.ts'
import { folderIn } from '../opening.ts'
import { factStates } from '../needle/judge.ts'
import { atLeast, atMost, type Line, type Row, type Target } from '../row.ts'
import { join } from 'node:path'

/** Where facts are after a long session: in the context, one search away, or gone. Seeded; no model and no network. */
export const needle: Row = async setting => {
  const scene = setting.quick ? { ...wholeScene, turns: 120, facts: 36 } : wholeScene
  const run = (summarizer: SummarizerName): Promise<NeedleReport> =>
    runNeedle({ ...scene, summarizer, store: `sqlite:${join(folderIn(setting), 'needle.db')}` })
  const extractive = await run('extractive')
  const others = {
    adversarial: await run('adversarial'),
    dead: await run('dead'),
    deterministic: await run('deterministic'),
  }
  const all = { extractive, ...others }
  // Shorter scenes fit more: their share of what is retained says nothing.
  const breaks = Math.ceil((18 * scene.turns) / wholeScene.turns)
  const line = (measure: string, of: (report: NeedleReport) => number, target?: Target): Line => ({
    measure,
    unit: 'count',
    skein: of(extractive),
    others: Object.fromEntries(Object.entries(others).map(([name, report]) => [name, of(report)])),
    ...(target === undefined ? {} : { target }),
  })
  const sum = (of: (report: NeedleReport) => number): number =>
    Object.values(all).reduce((total, report) => total + of(report), 0)
  return {
    title: `Needles: ${scene.turns} turns, ${scene.facts} facts, a window of 32,000`,
    lines: [
      line('requests', ({ shown }) => shown.requests),
      line('requests over budget', ({ shown }) => shown.overBudget, atMost(0, 'skein')),
      {
        measure: 'requests over budget, all summarizers',
        unit: 'count',
        skein: sum(({ shown }) => shown.overBudget),
        target: atMost(0, 'skein'),
      },
      line('facts that one search finds', ({ found }) => found, atLeast(scene.facts, 'skein')),
      {
        measure: 'facts that one search finds, least of all summarizers',
        unit: 'count',
        skein: Math.min(...Object.values(all).map(({ found }) => found)),
        target: atLeast(scene.facts, 'skein'),
      },
      line('breaks of the prefix', ({ shown }) => shown.breaks, atMost(breaks, 'skein')),
      line('tokens of a request, mean', ({ average }) => average, atMost(18_000, 'skein')),
      line('tokens of the largest request', ({ shown }) => shown.largest),
      ...factStates.map(state =>
        line(
          `facts: ${state.replace('_', ' ')}`,
          report => report.states[state],
          state === 'retained' ? atLeast(0.4 * scene.facts, 'skein') : undefined,
        ),
      ),
      ...[1, 5, 10, 20]
        .filter(times => Object.values(all).every(({ decay }) => decay.retained.length >= times))
        .map(times =>
          line(
            `early facts shown after compaction ${times}, of 100`,
            ({ decay: { facts, retained } }) => (100 * (retained[times - 1] ?? 0)) / facts,
          ),
        ),
      line('proposals told as if they held', ({ asserted }) => asserted, atMost(0, 'skein')),
      {
        measure: 'calls parted from their results, asks that are not whole, orders out of results, all summarizers',
        unit: 'count',
        skein: sum(({ shown }) => shown.brokenPairs + shown.cutAsks + shown.loose),
        target: atMost(0, 'skein'),
      },
      line('summaries shown at the end', ({ summaries }) => summaries.shown),
      line('envelopes that content has broken', ({ shown }) => shown.escaped, atMost(0, 'skein')),
      {
        measure: 'the same, all summarizers',
        unit: 'count',
        skein: sum(({ shown }) => shown.escaped),
        target: atMost(0, 'skein'),
      },
    ],
    notes: [
      'Skein is with a summarizer that copies sentences; adversarial drops, invents, changes figures, echoes, is three times too long and injects; dead never answers; deterministic is the default without a model.',
      'A fact is where it is found first: in the context to the letter, by one `session_search` for its subject, behind a ref that this names, only by a program. Mutated, stale, resurrected: the context holds a false figure, only what was true before, or as open what was ticked off.',
    ],
  }
}
