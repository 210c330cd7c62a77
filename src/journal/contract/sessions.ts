import type { SessionId } from '#kernel'
import { noCounters, noLease, type Results, type SessionFilter, type TenantStore } from '#journal'
import { equal, type Law, numbers, ok, present, refused, type Setting } from './setting.ts'
import { type Beginning, createSession, startOfTime, Writer } from './writer.ts'

async function make({ t, ids }: Pick<Setting, 't' | 'ids'>, beginning: Beginning = {}): Promise<SessionId> {
  const session = ids('ses')
  await t.commit([createSession(session, beginning)])
  return session
}

const found = async (t: TenantStore, filter: SessionFilter): Promise<SessionId[]> =>
  (await t.sessions({ sort: 'createdAt', ...filter })).items.map(row => row.id)

/** Follows the cursors to the end. */
async function pages(
  t: TenantStore,
  filter: SessionFilter,
  between: () => Promise<unknown> = async () => undefined,
): Promise<SessionId[]> {
  const seen: SessionId[] = []
  for (let page = await t.sessions(filter); ; page = await t.sessions({ ...filter, cursor: present(page.next) })) {
    ok(page.items.length <= (filter.limit ?? 50))
    seen.push(...page.items.map(row => row.id))
    if (page.next === undefined) return seen
    await between()
  }
}

export function sessions(law: Law): void {
  law('J29', 'a created session reads back with all its fields, by id and by alias', async setting => {
    const { t, ids } = setting
    const fields = {
      state: 'active',
      hidden: false,
      title: 'Plan „Ost“ 😀',
      preview: 'a\u0000b',
      user: 'u1',
      agent: 'main',
      platform: 'telegram',
      cwd: '/srv/x',
      parent: ids('ses'),
      model: 'demo/echo',
      tags: ['b', 'a'],
      createdAt: 5,
      updatedAt: 6,
      lastMessageAt: 7,
      lastAccessedAt: 8,
    } as const
    const data = { metadata: { a: [1, null] }, holds: {} }
    const session = await make(setting, { alias: 'chat-42', fields, data })
    const row = {
      ...fields,
      id: session,
      alias: 'chat-42',
      seq: 0,
      leafId: null,
      totals: { messages: 0, turns: 0, tokens: 0 },
      counters: noCounters,
      data,
      lease: noLease,
    }
    equal(await t.session(session), row)
    equal(await t.session({ alias: 'chat-42' }), row)
    equal(await t.session({ alias: 'chat-4' }), undefined)
    equal(await t.session(ids('ses')), undefined)
  })

  law('J29', 'an id or an alias that is taken is session.exists and names who has it', async setting => {
    const { t, other, ids } = setting
    const session = await make(setting, { alias: 'chat-42' })
    await refused(t.commit([createSession(session)]), 'session.exists', { session })
    await refused(t.commit([createSession(ids('ses'), { alias: 'chat-42' })]), 'session.exists', { session })
    await refused(
      t.commit([createSession(ids('ses'), { alias: 'x' }), createSession(ids('ses'), { alias: 'x' })]),
      'session.exists',
    )
    equal(await t.session({ alias: 'x' }), undefined)
    await other.commit([createSession(ids('ses'), { alias: 'chat-42' })])
    ok((await other.session({ alias: 'chat-42' }))?.id !== session)
  })

  law('J29', 'of 20 concurrent creations under one alias one succeeds', async ({ t, ids }) => {
    const outcomes = await Promise.allSettled(numbers(1, 20).map(() => t.commit([createSession(ids('ses'), { alias: 'one' })])))
    equal(outcomes.filter(outcome => outcome.status === 'fulfilled').length, 1)
    equal((await t.sessions()).items.length, 1)
  })

  law('J29', 'a head patch sets fields, merges data, adds counters, and never turns a time back', async setting => {
    const { t } = setting
    const writer = await Writer.begin(setting, { data: { keep: { a: 1, b: 2 }, list: [1] } })
    const { session } = writer
    const { results } = await t.commit([
      {
        type: 'append',
        session,
        entries: [writer.side('custom', { name: 'x', data: 1 })],
        head: {
          set: { title: 'T', tags: ['x'], updatedAt: startOfTime + 50, lastMessageAt: startOfTime + 50, state: 'ended' },
          merge: { keep: { a: null, c: { d: 3 } }, list: [2], fresh: true },
          add: { requests: 2, costNano: 1_000_000_007 },
        },
      },
      {
        type: 'append',
        session,
        entries: [],
        head: {
          set: { updatedAt: startOfTime + 40, lastMessageAt: 1, lastAccessedAt: 1 },
          add: { requests: 1, outputTokens: 5 },
        },
      },
    ])
    const row = present(await t.session(session))
    equal(
      [row.title, row.tags, row.state, row.updatedAt, row.lastMessageAt, row.lastAccessedAt],
      ['T', ['x'], 'ended', startOfTime + 50, startOfTime + 50, startOfTime],
    )
    equal(row.data, { keep: { b: 2, c: { d: 3 } }, list: [2], fresh: true })
    equal(row.counters, { ...noCounters, requests: 3, costNano: 1_000_000_007, outputTokens: 5 })
    equal((results[1] as Results['append']).counters, row.counters)
    equal([row.seq, row.leafId], [2, writer.root])
  })

  law('J29', 'counters that are added to at once all count', async setting => {
    const writer = await Writer.begin(setting)
    await Promise.all(
      numbers(1, 40).map(n =>
        setting.t.commit([
          {
            type: 'append',
            session: writer.session,
            entries: [writer.side('custom', { name: `${n}`, data: n })],
            head: { add: { requests: n } },
          },
        ]),
      ),
    )
    const row = present(await setting.t.session(writer.session))
    equal([row.counters.requests, row.seq], [820, 41])
  })

  law(
    'S7',
    'paging with any limit shows each untouched session exactly once, newest first, while others are updated',
    async setting => {
      const { t } = setting
      const all: SessionId[] = []
      for (const n of numbers(1, 24)) {
        // Ties of three, broken by id.
        const at = startOfTime + Math.floor(n / 3)
        all.push((await Writer.begin(setting, { fields: { createdAt: at, updatedAt: at, title: `t${n % 5}` } })).session)
      }
      const busy = all.filter((_, index) => index % 4 === 0)
      const untouched = all.filter(session => !busy.includes(session))
      const newest = [...untouched].reverse()
      let tick = 1_000
      for (const limit of [1, 2, 3, 7, 24, 200]) {
        const seen = await pages(t, { limit }, async () => {
          const session = present(busy[tick % busy.length])
          await t.commit([{ type: 'append', session, entries: [], head: { set: { updatedAt: startOfTime + tick++ } } }])
        })
        equal(
          seen.filter(session => untouched.includes(session)),
          newest,
          `limit ${limit}`,
        )
      }
    },
  )

  law('S7', 'every order pages through everything, ties by id, absent titles first', async setting => {
    const { t } = setting
    const rows: [SessionId, number, string | null][] = []
    for (const n of numbers(0, 9)) {
      const title = n % 3 === 0 ? null : `t${n % 4}`
      const at = startOfTime + (n % 5)
      rows.push([await make(setting, { fields: { createdAt: at, updatedAt: at, lastAccessedAt: at, title } }), at, title])
    }
    const order = (by: (a: (typeof rows)[number], b: (typeof rows)[number]) => number): SessionId[] =>
      [...rows].sort((a, b) => by(a, b) || (a[0] < b[0] ? -1 : 1)).map(row => row[0])
    const byTime = order((a, b) => a[1] - b[1])
    const byTitle = order((a, b) => ((a[2] ?? '') < (b[2] ?? '') ? -1 : (a[2] ?? '') > (b[2] ?? '') ? 1 : 0))
    for (const limit of [1, 3, 10]) {
      for (const sort of ['createdAt', 'updatedAt'] as const) equal(await pages(t, { sort, limit }), byTime, sort)
      for (const sort of ['-createdAt', '-updatedAt', '-lastAccessedAt'] as const)
        equal(await pages(t, { sort, limit }), [...byTime].reverse(), sort)
      equal(await pages(t, { sort: 'title', limit }), byTitle, 'title')
    }
  })

  law('S7', 'a limit of 0 or 201, an unknown order and a foreign cursor are refused', async setting => {
    const { t } = setting
    await make(setting)
    await make(setting)
    for (const limit of [0, 201, -1, 1.5, Number.NaN]) await refused(t.sessions({ limit }), 'input.invalid')
    await refused(t.sessions({ sort: 'constructor' as 'title' }), 'input.invalid')
    for (const cursor of ['', 'x', 'bnVsbA', '[]']) await refused(t.sessions({ cursor }), 'input.invalid')
    const { next } = await t.sessions({ limit: 1 })
    await refused(t.sessions({ sort: 'title', cursor: present(next) }), 'input.invalid')
  })

  law('J29', 'every filter leaves exactly the sessions that fit, and they combine', async setting => {
    const { t, ids } = setting
    const parent = ids('ses')
    const a = await make(setting, {
      alias: 'Chat-7',
      fields: { user: 'u1', title: '100% sure_', createdAt: 1, updatedAt: 10, tags: ['x', 'y'] },
    })
    const b = await make(setting, {
      fields: { agent: 'helper', platform: 'telegram', preview: 'Grüße, ÄRGER', createdAt: 2, updatedAt: 20, tags: ['xy'] },
    })
    const c = await make(setting, { fields: { cwd: '/srv/One', parent, user: 'u1', createdAt: 3, updatedAt: 30 } })
    const ended = await make(setting, { fields: { state: 'ended', createdAt: 4, updatedAt: 40 } })
    const deleted = await make(setting, { fields: { state: 'deleted', createdAt: 5, updatedAt: 50 } })
    const hidden = await make(setting, { fields: { hidden: true, createdAt: 6, updatedAt: 60 } })
    const cases: [SessionFilter, SessionId[]][] = [
      [{}, [a, b, c, ended]],
      [{ states: ['deleted'] }, [deleted]],
      [{ states: ['active', 'deleted'] }, [a, b, c, deleted]],
      [{ states: [] }, []],
      [{ ids: [c, a, hidden, ids('ses')] }, [a, c]],
      [{ ids: [] }, []],
      [{ user: 'u1' }, [a, c]],
      [{ user: 'U1' }, []],
      [{ agent: 'helper' }, [b]],
      [{ platform: 'telegram' }, [b]],
      [{ cwd: '/srv/One' }, [c]],
      [{ cwd: '/srv' }, []],
      [{ parent }, [c]],
      [{ tag: 'x' }, [a]],
      [{ tag: 'xy' }, [b]],
      [{ since: 20 }, [b, c, ended]],
      [{ until: 20 }, [a, b]],
      [{ since: 20, until: 20 }, [b]],
      [{ user: 'u1', since: 11 }, [c]],
      [{ query: 'chat-7' }, [a]],
      [{ query: '% SURE_' }, [a]],
      [{ query: '%' }, [a]],
      [{ query: '_' }, [a, b, c, ended]],
      [{ query: 'ärger' }, [b]],
      [{ query: 'SRV/ONE' }, [c]],
      [{ query: c.toLowerCase() }, [c]],
      [{ query: 'nowhere' }, []],
    ]
    for (const [filter, expected] of cases) equal(await found(t, filter), expected, JSON.stringify(filter))
    equal((await t.session(hidden))?.hidden, true)
  })

  law(
    'J13',
    'a copy holds entries 1…n of its source, in as many commits as it takes, and later writes to either stay apart',
    async setting => {
      const { t, ids } = setting
      const source = await Writer.begin(setting, { fields: { title: 'source' } })
      const blob = source.stowed([{ type: 'text', text: 'y'.repeat(5_000) }])
      await t.commit([blob.change])
      for (const n of numbers(1, 6)) await source.say(`said ${n}`)
      const to = ids('ses')
      const { results } = await t.commit([
        createSession(to, { fields: { hidden: true } }),
        { type: 'copy_session', from: source.session, to, toSeq: 3 },
        { type: 'copy_session', from: source.session, to, fromSeq: 4, toSeq: 6 },
      ])
      equal(results.slice(1), [{ entries: 3 }, { entries: 3 }])
      const original = await t.entries(source.session)
      equal(
        await t.entries(to),
        original.slice(0, 6).map(entry => ({ ...entry, session: to })),
      )
      equal(await t.hasBlob(to, present(blob.blobs[0]).id), true)
      const leaf = present(original[5]).id
      await t.commit([
        { type: 'acquire', session: to, owner: 'copier', leaseMs: 1_000 },
        {
          type: 'append',
          session: to,
          entries: [source.side('session_forked', { from: source.session, at: leaf, seq: 6 })],
          head: { set: { hidden: false }, setsLeaf: leaf },
          fence: { of: 0 },
        },
      ])
      await source.say('only in the source')
      equal((await t.entries(to)).length, 7)
      equal(
        (await t.branch(to)).map(entry => entry.seq),
        [6, 5, 4, 3, 2, 1],
      )
      equal((await t.entries(source.session)).length, 9)
      equal((await t.branch(source.session)).length, 9)
      equal((await t.entries(source.session)).slice(0, 8), original)
    },
  )

  law('J13', 'copying beyond the end, with a hole, or from or to an unknown session is refused', async setting => {
    const { t, ids } = setting
    const source = await Writer.begin(setting)
    const to = ids('ses')
    const copy = { type: 'copy_session', from: source.session, to } as const
    await refused(t.commit([createSession(to), { ...copy, toSeq: 2 }]), 'input.invalid')
    await source.say('x')
    await refused(t.commit([createSession(to), { ...copy, fromSeq: 2, toSeq: 2 }]), 'input.invalid')
    await refused(t.commit([createSession(to), { ...copy, from: ids('ses'), toSeq: 1 }]), 'session.not_found')
    await refused(t.commit([{ ...copy, toSeq: 1 }]), 'session.not_found')
    equal(await t.session(to), undefined)
  })
}
