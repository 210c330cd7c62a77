import { describe, expect, it } from 'vitest'
import { editDistance, nearestOf } from './config-nearest.ts'

describe('edits between words', () => {
  it.each([
    ['port', 'port', 0],
    ['prot', 'port', 1],
    ['pot', 'port', 1],
    ['ports', 'port', 1],
    ['', 'port', 4],
    ['kitten', 'sitting', 3],
  ])('from %s to %s are %i', (a, b, distance) => {
    expect([editDistance(a, b), editDistance(b, a)]).toEqual([distance, distance])
  })
})

describe('the nearest word', () => {
  it('is the one that was probably meant', () => {
    expect(nearestOf('MODLE', ['mode', 'model', 'modes'])).toBe('model')
  })

  it('is none where nothing is near', () => {
    expect(nearestOf('zebra', ['port', 'host'])).toBeUndefined()
  })
})
