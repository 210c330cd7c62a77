import { fetchParts } from '#journal'
import { claim, equal, jobOf, type Law, numbers, ok, present, refused } from './setting.ts'
import { appendOf, createSession, Writer } from './writer.ts'

export function erasing(law: Law): void {
  law('J47', 'an erased session is gone from every read, with all that hangs on it, and what went is counted', async setting => {
    const { t, kind } = setting
    const writer = await Writer.begin(setting, { alias: 'gone' })
    const { session } = writer
    const said = await writer.say('the secret word')
    const large = writer.stowed([{ type: 'text', text: `secret ${'x'.repeat(5_000)}` }])
    const blob = present(large.blobs[0])
    const job = jobOf(setting, { session })
    await t.commit([
      large.change,
      job,
      { type: 'put_view', session, name: 'v', format: 1, seq: 1, data: 'secret' },
      { type: 'put_watermark', session, reader: 'r', seq: 1, expect: 0 },
      { type: 'put_archive', id: 'arc_1', session, fromSeq: 1, toSeq: 2, data: { overview: 'secret' }, expectVersion: 0 },
    ])
    const { results } = await t.commit([{ type: 'erase_session', session }])
    equal(results, [{ erased: true, entries: 3, blobs: 1, archives: 1, jobs: 1, views: 1 }])
    for (const handle of [t, (await setting.another()).in(t.tenant)]) {
      equal(await handle.session(session), undefined)
      equal(await handle.session({ alias: 'gone' }), undefined)
      equal((await handle.sessions()).items, [])
      equal(await handle.entries(session), [])
      equal(await handle.branch(session), [])
      equal(await handle.branch(session, { from: said }), [])
      equal(await handle.entry(session, said), undefined)
      equal(await handle.blobs([blob.id]), [])
      equal(await handle.hasBlob(session, blob.id), false)
      equal(await handle.view(session, 'v'), undefined)
      equal(await handle.archives(session), [])
      equal(await handle.archive('arc_1'), undefined)
      equal(await handle.watermark(session, 'r'), 0)
      equal(await handle.lagging('r'), [])
      equal(await handle.job(job.job.id), undefined)
      equal(await handle.jobs({ session }), [])
      equal((await handle.search({ query: 'secret' })).hits, [])
    }
    equal(await setting.store.claim({ [kind]: 1 }, 'w', 1_000), undefined)
    await refused(t.commit([appendOf(session, [writer.side('custom', { name: 'x', data: 1 })])]), 'session.not_found')
    equal((await t.commit([{ type: 'erase_session', session }])).results, [
      { erased: false, entries: 0, blobs: 0, archives: 0, jobs: 0, views: 0 },
    ])
    await t.commit([createSession(setting.ids('ses'), { alias: 'gone' })])
  })

  law('J47', 'a blob that another session or entry shares remains until the last of them is erased', async setting => {
    const { t } = setting
    const [a, b] = [await Writer.begin(setting), await Writer.begin(setting)]
    const text = 'shared '.repeat(1_000)
    const [first, again, other] = [
      a.stowed([{ type: 'text', text }]),
      a.stowed([{ type: 'text', text }]),
      b.stowed([{ type: 'text', text }]),
    ]
    const blob = present(first.blobs[0]).id
    await t.commit([first.change, again.change, other.change])
    equal((await t.commit([{ type: 'erase_entries', session: a.session, seqs: [2] }])).results, [{ entries: 1, blobs: 0 }])
    equal(await t.hasBlob(a.session, blob), true)
    equal((await t.commit([{ type: 'erase_entries', session: a.session, seqs: [3] }])).results, [{ entries: 1, blobs: 0 }])
    equal(await t.hasBlob(a.session, blob), false)
    const { entries, lost } = await fetchParts(t, await t.entries(b.session, { after: 1 }))
    equal([(entries[0]?.data as { parts: unknown }).parts, lost], [[{ type: 'text', text }], []])
    const { results } = await t.commit([{ type: 'erase_session', session: b.session }])
    equal((results[0] as { blobs: number }).blobs, 1)
    equal(await t.blobs([blob]), [])
  })

  law('J47', 'erased entries keep id, seq, parent and time behind a marker, and their words are found no more', async setting => {
    const { t } = setting
    const writer = await Writer.begin(setting)
    for (const n of numbers(1, 3)) await writer.say(`secret${n} words`, 'user', { by: 'me', traceId: 'tr', tokens: 3 })
    const before = await t.entries(writer.session)
    await t.search({ query: 'secret2' })
    equal((await t.commit([{ type: 'erase_entries', session: writer.session, seqs: [3, 99] }])).results, [
      { entries: 1, blobs: 0 },
    ])
    equal((await t.commit([{ type: 'erase_entries', session: writer.session, seqs: [3] }])).results, [{ entries: 0, blobs: 0 }])
    const after = await t.entries(writer.session)
    const old = present(before[2])
    equal(after[2], {
      id: old.id,
      session: old.session,
      seq: 3,
      parentId: old.parentId,
      type: 'erased',
      v: 1,
      at: old.at,
      totals: old.totals,
      data: {},
    })
    equal([after[0], after[1], after[3]], [before[0], before[1], before[3]])
    equal(
      (await t.branch(writer.session)).map(entry => entry.seq),
      [4, 3, 2, 1],
    )
    equal(
      (await t.entries(writer.session, { types: ['erased'] })).map(entry => entry.seq),
      [3],
    )
    equal((await t.search({ query: 'secret2' })).hits, [])
    equal((await t.search({ query: 'words' })).hits.length, 2)
    equal((await t.session(writer.session))?.leafId, old === undefined ? null : present(before[3]).id)
    equal((await t.commit([{ type: 'erase_entries', session: setting.ids('ses'), seqs: [1] }])).results, [
      { entries: 0, blobs: 0 },
    ])
  })

  law('J47', 'what a refused commit would have erased is still there', async setting => {
    const { t } = setting
    const writer = await Writer.begin(setting, { alias: 'stays' })
    const { change, blobs } = writer.stowed([{ type: 'text', text: 'y'.repeat(5_000) }])
    await t.commit([change, { type: 'put_memory', id: 'mem_1', version: 1, owner: 'o', text: 't', evidence: [], data: {} }])
    const before = [await t.session(writer.session), await t.entries(writer.session), await t.memory('mem_1')]
    const no = { type: 'require', that: { route: 'r', version: 1 } } as const
    await refused(
      t.commit([{ type: 'erase_entries', session: writer.session, seqs: [2] }, { type: 'erase_memory', id: 'mem_1' }, no]),
      'store.conflict',
    )
    await refused(t.commit([{ type: 'erase_session', session: writer.session }, no]), 'store.conflict')
    equal([await t.session({ alias: 'stays' }), await t.entries(writer.session), await t.memory('mem_1')], before)
    equal((await t.blobs(blobs.map(blob => blob.id))).length, 1)
    equal(await t.hasBlob(writer.session, present(blobs[0]).id), true)
  })

  law('J47', 'the same id may be begun again in the commit that erases it', async setting => {
    const { t } = setting
    const writer = await Writer.begin(setting)
    await writer.say('old')
    const { session } = writer
    await t.commit([
      { type: 'erase_session', session },
      createSession(session),
      appendOf(session, [writer.side('session_created', {})]),
    ])
    equal(
      (await t.entries(session)).map(entry => [entry.seq, entry.type]),
      [[1, 'session_created']],
    )
    equal((await t.search({ query: 'old' })).hits, [])
    equal((await t.session(session))?.lease.token, 0)
  })

  law('J47', 'a job of an erased session that is running can no longer be completed', async setting => {
    const { t } = setting
    const { session } = await Writer.begin(setting)
    await t.commit([jobOf(setting, { session })])
    const claimed = await claim(setting)
    await t.commit([{ type: 'erase_session', session }])
    await refused(t.commit([{ type: 'complete', job: claimed.id, fence: claimed.fence, result: 'secret' }]), 'job.not_found')
    await refused(setting.store.heartbeat(claimed, 1_000), 'store.conflict')
    ok((await t.job(claimed.id)) === undefined)
  })
}
