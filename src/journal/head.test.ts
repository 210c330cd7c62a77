import { canonical, createIds, type Json, type JsonObject, mergePatch } from '#kernel'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import {
  addCounters,
  counters,
  headEffect,
  type HeadPatch,
  isKnown,
  isPath,
  isType,
  type NewEntry,
  entryTypes,
  noCounters,
  noLease,
  noTotals,
  patchHead,
  previewOf,
  type SessionRow,
  totalsAfter,
  type Entry,
} from '#journal'
import { createSession } from './contract/writer.ts'

const ids = createIds()
const session = ids('ses')
const row: SessionRow = {
  ...createSession(session).fields,
  id: session,
  alias: null,
  seq: 0,
  leafId: null,
  totals: noTotals,
  counters: noCounters,
  data: {},
  lease: noLease,
}
const entry = (type: string, data: unknown, more: Partial<NewEntry> = {}): NewEntry => ({
  id: ids('ent'),
  parentId: null,
  type,
  v: 1,
  at: 10,
  data,
  ...more,
})
const apply = (before: SessionRow, patch: HeadPatch): SessionRow =>
  patchHead(before, patch, (data, merged) => mergePatch(data, merged) as JsonObject)
const after = (entries: readonly NewEntry[], before: SessionRow = row): SessionRow => apply(before, headEffect(entries, before))
const message = (role: string, text: string, more: Partial<NewEntry> = {}): NewEntry =>
  entry('message_added', { role, parts: [{ type: 'text', text }] }, { parentId: ids('ent'), ...more })

describe('what entries do to the head', () => {
  verifies('J10', 'only a path entry or a move sets the leaf, with the totals that it carries', () => {
    const said = message('user', 'x', { totals: { messages: 1, turns: 0, tokens: 2 } })
    expect(headEffect([said], row)).toMatchObject({ setsLeaf: said.id, totals: said.totals })
    const target = ids('ent')
    expect(headEffect([said, entry('leaf_moved', { to: target, reason: 'undo' }, { totals: noTotals })], row)).toMatchObject({
      setsLeaf: target,
      totals: noTotals,
    })
    for (const [type, { place }] of Object.entries(entryTypes))
      if (place === 'side' && type !== 'leaf_moved') expect(isPath(entry(type, {})), type).toBe(false)
    expect(
      headEffect([entry('session_titled', { title: 'T' }), entry('custom', { name: 'x', data: 1 })], row),
    ).not.toHaveProperty('setsLeaf')
  })

  verifies('J7', 'unknown types and newer versions change nothing but the time', () => {
    const patch = headEffect(
      [
        entry('quantum_leapt', { title: 'x' }),
        entry('session_titled', { title: 'x' }, { v: 2 }),
        entry('usage_recorded', {}, { v: 9 }),
      ],
      row,
    )
    expect(patch).toEqual({ set: { updatedAt: 10, lastAccessedAt: 10 } })
    expect([
      isKnown({ ...entry('toString', {}), session, seq: 1 }),
      isType({ ...entry('custom', {}, { v: 2 }), session, seq: 1 }, 'custom'),
    ]).toEqual([false, false])
  })

  it('the first thing a user says is the preview, and stays it', () => {
    const first = after([message('assistant', 'hello'), message('user', '  I\nam  '), message('user', 'later')])
    expect(first.preview).toBe('I am')
    expect(after([message('user', 'again')], first).preview).toBe('I am')
    expect(after([message('user', '\u200b')]).preview).toBeNull()
    expect(previewOf({ role: 'user', parts: [{ type: 'text', text: '😀'.repeat(500) }] })).toBe('😀'.repeat(120))
  })

  it('messages alone move lastMessageAt; titles, states, holds and settings follow their entries', () => {
    const state = after(
      [
        message('user', 'x', { at: 20 }),
        entry('session_titled', { title: 'T' }, { at: 30 }),
        entry('hold_added', { reason: 'a' }, { at: 31 }),
        entry('hold_added', { reason: '__proto__' }, { at: 32 }),
        entry('model_changed', { model: 'p/m' }, { parentId: ids('ent') }),
        entry('session_annotated', { tags: ['x'], metadata: { k: 1 } }),
        entry('session_ended', { reason: 'done' }, { at: 33 }),
      ],
      { ...row, createdAt: 0, updatedAt: 0, lastAccessedAt: 0 },
    )
    expect(state).toMatchObject({ lastMessageAt: 20, updatedAt: 33, title: 'T', model: 'p/m', tags: ['x'], state: 'ended' })
    expect(JSON.stringify(state.data['holds'])).toBe('{"a":31,"__proto__":32}')
    const reopened = after([entry('session_reopened', {}), entry('hold_removed', { reason: 'a' })], state)
    expect([reopened.state, JSON.stringify(reopened.data['holds']), reopened.data['ended']]).toEqual([
      'active',
      '{"__proto__":32}',
      undefined,
    ])
  })

  it('deleting and restoring give back the state that was', () => {
    const ended = after([entry('session_ended', { reason: 'done' })])
    const deleted = after([entry('session_deleted', { until: 99 })], ended)
    expect([deleted.state, after([entry('session_restored', {})], deleted).state]).toEqual(['deleted', 'ended'])
    const active = after([entry('session_restored', {})], after([entry('session_deleted', { until: 99 })]))
    expect([active.state, active.data['deleted']]).toEqual(['active', undefined])
  })

  verifies('J14', 'a fork begins without the holds, the run and the end of its source', () => {
    const source = after([
      entry('hold_added', { reason: 'a' }),
      entry('run_started', {}, { run: ids('run') }),
      entry('session_ended', { reason: 'x' }),
    ])
    const fork = after([entry('session_forked', { from: session, at: ids('ent'), seq: 3 })], source)
    expect([fork.state, fork.data['holds'], fork.data['running'], fork.data['ended']]).toEqual([
      'active',
      undefined,
      undefined,
      undefined,
    ])
    expect(fork.data['forkedFrom']).toMatchObject({ session })
  })

  it('effects of a list are those of its entries one after the other', () => {
    const anyEntry = fc.oneof(
      fc.string().map(text => message('user', text)),
      fc.string().map(title => entry('session_titled', { title })),
      fc.constantFrom('a', 'b', '__proto__').map(reason => entry('hold_added', { reason })),
      fc.constantFrom('a', 'b', '__proto__').map(reason => entry('hold_removed', { reason })),
      fc.constantFrom('session_ended', 'session_reopened').map(type => entry(type, { reason: 'r' })),
      fc.nat(9).map(index => entry('turn_started', { index }, { parentId: ids('ent') })),
      fc.nat(9).map(n =>
        entry('usage_recorded', {
          requestId: 'r',
          purpose: 'p',
          model: null,
          entry: null,
          cost: n === 0 ? null : n,
          usage: { inputTokens: n, outputTokens: null },
        }),
      ),
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(anyEntry, fc.nat(50)), { maxLength: 12 }), drawn => {
        const entries = drawn.map(([given, at]) => ({ ...given, at }))
        const oneByOne = entries.reduce<SessionRow>((before, given) => after([given], before), row)
        expect(canonical(after(entries) as unknown as Json)).toBe(canonical(oneByOne as unknown as Json))
      }),
    )
  })
})

describe('patching a head', () => {
  it('never turns a time back and touches nothing that is not named', () => {
    const now = { ...row, updatedAt: 50, lastMessageAt: 40, lastAccessedAt: 60, title: 'T' }
    expect(apply(now, { set: { updatedAt: 10, lastMessageAt: 41, lastAccessedAt: 1 } })).toEqual({ ...now, lastMessageAt: 41 })
    expect(apply(now, {})).toEqual(now)
  })

  it('adds counters in any order to the same sums', () => {
    const add = fc.record(Object.fromEntries(counters.map(counter => [counter, fc.nat(1_000_000)])), {
      requiredKeys: [],
    }) as fc.Arbitrary<Record<string, number>>
    fc.assert(
      fc.property(add, add, (a, b) => {
        expect(addCounters(addCounters(noCounters, a), b)).toEqual(addCounters(addCounters(noCounters, b), a))
      }),
    )
  })

  it('counts messages, turns and tokens along a branch', () => {
    const steps: [Pick<Entry, 'type' | 'tokens'>, [number, number, number]][] = [
      [{ type: 'turn_started' }, [0, 1, 0]],
      [{ type: 'message_added', tokens: 5 }, [1, 1, 5]],
      [{ type: 'model_changed' }, [1, 1, 5]],
      [{ type: 'message_added', tokens: 2 }, [2, 1, 7]],
    ]
    let totals = noTotals
    for (const [step, [messages, turns, tokens]] of steps)
      expect((totals = totalsAfter(step, totals))).toEqual({ messages, turns, tokens })
  })
})
