import { canonical, type EntryId, isSkeinError, newId, toJson } from '#kernel'
import type { Message, NewEntry, SessionRow } from '#journal'
import { weightsCounter } from '#context'
import { type ScriptedStep, scriptedModel } from '#models'
import type { Session, Skein } from '#skein'
import { expect, it } from 'vitest'
import { verifies } from '#verifies'
import { addTurn, longSession, small, wordsOf } from './long-session.ts'
import { onEveryStore } from './stores.ts'

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
  } catch (error) {
    return isSkeinError(error) ? error.code : String(error)
  }
  return 'resolved'
}

/** Every page from the first, joined. */
async function whole(session: Session, ref: string, page: Parameters<Session['expand']>[1] = {}): Promise<string> {
  let content = ''
  for (let ask: typeof page | undefined = page; ask !== undefined;) {
    const answer = await session.expand(ref, ask)
    content += answer.content
    ask = answer.next
  }
  return content
}

const refPattern = /\b(?:ent|sum)_[0-7][0-9A-HJKMNP-TV-Z]{25}(?:#\d+)?/g

onEveryStore('recall', place => {
  verifies('C32 C81 C13 C21 C11 C12', 'names nothing that can’t be read, and loses nothing', async () => {
    const here = await place()
    const session = await longSession(await here.open())
    const { messages } = await session.context({ compact: false, facts: small, format: 'skein' })
    const text = JSON.stringify(messages)
    const named = new Set(text.match(refPattern))
    expect(named.size).toBeGreaterThan(2)
    for (const ref of named) expect((await session.expand(ref)).content).not.toBe('')

    const found = await session.audit()
    expect(found).toMatchObject({ entries: 120, missing: [], doubled: [], unreachable: [], findings: [] })
    expect(found.raw + found.covered + found.hidden + found.prefill).toBe(120)
    expect(found.covered).toBeGreaterThan(50)

    const shown = (await session.summaries()).filter(summary => summary.shown)
    const conversation = await session.conversation()
    for (const { id, covers } of shown) {
      const content = await whole(session, id)
      const from = conversation.findIndex(message => message.id === covers.first)
      const to = conversation.findIndex(message => message.id === covers.last)
      const refs = [...content.matchAll(/^\[(ent_\w+) /gm)].map(match => match[1])
      expect(refs).toEqual(conversation.slice(from, to + 1).map(message => message.id))
    }
  })

  verifies('C45 C78', 'reads nothing that another session or tenant holds, and says so alike', async () => {
    const skein = await (await place()).open()
    const content = 'a file of its own\n'.repeat(400)
    const file = { role: 'user', parts: [{ type: 'file', mediaType: 'text/plain', name: 'a.txt', data: Buffer.from(content) }] }
    const [mine, other] = [await longSession(skein, 12), await skein.sessions.create()]
    const far = await skein.in('elsewhere').sessions.create()
    await far.append([{ role: 'user', content: 'far away' }, file])
    const { entries } = await mine.append([file])
    const blob = (entries[0]?.data as Message).parts.flatMap(part => (part.type === 'file' ? [part.blob as string] : []))[0]
    const refs = { entry: entries[0]?.id as string, summary: (await mine.summaries())[0]?.id as string, blob: blob as string }
    const unknown = {
      entry: newId('ent'),
      summary: newId('sum'),
      blob: `blb_${'0'.repeat(32)}`,
      archive: newId('arc'),
      map: newId('map'),
    }
    expect((await mine.expand(refs.blob)).content).toBe(content.slice(0, (await mine.expand(refs.blob)).content.length))
    for (const [noun, ref] of Object.entries(unknown)) {
      expect(await codeOf(mine.expand(ref))).toBe(`${noun}.not_found`)
      expect(await codeOf(mine.describe(ref))).toBe(`${noun}.not_found`)
    }
    for (const [noun, ref] of Object.entries(refs)) {
      expect((await mine.describe(ref)).kind).toBe(noun)
      for (const foreign of [other, ...(noun === 'blob' ? [] : [far])])
        expect(await codeOf(foreign.expand(ref))).toBe(`${noun}.not_found`)
    }
    expect(await codeOf(mine.expand(`${refs.entry}#7`))).toBe('entry.not_found')
    expect(await codeOf(other.explain(refs.entry))).toBe('entry.not_found')
    for (const ref of ['', 'x', 'ent_1', 'job_01', `${refs.entry}#x`, 7 as never])
      expect(await codeOf(mine.expand(ref))).toBe('input.invalid')
  })

  verifies('C46 C47', 'pages without gap, overlap or a split code point', async () => {
    const session = await (await (await place()).open()).sessions.create()
    const texts = [
      '',
      'one line without an end',
      'a\n\nb\n'.repeat(3_000),
      `${'long 😀 '.repeat(6_000)}\nshort\n${'漢字'.repeat(5_000)}`,
      'ß😀\r\n'.repeat(2_000),
    ]
    for (const text of texts) {
      const parts = [{ type: 'text', text: text === '' ? ' ' : text }]
      const { entries } = await session.append([{ role: 'user', parts }])
      const ref = `${entries[0]?.id ?? ''}#0`
      for (const unit of ['lines', 'chars', 'bytes'] as const) {
        const said = text === '' ? ' ' : text
        expect(await whole(session, ref, { unit })).toBe(said)
        expect(await whole(session, ref, { unit, limit: 997 })).toBe(said)
        const { total } = await session.expand(ref, { unit })
        const last = await session.expand(ref, { unit, offset: total })
        expect(last).toMatchObject({ content: '', offset: total })
        expect(last.next).toBeUndefined()
        expect(await codeOf(session.expand(ref, { unit, offset: -1 }))).toBe('input.invalid')
        expect((await session.expand(ref, { unit, limit: 1 })).content.isWellFormed()).toBe(true)
      }
    }
    const bytes = Uint8Array.from({ length: 50_000 }, (_, n) => (n * 7919) % 256)
    const { entries } = await session.append([
      { role: 'user', parts: [{ type: 'file', mediaType: 'application/octet-stream', data: bytes }] },
    ])
    const ref = `${entries[0]?.id ?? ''}#0`
    expect(Buffer.from(await whole(session, ref), 'base64').equals(bytes)).toBe(true)
    expect(await codeOf(session.expand(ref, { unit: 'lines' }))).toBe('input.invalid')
  })

  verifies('C48', 'gives what is shown by its outline whole, as it was', async () => {
    const here = await place()
    const session = await (await here.open()).sessions.create({ context: { largeTokens: 500 } })
    const content = `id,name\n${Array.from({ length: 2_000 }, (_, n) => `${n},name ${n}`).join('\n')}`
    const data = Buffer.from(content)
    await session.append([
      { role: 'user', parts: [{ type: 'file', mediaType: 'text/csv', name: 'people.csv', data }] },
      { role: 'assistant', parts: [{ type: 'tool_call', callId: 'c', tool: 'read', input: {} }] },
      { role: 'tool', parts: [{ type: 'tool_result', callId: 'c', tool: 'read', status: 'ok', output: content }] },
    ])
    data.fill(0)
    const again = here.durable ? await (await here.open()).sessions.open(session.id) : session
    const text = JSON.stringify((await again.context({ format: 'skein' })).messages)
    const named = [...text.matchAll(/session_expand (ent_\w+#\d+)/g)].map(match => match[1] as string)
    expect(named.length).toBe(2)
    for (const ref of named) expect(await whole(again, ref)).toBe(content)
    expect((await again.audit()).findings).toEqual([])
  })

  verifies('C76', 'finds a phrase of any entry by the letter, wherever it stands now', async () => {
    const session = await longSession(await (await place()).open())
    for (const [n, message] of (await session.conversation()).entries()) {
      const turn = Math.floor(n / 4)
      const words = Object.values(wordsOf(turn))[n % 4] as string
      const { hits } = await session.recall(words, { mode: 'literal' })
      const hit = hits.find(({ ref }) => ref === message.id)
      expect(hit?.excerpt).toContain(words)
      expect(hit?.excerpt.length).toBeLessThanOrEqual(400)
      expect(hit).toMatchObject({ role: message.role, at: message.at, turn: message.turn })
      expect(hit?.shown).toBe((await session.explain(message.id)).shown)
    }
    const deep = `${'x'.repeat(300_000)}the needle, deep${'y'.repeat(300_000)}`
    const { entries } = await session.append([
      { role: 'assistant', parts: [{ type: 'tool_call', callId: 'd', tool: 'read', input: {} }] },
      { role: 'tool', parts: [{ type: 'tool_result', callId: 'd', tool: 'read', status: 'ok', output: { deep } }] },
    ])
    const found = await session.recall('the needle, deep', { mode: 'literal' })
    expect(found.hits).toMatchObject([{ ref: entries[1]?.id, excerpt: expect.stringContaining('the needle, deep') }])
  })

  verifies('C77', 'finds what was acknowledged at once, by words, for its forms, in any script', async () => {
    const session = await (await (await place()).open()).sessions.create()
    const said: [text: string, question: string][] = [
      ['We deployed the gateways on Friday', 'When did you deploy the gateway?'],
      ['The token bucket refills every 250 ms', 'what about refilling of the buckets'],
      ['データベースの接続が切れました', '接続'],
      ['Ошибка в модуле оплаты', 'ошибка оплаты'],
      ['who am i', 'who am i'],
    ]
    for (const [text, question] of said) {
      const { entries } = await session.append([{ role: 'user', content: text }])
      const { hits } = await session.recall(question)
      expect(hits.map(({ ref }) => ref)).toContain(entries[0]?.id)
      expect(hits[0]?.excerpt).toBe(text)
    }
    expect((await session.recall('deploy', { role: 'assistant' })).hits).toEqual([])
    expect((await session.recall('nothing of the kind')).hits).toEqual([])
    expect(await codeOf(session.recall(' '))).toBe('input.invalid')
    expect(await codeOf(session.recall('a', { limit: 21 }))).toBe('input.invalid')
    expect(await codeOf(session.recall('a', { cursor: 'x' }))).toBe('input.invalid')
  })

  it('pages through what it found, in words and to the letter', async () => {
    const session = await (await (await place()).open()).sessions.create()
    const all = Array.from({ length: 45 }, (_, n) => ({ role: 'user', content: `zebra number ${n}` }))
    const { entries } = await session.append(all)
    for (const mode of ['words', 'literal'] as const) {
      const refs: string[] = []
      let cursor: string | undefined
      do {
        const page = await session.recall('zebra', { mode, limit: 7, ...(cursor === undefined ? {} : { cursor }) })
        refs.push(...page.hits.map(hit => hit.ref))
        cursor = page.next
        if (refs.length === 7) await session.append([{ role: 'user', content: 'another zebra came later' }])
      } while (cursor !== undefined)
      expect(new Set(refs).size).toBe(refs.length)
      expect(refs.toSorted()).toEqual(
        mode === 'words' ? entries.map(({ id }) => id).toSorted() : expect.arrayContaining(entries.map(({ id }) => id)),
      )
    }
  })

  it('looks on the branch, and for the lineage where a fork came from', async () => {
    const session = await (await (await place()).open()).sessions.create()
    const { entries } = await session.append([{ role: 'user', content: 'common giraffe' }])
    const fork = await session.fork({ at: entries[0]?.id as EntryId })
    await session.append([{ role: 'user', content: 'later giraffe' }])
    await session.moveTo(entries[0]?.id as EntryId)
    await session.append([{ role: 'user', content: 'elsewhere giraffe' }])
    const texts = async (asked: Session, scope: 'branch' | 'lineage'): Promise<string[]> =>
      (await asked.recall('giraffe', { scope })).hits.map(hit => hit.excerpt).toSorted()
    expect(await texts(session, 'branch')).toEqual(['common giraffe', 'elsewhere giraffe'])
    expect(await texts(fork, 'branch')).toEqual(['common giraffe'])
    expect(await texts(fork, 'lineage')).toEqual(['common giraffe', 'elsewhere giraffe'])
  })

  it('looks for the lineage through the sessions that a reset ended, too, of the same user alone', async () => {
    const skein = await (await place()).open()
    const source = { platform: 'telegram', chatId: '99', chatType: 'dm', userId: '42' } as const
    const names = ['okapi one', 'okapi two', 'okapi three']
    for (const [at, content] of names.entries()) {
      const { session, route } = await skein.gateway.resolve(source)
      await session.append([{ role: 'user', content }])
      if (at < names.length - 1) await skein.gateway.reset(route.key)
    }
    const { session } = await skein.gateway.resolve(source)
    for (const mode of ['words', 'literal'] as const) {
      const { hits } = await session.recall('okapi', { scope: 'lineage', mode })
      expect(hits.map(({ excerpt }) => excerpt).toSorted()).toEqual(names.toSorted())
      expect(hits.filter(hit => hit.session === undefined).map(({ excerpt }) => excerpt)).toEqual(['okapi three'])
      expect((await session.recall('okapi', { mode })).hits).toHaveLength(1)
    }
    const stranger = await skein.gateway.resolve({ ...source, chatId: '7', userId: '7' })
    expect((await stranger.session.recall('okapi', { scope: 'lineage' })).hits).toEqual([])
  })

  verifies('C80', 'explains every entry as it is rendered, also those of other branches', async () => {
    const skein = await (await place()).open()
    const session = await skein.sessions.create({
      context: { largeTokens: 1_000_000, prune: { protectTokens: 100, minTokens: 0 } },
    })
    const facts = { ...small, contextWindow: 12_000 }
    let middle: EntryId | undefined
    for (let n = 0; n < 24; n++) {
      await addTurn(session, n)
      if (n === 6) await session.record({ user: 'a question', assistant: 'this failed halfway', finishReason: 'error' })
      if (n === 8)
        await session.append([
          {
            role: 'tool',
            parts: [{ type: 'tool_result', callId: 'none', tool: 'read', status: 'ok', output: 'an orphan of n 8' }],
          },
        ])
      if (n === 20) middle = (await session.info()).leafId as EntryId
      await session.context({ facts })
    }
    await session.moveTo(middle as EntryId)
    await addTurn(session, 99)
    await session.record({ user: 'one more question', assistant: 'this failed, too', finishReason: 'error' })
    await session.append([
      {
        role: 'tool',
        parts: [{ type: 'tool_result', callId: 'no', tool: 'read', status: 'ok', output: 'an orphan at the end' }],
      },
    ])
    await session.compact({ only: 'prune' })

    const { messages, items = [] } = await session.context({ compact: false, facts, format: 'skein', explain: true })
    const parts = (messages as Message[]).flatMap(message => message.parts.map(part => canonical(toJson(part))))
    const text = parts.join('\n')
    const seen = new Set<string>()
    for (const entry of await session.entries({ limit: 1_000 })) {
      const { shown, reason, via, since } = await session.explain(entry.id)
      seen.add(shown === 'absent' ? String(reason) : shown)
      const [first] = (entry.data as Partial<Message>).parts ?? []
      if (entry.type !== 'message_added' || first === undefined) {
        expect({ shown, reason }).toEqual({ shown: 'absent', reason: 'not_content' })
        continue
      }
      expect(parts.includes(canonical(toJson(first)))).toBe(shown === 'raw')
      if (shown === 'pruned') expect(text).toContain(`session_expand ${entry.id}#0`)
      if (shown === 'summary') expect(text).toContain(`id=\\"${via[0] ?? ''}\\"`)
      expect(since !== null).toBe(shown === 'summary' || shown === 'pruned')
      const item = items.find(({ ref }) => ref === entry.id)
      expect(item?.shown ?? 'not there').toBe(shown === 'summary' || reason === 'other_branch' ? 'not there' : shown)
    }
    expect([...seen]).toEqual(
      expect.arrayContaining(['raw', 'pruned', 'summary', 'other_branch', 'not_content', 'failed_attempt', 'result_orphan']),
    )
    expect((await session.audit()).findings).toEqual([])
  })

  verifies('C81', 'names the entry when what an edit says of the frontier is damaged', async () => {
    const here = await place()
    const skein = await here.open()
    const session = await longSession(skein, 12)
    const before = await session.audit()
    expect(before.findings).toEqual([])
    const edits = await session.entries({ types: ['context_edited'], limit: 1_000 })
    const edit = edits.at(-1)?.data as { version: number; frontier: { entry?: EntryId }[] }
    const lost = edit.frontier.find(item => item.entry !== undefined)?.entry as EntryId
    const damaged = {
      ...edit,
      version: edit.version + 1,
      swapped: [],
      pruned: [],
      cut: [],
      restored: [],
      frontier: edit.frontier.filter(item => item.entry !== lost),
    }
    // Back to where the edit was made, so that nothing but the damage differs.
    await session.moveTo(edits.at(-1)?.id as EntryId)
    const id = newId('ent')
    await damage(skein, session, { id, type: 'context_edited', data: damaged })
    here.clock.advance(1_000)
    const again = await (await here.open()).sessions.open(session.id)
    const found = await again.audit()
    expect(found.missing).toEqual([lost])
    expect(found.findings.map(({ kind, ref }) => `${kind} ${ref}`)).toEqual(
      expect.arrayContaining([`missing ${lost}`, `edit ${id}`, `frontier ${lost}`]),
    )
  })

  verifies('S4', 'shows summaries among the messages, and conversation without', async () => {
    const session = await longSession(await (await place()).open(), 20)
    const [messages, conversation] = [await session.messages(), await session.conversation()]
    const shown = (await session.summaries()).filter(summary => summary.shown)
    expect(messages.filter(message => message.isSummary).map(message => message.summary)).toEqual(
      expect.arrayContaining(shown.map(({ id }) => id)),
    )
    expect(messages.filter(message => message.isSummary).length).toBe(shown.length)
    expect(messages.filter(message => !message.isSummary).map(({ pruned: _pruned, ...message }) => message)).toEqual(conversation)
    for (const [at, message] of messages.entries()) {
      if (!message.isSummary) continue
      const covers = shown.find(({ id }) => id === message.summary)?.covers
      expect(messages[at - 1]?.id).toBe(covers?.last)
      const page = await session.messages({ before: message.id, limit: 2 })
      expect(page.items.at(-1)?.id).toBe(covers?.last)
    }
    const joined: unknown[] = []
    for (let before: EntryId | undefined; ;) {
      const page = await session.messages({ limit: 7, ...(before === undefined ? {} : { before }) })
      joined.unshift(...page.items)
      before = page.next
      if (before === undefined) break
    }
    expect(joined).toEqual(messages)
  })

  verifies('C79', 'bounds every answer of the tools, and what they take of a turn', async () => {
    const skein = await (await place()).open()
    const session = await longSession(skein, 30)
    const answers = await callTools(session, [
      ['session_search', { query: 'matter details settled', limit: 20 }],
      ['session_search', { query: 'const line', mode: 'literal', limit: 20 }],
      ['session_describe', { ref: (await session.summaries())[0]?.id ?? '' }],
      ['session_expand', { ref: (await session.summaries())[0]?.id ?? '' }],
    ])
    const limits = [4_000, 4_000, 1_000, 4_000]
    for (const [at, { output, tokens }] of answers.entries()) {
      expect(tokens).toBeLessThanOrEqual(limits[at] ?? 0)
      expect(output.length).toBeGreaterThan(100)
    }
    const ref = (await session.summaries()).at(-1)?.id ?? ''
    let page: Record<string, unknown> | undefined = { ref }
    let content = ''
    for (let n = 0; page !== undefined; n++) {
      const [{ output } = { output: '' }]: { output: string }[] = await callTools(session, [['session_expand', page]])
      const lines: string[] = output.split('\n')
      content += `${lines.slice(1, -1).join('\n')}\n`
      const more = /^\[more: offset (\d+), unit (\w+)\]$/.exec(lines.at(-1) ?? '')
      page = more === null ? undefined : { ref, offset: Number(more[1]), unit: more[2] }
    }
    expect(content).toBe(await whole(session, ref))

    const largest = (await session.summaries()).toSorted((a, b) => b.covers.tokens - a.covers.tokens)[0]?.id ?? ''
    const asked = Array.from({ length: 12 }, (_, offset): Call => ['session_expand', { ref: largest, offset }])
    const taken = await callTools(session, asked)
    expect(taken.reduce((sum, { tokens, status }) => sum + (status === 'ok' ? tokens : 0), 0)).toBeLessThanOrEqual(16_000)
    expect(taken.at(-1)).toMatchObject({ status: 'error', output: expect.stringContaining('context.recall_exhausted') })
    const [next] = await callTools(session, [['session_expand', { ref }]])
    expect(next?.status).toBe('ok')
  })

  it('answers what is wrong with a call, and hides failed attempts and its own results', async () => {
    const session = await (await (await place()).open()).sessions.create()
    await session.record({ user: 'a question of zebras', assistant: 'halfway zebras', finishReason: 'error' })
    const failed = (await session.conversation()).at(-1)?.id ?? ''
    const [search, expanded, part, bad, nothing, again] = await callTools(session, [
      ['session_search', { query: 'zebras' }],
      ['session_expand', { ref: failed }],
      ['session_expand', { ref: `${failed}#0` }],
      ['session_expand', { ref: 'nonsense' }],
      ['session_search', { query: 'walruses' }],
      ['session_search', { query: 'zebras', mode: 'literal' }],
    ])
    expect(search?.output).toContain('a question of zebras')
    expect(search?.output).not.toContain('halfway')
    expect(again?.output.match(/a question of zebras/g)).toHaveLength(1)
    for (const answer of [expanded, part]) expect(answer?.output).not.toContain('halfway')
    expect(bad).toMatchObject({ status: 'error', output: expect.stringContaining('input.invalid') })
    expect(nothing).toMatchObject({ status: 'ok', output: expect.stringContaining('Nothing was found') })
    // A program reads it.
    expect((await session.expand(failed)).content).toContain('halfway')
  })

  it('offers the tools while recall is on, beside those of a session', async () => {
    const skein = await (await place()).open()
    const names = async (recall: boolean): Promise<string[]> => {
      const model = scriptedModel(['fine'])
      const session = await skein.sessions.create({ context: { recall } })
      await session.send('hello', { model }).result()
      return (model.requests[0]?.tools ?? []).map(tool => tool.name)
    }
    expect(await names(true)).toEqual(['session_search', 'session_describe', 'session_expand'])
    expect(await names(false)).toEqual([])
    const tool = { name: 'session_search', description: 'mine', input: {}, run: () => 'x' }
    const session = await skein.sessions.create({ tools: [tool] })
    expect(await codeOf(session.send('hello', { model: scriptedModel(['fine']) }).receipt)).toBe('tool.duplicate')
    const off = await skein.sessions.create({ tools: [tool], context: { recall: false } })
    expect(await codeOf(off.send('hello', { model: scriptedModel(['fine']) }).receipt)).toBe('resolved')
  })
})

type Call = [tool: string, input: Record<string, unknown>]

/** A run whose model makes these calls, all in one step; what they came to. */
async function callTools(
  session: Session,
  calls: readonly Call[],
): Promise<{ output: string; status: string; tokens: number }[]> {
  const steps: ScriptedStep[] = [{ calls: calls.map(([tool, input]) => ({ tool, input: toJson(input) })) }, 'done']
  const { turn } = await session.send('look', { model: scriptedModel(steps, { info: { contextWindow: 400_000 } }) }).result()
  const results = (await session.conversation()).filter(message => message.turn === turn && message.role === 'tool')
  return results
    .flatMap(message => message.parts)
    .flatMap(part => {
      if (part.type !== 'tool_result') return []
      const output = typeof part.output === 'string' ? part.output : JSON.stringify(part.output)
      return [{ output, status: part.status, tokens: weightsCounter.count(output) }]
    })
}

/** Adds an entry to the branch behind the verbs' back. */
async function damage(skein: Skein, session: Session, entry: Pick<NewEntry, 'id' | 'type' | 'data'>): Promise<void> {
  await session.close()
  const store = skein.store.in('default')
  const row = (await store.session(session.id)) as SessionRow
  await store.commit([
    { type: 'acquire', session: session.id, owner: 'test', leaseMs: 1 },
    {
      type: 'append',
      session: session.id,
      entries: [{ parentId: row.leafId, v: 1, at: row.updatedAt, totals: row.totals, ...entry }],
      fence: { of: 0 },
      head: { setsLeaf: entry.id, totals: row.totals },
    },
  ])
}
