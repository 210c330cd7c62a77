import { type EntryId, isSkeinError, type SessionId } from '#kernel'
import type { Message, Store, TenantStore } from '#journal'
import { messageTokens, weightsCounter } from '#context'
import { isType } from '#journal'
import { scriptedModel } from '#models'
import type { Session, Skein } from '#skein'
import { describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { everyEntry, proveBranch, vast } from './branch-proof.ts'
import { type Behaviour, type ScriptedSummarizer, scriptedSummarizer } from './scripted-summarizer.ts'
import { memoryPlace, type Place, sqlitePlace } from './stores.ts'

/** 3,904 tokens are usable. */
const tight = { buffer: 120_000, keepTokens: 500, leafTokens: 700, prune: { protectTokens: 3_000, minTokens: 2_000 } }

async function room(
  answers: Behaviour[] = ['extracts'],
  makePlace: () => Promise<Place> = memoryPlace,
): Promise<{ place: Place; skein: Skein; session: Session; summarizer: ScriptedSummarizer }> {
  const place = await makePlace()
  const summarizer = scriptedSummarizer(answers)
  const skein = await place.open({ context: { ...tight, summarizer } })
  return { place, skein, summarizer, session: await skein.sessions.create() }
}

const filler = (tokens: number): string => 'some words of it '.repeat(Math.ceil(tokens / 3.74)).trim()
const turn = (n: number, tokens = 300): object => ({ user: `question ${n}`, assistant: `answer ${n} ${filler(tokens)}` })
async function fill(session: Session, turns: number, tokens = 300): Promise<void> {
  for (let n = 0; n < turns; n++) await session.record(turn(n, tokens))
}
const shown = async (session: Session): Promise<readonly Message[]> =>
  (await session.context({ compact: false, format: 'skein' })).messages as Message[]
const bytes = async (session: Session): Promise<string> => JSON.stringify(await shown(session))

describe('the frontier', () => {
  verifies('C17 C18', 'is that of the branch: raw within a range that was left, the same bytes on coming back', async () => {
    const { session, summarizer } = await room()
    await fill(session, 8)
    const middle = (await session.messages())[3]?.id ?? 'ent_'
    const end = (await session.info()).leafId ?? 'ent_'
    expect((await session.compact()).status).toBe('done')
    const swapped = (await session.info()).leafId ?? 'ent_'
    const after = await bytes(session)
    await session.moveTo(middle)
    expect((await proveBranch(session)).items.every(item => 'entry' in item)).toBe(true)
    expect(await bytes(session)).not.toContain('<summary ')
    await session.moveTo(swapped)
    expect(await bytes(session)).toBe(after)
    // Before the swap the range lies on the branch, and its nodes can be shown again without a model.
    await session.moveTo(end as `ent_${string}`)
    const asked = summarizer.asked.length
    expect((await session.compact()).status).toBe('done')
    expect(summarizer.asked).toHaveLength(asked)
    await proveBranch(session)
  })

  verifies('C19', 'of a fork is its origin’s at that entry', async () => {
    const { session } = await room()
    await fill(session, 8)
    const before = await bytes(session)
    const early = (await session.info()).leafId ?? 'ent_'
    await session.compact()
    const after = await bytes(session)
    const late = (await session.info()).leafId ?? 'ent_'
    await fill(session, 2)
    const [first, second] = [
      await session.fork({ at: early as `ent_${string}` }),
      await session.fork({ at: late as `ent_${string}` }),
    ]
    expect(await bytes(first)).toBe(before)
    expect(await bytes(second)).toBe(after)
    await proveBranch(second)
    expect((await first.compact()).status).toBe('done')
    await proveBranch(first)
  })

  verifies('C20 C42', 'changes no entry, and shows again to the letter what was left out', async () => {
    const { session } = await room()
    for (let n = 0; n < 6; n++)
      await session.record({
        messages: [
          { role: 'user', content: `question ${n}` },
          { role: 'assistant', parts: [{ type: 'tool_call', callId: `c${n}`, tool: 'read', input: {} }] },
          { role: 'tool', parts: [{ type: 'tool_result', callId: `c${n}`, tool: 'read', output: `${n} ${filler(1_500)}` }] },
        ],
      })
    const proof = await proveBranch(session)
    const before = await bytes(session)
    const result = await session.compact({ only: 'prune' })
    expect(result).toMatchObject({ status: 'pruned', summaries: [] })
    const { items } = await proveBranch(session, proof)
    const refs = items.flatMap(item => ('entry' in item ? (item.pruned ?? []).map(part => `${item.entry}#${part}` as const) : []))
    expect(refs).toHaveLength(result.pruned.parts)
    const pruned = await bytes(session)
    for (const ref of refs)
      expect(pruned).toMatch(new RegExp(`tool result left out: read, 15\\d\\d tokens; session_expand ${ref}`))
    expect((await session.unprune(refs)).restored).toEqual(refs)
    expect(await bytes(session)).toBe(before)
    expect((await session.context({ compact: false })).prefix.brokenBy).not.toBe('swap')
    await proveBranch(session, proof)
  })
})

describe('assembling', () => {
  const longest = 3_500
  for (const [name, unit, weight] of [
    ['words', 'some words of it ', 3.74],
    ['Chinese', '一些話', 3],
    ['emoji', '😀', 2],
  ] as const) {
    const text = (tokens: number): string => unit.repeat(Math.floor(tokens / weight)).trim()
    verifies('C23', `shows the newest user message whole if it fits, else its head and end (${name})`, async () => {
      const { session } = await room()
      await fill(session, 10)
      const fitting = await session.append([{ role: 'user', content: text(2_500) }])
      const context = await session.context()
      expect(context.fits).toBe(true)
      expect(JSON.stringify(context.messages)).toContain(text(2_500))
      expect((await session.context({ explain: true })).items?.find(({ ref }) => ref === fitting.entries[0]?.id)?.shown).toBe(
        'raw',
      )

      const large = await session.append([{ role: 'user', content: text(30 * longest) }])
      const cut = await session.context({ explain: true })
      expect(cut.fits).toBe(true)
      const id = large.entries[0]?.id ?? 'ent_'
      expect(cut.items?.find(({ ref }) => ref === id)?.shown).toBe('cut')
      const told = JSON.stringify(cut.messages)
      expect(told).toContain(`session_expand ${id}#0`)
      expect(told.isWellFormed()).toBe(true)
      expect((await session.expand(`${id}#0`, { limit: 10, unit: 'chars' })).content).toBe(
        text(30 * longest).slice(0, unit === '😀' ? 20 : 10),
      )
      expect(cut.tokens.total).toBeGreaterThan(longest * 0.8)
      await proveBranch(session)
    })
  }

  it('cuts a call whose input alone is too long, and leaves its other members', async () => {
    const { session } = await room()
    await session.append([
      { role: 'user', content: 'Write it.' },
      {
        role: 'assistant',
        parts: [{ type: 'tool_call', callId: 'c', tool: 'write', input: { path: 'src/a.ts', content: filler(50_000) } }],
      },
      { role: 'tool', parts: [{ type: 'tool_result', callId: 'c', tool: 'write', output: 'ok' }] },
    ])
    const { fits, messages } = await session.context({ format: 'skein' })
    expect(fits).toBe(true)
    const call = (messages as Message[]).flatMap(({ parts }) => parts).find(part => part.type === 'tool_call')
    expect(call).toMatchObject({ input: { path: 'src/a.ts' } })
    await proveBranch(session)
  })

  verifies('C24', 'leaves nothing out: what it counts is what it shows', async () => {
    const { session } = await room()
    await session.setSystem('Be brief.')
    await session.setTools([{ name: 'add', description: 'Adds.', inputSchema: { type: 'object' } }])
    await fill(session, 8)
    await session.compact()
    await fill(session, 3)
    const { tokens, items = [] } = await session.context({ compact: false, explain: true })
    const sum = (kind: string): number => items.filter(item => item.kind === kind).reduce((all, item) => all + item.tokens, 0)
    expect(tokens.messages).toBe(sum('entry'))
    expect(tokens.summaries).toBeGreaterThan(sum('summary'))
    expect(tokens.total).toBe(tokens.system + tokens.tools + tokens.prefill + tokens.notes + tokens.summaries + tokens.messages)
    const messages = await shown(session)
    const told = messages.reduce((all, message) => all + messageTokens(message, weightsCounter), 0)
    // Joined neighbours save the 4 tokens of a message each.
    expect(Math.abs(told - (tokens.total - tokens.system - tokens.tools))).toBeLessThanOrEqual(4 * items.length)
  })

  verifies('C24 C93', 'says without writing whether it fits, and otherwise fits or refuses', async () => {
    const { session } = await room()
    await fill(session, 20)
    const before = await everyEntry(session, false)
    const asked = await session.context({ compact: false })
    expect(asked.fits).toBe(false)
    expect(await everyEntry(session, false)).toEqual(before)
    expect((await session.context()).fits).toBe(true)
    await expect(session.context({ system: filler(5_000) })).rejects.toMatchObject({ code: 'context.exhausted' })
  })

  it('refuses what is too long, with its sizes, when compacting is off', async () => {
    const place = await memoryPlace()
    const session = await (await place.open({ context: { ...tight, auto: false } })).sessions.create()
    await fill(session, 20)
    await expect(session.context()).rejects.toMatchObject({ code: 'context.exhausted', details: { usable: 3_904 } })
    expect((await everyEntry(session, false)).some(entry => entry.type === 'compaction_started')).toBe(false)
  })

  verifies('C93', 'is read also while another process holds the lease', async () => {
    const { skein, session } = await room()
    await fill(session, 20)
    await session.close()
    await skein.store.in('default').commit([{ type: 'acquire', session: session.id, owner: 'another', leaseMs: 60_000 }])
    const again = await skein.sessions.open(session.id)
    const before = await everyEntry(again, false)
    expect((await again.context({ compact: false })).fits).toBe(false)
    expect(await everyEntry(again, false)).toEqual(before)
    // Of what must be made to fit, it says who is in the way.
    await expect(again.context()).rejects.toSatisfy(error => isSkeinError(error) && error.code === 'session.busy')
  })

  verifies('C25', 'appends only, between changes of the frontier', async () => {
    const { session } = await room()
    let last = ''
    let version = 0
    let breaks = 0
    for (let n = 0; n < 40; n++) {
      await session.append([{ role: 'user', content: `question ${n} ${filler(30)}` }])
      const asked = await session.context({ format: 'openai' })
      const said = JSON.stringify(asked.messages).slice(1, -1)
      if (asked.version === version) expect(said.startsWith(last)).toBe(true)
      else breaks++
      ;[last, version] = [said, asked.version]
      await session.append([{ role: 'assistant', content: `answer ${n} ${filler(150)}` }])
    }
    expect(breaks).toBeGreaterThan(0)
    expect(breaks).toBeLessThan(10)
  })

  verifies('C26', 'gives the same bytes in another process', async () => {
    const { place, session } = await room(['extracts'], sqlitePlace)
    await fill(session, 12)
    await session.compact()
    await fill(session, 2)
    const other = await (await place.open({ context: tight })).sessions.open(session.id)
    for (const format of ['openai', 'anthropic', 'skein'] as const)
      expect(JSON.stringify((await other.context({ format, compact: false })).messages)).toBe(
        JSON.stringify((await session.context({ format, compact: false })).messages),
      )
  })

  /** Rows that a fresh session object reads for each, of a history of so many turns that was compacted all along. */
  const rowsOf = async (turns: number, moves: number, verbs: Record<string, Verb>): Promise<Record<string, number>> => {
    const place = await memoryPlace()
    let rows = 0
    const store = countingRows(await place.store(), count => (rows += count))
    const first = await place.open({ context: { ...tight, summarizer: scriptedSummarizer() } })
    const session = await first.sessions.create()
    for (let n = 0; n < turns; n++) {
      await session.record(turn(n))
      if (n % 5 === 4) await session.compact({ targetTokens: 1_500 })
      if (n % 20 < moves) {
        const { leafId } = await session.info()
        await session.record({ user: 'a way that was left', assistant: 'nothing' })
        await session.moveTo(leafId as EntryId)
      }
    }
    const refs = { old: (await session.conversation())[2]?.id as EntryId, summary: (await session.summaries())[0]?.id as string }
    const { openSkein } = await import('#skein')
    const read: Record<string, number> = {}
    for (const [name, verb] of Object.entries(verbs)) {
      const again = await openSkein({ store, worker: false, clock: place.clock, context: tight })
      const opened = await again.sessions.open(session.id)
      rows = 0
      await verb(opened, refs)
      read[name] = rows
      await again.close()
    }
    return read
  }
  type Verb = (session: Session, refs: { readonly old: EntryId; readonly summary: string }) => Promise<unknown>

  verifies('C27', 'reads what it shows, not the history behind it', async () => {
    const verbs = { context: (session: Session) => session.context({ compact: false }) }
    const [few, many] = [await rowsOf(20, 0, verbs), await rowsOf(200, 0, verbs)]
    expect(few['context']).toBeGreaterThan(0)
    expect(many['context']).toBeLessThan((few['context'] ?? 0) * 2 + 20)
  })

  verifies('C27 C76 C80', 'searches and explains without reading the branch, also where the leaf was moved', async () => {
    const verbs: Record<string, Verb> = {
      words: async session => expect((await session.recall('question 7')).hits.length).toBeGreaterThan(0),
      explain: async (session, { old }) => expect((await session.explain(old)).shown).toBe('summary'),
      'describe an entry': (session, { old }) => session.describe(old),
      'describe a summary': (session, { summary }) => session.describe(summary),
      expand: (session, { summary }) => session.expand(summary, { limit: 5 }),
    }
    for (const moves of [0, 1]) {
      const [few, many] = [await rowsOf(40, moves, verbs), await rowsOf(400, moves, verbs)]
      for (const name of Object.keys(verbs)) {
        expect(few[name]).toBeGreaterThan(0)
        // Those of 18 more moves, and twice what is shown.
        expect([name, many[name]]).toEqual([
          name,
          expect.toSatisfy((rows: number) => rows < 2 * (few[name] ?? 0) + 40 + 60 * moves),
        ])
      }
    }
  })

  verifies('C29', 'takes a system for one call, and says that it broke the prefix', async () => {
    const { session } = await room()
    await session.setSystem('Be brief.')
    await fill(session, 2)
    const once = await session.context({ system: 'Be long.' })
    expect(once).toMatchObject({ system: 'Be long.', prefix: { same: false, brokenBy: 'system' } })
    expect(await session.context()).toMatchObject({ system: 'Be brief.', prefix: { same: true, brokenBy: null, rebilled: 0 } })
  })

  verifies('C31', 'says why a prefix broke, and what is paid for again', async () => {
    const { session } = await room()
    const after = async (
      change: () => Promise<unknown>,
    ): Promise<{ brokenBy: string | null; rebilled: number; total: number }> => {
      await session.record(turn(99, 50))
      await change()
      const { prefix, tokens } = await session.context({ compact: false, facts: vast })
      expect(prefix.same).toBe(prefix.brokenBy === null)
      expect(prefix.rebilled > 0).toBe(!prefix.same)
      return { brokenBy: prefix.brokenBy, rebilled: prefix.rebilled, total: tokens.total }
    }
    await session.setModel('openai/gpt-5.4')
    await fill(session, 4)
    expect((await after(async () => undefined)).brokenBy).toBeNull()
    const system = await after(() => session.setSystem('Be brief.'))
    expect(system.brokenBy).toBe('system')
    expect(system.rebilled).toBeLessThanOrEqual(system.total)
    expect(
      (await after(() => session.setTools([{ name: 'a', description: 'b', inputSchema: { type: 'object' } }]))).brokenBy,
    ).toBe('tools')
    expect((await after(() => session.setModel('anthropic/claude-sonnet-4-6'))).brokenBy).toBe('model')
    let before: `ent_${string}` = 'ent_'
    const swap = async (): Promise<unknown> => {
      before = (await session.messages()).at(-1)?.id ?? before
      return await session.compact()
    }
    expect((await after(swap)).brokenBy).toBe('swap')
    expect((await after(() => session.moveTo(before))).brokenBy).toBe('branch')
  })

  verifies('C31', 'counts what several changes since the last request leave as it was', async () => {
    const { skein } = await room()
    const session = await skein.sessions.create({ context: { prune: { protectTokens: 300, minTokens: 100 } } })
    for (let n = 0; n < 8; n++) {
      const callId = `c${n}`
      await session.append([
        { role: 'user', content: `Look ${n}.` },
        { role: 'assistant', parts: [{ type: 'tool_call', callId, tool: 'read', input: {} }] },
        { role: 'tool', parts: [{ type: 'tool_result', callId, tool: 'read', output: filler(200) }] },
      ])
    }
    expect(await session.compact({ only: 'prune' })).toMatchObject({ status: 'pruned' })
    await session.record(turn(99, 20))
    const pruned = (await session.messages()).filter(message => message.pruned !== undefined)
    const [early, late] = [pruned[0]?.id, pruned.at(-1)?.id]
    expect(late).not.toBe(early)
    const rebilled = async (): Promise<number> => (await session.context({ compact: false, facts: vast })).prefix.rebilled
    expect(await rebilled()).toBe(0)
    await session.unprune([`${late ?? 'ent_'}#0`])
    const afterLate = await rebilled()
    await session.unprune([`${early ?? 'ent_'}#0`])
    const afterBoth = await rebilled()
    expect(afterLate).toBeGreaterThan(0)
    expect(afterBoth).toBeGreaterThan(afterLate)
    // A change further behind makes no less of it.
    await session.unprune([`${pruned.at(-2)?.id ?? 'ent_'}#0`])
    expect(await rebilled()).toBeGreaterThan(afterBoth)
  })

  verifies('C6', 'is the same whatever a model’s tokens are found to be', async () => {
    const { skein } = await room()
    const session = await skein.sessions.create({ model: 'openai/gpt-5.4', context: { buffer: 0 } })
    await fill(session, 4)
    const before = await bytes(session)
    const { tokens, projected } = await sizes(session)
    // The same request, reported three times as large, in another session of the same model.
    const other = await skein.sessions.create({ model: 'openai/gpt-5.4' })
    for (let n = 0; n < 6; n++) {
      const asked = await other.context({ input: 'x' })
      await other.record({ user: 'x', assistant: 'y', usage: { inputTokens: asked.tokens.total * 3, outputTokens: 1 } })
    }
    expect(await bytes(session)).toBe(before)
    expect((await sizes(session)).tokens).toEqual(tokens)
    expect(projected).toBe(true)
  })

  it('stays within its budget when tokens count three times as much', async () => {
    const { skein } = await room()
    const info = { contextWindow: 8_000, maxOutput: 1_000 }
    const answers = Array.from({ length: 60 }, () => (request: { messages: readonly unknown[] }) => ({
      text: filler(60),
      usage: { inputTokens: 3 * messagesTokens(request.messages as Message[]), outputTokens: 60 },
    }))
    const model = scriptedModel(answers as never, { info })
    const session = await skein.sessions.create({ modelOverride: model, context: { buffer: 800, keepTokens: 1_500 } })
    for (let n = 0; n < 60; n++) {
      const result = await session.send(`question ${n} ${filler(40)}`).result()
      expect([n, result.status, result.error]).toEqual([n, 'done', undefined])
    }
    for (const { messages } of model.requests.slice(5)) expect(3 * messagesTokens(messages as Message[])).toBeLessThan(7_000)
    await proveBranch(session)
  })
})

const messagesTokens = (messages: readonly Message[]): number =>
  messages.reduce((sum, message) => sum + messageTokens(message, weightsCounter), 0)

async function sizes(session: Session): Promise<{ tokens: object; projected: boolean }> {
  const { tokens, fits } = await session.context({ compact: false })
  return { tokens, projected: fits }
}

/** The store, and how many rows of entries it gave. */
function countingRows(store: Store, tell: (rows: number) => void): Store {
  const counting = (tenant: TenantStore): TenantStore => ({
    ...tenant,
    branch: async (session: SessionId, options) => {
      const found = await tenant.branch(session, options)
      tell(found.length)
      return found
    },
    entries: async (session: SessionId, options) => {
      const found = await tenant.entries(session, options)
      tell(found.length)
      return found
    },
    entry: async (session, id) => {
      tell(1)
      return await tenant.entry(session, id)
    },
  })
  return { ...store, in: (tenant: string) => counting(store.in(tenant)) }
}

describe('turns', () => {
  verifies('C83', 'recorded again under the same key add nothing: no entry, no snapshot, no job', async () => {
    const { skein, session } = await room()
    await fill(session, 9)
    const first = await session.record(turn(9), { idempotencyKey: 'k' })
    const before = await everyEntry(session, false)
    const jobs = await skein.jobs.list({ kind: 'context.compact' })
    const again = await session.record(turn(9), { idempotencyKey: 'k' })
    expect(again).toMatchObject({ replayed: true, turn: first.turn, index: first.index })
    expect(await everyEntry(session, false)).toEqual(before)
    expect(await skein.jobs.list({ kind: 'context.compact' })).toEqual(jobs)
    expect(jobs).toHaveLength(1)
  })

  verifies('C84', 'that failed are in no later context, and in no summary', async () => {
    const { session, summarizer } = await room()
    await session.record({ user: 'one', assistant: 'it crashed half-way', finishReason: 'error' })
    expect(await bytes(session)).not.toContain('half-way')
    await fill(session, 8)
    expect((await session.compact()).status).toBe('done')
    expect(await bytes(session)).not.toContain('half-way')
    expect(JSON.stringify(await session.summaries())).not.toContain('half-way')
    expect(JSON.stringify(summarizer.asked)).not.toContain('half-way')
    expect(JSON.stringify(await session.messages())).toContain('half-way')
  })

  verifies('C85', 'have one snapshot each, 0 to n−1, that survives and adds up', async () => {
    const { place, skein, session } = await room(['extracts'], sqlitePlace)
    const model = scriptedModel([{ text: 'ran' }])
    await fill(session, 3)
    const third = (await session.messages())[5]?.id ?? 'ent_'
    await session.send('run', { model }).result()
    await session.compact()
    await session.moveTo(third)
    await fill(session, 2)
    const fork = await session.fork()
    await fill(fork, 1)
    await session.close()
    await skein.close()
    const again = await place.open({ context: tight })
    const turns = await (await again.sessions.open(session.id)).turns()
    expect(turns.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5])
    for (const { context } of turns) {
      const { system, tools, prefill, notes, summaries, messages, total } = context
      expect(total).toBe(system + tools + prefill + notes + summaries + messages)
    }
    expect((await (await again.sessions.open(fork.id)).turns()).map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5, 6])
  })

  verifies('C85', 'tell of each compaction once, in the snapshot that comes next, also in a fork', async () => {
    const { session } = await room()
    await fill(session, 8)
    const { id } = await session.compact()
    await fill(session, 2)
    const told = (await session.turns()).map(({ compactions }) => compactions.map(one => one.id))
    expect(told.slice(8)).toEqual([[id], []])
    expect(told.flat()).toEqual([id])
    const fork = await session.fork()
    await fill(fork, 1)
    expect((await fork.turns()).at(-1)?.compactions).toEqual([])
  })

  verifies('C86', 'in which one call repeats tell of it, whatever the order of its keys, and of each further one', async () => {
    const { session } = await room()
    const calls = (inputs: readonly object[]): object => ({
      messages: [
        { role: 'user', content: 'go' },
        ...inputs.flatMap((input, n) => [
          { role: 'assistant', parts: [{ type: 'tool_call', callId: `c${n}`, tool: 'read', input }] },
          { role: 'tool', parts: [{ type: 'tool_result', callId: `c${n}`, tool: 'read', output: 'x' }] },
        ]),
      ],
    })
    const loops = async (): Promise<number> =>
      (await everyEntry(session, false)).filter(entry => isType(entry, 'doom_loop_detected')).length
    await session.record(
      calls([
        { a: 1, b: 2 },
        { b: 2, a: 1 },
      ]),
    )
    expect(await loops()).toBe(0)
    await session.record(
      calls([
        { a: 1, b: 2 },
        { b: 2, a: 1 },
        { a: 1, b: 2 },
      ]),
    )
    expect(await loops()).toBe(1)
    await session.record(calls([{ a: 1 }, { a: 1 }, { a: 2 }, { a: 1 }]))
    expect(await loops()).toBe(1)
    await session.record(calls([{ a: 1 }, { a: 1 }, { a: 1 }, { a: 1 }]))
    expect(await loops()).toBe(3)
    expect((await session.turns()).map(({ doomLoop }) => doomLoop)).toEqual([false, true, false, true])
  })
})
