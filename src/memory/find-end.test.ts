import fc from 'fast-check'
import { isPath, type Entry } from '#journal'
import { describe, expect } from 'vitest'
import { verifies } from '#verifies'
import { beginsTurn } from './commit-cursor.ts'
import { clearCount } from './commit-end.ts'
import { type EndAsk, findEnd } from './find-end.ts'
import type { LiveBranch } from './live-branch.ts'

type Deed =
  | 'user'
  | 'assistant'
  | 'note'
  | 'side'
  | 'nested'
  | { readonly calls: number; readonly answered: number; readonly between: number }

const deed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('user' as const, 'assistant' as const) },
  { weight: 1, arbitrary: fc.constantFrom('note' as const, 'side' as const, 'nested' as const) },
  {
    weight: 3,
    arbitrary: fc.record({
      calls: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constant(90)),
      answered: fc.integer({ min: 0, max: 3 }),
      between: fc.integer({ min: 0, max: 2 }),
    }),
  },
)

const message = (role: string, parts: readonly object[] = []): { type: string; data: unknown } => ({
  type: 'message_added',
  data: { role, parts },
})
type Made = ReturnType<typeof message>
const calling = (ids: readonly string[]): Made =>
  message(
    'assistant',
    ids.map(callId => ({ type: 'tool_call', callId, tool: 't', input: {} })),
  )
const answering = (callId: string): Made => message('tool', [{ type: 'tool_result', callId, tool: 't', output: 'x' }])
const say = (text: string): object => ({ type: 'text', text })

/** What deeds leave in a journal: calls answered at once, later, or never. */
function journalOf(deeds: readonly Deed[]): Entry[] {
  const made: { type: string; data: unknown }[] = []
  for (const [n, one] of deeds.entries()) {
    if (one === 'user' || one === 'assistant') made.push(message(one, [say(`${n}`)]))
    else if (one === 'note') made.push({ type: 'context_noted', data: { name: 'x', text: 'y' } })
    else if (one === 'side') made.push({ type: 'side', data: {} })
    else if (one === 'nested') {
      const ids = Array.from({ length: 90 }, (_, i) => `n${n}.${i}`)
      made.push(calling([`n${n}`]), calling(ids), ...[...ids, `n${n}`].map(answering))
    } else {
      const ids = Array.from({ length: one.calls }, (_, i) => `c${n}.${i}`)
      made.push(calling(ids))
      for (let i = 0; i < one.between; i++) made.push(message('user', [say('meanwhile')]))
      const answered = one.answered === 0 ? [] : one.answered === 3 ? ids : ids.slice(0, Math.ceil(ids.length / 2))
      made.push(...answered.map(answering))
    }
  }
  let parentId: Entry['id'] | null = 'ent_root'
  return made.map(({ type, data }, index) => {
    const id: Entry['id'] = `ent_${index}`
    const entry: Entry = {
      id,
      session: 'ses_a',
      seq: index + 1,
      parentId: type === 'side' ? null : parentId,
      type,
      v: 1,
      at: 0,
      data,
    }
    if (type !== 'side') parentId = id
    return entry
  })
}

/** A store that has these entries, and nothing else. */
function branchOf(entries: readonly Entry[]): LiveBranch {
  const store = {
    entries: async (
      _id: string,
      query: { after?: number; before?: number; types?: readonly string[]; limit?: number; order?: string },
    ) => {
      const { after = 0, before = Infinity, types, limit = 100, order = 'asc' } = query
      const found = entries.filter(({ seq, type }) => seq > after && seq < before && (types?.includes(type) ?? true))
      return await Promise.resolve((order === 'asc' ? found : found.toReversed()).slice(0, limit))
    },
  }
  const to = entries.length
  const source = { id: 'ses_a', store, memory: {} } as unknown as LiveBranch['source']
  const row = { seq: to, data: {} } as unknown as LiveBranch['row']
  return { source, row, archivedTo: 0, spans: [{ from: 1, to }] }
}

/** The same, told from all that is live. */
function endOf(entries: readonly Entry[], { throughSeq = Infinity, keepTurns, sealsOpenCalls }: EndAsk): Entry | undefined {
  const live = entries.filter(isPath)
  const begins = live.flatMap((entry, index) => (beginsTurn(entry) ? [index] : []))
  const kept = keepTurns === 0 ? live.length : (begins.at(-keepTurns) ?? 0)
  const asked = live.findLastIndex(({ seq }) => seq <= throughSeq) + 1
  return live[clearCount(live, Math.min(kept, asked), sealsOpenCalls) - 1]
}

describe('finding where a range may end', () => {
  verifies('M16', 'gives what all that is live would give, and reads little of it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(deed, { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 0, max: 1_000 }),
        fc.integer({ min: 0, max: 3 }),
        fc.boolean(),
        async (deeds, part, keepTurns, sealsOpenCalls) => {
          const entries = journalOf(deeds)
          const ask = { throughSeq: Math.ceil((part * entries.length) / 1_000), keepTurns, sealsOpenCalls }
          expect((await findEnd(branchOf(entries), ask))?.seq).toBe(endOf(entries, ask)?.seq)
        },
      ),
      { numRuns: 600, seed: 16, examples: [[['nested', 'user', 'user'], 958, 0, false]] },
    )
  })
})
