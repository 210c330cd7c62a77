import { claim, equal, jobOf, type Law, present, refused } from './setting.ts'
import { appendOf, Writer } from './writer.ts'

export function tenants(law: Law): void {
  law('J38 S18', "every read with another tenant's ids gives what an unknown id gives", async setting => {
    const { t, other, store } = setting
    const writer = await Writer.begin(setting, { alias: 'mine' })
    const { session } = writer
    const said = await writer.say('private word')
    const { change, blobs } = writer.stowed([{ type: 'text', text: 'z'.repeat(5_000) }])
    const blob = present(blobs[0]).id
    const job = jobOf(setting, { session })
    await t.commit(
      [
        change,
        job,
        { type: 'put_view', session, name: 'v', format: 1, seq: 1, data: 1 },
        { type: 'put_watermark', session, reader: 'r', seq: 1, expect: 0 },
        { type: 'put_archive', id: 'arc_1', session, fromSeq: 1, toSeq: 1, data: {}, expectVersion: 0 },
        { type: 'put_memory', id: 'mem_1', version: 1, owner: 'o', text: 't', evidence: [], data: {} },
        { type: 'put_route', key: 'r', value: 1, expectVersion: 0 },
        { type: 'put_record', collection: 'c', key: 'k', value: 1 },
      ],
      { key: 'key' },
    )
    equal(await other.session(session), undefined)
    equal(await other.session({ alias: 'mine' }), undefined)
    equal(await other.sessions({ ids: [session] }), { items: [] })
    equal(await other.entries(session), [])
    equal(await other.branch(session), [])
    equal(await other.branch(session, { from: said }), [])
    equal(await other.entry(session, said), undefined)
    equal(await other.blobs([blob]), [])
    equal(await other.hasBlob(session, blob), false)
    equal(await other.view(session, 'v'), undefined)
    equal(await other.archives(session), [])
    equal(await other.archive('arc_1'), undefined)
    equal(await other.route('r'), undefined)
    equal(await other.routes(), { items: [] })
    equal(await other.record('c', 'k'), undefined)
    equal(await other.records('c'), { items: [] })
    equal(await other.memory('mem_1'), [])
    equal(await other.memories(), [])
    equal(await other.job(job.job.id), undefined)
    equal(await other.jobs(), [])
    equal(await other.watermark(session, 'r'), 0)
    equal(await other.lagging('r'), [])
    equal(await other.search({ query: 'private' }), { hits: [] })
    equal(await other.search({ query: 'private', session }), { hits: [] })
    equal(await other.replay('key'), undefined)
    equal(
      (await store.tenants()).filter(name => name === t.tenant || name === other.tenant),
      [t.tenant],
    )
  })

  law(
    'J38 S18',
    "every write with another tenant's ids is refused as for an unknown id, and nothing of the first one changes",
    async setting => {
      const { t, other, store } = setting
      const writer = await Writer.begin(setting)
      const { session, fence } = writer
      await t.commit([
        jobOf(setting, { session }),
        { type: 'put_archive', id: 'arc_1', session, fromSeq: 1, toSeq: 1, data: {}, expectVersion: 0 },
        { type: 'put_memory', id: 'mem_1', version: 1, owner: 'o', text: 't', evidence: [], data: {} },
        { type: 'put_record', collection: 'c', key: 'k', value: 1 },
      ])
      const claimed = await claim(setting)
      const read = async () => [
        await t.session(session),
        await t.entries(session),
        await t.archives(session),
        await t.memory('mem_1'),
        await t.record('c', 'k'),
        await t.job(claimed.id),
      ]
      const before = await read()
      await refused(other.commit([appendOf(session, [writer.side('custom', { name: 'x', data: 1 })])]), 'session.not_found')
      await refused(other.acquire(session, 'thief', 1_000), 'session.not_found')
      await refused(other.renew(fence, 1_000), 'session.not_found')
      await refused(other.commit([{ type: 'put_view', session, name: 'v', format: 1, seq: 1, data: 1 }]), 'session.not_found')
      await refused(other.commit([{ type: 'put_watermark', session, reader: 'r', seq: 1, expect: 0 }]), 'session.not_found')
      await refused(
        other.commit([{ type: 'put_archive', id: 'arc_1', session, fromSeq: 1, toSeq: 1, data: {}, expectVersion: 1 }]),
        'session.not_found',
      )
      await refused(other.commit([{ type: 'complete', job: claimed.id, fence: claimed.fence }]), 'job.not_found')
      await refused(other.commit([{ type: 'redrive', job: claimed.id, action: 'skip' }]), 'job.not_found')
      await refused(store.heartbeat({ ...claimed, tenant: other.tenant }, 1_000), 'store.conflict')
      await other.release(fence)
      equal(
        (
          await other.commit([
            { type: 'erase_session', session },
            { type: 'erase_entries', session, seqs: [1] },
            { type: 'erase_memory', id: 'mem_1' },
          ])
        ).results,
        [{ erased: false, entries: 0, blobs: 0, archives: 0, jobs: 0, views: 0 }, { entries: 0, blobs: 0 }, { versions: 0 }],
      )
      await other.commit([
        { type: 'put_record', collection: 'c', key: 'k', value: 2, expectVersion: 0 },
        { type: 'put_memory', id: 'mem_1', version: 1, owner: 'x', text: 'y', evidence: [], data: {} },
      ])
      equal(await read(), before)
    },
  )

  law('J38', 'both tenants may have the same ids, keys, aliases and blobs', async setting => {
    const { t, other } = setting
    const ids = (
      (fixed: Record<string, string>) => (prefix: string) =>
        (fixed[prefix] ??= setting.ids('ent').replace('ent', prefix))
    )({})
    const fixed = { ids: ids as typeof setting.ids, t }
    const [a, b] = [await Writer.begin(fixed, { alias: 'same' }), await Writer.begin({ ...fixed, t: other }, { alias: 'same' })]
    equal(a.session, b.session)
    const bytes = new TextEncoder().encode('same bytes')
    for (const writer of [a, b]) {
      const { blobs } = writer.stowed([{ type: 'file', mediaType: 'text/plain', data: bytes }])
      await writer.t.commit([{ type: 'put_blob', blob: present(blobs[0]) }])
      await writer.t.commit([
        appendOf(writer.session, [{ ...writer.side('session_titled', { title: writer.t.tenant }), id: setting.ids('ent') }]),
      ])
    }
    equal([(await t.session(a.session))?.title, (await other.session(a.session))?.title], [t.tenant, other.tenant])
    await t.commit([{ type: 'erase_session', session: a.session }])
    equal(await t.session(a.session), undefined)
    equal((await other.entries(b.session)).length, 2)
  })

  law('J38', 'a tenant is a short lower-case name', async ({ store }) => {
    for (const name of ['', 'A', '_x', 'a b', 'x'.repeat(64), '../x']) {
      let refusal: unknown
      try {
        store.in(name)
      } catch (error) {
        refusal = error
      }
      await refused(Promise.reject(refusal as Error), 'input.invalid')
    }
    equal(store.in('x'.repeat(63)).tenant, 'x'.repeat(63))
  })
}
