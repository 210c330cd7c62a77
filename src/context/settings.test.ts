import { isSkeinError } from '#kernel'
import { verifies } from '#verifies'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ContextSettingsInput, mergeContextSettings, readContextSettings, settingsFor } from './settings.ts'

/** The field that a refusal names. */
function refusedField(act: () => unknown): unknown {
  try {
    act()
  } catch (error) {
    if (isSkeinError(error) && error.code === 'config.invalid') return error.details['key']
    throw error
  }
  return undefined
}

const bounds: readonly (readonly [path: string, within: readonly number[], outside: readonly unknown[]])[] = [
  ['softFraction', [0.31, 0.95], [0.09, 0.96, '0.5', NaN]],
  ['targetFraction', [0.05, 0.59], [0.04, -1, null]],
  ['buffer', [0, 200_000], [-1, 200_001, 1.5]],
  ['keepTokens', [500, 1e6], [499, '500', Infinity]],
  ['leafTokens', [500, 1e6], [499]],
  ['fanout', [2, 16], [1, 17, 2.5]],
  ['summaryShare', [0.05, 0.5], [0.04, 0.51]],
  ['prune.protectTokens', [1, 1e6], [0, -1, 'all']],
  ['prune.minTokens', [0, 39_999], [-1, 40_000]],
  ['largeTokens', [100, 1e7], [99]],
  ['recallTokensPerTurn', [1_000, 1e6], [999]],
  ['doomLoopCalls', [2, 10], [1, 11]],
  ['summaryTimeoutMs', [1, 1e6], [0]],
  ['closeTimeoutMs', [0, 1e6], [-1]],
]
const given = (path: string, value: unknown): unknown => {
  const [first = '', second] = path.split('.')
  return { [first]: second === undefined ? value : { [second]: value } }
}

describe('context settings', () => {
  for (const [path, within, outside] of bounds) {
    verifies('C10', `take ${path} within its range, and name it outside`, () => {
      for (const value of within) expect(readContextSettings(given(path, value))).toEqual(given(path, value))
      for (const value of outside) expect(refusedField(() => readContextSettings(given(path, value)))).toBe(`context.${path}`)
    })
  }

  verifies('C10', 'refuse words that they do not know, and settings that do not exist', () => {
    const wrong = {
      auto: 1,
      recall: 'yes',
      counter: 'gpt-2',
      swap: 'now',
      summarizer: '',
      'prune.protectedTools': 'skill',
      keep: 5,
    }
    for (const [path, value] of Object.entries(wrong))
      expect(refusedField(() => readContextSettings(given(path, value)))).toBe(`context.${path}`)
    for (const value of [null, [], 5, 'late']) expect(refusedField(() => readContextSettings(value))).toBe('context')
    expect(refusedField(() => readContextSettings({ prune: [] }, 'options.context'))).toBe('options.context.prune')
  })

  verifies('C10', 'refuse a target that is not below soft, and a minimum that is not below what is protected', () => {
    expect(refusedField(() => readContextSettings({ softFraction: 0.4, targetFraction: 0.4 }))).toBe('context.targetFraction')
    expect(refusedField(() => readContextSettings({ targetFraction: 0.6 }))).toBe('context.targetFraction')
    expect(refusedField(() => readContextSettings({ softFraction: 0.3 }))).toBe('context.softFraction')
    const prune = { protectTokens: 1_000, minTokens: 1_000 }
    expect(refusedField(() => readContextSettings({ prune }))).toBe('context.prune.minTokens')
    const base = readContextSettings({ targetFraction: 0.5 })
    expect(refusedField(() => mergeContextSettings(base, { softFraction: 0.4 }))).toBe('context.targetFraction')
  })

  it('follow from the budget where nothing is set', () => {
    expect(settingsFor({}, { usable: 76_000 })).toEqual({
      auto: true,
      recall: true,
      counter: 'weights/1',
      softFraction: 0.6,
      targetFraction: 0.3,
      swap: 'late',
      keepTokens: 19_000,
      leafTokens: 19_000,
      fanout: 4,
      summaryShare: 0.2,
      prune: { protectTokens: 19_000, minTokens: 7_600, protectedTools: ['skill'] },
      largeTokens: 10_000,
      recallTokensPerTurn: 16_000,
      doomLoopCalls: 3,
      summarizer: 'deterministic',
      summaryTimeoutMs: 60_000,
      closeTimeoutMs: 30_000,
    })
    const large = settingsFor({}, { usable: 1_000_000 })
    expect([large.keepTokens, large.prune.protectTokens, large.prune.minTokens]).toEqual([20_000, 40_000, 20_000])
  })

  it('are what was set, of the session before the process, member by member', () => {
    const process: ContextSettingsInput = { fanout: 8, auto: false, prune: { protectedTools: ['plan'], minTokens: 100 } }
    const merged = mergeContextSettings(process, { auto: true, buffer: 5, prune: { minTokens: 200 } })
    expect(settingsFor(merged, { usable: 40_000 })).toMatchObject({
      fanout: 8,
      auto: true,
      buffer: 5,
      prune: { protectedTools: ['plan'], minTokens: 200, protectTokens: 10_000 },
    })
  })

  it('keep the minimum below what is protected, whichever of both is set', () => {
    const some = fc.option(fc.nat(39_999), { nil: undefined })
    fc.assert(
      fc.property(some, some, fc.nat(1_000_000), (protect, min, usable) => {
        const prune = { ...(protect ? { protectTokens: protect } : {}), ...(min === undefined ? {} : { minTokens: min }) }
        if (min !== undefined && protect && min >= protect) return
        const { protectTokens, minTokens } = settingsFor(readContextSettings({ prune }), { usable }).prune
        if (usable >= 10 || protect || min !== undefined) expect(minTokens).toBeLessThan(protectTokens)
      }),
    )
  })

  it('take a counter of the caller’s own', () => {
    const counter = { id: 'mine', count: (text: string): number => text.length }
    expect(readContextSettings({ counter }).counter).toBe(counter)
    expect(refusedField(() => readContextSettings({ counter: { id: 'mine' } }))).toBe('context.counter')
  })
})
