import { equal, type Law, claim, jobOf, numbers, ok, present, refused, type Setting } from './setting.ts'
import { beginningOf } from './writer.ts'

const none = ({ store, kind }: Setting) => store.claim({ [kind]: 1 }, 'other', 1_000)

export function jobs(law: Law): void {
  law('J29', 'an enqueued job waits with all that it carries', async setting => {
    const { t, ids, kind } = setting
    const session = ids('ses')
    const enqueue = jobOf(
      setting,
      { key: 'a', payload: { x: [1] }, session, schema: 1, maxAttempts: 3, parkedBlocks: true, traceId: 'tr' },
      { uniqueKey: 'u' },
    )
    const { results, at } = await t.commit([...beginningOf(ids, session).changes, enqueue])
    equal(results[3], { job: enqueue.job.id, existing: false })
    equal(await t.job(enqueue.job.id), {
      id: enqueue.job.id,
      tenant: t.tenant,
      kind,
      key: 'a',
      uniqueKey: 'u',
      session,
      state: 'queued',
      payload: { x: [1] },
      schema: 1,
      attempts: 0,
      maxAttempts: 3,
      parkedBlocks: true,
      runAfter: at,
      leaseUntil: 0,
      owner: null,
      fence: 0,
      traceId: 'tr',
      result: null,
      lastError: null,
      createdAt: at,
      startedAt: null,
      endedAt: null,
    })
    equal(await t.job(ids('job')), undefined)
  })

  law('J18', 'a job whose commit is refused was never enqueued', async setting => {
    const job = jobOf(setting)
    await refused(setting.t.commit([job, { type: 'require', that: { route: 'r', version: 3 } }]), 'store.conflict')
    equal(await none(setting), undefined)
  })

  law('J29', 'while one with a unique key is queued that one is returned; once claimed, a new one is taken', async setting => {
    const { t } = setting
    const [first, second, third] = numbers(1, 3).map(() => jobOf(setting, {}, { uniqueKey: 'u' })) as [
      ReturnType<typeof jobOf>,
      ReturnType<typeof jobOf>,
      ReturnType<typeof jobOf>,
    ]
    equal((await t.commit([first, second])).results, [
      { job: first.job.id, existing: false },
      { job: first.job.id, existing: true },
    ])
    equal(await t.job(second.job.id), undefined)
    const other = jobOf({ ...setting, kind: `${setting.kind}-2` }, {}, { uniqueKey: 'u' })
    equal((await t.commit([other])).results, [{ job: other.job.id, existing: false }])
    equal((await claim(setting)).id, first.job.id)
    equal((await t.commit([third])).results, [{ job: third.job.id, existing: false }])
    equal((await t.commit([second])).results, [{ job: third.job.id, existing: true }])
  })

  law('J29', 'a job that is enqueued again under its id stays as it is', async setting => {
    const { t } = setting
    const job = jobOf(setting, { payload: 1 }, { uniqueKey: 'u' })
    await t.commit([job])
    const claimed = await claim(setting)
    await t.commit([{ type: 'complete', job: claimed.id, fence: claimed.fence, result: 'done' }])
    equal((await t.commit([{ ...job, job: { ...job.job, payload: 2 } }])).results, [{ job: job.job.id, existing: true }])
    equal((await t.job(job.job.id))?.result, 'done')
  })

  law('J29', 'a claim owns the job: its lease, one attempt more, one fence higher', async setting => {
    const { t, store, kind, now } = setting
    const job = jobOf(setting)
    await t.commit([job])
    const before = await now()
    const claimed = present(await store.claim({ [kind]: 1, unknown: 4 }, 'me', 15_000))
    equal(
      [claimed.id, claimed.tenant, claimed.state, claimed.owner, claimed.attempts, claimed.fence],
      [job.job.id, t.tenant, 'running', 'me', 1, 1],
    )
    ok(claimed.leaseUntil >= before + 15_000 && claimed.leaseUntil <= (await now()) + 15_000)
    ok(present(claimed.startedAt ?? undefined) >= before)
    equal(await t.job(job.job.id), claimed)
    equal(await none(setting), undefined)
    equal(await store.claim({}, 'me', 1_000), undefined)
  })

  law('J29', 'jobs of one key run one at a time in the order they were enqueued; other keys pass', async setting => {
    const { t } = setting
    const [a1, a2, b1] = [jobOf(setting, { key: 'a' }), jobOf(setting, { key: 'a' }), jobOf(setting, { key: 'b' })]
    await t.commit([a1, a2, b1])
    const first = await claim(setting)
    const second = await claim(setting)
    equal([first.id, second.id], [a1.job.id, b1.job.id])
    equal(await none(setting), undefined)
    await t.commit([{ type: 'complete', job: first.id, fence: first.fence }])
    equal((await claim(setting)).id, a2.job.id)
  })

  law('J29', 'a later job of a key waits while an earlier one waits for its time or its retry', async setting => {
    const { t, now, advance } = setting
    const at = await now()
    const [later, sooner] = [jobOf(setting, { key: 'a' }, { runAfter: at + 60_000 }), jobOf(setting, { key: 'a' })]
    await t.commit([later, sooner])
    equal(await none(setting), undefined)
    await advance(61_000)
    const claimed = await claim(setting)
    equal(claimed.id, later.job.id)
    await t.commit([
      { type: 'fail', job: claimed.id, fence: claimed.fence, error: { code: 'x' }, runAfter: (await now()) + 60_000 },
    ])
    const failed = present(await t.job(claimed.id))
    equal(
      [failed.state, failed.attempts, failed.owner, failed.leaseUntil, failed.lastError],
      ['queued', 1, null, 0, { code: 'x' }],
    )
    equal(await none(setting), undefined)
    await advance(61_000)
    const again = await claim(setting)
    equal([again.id, again.attempts, again.fence], [later.job.id, 2, 2])
  })

  law('J29', 'among free jobs the one whose time came first runs first', async setting => {
    const { t, now } = setting
    const at = await now()
    const all = [3, 1, 2].map(n => jobOf(setting, { key: `k${n}`, payload: n }, { runAfter: at - 10_000 + n }))
    await t.commit(all)
    equal([(await claim(setting)).payload, (await claim(setting)).payload, (await claim(setting)).payload], [1, 2, 3])
  })

  law('J29', 'concurrent workers never get one job twice', async setting => {
    const { t, store, kind } = setting
    const second = await setting.another()
    await t.commit(numbers(1, 20).map(n => jobOf(setting, { key: `k${n % 10}`, payload: n })))
    const claims = await Promise.all(
      numbers(1, 30).map(n => (n % 2 === 0 ? store : second).claim({ [kind]: 1 }, `w${n}`, 15_000)),
    )
    const got = claims.flatMap(job => job ?? [])
    equal(
      got.map(job => job.payload).sort((a, b) => Number(a) - Number(b)),
      numbers(1, 10),
    )
  })

  law('J29', 'completing with effects is one commit; with an older fence it is a conflict and none of them', async setting => {
    const { t, advance } = setting
    await t.commit([jobOf(setting)])
    const stale = await claim(setting, 'slow', 1_000)
    await advance(2_000)
    const current = await claim(setting, 'fast', 15_000)
    equal([current.id, current.fence, current.attempts], [stale.id, stale.fence + 1, 2])
    const effect = { type: 'put_record', collection: 'c', key: 'effect', value: 1 } as const
    for (const change of [
      { type: 'complete', job: stale.id, fence: stale.fence },
      { type: 'fail', job: stale.id, fence: stale.fence, error: {}, runAfter: 0 },
      { type: 'park', job: stale.id, fence: stale.fence, error: {} },
      { type: 'release_job', job: stale.id, fence: stale.fence },
      { type: 'require', that: { claim: { job: stale.id, fence: stale.fence } } },
    ] as const) {
      await refused(t.commit([effect, change]), 'store.conflict', {
        change: 1,
        actual: { state: 'running', fence: current.fence },
      })
    }
    equal(await t.record('c', 'effect'), undefined)
    await t.commit([{ type: 'require', that: { claim: { job: current.id, fence: current.fence } } }])
    await t.commit([effect, { type: 'complete', job: current.id, fence: current.fence, result: { ok: true } }])
    const done = present(await t.job(current.id))
    equal([done.state, done.result, done.lastError, done.owner, done.leaseUntil], ['done', { ok: true }, null, null, 0])
    ok(done.endedAt !== null)
    equal((await t.record('c', 'effect'))?.version, 1)
    await refused(t.commit([{ type: 'complete', job: done.id, fence: done.fence }]), 'store.conflict', {
      actual: { state: 'done' },
    })
  })

  law('J29', 'a done job forgets the error of an earlier attempt', async setting => {
    const { t } = setting
    await t.commit([jobOf(setting)])
    const first = await claim(setting)
    await t.commit([{ type: 'fail', job: first.id, fence: first.fence, error: { code: 'x' }, runAfter: 0 }])
    const second = await claim(setting)
    await t.commit([{ type: 'complete', job: second.id, fence: second.fence }])
    const done = present(await t.job(first.id))
    equal([done.result, done.lastError], [null, null])
  })

  law('J29', 'a heartbeat prolongs the lease; one with an older fence or after the end is a conflict', async setting => {
    const { t, store, advance } = setting
    await t.commit([jobOf(setting)])
    const job = await claim(setting, 'me', 10_000)
    await advance(8_000)
    await store.heartbeat(job, 10_000)
    await advance(8_000)
    equal(await none(setting), undefined)
    ok(present(await t.job(job.id)).leaseUntil > job.leaseUntil)
    await advance(3_000)
    const taken = await claim(setting, 'you')
    await refused(store.heartbeat(job, 10_000), 'store.conflict')
    await store.heartbeat(taken, 10_000)
    await t.commit([{ type: 'complete', job: taken.id, fence: taken.fence }])
    await refused(store.heartbeat(taken, 10_000), 'store.conflict')
    await refused(store.heartbeat({ ...taken, id: setting.ids('job') }, 10_000), 'store.conflict')
  })

  law(
    'J29',
    'a job whose lease ran out is claimed at once until its attempts are used up, then parked; the next one goes on',
    async setting => {
      const { t, advance } = setting
      const [lost, next] = [jobOf(setting, { key: 'a', maxAttempts: 2 }), jobOf(setting, { key: 'a' })]
      await t.commit([lost, next])
      for (const attempt of [1, 2]) {
        const claimed = await claim(setting, 'dying', 1_000)
        equal([claimed.id, claimed.attempts, claimed.fence], [lost.job.id, attempt, attempt])
        await advance(2_000)
      }
      equal((await claim(setting)).id, next.job.id)
      const parked = present(await t.job(lost.job.id))
      equal([parked.state, parked.attempts, parked.result, parked.owner], ['parked', 2, null, null])
      ok(parked.lastError !== null && parked.endedAt !== null)
    },
  )

  law('J29', 'a job given back is queued at once and its attempt not counted', async setting => {
    const { t } = setting
    await t.commit([jobOf(setting)])
    const claimed = await claim(setting)
    await t.commit([{ type: 'release_job', job: claimed.id, fence: claimed.fence }])
    const queued = present(await t.job(claimed.id))
    equal([queued.state, queued.attempts, queued.owner, queued.leaseUntil, queued.fence], ['queued', 0, null, 0, 1])
    const again = await claim(setting)
    equal([again.attempts, again.fence], [1, 2])
  })

  law('J29', 'a parked job holds its key back only if it says so; retry queues it afresh, skip ends it', async setting => {
    const { t, ids } = setting
    const [blocking, behind, open, beside] = [
      jobOf(setting, { key: 'a', parkedBlocks: true }),
      jobOf(setting, { key: 'a' }),
      jobOf(setting, { key: 'b' }),
      jobOf(setting, { key: 'b' }),
    ]
    await t.commit([blocking, behind, open, beside])
    for (const job of [await claim(setting), await claim(setting)])
      await t.commit([{ type: 'park', job: job.id, fence: job.fence, error: { code: 'bad' } }])
    const parked = present(await t.job(blocking.job.id))
    equal([parked.state, parked.lastError, parked.result], ['parked', { code: 'bad' }, null])
    equal((await claim(setting)).id, beside.job.id)
    equal(await none(setting), undefined)
    await t.commit([{ type: 'redrive', job: open.job.id, action: 'skip', reason: 'not needed' }])
    equal((await t.job(open.job.id))?.state, 'skipped')
    await t.commit([{ type: 'redrive', job: blocking.job.id, action: 'retry' }])
    const retried = present(await t.job(blocking.job.id))
    equal([retried.state, retried.attempts, retried.endedAt], ['queued', 0, null])
    const claimed = await claim(setting)
    equal([claimed.id, claimed.attempts, claimed.fence], [blocking.job.id, 1, 2])
    await t.commit([{ type: 'complete', job: claimed.id, fence: claimed.fence }])
    equal((await claim(setting)).id, behind.job.id)
    for (const job of [claimed.id, behind.job.id, open.job.id])
      for (const action of ['retry', 'skip'] as const)
        await refused(t.commit([{ type: 'redrive', job, action }]), 'job.wrong_state')
    await refused(t.commit([{ type: 'redrive', job: ids('job'), action: 'retry' }]), 'job.not_found')
    await refused(t.commit([{ type: 'complete', job: ids('job'), fence: 1 }]), 'job.not_found')
  })

  law('J29', 'a payload newer than the worker knows stays queued', async setting => {
    const { t, store, kind } = setting
    await t.commit([jobOf(setting, { schema: 2, key: 'a' }), jobOf(setting, { schema: 1, key: 'b' })])
    equal((await claim(setting)).schema, 1)
    equal(await none(setting), undefined)
    equal((await store.claim({ [kind]: 2 }, 'newer', 1_000))?.schema, 2)
  })

  law('J29', 'tenants are served in turn: a full queue does not starve another tenant', async setting => {
    const { t, other, store, kind } = setting
    await t.commit(numbers(1, 30).map(n => jobOf(setting, { key: `k${n}` })))
    equal((await claim(setting)).tenant, t.tenant)
    await other.commit([jobOf(setting)])
    const next = [await claim(setting), await claim(setting)].map(job => job.tenant)
    ok(next.includes(other.tenant), next.join())
    const rest = await Promise.all(numbers(1, 40).map(() => store.claim({ [kind]: 1 }, 'w', 15_000)))
    equal(rest.filter(job => job !== undefined).length, 28)
  })

  law('J29', 'keys are scoped by tenant and kind', async setting => {
    const { t, other, store, kind } = setting
    await t.commit([jobOf(setting), jobOf({ ...setting, kind: `${kind}-2` })])
    await other.commit([jobOf(setting)])
    const claimed = [await claim(setting), await claim(setting), present(await store.claim({ [`${kind}-2`]: 1 }, 'w', 1_000))]
    equal(new Set(claimed.map(job => `${job.tenant} ${job.kind}`)).size, 3)
  })

  law('J29', 'jobs are listed newest first, by state, kind, session and in pages', async setting => {
    const { t, ids, kind } = setting
    const session = ids('ses')
    const all = numbers(1, 5).map(n => jobOf(setting, { key: `k${n}`, ...(n % 2 === 0 ? { session } : {}) }))
    await t.commit([...beginningOf(ids, session).changes, ...all, jobOf({ ...setting, kind: `${kind}-2` })])
    const newest = [...all].reverse().map(({ job }) => job.id)
    equal(
      (await t.jobs({ kind })).map(job => job.id),
      newest,
    )
    equal((await t.jobs()).length, 6)
    equal(
      (await t.jobs({ kind, limit: 2 })).map(job => job.id),
      newest.slice(0, 2),
    )
    equal(
      (await t.jobs({ kind, before: present(newest[1]), limit: 2 })).map(job => job.id),
      newest.slice(2, 4),
    )
    equal(
      (await t.jobs({ session })).map(job => job.id),
      [newest[1], newest[3]],
    )
    const claimed = await claim(setting)
    equal(
      (await t.jobs({ states: ['running'] })).map(job => job.id),
      [claimed.id],
    )
    equal((await t.jobs({ states: ['queued', 'running'], kind })).length, 5)
    equal(await t.jobs({ states: [] }), [])
    for (const limit of [0, 201]) await refused(t.jobs({ limit }), 'input.invalid')
  })
}
