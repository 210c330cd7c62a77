import type { EntryId, SessionId } from '#kernel'
import type { SearchQuery, TenantStore } from '#journal'
import { equal, type Law, numbers, ok, present, refused, type Setting } from './setting.ts'
import { appendOf, startOfTime, Writer } from './writer.ts'

const corpus = {
  tokyo: '私は東京に住む',
  kyoto: '京都が好きです',
  fox: 'The quick brown fox jumps over the lazy dog',
  dog: 'A lazy afternoon, a quick nap: the dog sleeps',
  versions: 'Upgrade foo-bar to v2.10.3 and set MAX_TOKENS=4096',
  accents: 'Crème brûlée im Café, STRASSE und Straße, ﬁnance',
  odd: 'nothing "here" * - but signs',
  empty: '!!! ??? ---',
  korean: '안녕하세요 세계',
  lone: 'broken \ud800 half then needle',
  numbers: 'room 101 costs 2048',
} as const
type Name = keyof typeof corpus

/** One message per text; gives the names of what a query finds, in alphabetical order. */
async function told(setting: Setting): Promise<{ writer: Writer; find: (query: string | SearchQuery) => Promise<Name[]> }> {
  const writer = await Writer.begin(setting)
  const names = new Map<EntryId, Name>()
  for (const name of Object.keys(corpus) as Name[]) names.set(await writer.say(corpus[name]), name)
  return {
    writer,
    find: async query => {
      const { hits, behind } = await setting.t.search(typeof query === 'string' ? { query } : query)
      equal(behind, undefined)
      return hits.map(hit => present(names.get(hit.entry))).sort()
    },
  }
}

const sessionsOf = async (t: TenantStore, query: SearchQuery): Promise<SessionId[]> => [
  ...new Set((await t.search(query)).hits.map(hit => hit.session)),
]

export function searching(law: Law): void {
  law('J45', 'the same corpus and query give the same hits: words, phrases, prefixes, negation, CJK', async setting => {
    const { find } = await told(setting)
    const expected: [string, Name[]][] = [
      ['東京', ['tokyo']],
      ['京都', ['kyoto']],
      ['東京 -京都', ['tokyo']],
      ['東京都', []],
      ['京', ['kyoto', 'tokyo']],
      ['세계', ['korean']],
      ['하세', ['korean']],
      ['quick', ['dog', 'fox']],
      ['QUICK lazy', ['dog', 'fox']],
      ['quick fox', ['fox']],
      ['"quick brown"', ['fox']],
      ['"brown quick"', []],
      ['"the dog"', ['dog']],
      ['quick -fox', ['dog']],
      ['quick -"brown fox"', ['dog']],
      ['-quick', []],
      ['qui*', ['dog', 'fox']],
      ['qui', []],
      ['jum* laz*', ['fox']],
      ['-qui* room', ['numbers']],
      ['foo-bar', ['versions']],
      ['foo bar', ['versions']],
      ['bar-foo', []],
      ['v2.10.3', ['versions']],
      ['max_tokens', ['versions']],
      ['straße', ['accents']],
      ['strasse', ['accents']],
      ['finance', ['accents']],
      ['café', ['accents']],
      ['cafe\u0301', ['accents']],
      ['cafe', []],
      ['10*', ['numbers', 'versions']],
      ['2048', ['numbers']],
      ['needle', ['lone']],
      ['nowhere', []],
      ['"quick"brown', ['fox']],
    ]
    for (const [query, names] of expected) equal(await find(query), names, query)
  })

  law('J45', 'signs alone, and any other text, never raise', async setting => {
    const { find } = await told(setting)
    for (const query of [
      '"',
      '*',
      '-',
      '',
      ' ',
      '""',
      '"*"',
      '-"',
      '- -',
      '--',
      '***',
      '(',
      ')',
      'AND',
      'OR NOT',
      'NEAR(',
      'a:b',
      '\u0000',
      '\ud800',
      "'",
      ';',
      '^x',
      '"unclosed',
      '%',
      '\\',
      '{}',
    ])
      ok(Array.isArray(await find(query)), query)
    for (const query of ['"', '*', '-', '""', '', '\u0000']) equal(await find(query), [], query)
    equal(await find('"here" * -'), ['odd'])
    equal(await find('"lazy dog'), ['dog', 'fox'])
    equal(await find({ query: 'needle', limit: 100 }), ['lone'])
  })

  law('J45', 'any of the words is enough when asked for', async setting => {
    const { find } = await told(setting)
    equal(await find({ query: 'fox room', match: 'any' }), ['fox', 'numbers'])
    equal(await find({ query: 'fox room', match: 'all' }), [])
    equal(await find({ query: 'fox room dog -sleeps', match: 'any' }), ['fox', 'numbers'])
    equal(await find({ query: '東京 京都', match: 'any' }), ['kyoto', 'tokyo'])
  })

  law('J45', 'a hit says where and how it was found, and its ranges mark the words', async setting => {
    const { t } = setting
    const writer = await Writer.begin(setting)
    await t.commit([appendOf(writer.session, [writer.side('session_titled', { title: 'Trip' })])])
    const text = `${'filler '.repeat(60)}the Golden gate and a golden ring ${'more '.repeat(60)}`
    const entry = await writer.say(text, 'assistant', { at: startOfTime + 9 })
    const { hits } = await t.search({ query: 'golden' })
    const hit = present(hits[0])
    equal(
      [hits.length, hit.session, hit.entry, hit.seq, hit.at, hit.role, hit.title],
      [1, writer.session, entry, 3, startOfTime + 9, 'assistant', 'Trip'],
    )
    ok(text.includes(hit.snippet) && hit.snippet.length < text.length)
    equal(
      hit.ranges.map(([from, to]) => hit.snippet.slice(from, to).toLowerCase()),
      ['golden', 'golden'],
    )
  })

  law(
    'J45',
    'titles, labels, summaries, tool results and large texts are found, under their role; other entries are not',
    async setting => {
      const { t } = setting
      const writer = await Writer.begin(setting)
      await writer.commit(
        writer.side('session_titled', { title: 'marker one' }),
        writer.side('entry_labelled', { entry: writer.root, label: 'marker two' }),
        writer.side('summary_added', { text: 'marker three' }),
        writer.path('message_added', {
          role: 'tool',
          parts: [{ type: 'tool_result', callId: 'c', tool: 't', status: 'ok', output: { deep: ['marker four'] } }],
        }),
        writer.side('model_changed', { model: 'marker' }),
        writer.side('quantum_leapt', { text: 'marker' }),
        writer.path('message_added', {
          role: 'assistant',
          parts: [
            { type: 'reasoning', text: 'marker' },
            { type: 'tool_call', callId: 'c', tool: 'marker', input: 'marker' },
          ],
        }),
      )
      await t.commit([writer.stowed([{ type: 'text', text: `${'x '.repeat(3_000)} marker five` }]).change])
      const roles = async (query: SearchQuery) => (await t.search(query)).hits.map(hit => hit.role).sort()
      equal(await roles({ query: 'marker' }), ['entry_labelled', 'session_titled', 'summary_added', 'tool', 'user'])
      equal(await roles({ query: 'marker', roles: ['tool', 'user'] }), ['tool', 'user'])
      equal(await roles({ query: 'marker', roles: [] }), [])
      equal(await roles({ query: 'marker five' }), ['user'])
      equal(await roles({ query: 'marker four' }), ['tool'])
    },
  )

  law('J45', 'a search keeps to its session, to sessions that are in the lists, and to its limit', async setting => {
    const { t, other, ids } = setting
    const [a, b, ended, deleted, hidden] = [
      await Writer.begin(setting),
      await Writer.begin(setting),
      await Writer.begin(setting, { fields: { state: 'ended' } }),
      await Writer.begin(setting, { fields: { state: 'deleted' } }),
      await Writer.begin(setting, { fields: { hidden: true } }),
    ]
    for (const writer of [a, b, ended, deleted, hidden]) await writer.say('shared secret')
    equal((await sessionsOf(t, { query: 'secret' })).sort(), [a.session, b.session, ended.session].sort())
    equal(await sessionsOf(t, { query: 'secret', session: b.session }), [b.session])
    for (const session of [deleted.session, hidden.session, ids('ses')])
      equal(await sessionsOf(t, { query: 'secret', session }), [])
    equal((await other.search({ query: 'secret' })).hits, [])
    await a.commit(...numbers(1, 130).map(n => a.message(`secret ${n}`)))
    equal((await t.search({ query: 'secret', session: a.session })).hits.length, 20)
    equal((await t.search({ query: 'secret', session: a.session, limit: 1 })).hits.length, 1)
    equal((await t.search({ query: 'secret', session: a.session, limit: 100 })).hits.length, 100)
    for (const limit of [0, 101, 1.5]) await refused(t.search({ query: 'secret', limit }), 'input.invalid')
  })

  law('J46', 'an acknowledged entry is found by the next search, also through another handle', async setting => {
    const { t } = setting
    const writer = await Writer.begin(setting)
    const second = (await setting.another()).in(t.tenant)
    for (const n of numbers(1, 15)) {
      const entry = await writer.say(`unique${n} word`)
      for (const handle of [t, second])
        equal(
          (await handle.search({ query: `unique${n}` })).hits.map(hit => hit.entry),
          [entry],
        )
    }
    equal((await t.search({ query: 'word' })).hits.length, 15)
  })

  law('J46', 'abandoned branches and moved leaves are found all the same', async setting => {
    const writer = await Writer.begin(setting)
    const a = await writer.say('kept')
    const b = await writer.say('abandoned treasure')
    await writer.moveTo(a)
    await writer.say('other way')
    equal(
      (await setting.t.search({ query: 'treasure' })).hits.map(hit => hit.entry),
      [b],
    )
  })
}
