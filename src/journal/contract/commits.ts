import { type Change, type Committed, maxChanges, maxEntryBytes, maxGroup, type Results } from '#journal'
import { equal, jobOf, type Law, numbers, ok, present, refused } from './setting.ts'
import { beginningOf, createSession, entryOf, Writer } from './writer.ts'

const put = (key: string, expectVersion?: number): Change => ({
  type: 'put_record',
  collection: 'c',
  key,
  value: key,
  ...(expectVersion === undefined ? {} : { expectVersion }),
})

export function commits(law: Law): void {
  law('J17 J28', 'of five changes, the fourth refused, nothing is visible, and the refusal names it', async setting => {
    const { t, ids } = setting
    const session = ids('ses')
    const { changes } = beginningOf(ids, session)
    await refused(t.commit([...changes, put('a', 7), put('b')]), 'store.conflict', {
      change: 3,
      expected: { version: 7 },
      actual: { version: 0 },
    })
    equal(await t.session(session), undefined)
    equal(await t.entries(session), [])
    equal((await t.sessions()).items, [])
    equal(await t.record('c', 'b'), undefined)
    await t.commit(changes)
    equal((await t.session(session))?.seq, 1)
  })

  law(
    'J28',
    'a refused append leaves no entry, head, blob, job, route, view, archive, memory or record behind',
    async setting => {
      const { t } = setting
      const writer = await Writer.begin(setting)
      const { session } = writer
      const before = await t.session(session)
      const { change, blobs } = writer.stowed([{ type: 'text', text: 'x'.repeat(5_000) }])
      const job = jobOf(setting)
      await refused(
        t.commit([
          change,
          { type: 'put_route', key: 'r', value: 1, expectVersion: 0 },
          job,
          { type: 'put_view', session, name: 'v', format: 1, seq: 1, data: 1 },
          { type: 'put_watermark', session, reader: 'w', seq: 1, expect: 0 },
          { type: 'put_archive', id: 'arc_1', session, fromSeq: 1, toSeq: 1, data: {}, expectVersion: 0 },
          { type: 'put_memory', id: 'mem_1', version: 1, owner: 'o', text: 't', evidence: [], data: {} },
          put('a'),
          { type: 'require', that: { collection: 'c', key: 'a', version: 9 } },
        ]),
        'store.conflict',
        { change: 8 },
      )
      equal(await t.session(session), before)
      equal((await t.entries(session)).length, 1)
      equal(await t.branch(session), await t.entries(session))
      equal(await t.entry(session, change.entries[0]?.id ?? writer.root), undefined)
      equal(await t.blobs(blobs.map(blob => blob.id)), [])
      equal(await t.hasBlob(session, blobs[0]?.id ?? 'blb_'), false)
      equal(await t.route('r'), undefined)
      equal((await t.routes()).items, [])
      equal(await t.job(job.job.id), undefined)
      equal(await t.jobs(), [])
      equal(await t.view(session, 'v'), undefined)
      equal(await t.watermark(session, 'w'), 0)
      equal(await t.archives(session), [])
      equal(await t.memory('mem_1'), [])
      equal(await t.memories(), [])
      equal((await t.records('c')).items, [])
      equal((await t.search({ query: 'x*' })).hits, [])
    },
  )

  law('J18', 'a session, its entries, a route and a job stand together from one commit on', async setting => {
    const { t, ids } = setting
    const session = ids('ses')
    const job = jobOf(setting, { session })
    const { changes, root } = beginningOf(ids, session)
    const { results } = await t.commit([...changes, { type: 'put_route', key: 'r', value: { session }, expectVersion: 0 }, job])
    equal(results[0], { session })
    const append = results[2] as Results['append']
    equal(
      { first: append.first, last: append.last, ids: append.ids, leafId: append.leafId },
      { first: 1, last: 1, ids: [root.id], leafId: root.id },
    )
    equal(results[3], { version: 1 })
    equal(results[4], { job: job.job.id, existing: false })
    equal((await t.session(session))?.leafId, root.id)
    equal((await t.route('r'))?.value, { session })
    equal((await t.job(job.job.id))?.session, session)
  })

  law('J17', 'changes apply in order: a later one sees what an earlier one put', async ({ t }) => {
    const { results } = await t.commit([
      put('a', 0),
      put('a', 1),
      { type: 'delete_record', collection: 'c', key: 'a', expectVersion: 2 },
      put('a', 0),
    ])
    equal(results, [{ version: 1 }, { version: 2 }, { deleted: true }, { version: 1 }])
  })

  law('J19', '100 commits that wait together cost at most two transactions, and a false one fails alone', async setting => {
    const { t, store } = setting
    await t.commit([put('before')])
    const before = store.stats().transactions
    const outcomes = await Promise.allSettled(numbers(1, 100).map(n => t.commit([put(`k${n}`, n === 50 ? 3 : 0)])))
    ok(store.stats().transactions - before <= 2, `${store.stats().transactions - before} transactions`)
    equal(
      outcomes.flatMap((outcome, index) => (outcome.status === 'rejected' ? [index + 1] : [])),
      [50],
    )
    equal((await t.records('c', { limit: 200 })).items.length, 100)
  })

  law('J19', 'a false member of several changes takes nothing of its neighbours with it', async setting => {
    const { t } = setting
    const writer = await Writer.begin(setting)
    const outcomes = await Promise.allSettled([
      writer.say('first'),
      t.commit([put('gone'), put('other', 5)]),
      writer.say('second'),
      t.commit([writer.append([writer.side('session_titled', { title: 'never' })], { expectLeaf: writer.root })]),
      writer.say('third'),
    ])
    equal(
      outcomes.map(outcome => outcome.status),
      ['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled'],
    )
    equal(
      (await t.entries(writer.session)).map(entry => [entry.seq, entry.type]),
      [
        [1, 'session_created'],
        [2, 'message_added'],
        [3, 'message_added'],
        [4, 'message_added'],
      ],
    )
    equal((await t.session(writer.session))?.title, null)
    equal(await t.record('c', 'gone'), undefined)
  })

  law('J19', `more than ${maxGroup} waiting commits are all answered, in order`, async ({ t }) => {
    const committed = await Promise.all(numbers(1, maxGroup + 50).map(n => t.commit([put('same', n - 1)])))
    equal(
      committed.map(({ results }) => (results[0] as Results['put_record']).version),
      numbers(1, maxGroup + 50),
    )
  })

  law(
    'J22',
    'a commit says how durable it is, alone and in a group; nothing says it is more than it got',
    async ({ t, store }) => {
      const durable = store.adapter === 'memory' ? 'none' : 'full'
      equal((await t.commit([put('a')])).durability, durable)
      const relaxed = (await t.commit([put('b')], { durability: 'relaxed' })).durability
      ok(relaxed === (durable === 'none' ? 'none' : 'relaxed') || relaxed === durable, relaxed)
      const group = await Promise.all([t.commit([put('c')], { durability: 'relaxed' }), t.commit([put('d')])])
      equal(
        group.map(committed => committed.durability),
        [durable, durable],
      )
    },
  )

  law('J22', 'an empty commit without a key resolves without a transaction', async ({ t, store }) => {
    await t.commit([put('a')])
    const { transactions } = store.stats()
    const committed = await t.commit([])
    equal(committed.results, [])
    equal(committed.replayed, false)
    equal(store.stats().transactions, transactions)
  })

  law('J23', '50 concurrent commits with one key have one effect and equal results, one of them the first', async setting => {
    const { t, ids } = setting
    const writer = await Writer.begin(setting)
    const all = await Promise.all(
      numbers(1, 50).map(() =>
        t.commit([writer.append([entryOf(ids, 'entry_labelled', { entry: writer.root, label: 'x' })])], {
          key: 'once',
          digest: 'd',
          memo: { said: 1 },
        }),
      ),
    )
    equal(all.filter(committed => !committed.replayed).length, 1)
    const first = present(all.find(committed => !committed.replayed))
    for (const committed of all) equal({ ...committed, replayed: false }, first)
    equal((await t.entries(writer.session)).length, 2)
    equal(first.memo, { said: 1 })
  })

  law('J23 J24 J25', 'a commit of nothing keeps its key, and is answered with what the key was given first', async setting => {
    const { t } = setting
    await t.commit([put('a')], { key: 'one', digest: 'd', memo: 'first' })
    const late = await t.commit([], { key: 'one', digest: 'd', memo: 'late' })
    equal([late.replayed, late.memo, late.results.length], [true, 'first', 1])
    await refused(t.commit([], { key: 'one', digest: 'other' }), 'idempotency.mismatch')
    const nothing = await t.commit([], { key: 'two', memo: 'nothing' })
    equal([nothing.replayed, nothing.memo, nothing.results], [false, 'nothing', []])
    const again = (await setting.another()).in(t.tenant)
    equal(await again.commit([put('b')], { key: 'two' }), { ...nothing, replayed: true })
    equal(await t.record('c', 'b'), undefined)
    const racing = await Promise.all([t, again, t, again].map((on, memo) => on.commit([], { key: 'three', memo })))
    equal(racing.filter(committed => !committed.replayed).length, 1)
    equal(new Set(racing.map(committed => committed.memo)).size, 1)
  })

  law('J23', 'a refused commit leaves its key unused', async ({ t }) => {
    await refused(t.commit([put('a', 4)], { key: 'k' }), 'store.conflict')
    equal(await t.replay('k'), undefined)
    equal((await t.commit([put('a', 0)], { key: 'k' })).replayed, false)
  })

  law('J24', 'the same key for something else is refused; in another tenant it is independent', async ({ t, other }) => {
    await t.commit([put('a')], { key: 'k', digest: 'one' })
    await refused(t.commit([put('b')], { key: 'k', digest: 'two' }), 'idempotency.mismatch')
    await refused(t.replay('k', 'two'), 'idempotency.mismatch')
    equal(await t.record('c', 'b'), undefined)
    equal(await other.replay('k', 'one'), undefined)
    equal((await other.commit([put('b')], { key: 'k', digest: 'two' })).replayed, false)
  })

  law('J24', 'two commits in flight with one key and different digests: the second is refused', async ({ t }) => {
    const [first, second] = await Promise.allSettled([
      t.commit([put('a')], { key: 'k', digest: 'one' }),
      t.commit([put('a')], { key: 'k', digest: 'two' }),
    ])
    equal([first.status, second.status], ['fulfilled', 'rejected'])
    equal((await t.record('c', 'a'))?.version, 1)
  })

  law(
    'J25',
    'a key replays its first results and ids, also through another handle, and after 7 days it is forgotten',
    async setting => {
      const { t, ids, advance } = setting
      const writer = await Writer.begin(setting)
      const once = (on = t): Promise<Committed> =>
        on.commit([writer.append([entryOf(ids, 'entry_labelled', { entry: writer.root, label: 'x' })])], {
          key: 'k',
          memo: 'm',
        })
      const first = await once()
      const again = await once((await setting.another()).in(t.tenant))
      equal(again, { ...first, replayed: true })
      equal(await t.replay('k'), again)
      await advance(7 * 86_400_000 - 60_000)
      equal((await once()).replayed, true)
      await advance(61_000)
      equal(await t.replay('k'), undefined)
      equal((await once()).replayed, false)
      equal((await t.entries(writer.session)).length, 3)
    },
  )

  law('J23', 'keys are 1 to 255 bytes of text without control characters', async ({ t }) => {
    for (const key of ['', 'é'.repeat(128), 'a\nb', '\ud800']) await refused(t.commit([put('a')], { key }), 'input.invalid')
    for (const key of ['é'.repeat(127), ' ', "'; --", '%_*?'] as const)
      equal((await t.commit([put('a')], { key })).replayed, false)
    equal(await t.replay('%'), undefined)
  })

  law('J26', 'a commit aborted while it waits writes nothing and rejects with the reason', async ({ t }) => {
    const reason = new Error('changed my mind')
    const controller = new AbortController()
    const waiting = t.commit([put('a')], { signal: controller.signal })
    controller.abort(reason)
    equal(await waiting.catch((error: unknown) => error), reason)
    equal(await t.commit([put('a')], { signal: AbortSignal.abort(reason) }).catch((error: unknown) => error), reason)
    equal(await t.record('c', 'a'), undefined)
  })

  law('J26', 'of several waiting commits only the aborted one is missing', async ({ t }) => {
    const controller = new AbortController()
    const all = ['a', 'b', 'c'].map(key => t.commit([put(key)], key === 'b' ? { signal: controller.signal } : {}))
    controller.abort()
    equal(
      (await Promise.allSettled(all)).map(outcome => outcome.status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
    equal(
      (await t.records('c')).items.map(record => record.key),
      ['a', 'c'],
    )
  })

  law('J26', 'a signal that aborts after the answer changes nothing', async ({ t }) => {
    const controller = new AbortController()
    await t.commit([put('a')], { signal: controller.signal })
    controller.abort()
    equal((await t.record('c', 'a'))?.version, 1)
  })

  law('J29', `${maxChanges.toLocaleString('en')} changes are taken, one more is refused before any effect`, async ({ t }) => {
    const { results } = await t.commit(numbers(1, maxChanges).map(n => put(`k${n}`)))
    equal(results.length, maxChanges)
    equal((await t.record('c', `k${maxChanges}`))?.version, 1)
    await refused(t.commit(numbers(0, maxChanges).map(n => put(`more${n}`))), 'input.too_large', { max: maxChanges })
    equal(await t.record('c', 'more1'), undefined)
  })

  law(
    'J29',
    'an entry over its limit, too many tags and a leaf moved by no entry are refused before any effect',
    async setting => {
      const { t } = setting
      const writer = await Writer.begin(setting)
      const big = writer.side('custom', { name: 'big', data: 'x'.repeat(maxEntryBytes) })
      await refused(t.commit([put('a'), writer.append([big])]), 'input.too_large')
      await refused(t.commit([put('a'), { ...put('b'), tags: ['1', '2', '3', '4'] } as Change]), 'input.invalid')
      await refused(
        t.commit([
          put('a'),
          { type: 'append', session: writer.session, entries: [], head: { setsLeaf: writer.root }, fence: writer.fence },
        ]),
        'input.invalid',
      )
      await refused(t.commit([put('a'), { type: 'acquire', session: writer.session, owner: 'o', leaseMs: 0 }]), 'input.invalid')
      equal(await t.record('c', 'a'), undefined)
      equal((await t.entries(writer.session)).length, 1)
    },
  )

  law('J29', 'what was handed in may be changed afterwards', async ({ t }) => {
    const value = { deep: { list: [1] } }
    const tags = ['x']
    const waiting = t.commit([{ type: 'put_record', collection: 'c', key: 'a', value, tags }])
    value.deep.list.push(2)
    tags.push('y')
    await waiting
    value.deep.list.push(3)
    const record = present(await t.record('c', 'a'))
    equal([record.value, record.tags], [{ deep: { list: [1] } }, ['x']])
  })

  law('J29', 'a requirement that holds has no effect; each that does not refuses the commit', async setting => {
    const { t, ids } = setting
    const writer = await Writer.begin(setting)
    const { session, root, fence } = writer
    await t.commit([
      { type: 'put_route', key: 'r', value: 1, expectVersion: 0 },
      put('a'),
      { type: 'put_archive', id: 'arc_1', session, fromSeq: 1, toSeq: 1, data: {}, expectVersion: 0 },
      { type: 'put_watermark', session, reader: 'w', seq: 1, expect: 0 },
    ])
    const before = await t.session(session)
    const { results } = await t.commit([
      { type: 'require', that: { session, leaf: root } },
      { type: 'require', that: { fence } },
      { type: 'require', that: { route: 'r', version: 1 } },
      { type: 'require', that: { route: 'none', version: 0 } },
      { type: 'require', that: { collection: 'c', key: 'a', version: 1 } },
      { type: 'require', that: { archive: 'arc_1', version: 1 } },
      { type: 'require', that: { session, watermark: 'w', seq: 1 } },
      { type: 'require', that: { session, states: ['ended', 'active'] } },
    ])
    equal(
      results,
      Array.from({ length: 8 }, () => ({ held: true })),
    )
    equal(await t.session(session), before)
    const entry = ids('ent')
    const refusals: [Change, 'store.conflict' | 'store.fenced' | 'session.not_found' | 'job.not_found'][] = [
      [{ type: 'require', that: { session, leaf: entry } }, 'store.conflict'],
      [{ type: 'require', that: { fence: { ...fence, token: fence.token + 1 } } }, 'store.fenced'],
      [{ type: 'require', that: { route: 'r', version: 0 } }, 'store.conflict'],
      [{ type: 'require', that: { collection: 'c', key: 'a', version: 0 } }, 'store.conflict'],
      [{ type: 'require', that: { archive: 'arc_1', version: 2 } }, 'store.conflict'],
      [{ type: 'require', that: { session, watermark: 'w', seq: 0 } }, 'store.conflict'],
      [{ type: 'require', that: { session, states: ['ended'] } }, 'store.conflict'],
      [{ type: 'require', that: { session: ids('ses'), leaf: entry } }, 'session.not_found'],
      [{ type: 'require', that: { claim: { job: ids('job'), fence: 1 } } }, 'job.not_found'],
    ]
    for (const [require, code] of refusals) await refused(t.commit([put('gone'), require]), code)
    equal(await t.record('c', 'gone'), undefined)
  })

  law('J28', 'a closed store refuses reads and writes; closing twice is fine', async ({ store, t, ids }) => {
    const session = ids('ses')
    await t.commit([createSession(session)])
    await store.close()
    await store.close()
    await refused(t.commit([put('a')]), 'store.closed')
    await refused(t.session(session), 'store.closed')
    await refused(t.entries(session), 'store.closed')
    await refused(t.sessions(), 'store.closed')
    await refused(store.claim({ none: 1 }, 'w', 1_000), 'store.closed')
    await refused(store.ping(), 'store.closed')
  })

  law('J26', 'closing waits for commits under way', async ({ store, t }) => {
    const waiting = t.commit([put('a')])
    await Promise.all([waiting, store.close()])
    equal((await waiting).results, [{ version: 1 }])
  })
}
