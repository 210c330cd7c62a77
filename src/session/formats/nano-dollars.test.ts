import { describe, expect, it } from 'vitest'
import { nanoDollars } from './nano-dollars.ts'

describe('dollars', () => {
  it.each([
    [0.000009, 9_000],
    [0.41399625, 413_996_250],
    [0.034768499999999994, 34_768_500],
    [1e-9, 1],
    [4.9e-10, 0],
    [5e-10, 1],
    [1.5e-9, 2],
    [0, 0],
    [12, 12_000_000_000],
    [-0.000001, -1_000],
    ['0.1', 100_000_000],
    [1e10, null],
    [NaN, null],
    [null, null],
    ['x', null],
    [1e300, null],
  ])('%s are %s nano-dollars', (dollars, nano) => expect(nanoDollars(dollars)).toBe(nano))
})
