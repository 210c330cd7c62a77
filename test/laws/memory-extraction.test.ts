import type { Store } from '#journal'
import { SkeinError } from '#kernel'
import type { Range } from '#memory'
import { scriptedModel } from '#models'
import { openSkein, type Session, type Skein, type SkeinOptions } from '#skein'
import { expect, it } from 'vitest'
import { verifies } from '#verifies'
import { gate } from './agent-talk.ts'
import { entryWith, fact, knownOf, learn, outlast, say, telling } from './learning-room.ts'
import { onEveryStore, type Place } from './stores.ts'

type Learner = NonNullable<NonNullable<SkeinOptions['memory']>['extractor']>

const opened = async (
  place: Place,
  extractor: Learner,
  more: Partial<SkeinOptions> = {},
): Promise<{ readonly skein: Skein; readonly session: Session }> => {
  const skein = await place.open({ worker: true, memory: { commit: 'manual', extractor }, ...more })
  return { skein, session: await skein.sessions.create({ user: 'ada' }) }
}
const rangesOf = async (skein: Skein): Promise<readonly Range[]> => (await skein.memory.ranges()).items
const cursors = async (session: Session): Promise<unknown> => (await session.info()).extraction

onEveryStore('extraction', makePlace => {
  verifies('M45', 'a dead model is failed, prose too; both are tried again and parked after five attempts', async () => {
    const place = await makePlace()
    const prose = scriptedModel(Array.from({ length: 9 }, () => ({ text: 'I think Ada likes tea.', usage: { outputTokens: 7 } })))
    const { skein } = await opened(place, 'llm')
    const session = await skein.sessions.create({ user: 'ada', modelOverride: prose })
    const dead = new SkeinError('provider.unavailable', 'Nobody answers.')
    const broken = await skein.sessions.create({
      user: 'ada',
      modelOverride: scriptedModel(Array.from({ length: 9 }, () => ({ failure: dead }))),
    })
    for (const one of [session, broken]) {
      await say(one, 'I like tea.')
      await skein.memory.extract(one.id)
    }
    await expect.poll(async () => (await rangesOf(skein)).map(({ state }) => state)).toEqual(['failed', 'failed'])
    expect(prose.requests).toHaveLength(1)
    await outlast(place, skein)
    const found = new Map((await rangesOf(skein)).map(range => [range.session, range]))
    expect(found.get(session.id)).toMatchObject({ state: 'parked', failure: 'parse', attempts: 5, counts: { candidates: 0 } })
    expect(found.get(broken.id)).toMatchObject({ state: 'parked', failure: 'model', attempts: 5 })
    expect(prose.requests).toHaveLength(5)
    expect(found.get(session.id)?.usage?.outputTokens).toBe(35)
    expect((await session.usage({ by: 'purpose' })).by).toMatchObject([{ key: 'extraction', requests: 5 }])
    expect(await skein.memory.list('ada')).toEqual({ items: [] })
  })

  it('parks at once what is not let in, and goes on when it is retried', async () => {
    const place = await makePlace()
    const { skein, session } = await opened(place, telling([new SkeinError('auth.missing', 'No key.'), [fact()]]))
    await say(session, 'I like tea.')
    await learn(skein, session)
    const [parked] = await rangesOf(skein)
    expect(parked).toMatchObject({ state: 'parked', failure: 'auth', attempts: 1 })
    await skein.jobs.retry(String(parked?.job))
    await skein.jobs.idle()
    expect(await rangesOf(skein)).toMatchObject([{ state: 'ok', counts: { candidates: 1, applied: 1 } }])
  })

  verifies('M46', 'one invalid candidate of five leaves four applied, and is told with its index and code', async () => {
    const place = await makePlace()
    const five = ['a', 'b', 'c', 'd', 'e'].map(key => fact({ key, content: `Likes ${key}${key}${key}.` }))
    const { skein, session } = await opened(place, telling([five.with(2, { ...fact(), category: 'mood' } as never)]))
    await say(session, 'hello')
    await learn(skein, session)
    expect(await rangesOf(skein)).toMatchObject([
      {
        state: 'partial',
        rejected: [{ index: 2, code: 'category_unknown' }],
        counts: { candidates: 5, applied: 4, rejected: 1 },
      },
    ])
    expect((await skein.memory.list('ada')).items.map(({ key }) => key).sort()).toEqual(['a', 'b', 'd', 'e'])
  })

  it('rejects each kind of invalid candidate with its own code', async () => {
    const place = await makePlace()
    const wrong: [unknown, string][] = [
      ['text', 'not_an_object'],
      [fact({ owner: 'agent' }), 'owner_invalid'],
      [fact({ content: '  ' }), 'content_invalid'],
      [fact({ confidence: 1.1 }), 'confidence_invalid'],
      [fact({ confidence: Number.NaN }), 'confidence_invalid'],
      [fact({ key: 7 as never }), 'key_invalid'],
      [fact({ when: 'yesterday' }), 'when_invalid'],
      [fact({ relation: { n: 1, is: 'LIKE' as never } }), 'relation_invalid'],
      [fact({ quote: 'hello' as never }), 'quote_invalid'],
    ]
    const { skein, session } = await opened(place, telling([wrong.map(([candidate]) => candidate)]))
    await say(session, 'hello')
    await learn(skein, session)
    const [range] = await rangesOf(skein)
    expect(range).toMatchObject({ state: 'partial', rejected: wrong.map(([, code], index) => ({ index, code })) })
  })

  verifies('M47', 'what is half sure is learnt, what is less is not, and a range of only such is empty', async () => {
    const place = await makePlace()
    const half = fact({ key: 'half', confidence: 0.5 })
    const less = fact({ key: 'less', confidence: 0.49 })
    const { skein, session } = await opened(place, telling([[half, less], [less]]))
    await say(session, 'hello')
    await learn(skein, session)
    await say(session, 'again')
    await learn(skein, session)
    expect(await rangesOf(skein)).toMatchObject([
      { state: 'ok', belowThreshold: 1, counts: { applied: 1 } },
      { state: 'empty', belowThreshold: 1, counts: { applied: 0, candidates: 1 } },
    ])
    expect((await skein.memory.list('ada')).items.map(({ key }) => key)).toEqual(['half'])
  })

  verifies(
    'M48',
    'a quote stands in its entry, inside the range and outside recalled text; without one it counts half',
    async () => {
      const place = await makePlace()
      let quotes: { readonly entry: `ent_${string}`; readonly text: string }[] = []
      const { skein, session } = await opened(
        place,
        telling([
          [],
          () => [
            ...quotes.map((quote, index) => fact({ key: `k${index}`, content: `Fact number ${index}.`, quote })),
            fact({ key: 'same', content: 'Plays the zither.' }),
          ],
        ]),
      )
      await say(session, 'An older thing.')
      await learn(skein, session)
      await session.append([
        {
          role: 'user',
          parts: [
            {
              type: 'text',
              text: 'I drink\n  cafe\u0301 and more. <skein-memory kind="recall" id="x">\nowns a boat\n</skein-memory>',
            },
            { type: 'text', text: 'rows a galley', origin: 'recall' },
          ],
        },
      ])
      const here = await entryWith(session, 'drink')
      quotes = [
        { entry: here, text: 'drink caf\u00e9  and' },
        { entry: here, text: 'drinks tea' },
        { entry: here, text: 'owns a boat' },
        { entry: here, text: 'rows a galley' },
        { entry: await entryWith(session, 'older'), text: 'older thing' },
        { entry: 'ent_01ARZ3NDEKTSV4RRFFQ69G5FAV', text: 'older thing' },
      ]
      await learn(skein, session)
      expect((await rangesOf(skein))[1]).toMatchObject({
        state: 'partial',
        rejected: [
          { index: 1, code: 'quote_not_found' },
          { index: 2, code: 'quote_is_recall' },
          { index: 3, code: 'quote_is_recall' },
          { index: 4, code: 'quote_out_of_range' },
          { index: 5, code: 'quote_out_of_range' },
        ],
      })
      const found = new Map((await skein.memory.list('ada')).items.map(memory => [memory.key, memory]))
      expect(found.get('k0')).toMatchObject({ inference: false, evidence: [{ entry: here }] })
      expect(found.get('same')).toMatchObject({ inference: true, evidence: [{ entry: null, quote: null }] })
      const [hit] = await skein.memory.search({ query: 'zither', owner: 'ada' })
      const legs = Object.values(hit?.legs ?? {})
      expect(hit?.score).toBeCloseTo(legs.reduce((sum, rank) => sum + 1 / (60 + rank), 0) / 2, 10)
    },
  )

  verifies('M49 M55', 'the same range again, by rewind, retry or two workers, leaves what one time leaves', async () => {
    const once = await makePlace()
    const more = await makePlace()
    const words = [
      'My name is Ada.',
      'I live in Berlin.',
      'I live in Paris.',
      'I prefer tea.',
      'I live in Berlin.',
      'We decided to go.',
    ]
    const lived = async (place: Place, often: boolean): Promise<unknown[]> => {
      const { skein, session } = await opened(place, 'rules')
      if (often) await place.open({ worker: true, memory: { commit: 'manual' } })
      const at = place.clock.now()
      for (const [index, text] of words.entries()) {
        await session.append([{ role: 'user', content: text, at: at + index }])
        if (often || index === words.length - 1) await learn(skein, session)
        if (!often) continue
        expect(await skein.memory.rewind(session.id, 1 + (index % 3))).toBe(true)
        expect(await skein.memory.rewind(session.id, 1)).toBe(true)
        await skein.jobs.idle()
      }
      const known = await knownOf(skein, 'ada')
      // Ids of entries differ between two journals.
      return known.map(({ evidence, ...memory }) => ({ ...memory, quotes: evidence.map(({ quote }) => quote) }))
    }
    const expected = await lived(once, false)
    expect(expected).toHaveLength(6)
    expect(await lived(more, true)).toEqual(expected)
  })

  verifies('M50', 'ranges run in order; a parked one holds back the cursor alone, which then jumps over all', async () => {
    const place = await makePlace()
    const denied = new SkeinError('auth.denied', 'No.')
    const extractor = telling([[], denied, [fact()], [], [fact()]])
    const { skein, session } = await opened(place, extractor)
    const ends: number[] = []
    for (const text of ['one', 'two', 'three', 'four']) {
      await say(session, text)
      expect(await session.commit()).toMatchObject({ archived: true, extraction: 'queued' })
      await skein.jobs.idle()
      ends.push((await session.info()).seq)
    }
    expect(extractor.inputs.map(({ entries }) => entries.map(({ text }) => text).join())).toEqual(['one', 'two', 'three', 'four'])
    expect((await rangesOf(skein)).map(({ state }) => state)).toEqual(['empty', 'parked', 'ok', 'empty'])
    const [, parked] = await rangesOf(skein)
    expect(await cursors(session)).toMatchObject({ extractedTo: (parked?.fromSeq ?? 0) - 1, state: 'parked' })
    await skein.jobs.retry(String(parked?.job))
    await skein.jobs.idle()
    const queuedTo = (await rangesOf(skein)).at(-1)?.toSeq
    expect(await cursors(session)).toMatchObject({ extractedTo: queuedTo, queuedTo, state: 'idle' })
  })

  it('settles a range by giving its job up', async () => {
    const place = await makePlace()
    const { skein, session } = await opened(place, telling([new SkeinError('auth.denied', 'No.'), []]))
    await say(session, 'one')
    await learn(skein, session)
    const [parked] = await rangesOf(skein)
    await skein.jobs.skip(String(parked?.job), 'not worth it')
    expect(await rangesOf(skein)).toMatchObject([{ state: 'skipped' }])
    expect(await cursors(session)).toMatchObject({ extractedTo: parked?.toSeq })
    expect(await skein.memory.pending()).toEqual([])
  })

  verifies('M51', 'a rewind queues from its seq on, archived or not; any other seq is false and changes nothing', async () => {
    const place = await makePlace()
    const extractor = telling([[]])
    const { skein, session } = await opened(place, extractor)
    await say(session, 'one', 'two', 'three')
    await session.commit()
    await skein.jobs.idle()
    const { queuedTo } = (await session.info()).extraction as { queuedTo: number }
    const before = await skein.memory.ranges({ all: true })
    for (const seq of [0, -1, queuedTo + 1, 1.5, Number.NaN]) expect(await skein.memory.rewind(session.id, seq)).toBe(false)
    expect(await skein.memory.ranges({ all: true })).toEqual(before)
    expect(await cursors(session)).toMatchObject({ extractedTo: queuedTo })
    const idle = await place.open({ memory: { commit: 'manual', extractor } })
    await skein.close()
    expect(await idle.memory.rewind(session.id, queuedTo)).toBe(true)
    const again = await idle.sessions.open(session.id)
    expect(await cursors(again)).toMatchObject({ extractedTo: queuedTo - 1, queuedTo, state: 'pending' })
    expect((await rangesOf(idle)).map(({ fromSeq, toSeq, state }) => [fromSeq, toSeq, state])).toEqual([
      [1, queuedTo - 1, 'empty'],
      [queuedTo, queuedTo, 'pending'],
    ])
    expect(await idle.memory.rewind(session.id, 2)).toBe(true)
    expect(await cursors(again)).toMatchObject({ extractedTo: 1, queuedTo })
    expect((await rangesOf(idle)).map(({ fromSeq, toSeq }) => [fromSeq, toSeq])).toEqual([
      [1, 1],
      [2, queuedTo],
    ])
  })

  verifies(
    'M52',
    'pending lists exactly the sessions that are not wholly learnt from, and waiting ends with the last job',
    async () => {
      const place = await makePlace()
      const first = gate()
      const last = gate()
      const { skein, session } = await opened(
        place,
        telling([() => first.promise.then(() => []), () => last.promise.then(() => []), []]),
      )
      const other = await skein.sessions.create({ user: 'ben' })
      await skein.sessions.create({ user: 'cyd' })
      const pending = async (): Promise<string[]> => (await skein.memory.pending()).map(found => found.session).sort()
      expect(await pending()).toEqual([])
      await say(session, 'one')
      await say(other, 'hello')
      expect(await pending()).toEqual([session.id, other.id].sort())
      await skein.memory.extract(session.id)
      await say(session, 'two')
      await skein.memory.extract(session.id)
      await expect.poll(() => cursors(session)).toMatchObject({ running: true, state: 'running' })
      let ended = false
      const idle = skein.jobs.idle({ session: session.id }).then(() => (ended = true))
      first.open()
      await expect.poll(async () => (await rangesOf(skein)).map(({ state }) => state)).toEqual(['empty', 'running'])
      expect(ended).toBe(false)
      expect(await pending()).toEqual([session.id, other.id].sort())
      last.open()
      await idle
      expect(await pending()).toEqual([other.id])
      await learn(skein, other)
      expect(await pending()).toEqual([])
      await say(session, 'three')
      expect(await pending()).toEqual([session.id])
    },
  )

  verifies(
    'M53',
    'the summary gains a line for each change but none for the same, and keeps the newest whole lines',
    async () => {
      const place = await makePlace()
      const many = (from: number): ReturnType<typeof fact>[] =>
        Array.from({ length: 60 }, (_, n) => fact({ key: `key-${from + n}`, content: `Fact ${from + n} is unlike others.` }))
      const extractor = telling([
        [fact()],
        [fact(), fact({ content: 'Likes black tea.' })],
        [fact({ content: 'Likes black tea.' })],
        many(0),
        [],
      ])
      const { skein, session } = await opened(place, extractor)
      for (const text of ['1', '2', '3', '4', '5']) {
        await say(session, text)
        await learn(skein, session)
        await session.commit({ extract: false })
      }
      const uri = 'skein://default/user/ada/preference/tea'
      const [first, second, third, fourth, fifth] = extractor.inputs.map(({ summary }) => summary)
      expect([first, second]).toEqual(['', `- [add] ${uri}`])
      expect(third).toBe(`- [add] ${uri}\n- [supersede] ${uri}`)
      expect(fourth).toBe(third)
      const lines = fifth?.split('\n') ?? []
      expect(fifth?.length).toBeLessThanOrEqual(2_000)
      expect(`${fifth}\n${lines[0]}`.length).toBeGreaterThan(2_000)
      expect(lines.at(-1)).toBe('- [add] skein://default/user/ada/preference/key-59')
      expect(lines.every(line => /^- \[add\] skein:\/\/default\/user\/ada\/preference\/key-\d+$/.test(line))).toBe(true)
    },
  )

  verifies('M54', 'an answer that was paid for is applied by whoever comes next, without asking again', async () => {
    const place = await makePlace()
    const asked = telling([[fact()]])
    const store = await place.store()
    let dead = false
    // Between the two transactions the process ends: nothing that it writes from there on arrives.
    const dying: Store = {
      ...store,
      in: tenant => {
        const inner = store.in(tenant)
        return {
          ...inner,
          commit: async (changes, options) => {
            if (dead) throw new SkeinError('store.unavailable', 'Gone.')
            const committed = await inner.commit(changes, options)
            dead = changes.some(change => change.type === 'put_record' && change.collection === 'job.step')
            return committed
          },
        }
      },
      heartbeat: () => Promise.reject(new SkeinError('store.unavailable', 'Gone.')),
      claim: async (...given) => (dead ? undefined : await store.claim(...given)),
      close: async () => undefined,
    }
    const memory = { commit: 'manual', extractor: asked } as const
    const first = await openSkein({ store: dying, clock: place.clock, memory })
    const session = await first.sessions.create({ user: 'ada' })
    await say(session, 'I like tea.')
    await first.memory.extract(session.id)
    await expect.poll(() => dead).toBe(true)
    await first.close({ waitMs: 0 })
    const next = await place.open({ worker: true, memory })
    expect(await rangesOf(next)).toMatchObject([{ state: 'running', counts: { candidates: 0 } }])
    place.clock.advance(16_000)
    await next.jobs.idle()
    expect(await rangesOf(next)).toMatchObject([{ state: 'ok', attempts: 2, counts: { applied: 1 } }])
    expect((await next.memory.list('ada')).items).toMatchObject([{ content: 'Likes green tea.' }])
    expect(asked.inputs).toHaveLength(1)
  })

  verifies('M56', 'rules@1 learns what a user says plainly, and nothing from questions, quotations, code or others', async () => {
    const place = await makePlace()
    const { skein, session } = await opened(place, 'rules')
    const plain = [
      'My name is Ada. I live in Berlin, near the river. I work at ACME! I work as an engineer. I am from Kyiv.',
      'I prefer green tea.\nAlways use tabs. Never use var.',
      'Remember that the gate code changes on each Monday. Remember: call Ben.',
      'We decided to ship on Friday. Decision: no more meetings.',
    ]
    await session.append([
      ...plain.map(content => ({ role: 'user' as const, content })),
      { role: 'user', content: 'Is my name Eve? She said: \'my name is Eve\'. He wrote: "Hi. My name is Eve. Bye."' },
      { role: 'user', content: '```\nmy name is Eve\n```\n> My name is Eve.\nPerhaps my name is Eve. `I live in Rome.`' },
      { role: 'assistant', content: 'My name is Bot. I live in the cloud.' },
    ])
    await learn(skein, session)
    const found = (await skein.memory.list('ada', { limit: 200 })).items.map(
      ({ category, key, content, confidence }) => [category, category === 'event' ? '' : key, content, confidence] as const,
    )
    expect(new Set(found)).toEqual(
      new Set([
        ['profile', 'name', 'Ada', 0.9],
        ['profile', 'home', 'Berlin, near the river', 0.8],
        ['profile', 'employer', 'ACME', 0.8],
        ['profile', 'role', 'an engineer', 0.8],
        ['profile', 'origin', 'Kyiv', 0.8],
        ['preference', 'green-tea', 'I prefer green tea.', 0.8],
        ['preference', 'tabs', 'Always use tabs.', 0.8],
        ['preference', 'var', 'Never use var.', 0.8],
        ['entity', 'the-gate-code-changes-on-each', 'Remember that the gate code changes on each Monday.', 0.7],
        ['entity', 'call-ben', 'Remember: call Ben.', 0.7],
        ['event', '', 'We decided to ship on Friday.', 0.7],
        ['event', '', 'Decision: no more meetings.', 0.7],
      ]),
    )
    const [name] = await skein.memory.search({ query: 'Ada', owner: 'ada', categories: ['profile'] })
    expect(name).toMatchObject({ abstract: 'My name is Ada.', evidence: [{ quote: 'My name is Ada.' }], inference: false })
  })

  verifies('M77', 'the counts of a range add up, and history knows the uri of each candidate applied', async () => {
    const place = await makePlace()
    const candidates = [
      fact(),
      fact(),
      fact({ content: 'Likes black tea.' }),
      fact({ confidence: 0.1 }),
      fact({ category: 'case', owner: 'agent', content: 'Rebooting helped.' }),
      {},
    ]
    const { skein, session } = await opened(place, telling([candidates]))
    await say(session, 'hello')
    await learn(skein, session)
    const [range] = await rangesOf(skein)
    const counts = range?.counts ?? { candidates: 0, applied: 0, belowThreshold: 0, rejected: 0 }
    expect(counts).toEqual({ candidates: 6, applied: 4, belowThreshold: 1, rejected: 1 })
    expect(range?.applied.map(({ index, action }) => [index, action])).toEqual([
      [0, 'add'],
      [1, 'same'],
      [2, 'supersede'],
      [4, 'add'],
    ])
    for (const { uri } of range?.applied ?? [])
      expect((await skein.memory.history(uri)).every(memory => memory.uri === uri)).toBe(true)
  })

  it('skips what no user says and what its caller does not want learnt, without a call', async () => {
    const place = await makePlace()
    const extractor = telling([[fact()]])
    const { skein, session } = await opened(place, extractor)
    await session.append([{ role: 'assistant', content: 'Hello, I am here.' }])
    expect(await session.commit()).toMatchObject({ extraction: 'skipped' })
    await say(session, 'secret')
    expect(await session.commit({ extract: false })).toMatchObject({ extraction: 'skipped' })
    expect((await rangesOf(skein)).map(({ state, reason }) => [state, reason])).toEqual([
      ['skipped', 'no_user_text'],
      ['skipped', 'by_caller'],
    ])
    expect(extractor.inputs).toEqual([])
    expect(await skein.memory.pending()).toEqual([])
  })

  it('shows an extractor tool results in at most 2,000 characters, and nothing that was recalled or noted', async () => {
    const place = await makePlace()
    const extractor = telling([[]])
    const { skein, session } = await opened(place, extractor)
    await session.append([
      { role: 'user', parts: [{ type: 'text', text: 'Look. <skein-memory kind="x" id="y">old</skein-memory> Now.' }] },
      { role: 'assistant', parts: [{ type: 'tool_call', callId: 'c1', tool: 'read', input: {} }] },
      { role: 'tool', parts: [{ type: 'tool_result', callId: 'c1', tool: 'read', output: `begin ${'x'.repeat(9_000)} end` }] },
    ])
    await learn(skein, session)
    const entries = extractor.inputs[0]?.entries ?? []
    expect(entries.map(({ role }) => role)).toEqual(['user', 'tool'])
    expect(entries[0]?.text.replace(/\s+/g, ' ')).toBe('Look. Now.')
    expect(entries[1]?.text).toMatch(/^begin x+\n\[…\]\nx+ end$/)
    expect(entries[1]?.text.length).toBeLessThanOrEqual(2_000)
  })

  it('splits a range between turns, then between entries, then inside one, and learns from each piece in order', async () => {
    const place = await makePlace()
    const extractor = telling([[]], { maxInputTokens: 60 })
    const { skein, session } = await opened(place, extractor)
    const long = Array.from({ length: 80 }, (_, n) => `sentence ${n} of it.`).join(' ')
    await session.append([
      { role: 'user', content: 'a short one' },
      { role: 'assistant', content: 'an answer' },
      { role: 'user', content: long },
      { role: 'user', content: 'the end' },
    ])
    await learn(skein, session)
    const ranges = await rangesOf(skein)
    expect(ranges[0]).toMatchObject({ fromSeq: 1 })
    for (const [index, range] of ranges.entries()) {
      const before = ranges[index - 1]
      if (before !== undefined) expect(range.fromSeq).toBe(before.piece?.last === false ? before.fromSeq : before.toSeq + 1)
    }
    const pieces = ranges.flatMap(({ piece }) => piece ?? [])
    expect(pieces.length).toBeGreaterThan(3)
    const said = extractor.inputs.flatMap(({ entries }) => entries.map(({ text }) => text))
    expect(said.slice(0, 2)).toEqual(['a short one', 'an answer'])
    expect(said.slice(2, -1).join('')).toBe(long)
    expect(said.at(-1)).toBe('the end')
    expect(await cursors(session)).toMatchObject({ extractedTo: ranges.at(-1)?.toSeq })
  })

  it('owes a memory to who wrote the entry that is cited, where the session has no user', async () => {
    const place = await makePlace()
    const { skein } = await opened(place, 'rules')
    const room = await skein.sessions.create()
    await room.append([
      { role: 'user', content: 'My name is Ann.', source: { platform: 'local', userId: 'u-ann' } },
      { role: 'user', content: 'My name is Ben.', from: 'ben' },
      { role: 'user', content: 'My name is Nobody.' },
    ])
    await learn(skein, room)
    expect((await rangesOf(skein))[0]).toMatchObject({ state: 'partial', rejected: [{ index: 2, code: 'owner_unknown' }] })
    expect((await skein.memory.list('u-ann')).items).toMatchObject([{ content: 'Ann' }])
    expect((await skein.memory.list('ben')).items).toMatchObject([{ content: 'Ben' }])
  })
})
