import type { PutArchive, PutRecord, RecordsQuery } from '#journal'
import { equal, type Law, numbers, present, refused } from './setting.ts'
import { Writer } from './writer.ts'

const record = (key: string, more: Partial<PutRecord> = {}): PutRecord => ({
  type: 'put_record',
  collection: 'c',
  key,
  value: key,
  ...more,
})

export function rows(law: Law): void {
  law('J29', 'a view is stored, replaced by a newer one, and kept against an older one of its format', async setting => {
    const { t, ids } = setting
    const { session } = await Writer.begin(setting)
    const put = async (format: number, seq: number, data: string): Promise<unknown> =>
      (await t.commit([{ type: 'put_view', session, name: 'tree', format, seq, data }])).results[0]
    equal(await put(1, 5, 'first'), { stored: true })
    equal(await put(1, 4, 'older'), { stored: false })
    equal(await put(1, 5, 'same'), { stored: true })
    equal(await t.view(session, 'tree'), { session, name: 'tree', format: 1, seq: 5, data: 'same' })
    equal(await put(2, 1, 'new format'), { stored: true })
    equal(await t.view(session, 'tree'), { session, name: 'tree', format: 2, seq: 1, data: 'new format' })
    equal(await t.view(session, 'other'), undefined)
    await refused(
      t.commit([{ type: 'put_view', session: ids('ses'), name: 'v', format: 1, seq: 1, data: 1 }]),
      'session.not_found',
    )
  })

  law('J29', 'a watermark moves from what is expected, within the journal, back as well as forth', async setting => {
    const { t, ids } = setting
    const writer = await Writer.begin(setting)
    for (const n of numbers(1, 4)) await writer.say(`${n}`)
    const { session } = writer
    const move = (seq: number, expect: number, reader = 'extract') =>
      t.commit([{ type: 'put_watermark', session, reader, seq, expect }])
    equal(await t.watermark(session, 'extract'), 0)
    equal((await move(3, 0)).results, [{ seq: 3 }])
    await refused(move(4, 2), 'store.conflict', { change: 0, expected: { watermark: 2 }, actual: { watermark: 3 } })
    await refused(move(6, 3), 'input.invalid')
    await move(1, 3)
    await move(5, 0, 'search')
    equal([await t.watermark(session, 'extract'), await t.watermark(session, 'search')], [1, 5])
    await refused(t.commit([{ type: 'put_watermark', session: ids('ses'), reader: 'x', seq: 0, expect: 0 }]), 'session.not_found')
  })

  law('J29', 'lagging names the sessions whose journal is ahead of the reader, and how far', async setting => {
    const { t } = setting
    const [a, b, c] = [await Writer.begin(setting), await Writer.begin(setting), await Writer.begin(setting)]
    await a.say('x')
    await t.commit([
      { type: 'put_watermark', session: b.session, reader: 'r', seq: 1, expect: 0 },
      { type: 'put_watermark', session: a.session, reader: 'r', seq: 1, expect: 0 },
    ])
    equal(await t.lagging('r'), [
      { session: a.session, seq: 2, watermark: 1 },
      { session: c.session, seq: 1, watermark: 0 },
    ])
    equal((await t.lagging('r', 1)).length, 1)
    equal((await t.lagging('other')).length, 3)
    await refused(t.lagging('r', 0), 'input.invalid')
  })

  law('J29', 'archives cover ranges of the journal, one version after the other', async setting => {
    const { t } = setting
    const writer = await Writer.begin(setting)
    for (const n of numbers(1, 9)) await writer.say(`${n}`)
    const { session } = writer
    const put = (id: string, fromSeq: number, toSeq: number, more: Partial<PutArchive> = {}) =>
      t.commit([{ type: 'put_archive', id, session, fromSeq, toSeq, data: { id }, expectVersion: 0, ...more }])
    equal((await put('arc_b', 4, 6)).results, [{ version: 1 }])
    await put('arc_a', 1, 3)
    equal(
      (await t.archives(session)).map(archive => archive.id),
      ['arc_a', 'arc_b'],
    )
    equal(await t.archive('arc_a'), {
      id: 'arc_a',
      session,
      fromSeq: 1,
      toSeq: 3,
      children: [],
      data: { id: 'arc_a' },
      version: 1,
    })
    await refused(put('arc_a', 1, 3), 'store.conflict', { expected: { version: 0 }, actual: { version: 1 } })
    await refused(put('arc_c', 1, 3, { expectVersion: 1 }), 'store.conflict')
    equal((await put('arc_a', 1, 3, { expectVersion: 1, data: { ready: true } })).results, [{ version: 2 }])
    equal((await t.archive('arc_a'))?.data, { ready: true })
    for (const [from, to] of [
      [0, 2],
      [3, 2],
      [7, 11],
    ] as const)
      await refused(put('arc_x', from, to), 'input.invalid')
    equal(await t.archive('arc_x'), undefined)
  })

  law('J29', 'an archive may overlap its children, parent and their kin, nothing else', async setting => {
    const { t, ids } = setting
    const writer = await Writer.begin(setting)
    for (const n of numbers(1, 19)) await writer.say(`${n}`)
    const { session } = writer
    const put = (id: string, fromSeq: number, toSeq: number, children: string[] = [], expectVersion = 0) =>
      t.commit([{ type: 'put_archive', id, session, fromSeq, toSeq, children, data: {}, expectVersion }])
    await put('arc_1', 1, 4)
    await put('arc_2', 5, 8)
    await put('arc_3', 9, 12)
    for (const [from, to] of [
      [1, 1],
      [4, 5],
      [12, 13],
      [1, 20],
      [2, 3],
    ] as const)
      await refused(put('arc_x', from, to), 'store.conflict', { change: 0, expected: { overlap: null } })
    await refused(put('arc_x', 1, 12, ['arc_1', 'arc_3']), 'store.conflict', { actual: { overlap: 'arc_2' } })
    await put('arc_12', 1, 8, ['arc_1', 'arc_2'])
    await put('arc_1', 1, 4, [], 1)
    await put('arc_all', 1, 12, ['arc_12', 'arc_3'])
    await put('arc_2', 5, 8, [], 1)
    await put('arc_12', 1, 8, ['arc_1', 'arc_2'], 1)
    equal(
      (await t.archives(session)).map(({ id, version }) => [id, version]),
      [
        ['arc_all', 1],
        ['arc_12', 2],
        ['arc_1', 2],
        ['arc_2', 2],
        ['arc_3', 1],
      ],
    )
    const second = await Writer.begin(setting)
    await t.commit([
      { type: 'put_archive', id: 'arc_other', session: second.session, fromSeq: 1, toSeq: 1, data: {}, expectVersion: 0 },
    ])
    equal((await t.archives(second.session)).length, 1)
    equal(await t.archives(ids('ses')), [])
    await refused(
      t.commit([{ type: 'put_archive', id: 'arc_n', session: ids('ses'), fromSeq: 1, toSeq: 1, data: {}, expectVersion: 0 }]),
      'session.not_found',
    )
  })

  law('J29', 'a route has versions from 1, and each write must expect the one that is there', async ({ t }) => {
    const put = (value: number, expectVersion: number, more: object = {}) =>
      t.commit([{ type: 'put_route', key: 'agent:telegram', value, expectVersion, ...more }])
    await refused(put(1, 1), 'store.conflict', { change: 0, expected: { version: 1 }, actual: { version: 0 } })
    equal((await put(1, 0, { tags: ['x', 'y'], sort: 7 })).results, [{ version: 1 }])
    await refused(put(2, 0), 'store.conflict', { actual: { version: 1 } })
    equal(await t.route('agent:telegram'), { key: 'agent:telegram', value: 1, tags: ['x', 'y'], sort: 7, version: 1 })
    equal((await put(2, 1)).results, [{ version: 2 }])
    equal(await t.route('agent:telegram'), { key: 'agent:telegram', value: 2, tags: [], sort: 0, version: 2 })
    await refused(t.commit([{ type: 'delete_route', key: 'agent:telegram', expectVersion: 1 }]), 'store.conflict')
    equal((await t.commit([{ type: 'delete_route', key: 'agent:telegram', expectVersion: 2 }])).results, [{ deleted: true }])
    equal((await t.commit([{ type: 'delete_route', key: 'agent:telegram', expectVersion: 0 }])).results, [{ deleted: false }])
    equal(await t.route('agent:telegram'), undefined)
  })

  law('J29', 'of 20 concurrent writes to one route that expect one version, one succeeds', async setting => {
    const second = (await setting.another()).in(setting.t.tenant)
    const outcomes = await Promise.allSettled(
      numbers(1, 20).map(n =>
        (n % 2 === 0 ? setting.t : second).commit([{ type: 'put_route', key: 'r', value: n, expectVersion: 0 }]),
      ),
    )
    equal(outcomes.filter(outcome => outcome.status === 'fulfilled').length, 1)
    for (const outcome of outcomes)
      if (outcome.status === 'rejected')
        await refused(Promise.reject(outcome.reason as Error), 'store.conflict', { actual: { version: 1 } })
  })

  law('J29', 'routes are listed like records, and apart from them', async ({ t }) => {
    await t.commit([
      { type: 'put_route', key: 'b', value: 1, tags: ['x'], sort: 2, expectVersion: 0 },
      { type: 'put_route', key: 'a', value: 2, sort: 2, expectVersion: 0 },
      { type: 'put_route', key: 'c', value: 3, tags: ['x'], sort: 1, expectVersion: 0 },
      record('a'),
    ])
    equal(
      (await t.routes()).items.map(route => route.key),
      ['c', 'a', 'b'],
    )
    const page = await t.routes({ tag: 'x', limit: 1 })
    equal(page.items, [{ key: 'c', value: 3, tags: ['x'], sort: 1, version: 1 }])
    equal(
      (await t.routes({ tag: 'x', limit: 1, cursor: present(page.next) })).items.map(route => route.key),
      ['b'],
    )
  })

  law('J29', 'records have versions, may be written blindly, and stand in collections of their own', async ({ t }) => {
    const { results } = await t.commit([
      record('a', { tags: ['x'], sort: 3, expectVersion: 0 }),
      record('a', { value: [2] }),
      record('a', { collection: 'd' }),
    ])
    equal(results, [{ version: 1 }, { version: 2 }, { version: 1 }])
    equal(await t.record('c', 'a'), { collection: 'c', key: 'a', value: [2], tags: [], sort: 0, expiresAt: null, version: 2 })
    await refused(t.commit([record('a', { expectVersion: 0 })]), 'store.conflict', {
      expected: { version: 0 },
      actual: { version: 2 },
    })
    await refused(t.commit([{ type: 'delete_record', collection: 'c', key: 'a', expectVersion: 1 }]), 'store.conflict')
    equal(
      (
        await t.commit([
          { type: 'delete_record', collection: 'c', key: 'a' },
          { type: 'delete_record', collection: 'c', key: 'a' },
        ])
      ).results,
      [{ deleted: true }, { deleted: false }],
    )
    equal(await t.record('c', 'a'), undefined)
    equal((await t.record('d', 'a'))?.version, 1)
    equal(await t.record('none', 'a'), undefined)
  })

  law('J29', 'an expired record is none: not read, not listed, not counted as a version', async ({ t, now, advance }) => {
    const at = await now()
    await t.commit([record('a', { expiresAt: at + 60_000 }), record('b', { expiresAt: at + 600_000 }), record('c')])
    equal(
      (await t.records('c')).items.map(row => row.key),
      ['a', 'b', 'c'],
    )
    await advance(61_000)
    equal(await t.record('c', 'a'), undefined)
    equal(
      (await t.records('c', { limit: 1 })).items.map(row => row.key),
      ['b'],
    )
    await refused(t.commit([record('a', { expectVersion: 1 })]), 'store.conflict', { actual: { version: 0 } })
    await t.commit([{ type: 'require', that: { collection: 'c', key: 'a', version: 0 } }])
    equal((await t.commit([{ type: 'delete_record', collection: 'c', key: 'a' }])).results, [{ deleted: false }])
    equal((await t.commit([record('a', { expectVersion: 0 })])).results, [{ version: 1 }])
    equal((await t.record('c', 'a'))?.expiresAt, null)
  })

  law('J29', 'a page of records is what tag, prefix, bounds, order and limit say', async ({ t }) => {
    await t.commit([
      record('a%1', { sort: 5, tags: ['x'] }),
      record('a_2', { sort: 5, tags: ['x', 'y'] }),
      record('ba_2', { sort: 1, tags: ['y'] }),
      record('aé', { sort: 9 }),
      record('A', { sort: -2.5 }),
    ])
    const all = ['A', 'ba_2', 'a%1', 'a_2', 'aé']
    const cases: [RecordsQuery, string[]][] = [
      [{}, all],
      [{ order: 'desc' }, [...all].reverse()],
      [{ tag: 'x' }, ['a%1', 'a_2']],
      [{ tag: 'y' }, ['ba_2', 'a_2']],
      [{ tag: 'z' }, []],
      [{ keyPrefix: 'a' }, ['a%1', 'a_2', 'aé']],
      [{ keyPrefix: 'a%' }, ['a%1']],
      [{ keyPrefix: 'a_' }, ['a_2']],
      [{ keyPrefix: '' }, all],
      [{ sortFrom: 5 }, ['a%1', 'a_2', 'aé']],
      [{ sortTo: 1 }, ['A', 'ba_2']],
      [{ sortFrom: 5, sortTo: 5 }, ['a%1', 'a_2']],
      [{ tag: 'y', sortFrom: 2 }, ['a_2']],
      [{ keyPrefix: 'a', order: 'desc', limit: 2 }, ['aé', 'a_2']],
    ]
    for (const [query, expected] of cases)
      equal(
        (await t.records('c', query)).items.map(row => row.key),
        expected,
        JSON.stringify(query),
      )
    for (const limit of [0, 1_001]) await refused(t.records('c', { limit }), 'input.invalid')
    await refused(t.records('c', { cursor: 'x' }), 'input.invalid')
  })

  law('J29', 'records page by cursor in both orders, each once, ties by key, while others come and go', async ({ t }) => {
    await t.commit(numbers(1, 20).map(n => record(`k${String(n).padStart(2, '0')}`, { sort: Math.floor(n / 4) })))
    for (const order of ['asc', 'desc'] as const) {
      for (const limit of [1, 3, 20]) {
        const seen: string[] = []
        for (let cursor: string | undefined; ;) {
          const page = await t.records('c', { order, limit, keyPrefix: 'k', ...(cursor === undefined ? {} : { cursor }) })
          seen.push(...page.items.map(row => row.key))
          cursor = page.next
          if (cursor === undefined) break
          await t.commit([record(`other${seen.length}`, { sort: seen.length % 5 })])
        }
        const expected = numbers(1, 20).map(n => `k${String(n).padStart(2, '0')}`)
        equal(seen, order === 'asc' ? expected : expected.reverse(), `${order} ${limit}`)
      }
    }
  })

  law('J29', 'a memory has versions from 1; of an existing one only evidence and data change', async ({ t }) => {
    const put = (version: number, text: string, more: object = {}) =>
      t.commit([{ type: 'put_memory', id: 'mem_1', version, owner: 'u1', text, evidence: ['e'], data: { v: version }, ...more }])
    await refused(put(2, 'x'), 'store.conflict', { expected: { version: 2 }, actual: { version: 0 } })
    await put(1, 'likes tea')
    await put(1, 'likes tea', { evidence: ['e', 'f'] })
    await refused(put(1, 'likes coffee'), 'store.conflict')
    await refused(put(1, 'likes tea', { owner: 'u2' }), 'store.conflict')
    equal((await put(2, 'likes coffee', { embedding: [0.5, -1, 0] })).results, [{ version: 2 }])
    await refused(put(4, 'x'), 'store.conflict', { actual: { version: 2 } })
    await refused(put(1, 'likes tea'), 'store.conflict', { actual: { version: 2 } })
    equal(await t.memory('mem_1'), [
      { id: 'mem_1', version: 1, owner: 'u1', text: 'likes tea', evidence: ['e', 'f'], data: { v: 1 }, embedding: null },
      { id: 'mem_1', version: 2, owner: 'u1', text: 'likes coffee', evidence: ['e'], data: { v: 2 }, embedding: [0.5, -1, 0] },
    ])
    equal(
      (
        await t.commit([
          { type: 'erase_memory', id: 'mem_1' },
          { type: 'erase_memory', id: 'mem_1' },
        ])
      ).results,
      [{ versions: 2 }, { versions: 0 }],
    )
    equal(await t.memory('mem_1'), [])
    await put(1, 'anew')
  })

  law('J29', 'memories are listed by id, newest version each, by owner and in pages', async ({ t }) => {
    await t.commit(
      numbers(1, 7).map(
        n =>
          ({
            type: 'put_memory',
            id: `mem_${n}`,
            version: 1,
            owner: n % 2 === 0 ? 'even' : 'odd',
            text: `${n}`,
            evidence: [],
            data: {},
          }) as const,
      ),
    )
    await t.commit([{ type: 'put_memory', id: 'mem_3', version: 2, owner: 'odd', text: 'three', evidence: [], data: {} }])
    const texts = async (query?: { owner?: string; after?: string; limit?: number }) =>
      (await t.memories(query)).map(row => row.text)
    equal(await texts(), ['1', '2', 'three', '4', '5', '6', '7'])
    equal(await texts({ owner: 'odd' }), ['1', 'three', '5', '7'])
    equal(await texts({ owner: 'odd', after: 'mem_1', limit: 2 }), ['three', '5'])
    equal(await texts({ owner: 'nobody' }), [])
    await refused(t.memories({ limit: 0 }), 'input.invalid')
  })
}
