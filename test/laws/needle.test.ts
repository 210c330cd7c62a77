import { describe, expect, it } from 'vitest'
import { type NeedleReport, runNeedle, type SummarizerName } from '../../bench/needle.ts'
import { drawScene } from '../../bench/needle/scene.ts'

const scene = { seed: 5, turns: 120, facts: 30, window: 16_000, output: 2_048 } as const
const play = (summarizer: SummarizerName): Promise<NeedleReport> => runNeedle({ ...scene, summarizer, store: 'memory:' })

/** What holds however bad the summarizer is. */
function expectNothingLost(report: NeedleReport): void {
  expect(report.failedTurns).toBe(0)
  expect(report.shown.overBudget).toBe(0)
  expect(report.shown).toMatchObject({ escaped: 0, brokenPairs: 0, cutAsks: 0, loose: 0 })
  expect(report.summaries.all).toBeGreaterThan(4)
  expect(report.found).toBe(scene.facts)
  expect(report.states).toMatchObject({ missing: 0, host_only: 0 })
  expect(report.shown.breaks).toBeGreaterThan(0)
  expect(report.shown.breaks).toBeLessThanOrEqual(14)
}

describe('facts of a long session', () => {
  it('have users, assistants, tools, corrections, other scripts, items, proposals and orders, side by side with parallel calls and aborts', () => {
    const drawn = drawScene(scene.seed, scene.turns, scene.facts)
    const { facts, turns, decoys, injected } = drawn
    expect(new Set(facts.map(({ by }) => by))).toEqual(new Set(['user', 'assistant', 'tool']))
    expect(new Set(facts.map(({ language }) => language))).toEqual(new Set(['en', 'zh', 'ja']))
    expect(facts.filter(({ before }) => before !== undefined).length).toBe(scene.facts / 6)
    expect(new Set(facts.map(({ kind }) => kind)).size).toBe(7)
    expect([decoys.length, injected.length, facts.filter(({ closed }) => closed !== undefined).length]).toEqual([2, 3, 2])
    expect(turns.some(({ steps }) => steps.some(({ calls }) => calls.length > 1))).toBe(true)
    expect(turns.filter(({ abort }) => abort !== undefined).length).toBeGreaterThan(2)
    expect(drawScene(scene.seed, scene.turns, scene.facts)).toEqual(drawn)
  })

  it('are one search away, and four in ten still shown, with a summarizer that copies sentences', async () => {
    const report = await play('extractive')
    expectNothingLost(report)
    expect(report.states.retained).toBeGreaterThanOrEqual(0.4 * scene.facts)
    expect(report.summaries.provisional).toBe(0)
  })

  it('are one search away with one that drops, invents, echoes, goes on too long and injects', async () => {
    expectNothingLost(await play('adversarial'))
  })

  it('are one search away with one that never answers', async () => {
    const report = await play('dead')
    expectNothingLost(report)
    expect(report.summaries.provisional).toBe(report.summaries.shown)
  })

  it('are one search away without a model', async () => {
    expectNothingLost(await play('deterministic'))
  })
})
