import { isType, type Entry } from '#journal'
import type { Session } from '#skein'
import fc from 'fast-check'
import { describe, expect } from 'vitest'
import { verifies } from '#verifies'
import { everyEntry, type Proof, proveBranch } from './branch-proof.ts'
import { type Behaviour, scriptedSummarizer } from './scripted-summarizer.ts'
import { memoryPlace, type Place, sqlitePlace } from './stores.ts'

/** 3,904 tokens are usable, so that a few turns have to be compacted. */
const tight = { buffer: 120_000, keepTokens: 500, leafTokens: 700, prune: { protectTokens: 300, minTokens: 50 }, fanout: 2 }

const size = fc.constantFrom(3, 20, 80, 300, 900, 3_500)
const behaviour = fc.constantFrom<Behaviour>('extracts', 'extracts', 'empty', 'long', 'invents', 'echoes', 'throws', 'refuses')
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('record' as const), sizes: fc.array(size, { minLength: 2, maxLength: 5 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('append' as const), role: fc.constantFrom('user', 'assistant'), size }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('late result' as const), between: fc.nat(2), answered: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fail' as const), size }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('compact' as const),
      behaviours: fc.array(behaviour, { minLength: 1, maxLength: 4 }),
      target: fc.option(fc.nat(3_000), { nil: undefined }),
      meanwhile: fc.constantFrom('nothing', 'nothing', 'record', 'move', 'abort'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('prepare' as const),
      behaviours: fc.array(behaviour, { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('context' as const),
      behaviours: fc.array(behaviour, { minLength: 1, maxLength: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('prune' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unprune' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('move' as const), to: fc.nat(1_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fork' as const), at: fc.nat(1_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

const pathEntries = async (session: Session): Promise<Entry[]> =>
  (await everyEntry(session, false)).filter(entry => entry.parentId !== null && !isType(entry, 'leaf_moved'))

let count = 0
const text = (tokens: number): string => `fact${++count} ${'some words of it '.repeat(Math.ceil(tokens / 3.74))}`.trim()

async function live(makePlace: () => Promise<Place>, steps: readonly Step[]): Promise<void> {
  const place = await makePlace()
  const summarizer = scriptedSummarizer()
  const bugs: string[] = []
  const open = async (): Promise<Awaited<ReturnType<Place['open']>>> =>
    await place.open({
      context: { ...tight, summarizer },
      onNotice: ({ code, message }) => {
        if (code === 'skein.bug') bugs.push(message)
      },
    })
  let skein = await open()
  let session = await skein.sessions.create({ system: 'Be brief.' })
  let proof: Proof | undefined
  const record = async (sizes: readonly number[]): Promise<unknown> =>
    await session.record({
      messages: sizes.flatMap((tokens, at): object[] => {
        const callId = `c${++count}`
        if (at === 0) return [{ role: 'user', content: text(tokens) }]
        if (at === sizes.length - 1) return [{ role: 'assistant', content: text(tokens) }]
        return [
          { role: 'assistant', parts: [{ type: 'tool_call', callId, tool: 'read', input: { path: `src/f${count}.ts` } }] },
          { role: 'tool', parts: [{ type: 'tool_result', callId, tool: 'read', output: text(tokens) }] },
        ]
      }),
    })
  for (const one of steps) {
    place.clock.advance(1_000)
    switch (one.do) {
      case 'record':
        await record(one.sizes)
        break
      case 'append':
        await session.append([{ role: one.role, content: text(one.size) }])
        break
      case 'late result': {
        const callId = `c${++count}`
        await session.append([
          { role: 'assistant', parts: [{ type: 'tool_call', callId, tool: 'read', input: {} }] },
          ...Array.from({ length: one.between }, () => ({ role: 'user', content: text(20) })),
          ...(one.answered ? [{ role: 'tool', parts: [{ type: 'tool_result', callId, tool: 'read', output: text(200) }] }] : []),
        ])
        break
      }
      case 'fail':
        await session.record({ user: text(10), assistant: text(one.size), finishReason: 'error' })
        break
      case 'compact': {
        const stop = new AbortController()
        const first = async (): Promise<undefined> => {
          if (one.meanwhile === 'record') await record([20, 100])
          if (one.meanwhile === 'move') await moveTo(3)
          if (one.meanwhile === 'abort') stop.abort(new Error('enough'))
        }
        summarizer.answers = one.meanwhile === 'nothing' ? [...one.behaviours] : [first, ...one.behaviours]
        await session.compact({ signal: stop.signal, ...(one.target === undefined ? {} : { targetTokens: one.target }) })
        break
      }
      case 'prepare':
        summarizer.answers = [...one.behaviours]
        await session.prepareContext(new AbortController().signal)
        break
      case 'context':
        summarizer.answers = [...one.behaviours]
        await session.context().catch((error: { code?: string }) => {
          if (bugs.length === 0 && error.code !== 'context.exhausted') throw error
        })
        break
      case 'prune':
        await session.compact({ only: 'prune' })
        break
      case 'unprune': {
        const refs = (proof?.items ?? []).flatMap(item =>
          'entry' in item ? (item.pruned ?? []).map(part => `${item.entry}#${part}` as const) : [],
        )
        const there = new Set((await session.messages()).map(({ id }) => id))
        const { items = [] } = await session.context({ compact: false, explain: true })
        const raw = new Set(items.map(({ ref }) => ref))
        const known = refs.filter(ref => there.has(ref.split('#')[0] as never) && raw.has(ref.split('#')[0] as never))
        if (known.length > 0) await session.unprune(known.slice(0, 2))
        break
      }
      case 'move':
        await moveTo(one.to)
        break
      case 'fork': {
        const all = await everyEntry(session, false)
        const at = all[one.at % all.length]
        session = await session.fork(at === undefined ? {} : { at: at.id })
        proof = undefined
        break
      }
      case 'restart':
        await session.close()
        if (place.durable) {
          await skein.close()
          skein = await open()
        }
        session = await skein.sessions.open(session.id)
        break
      default:
        one satisfies never
    }
    expect(bugs).toEqual([])
    proof = await proveBranch(session, proof)
  }

  async function moveTo(to: number): Promise<void> {
    const all = await pathEntries(session)
    const target = all[to % Math.max(1, all.length)]
    if (target !== undefined) await session.moveTo(target.id)
  }
}

describe('the frontier over random histories', () => {
  for (const [name, place, numRuns] of [
    ['memory', memoryPlace, 60],
    ['SQLite', sqlitePlace, 15],
  ] as const)
    verifies('C11 C12 C13 C15 C16 C20 C21', `holds its laws whatever happens (${name})`, async () => {
      const seed = process.env['SKEIN_SEED']
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25, size: 'max' }), async steps => await live(place, steps)),
        { numRuns: Number(process.env['SKEIN_RUNS'] ?? numRuns), ...(seed === undefined ? {} : { seed: Number(seed) }) },
      )
    })
})
