import { describe, expect, it } from 'vitest'
import type { Anchor, Summary } from '#journal'
import { packAnchors, unpackAnchors } from './stored-anchors.ts'

const anchors = (count: number): Anchor[] =>
  Array.from({ length: count }, (_, n) => ({ text: `src/${n}.ts`, kind: n % 3 === 0 ? 'path' : 'quoted', entry: `ent_${n % 7}` }))

const node = (count: number, shown = 0): Summary =>
  ({ id: 'sum_1', anchors: anchors(count), listed: { shown, more: count - shown } }) as unknown as Summary

const bytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value))

describe('the identifiers of a stored summary', () => {
  it('stand in it, if they are few', () => {
    expect(packAnchors(node(10))).toEqual(node(10))
    expect(packAnchors(node(0))).toEqual(node(0))
  })

  it('come back as they were, in their order, however many they are', () => {
    for (const count of [200, 201, 500, 8_000]) {
      const packed = packAnchors(node(count))
      expect(unpackAnchors(packed)).toEqual(node(count))
      expect(packed.anchors.length).toBeLessThan(count)
      expect(packed.anchors).toEqual([])
    }
  })

  it('stay where all can see them as far as they are shown', () => {
    const packed = packAnchors(node(900, 300))
    expect(packed.anchors).toEqual(anchors(300))
    expect(unpackAnchors(packed)).toEqual(node(900, 300))
  })

  it('take less than half of what they would one by one', () => {
    expect(bytes(packAnchors(node(8_000)).parts)).toBeLessThan(bytes(anchors(8_000)) / 2)
  })

  it('are those at hand where the part is lost or no list', () => {
    const packed = packAnchors(node(500))
    for (const part of [
      { type: 'lost', blob: 'blb_1' },
      { type: 'text', text: 'x' },
      { type: 'custom', name: 'anchors', data: null },
      { type: 'custom', name: 'anchors', data: { entries: [], kinds: ['path'], anchors: [['a', 0, 0], 3, [1, 0, 0]] } },
    ])
      expect(unpackAnchors({ ...packed, parts: [part as never] }).anchors).toEqual(packed.anchors)
  })
})
