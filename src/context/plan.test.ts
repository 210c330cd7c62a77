import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EntryId } from '#kernel'
import type { Message, Part, PartRef, Summary } from '#journal'
import { verifies } from '#verifies'
import { messageTokens, weightsCounter } from './count-tokens.ts'
import { applyEdit, noEdit, swapAll } from './edit.ts'
import { groupsOf, sumTokens } from './groups.ts'
import { nextStep, type PlanState, type Step } from './plan.ts'
import { planPrune } from './prune.ts'
import { itemOf, type Shown, showEntry, type ShownEntry, shownMessage, type ShowOptions, showSummary } from './shown.ts'
import { tailOf } from './tail.ts'

const show: ShowOptions = { counter: weightsCounter, recall: true }

interface Said {
  readonly role: Message['role']
  readonly parts: readonly Part[]
  readonly turn?: string
  readonly note?: 'head' | 'turn'
}
const said = (role: Message['role'], tokens: number, turn = ''): Said => ({
  role,
  parts: [{ type: 'text', text: '字'.repeat(tokens) }],
  turn,
})
const user = (tokens: number, turn?: string): Said => said('user', tokens, turn)
const answer = (tokens: number, turn?: string): Said => said('assistant', tokens, turn)
const note = (tokens: number): Said => ({ ...user(tokens), note: 'turn' })
const call = (callId: string, turn = '', input: object = {}): Said => ({
  role: 'assistant',
  parts: [{ type: 'tool_call', callId, tool: 'read', input: input as never }],
  turn,
})
const result = (callId: string, tokens: number, turn = '', tool = 'read'): Said => ({
  role: 'tool',
  parts: [{ type: 'tool_result', callId, tool, status: 'ok', output: '字'.repeat(tokens) }],
  turn,
})

const id = (n: number): EntryId => `ent_${String(n).padStart(4, '0')}`

/** What is raw is numbered by its place; a node stands for what it says that it covers. */
function frontier(list: readonly (Said | Summary)[]): Shown[] {
  return list.map((one, at): Shown => {
    if (!('role' in one)) return showSummary(one)
    const { role, parts, turn, note: place } = one
    const message: Message = { role, parts }
    const entry = { id: id(at), seq: at, at, message, tokens: messageTokens(message) }
    return showEntry(
      {
        ...entry,
        ...(turn === '' || turn === undefined ? {} : { turn: `trn_${turn}` }),
        ...(place === undefined ? {} : { note: { name: 'n', place, text: '' } }),
      },
      show,
    )
  })
}

function node(first: number, last: number, tokens: number, more: Partial<Summary> = {}): Summary {
  return {
    id: `sum_${first}_${last}`,
    kind: 'leaf',
    depth: 0,
    covers: { first: id(first), last: id(last), entries: last - first + 1, tokens: tokens * 5, fromAt: 0, toAt: 0 },
    children: [],
    text: 'text',
    quotes: [],
    anchors: [],
    openItems: [],
    tokens,
    level: 1,
    provisional: false,
    made: { by: 'x', promptHash: '', sourceHash: '', inputCut: 0, usage: null, at: 0 },
    ...more,
  }
}

const places = (items: readonly Shown[]): string[] => groupsOf(items).map(({ from, to }) => `${from}-${to}`)

describe('grouping', () => {
  verifies('C15', 'keeps a user message with its notes and a call with its results together', () => {
    expect(places(frontier([note(1), user(1), note(1), answer(1), call('a'), result('a', 1), result('a', 1), user(1)]))).toEqual([
      '0-2',
      '3-3',
      '4-6',
      '7-7',
    ])
  })

  verifies('C15', 'reaches as far as a late result, and says that a person speaks in it', () => {
    const items = frontier([user(1), call('a'), user(1), call('b'), result('a', 1), user(1), result('b', 1), user(1)])
    expect(places(items)).toEqual(['0-0', '1-6', '7-7'])
    expect(groupsOf(items).map(group => group.user)).toEqual([true, true, true])
  })

  verifies('C15', 'never splits a call from its result, whatever stands between them', () => {
    const any = fc.constantFrom('user', 'answer', 'call', 'result', 'note')
    fc.assert(
      fc.property(fc.array(fc.record({ what: any, callId: fc.constantFrom('a', 'b', 'c') }), { maxLength: 20 }), list => {
        const items = frontier(
          list.map(({ what, callId }) =>
            what === 'call'
              ? call(callId)
              : what === 'result'
                ? result(callId, 1)
                : what === 'note'
                  ? note(1)
                  : what === 'user'
                    ? user(1)
                    : answer(1),
          ),
        )
        const groups = groupsOf(items)
        expect(groups.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, n) => from + n))).toEqual([
          ...items.keys(),
        ])
        const groupAt = (at: number): number => groups.findIndex(({ to }) => at <= to)
        const open = new Map<string, number>()
        for (const [at, { what, callId }] of list.entries()) {
          if (what === 'call') open.set(callId, at)
          const asked = open.get(callId)
          if (what !== 'result' || asked === undefined) continue
          open.delete(callId)
          expect(groupAt(at)).toBe(groupAt(asked))
        }
      }),
    )
  })
})

describe('the tail', () => {
  const turns = frontier([user(100, 'a'), answer(100, 'a'), user(100, 'b'), answer(100, 'b'), user(100, 'c'), answer(100, 'c')])

  it('takes whole turns where they fit', () => {
    expect(tailOf(groupsOf(turns), 500).start).toBe(2)
    expect(tailOf(groupsOf(turns), 250).start).toBe(4)
    expect(tailOf(groupsOf(turns), 10_000).start).toBe(0)
  })

  it('takes part of the last turn when that does not fit, and always the newest group', () => {
    expect(tailOf(groupsOf(turns), 150).start).toBe(5)
    expect(tailOf(groupsOf(turns), 1).start).toBe(5)
  })

  it('takes at most so many turns, and names the newest user message wherever it stands', () => {
    expect(tailOf(groupsOf(turns), 10_000, 2).start).toBe(2)
    expect(tailOf(groupsOf(turns), 10_000, 1)).toEqual({ start: 4, user: 4 })
    const long = frontier([user(1, 'a'), answer(1, 'a'), user(1, 'b'), answer(900, 'b'), answer(900, 'b')])
    expect(tailOf(groupsOf(long), 1_000)).toEqual({ start: 4, user: 2 })
    expect(tailOf([], 1_000)).toEqual({ start: 0, user: -1 })
  })
})

describe('planning to prune', () => {
  const settings = { protectTokens: 1_000, minTokens: 500, protectedTools: ['skill'] }
  const turn = (name: string, tokens: number, tool = 'read'): Said[] => [
    user(10, name),
    call(name, name),
    result(name, tokens, name, tool),
  ]
  const planned = (list: readonly Said[], with_ = settings): readonly PartRef[] => {
    const items = frontier(list)
    const groups = groupsOf(items)
    return planPrune(items, groups, tailOf(groups, 100), with_, show).refs
  }

  verifies('C41', 'leaves the last two turns, the protected total, protected tools and small savings alone', () => {
    expect(planned([...turn('a', 5_000), ...turn('b', 5_000)])).toEqual([])
    expect(planned([...turn('a', 900), ...turn('b', 30), ...turn('c', 10)])).toEqual([])
    expect(planned([...turn('a', 5_000, 'skill'), ...turn('b', 1_500), ...turn('c', 10)])).toEqual([])
    expect(planned([...turn('a', 520), ...turn('b', 900), ...turn('c', 900)])).toEqual([])
    expect(planned([...turn('a', 700), ...turn('b', 900), ...turn('c', 900)])).toEqual([`${id(2)}#0`])
  })

  it('takes results of recall whatever is protected', () => {
    const list = [...turn('a', 600, 'session_expand'), ...turn('b', 10), ...turn('c', 10)]
    expect(planned(list)).toEqual([`${id(2)}#0`])
  })
})

describe('an edit', () => {
  verifies('C42', 'shows a left out result as one line with name, tokens and ref, and whole again', () => {
    const items = frontier([user(1), call('a'), result('a', 300)])
    const ref: PartRef = `${id(2)}#0`
    const pruned = applyEdit(items, { ...noEdit, prune: [ref] }, show)
    const [part] = shownMessage(pruned[2] as ShownEntry, show).parts
    expect(part).toEqual({
      type: 'tool_result',
      callId: 'a',
      tool: 'read',
      status: 'ok',
      output: `[tool result left out: read, 308 tokens; session_expand ${ref}]`,
    })
    expect(sumTokens(pruned)).toBeLessThan(sumTokens(items))
    const restored = applyEdit(pruned, { ...noEdit, restore: [ref] }, show)
    expect(restored).toEqual(items)
  })

  it('cuts a call’s longest texts and keeps its members', () => {
    const items = frontier([call('a', '', { path: 'src/a.ts', content: 'x'.repeat(50_000), lines: [1, 2] })])
    const ref: PartRef = `${id(0)}#0`
    const [cut] = applyEdit(items, { ...noEdit, cut: [{ ref, tokens: 1_000 }] }, show)
    const [part] = shownMessage(cut as ShownEntry, show).parts
    expect(part).toMatchObject({ type: 'tool_call', input: { path: 'src/a.ts', lines: [1, 2] } })
    expect(JSON.stringify(part)).toContain(`session_expand ${ref}`)
    expect(cut?.tokens).toBeLessThan(1_050)
    expect(cut?.tokens).toBeGreaterThan(800)
  })

  it('swaps many nodes as it would one after the other, also those over others', () => {
    const items = frontier(Array.from({ length: 12 }, () => user(10)))
    const range = fc.tuple(fc.nat(11), fc.nat(11)).map(([a, b]) => node(Math.min(a, b), Math.max(a, b), 5))
    const naive = (now: readonly Shown[], one: Summary): readonly Shown[] => {
      const firstOf = (item: Shown): string => (item.kind === 'summary' ? item.summary.covers.first : item.entry.id)
      const lastOf = (item: Shown): string => (item.kind === 'summary' ? item.summary.covers.last : item.entry.id)
      const from = now.findIndex(item => firstOf(item) === one.covers.first)
      const to = now.findIndex(item => lastOf(item) === one.covers.last)
      return from < 0 || to < from ? now : [...now.slice(0, from), showSummary(one), ...now.slice(to + 1)]
    }
    fc.assert(
      fc.property(fc.array(range, { maxLength: 8 }), nodes => {
        expect(swapAll(items, nodes).map(itemOf)).toEqual(nodes.reduce<readonly Shown[]>(naive, items).map(itemOf))
      }),
    )
  })
})

describe('planning', () => {
  const state = (items: readonly Shown[], more: Partial<PlanState> = {}): PlanState => ({
    items,
    projected: sumTokens(items),
    target: 300,
    usable: 10_000,
    factor: 1,
    settings: {
      keepTokens: 500,
      leafTokens: 1_000,
      fanout: 3,
      summaryShare: 0.2,
      prune: { protectTokens: 1_000, minTokens: 500, protectedTools: [] },
    },
    prepared: [],
    summarizerInput: 100_000,
    done: { prune: false },
    ...more,
  })
  const step = (given: PlanState): Step | undefined => nextStep(given, show)

  it('does nothing at the target, and all there is to do when asked to', () => {
    const items = frontier([user(400, 'a'), answer(400, 'a'), user(100, 'b'), answer(100, 'b')])
    expect(step(state(items, { target: 2_000 }))).toBeUndefined()
    expect(step(state(items, { target: 2_000, allLeaves: true }))).toMatchObject({ do: 'leaves' })
  })

  it('swaps what is prepared before it makes anything, the wider of two, no more than is needed', () => {
    const items = frontier([...Array.from({ length: 6 }, (_, n) => user(300, `${n}`)), user(100, 'z')])
    const prepared = [node(2, 3, 50), node(0, 1, 50), node(0, 0, 40)]
    expect(step(state(items, { prepared }))).toEqual({ do: 'swap', summaries: [prepared[1], prepared[0]] })
    expect(step(state(items, { prepared, target: 1_500 }))).toEqual({ do: 'swap', summaries: [prepared[1]] })
  })

  it('swaps nothing that would cut a group, or that takes more than what it stands for', () => {
    const items = frontier([call('a', 'a'), user(300, 'a'), result('a', 300, 'a'), user(600, 'b'), user(100, 'c')])
    const given = state(items, { prepared: [node(0, 1, 50), node(3, 3, 700)], done: { prune: true } })
    expect(step(given)).toMatchObject({
      do: 'leaves',
      runs: [
        { from: 0, to: 2 },
        { from: 3, to: 3 },
      ],
    })
  })

  it('makes leaves as long as they may be, and goes round the newest user message', () => {
    const items = frontier([
      user(600, 'a'),
      answer(300, 'a'),
      answer(300, 'a'),
      user(50, 'b'),
      answer(900, 'b'),
      answer(400, 'b'),
    ])
    expect(step(state(items))).toMatchObject({
      do: 'leaves',
      runs: [
        { from: 0, to: 1 },
        { from: 4, to: 4 },
      ],
    })
    expect(step(state(items, { projected: 20_000 }))).toMatchObject({
      do: 'leaves',
      runs: [
        { from: 0, to: 1 },
        { from: 2, to: 2 },
        { from: 4, to: 4 },
      ],
    })
  })

  it('condenses the oldest of the lowest depth, and takes small raw runs between them along', () => {
    const deep = node(0, 0, 900, { depth: 1, kind: 'condensed' })
    const items = frontier([
      deep,
      node(1, 1, 800),
      user(60, 'a'),
      node(3, 3, 800),
      node(4, 4, 800),
      node(5, 5, 800),
      user(500, 'b'),
    ])
    expect(step(state(items))).toEqual({ do: 'condense', from: 1, to: 4 })
  })

  it('lets none stand alone for ever before a deeper one', () => {
    const mixed = [0, 2, 0, 1].map((depth, at) => node(at, at, 900, { depth }))
    expect(step(state(frontier([...mixed, user(500, 'b')])))).toBeUndefined()
    const more = [0, 2, 0, 2].map((depth, at) => node(at, at, 900, { depth }))
    expect(step(state(frontier([...more, user(500, 'b')])))).toEqual({ do: 'condense', from: 0, to: 2 })
  })

  it('condenses nothing over what has to stay, and any two only when nothing fits', () => {
    const items = frontier([node(0, 0, 800), user(60, 'a'), node(2, 2, 800), answer(10, 'a')])
    expect(step(state(items))).toBeUndefined()
    expect(step(state(items, { projected: 20_000 }))).toMatchObject({ do: 'cut' })
    const two = frontier([node(0, 0, 800), node(1, 1, 800), user(60, 'a')])
    expect(step(state(two))).toBeUndefined()
    expect(step(state(two, { projected: 20_000 }))).toEqual({ do: 'condense', from: 0, to: 1 })
  })

  it('cuts in the tail only when nothing fits: large parts, then results, then the newest user message', () => {
    const items = frontier([user(3_000, 'a'), answer(2_500, 'a'), call('c', 'a'), result('c', 700, 'a')])
    const settings = { ...state(items).settings, keepTokens: 50_000 }
    const kept = { settings, usable: 2_000, target: 100, done: { prune: true } }
    // What doesn't fit keeps a quarter of what is usable, whatever is set.
    expect(step(state(items, kept))).toMatchObject({ do: 'leaves', runs: [{ from: 1, to: 1 }] })
    const left = frontier([user(3_000, 'a'), call('c', 'a'), result('c', 2_700, 'a')])
    expect(step(state(left, kept))).toEqual({ do: 'cut', cuts: [{ ref: `${id(2)}#0`, tokens: 1_000 }] })
    const cut = applyEdit(left, { ...noEdit, cut: [{ ref: `${id(2)}#0`, tokens: 1_000 }] }, show)
    expect(step(state(cut, kept))).toEqual({ do: 'prune', refs: [`${id(2)}#0`] })
    const pruned = applyEdit(left, { ...noEdit, prune: [`${id(2)}#0`] }, show)
    const ask = step(state(pruned, kept))
    expect(ask).toMatchObject({ do: 'cut', cuts: [{ ref: `${id(0)}#0` }] })
    const shown = applyEdit(pruned, { ...noEdit, cut: ask?.do === 'cut' ? ask.cuts : [] }, show)
    expect(step(state(shown, kept))).toBeUndefined()
    expect(sumTokens(shown)).toBeLessThan(2_000)
  })

  it('plans 10,000 messages of 50 leaves’ worth in one step, and says the same for the same state', () => {
    const items = frontier(Array.from({ length: 10_000 }, (_, n) => (n % 2 === 0 ? user(40, `${n}`) : answer(40, `${n - 1}`))))
    const first = step(state(items))
    expect(first).toEqual(step(state(items)))
    expect(first?.do === 'leaves' ? first.runs.length : 0).toBeGreaterThan(400)
  })
})
