import { verifies } from '#verifies'
import fc from 'fast-check'
import { describe, expect } from 'vitest'
import { contextBudget } from './budget.ts'

describe('the budget of a context', () => {
  verifies('C7', 'is the window less the answer and a tenth, at most 20,000', () => {
    expect(contextBudget({ contextWindow: 200_000, maxOutput: 8_192 })).toMatchObject({ usable: 171_808, assumed: false })
    expect(contextBudget({ contextWindow: 32_000, maxOutput: 4_096 }).usable).toBe(24_704)
    expect(contextBudget({ contextWindow: 32_000 }, { maxTokens: 1_000 })).toMatchObject({
      reservedOutput: 1_000,
      usable: 27_800,
    })
    expect(contextBudget({ contextWindow: 32_000, maxOutput: 4_096 }, { buffer: 0 })).toMatchObject({ buffer: 0, usable: 27_904 })
    for (const contextWindow of [undefined, NaN, Infinity, -5, 0.5])
      expect(contextBudget({ ...(contextWindow === undefined ? {} : { contextWindow }), maxOutput: NaN })).toMatchObject({
        window: 128_000,
        reservedOutput: 4_096,
        assumed: true,
      })
  })

  verifies('C7', 'is never negative', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.nat(), fc.nat(200_000), (contextWindow, maxOutput, maxTokens, buffer) => {
        expect(contextBudget({ contextWindow, maxOutput }, { maxTokens, buffer }).usable).toBeGreaterThanOrEqual(0)
        expect(contextBudget({ contextWindow, maxOutput }).usable).toBeGreaterThanOrEqual(0)
      }),
    )
  })
})
