import { expect } from 'vitest'
import type { Summary } from './campaign.ts'

/** That many writers were killed, something was acknowledged to them, and none of it was broken. */
export function expectWhole({ kills, acknowledged, violations }: Summary, atLeast: number): void {
  expect(violations).toEqual([])
  expect(kills).toBeGreaterThanOrEqual(atLeast)
  expect(acknowledged).toBeGreaterThan(atLeast)
}
