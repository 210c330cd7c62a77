import type { SessionId } from '#kernel'
import type { Fence, LeaseFence, Results } from '#journal'
import { equal, type Law, numbers, ok, present, refused, type Setting } from './setting.ts'
import { appendOf, createSession, Writer } from './writer.ts'

const leaseMs = 15_000

async function unowned({ t, ids }: Setting): Promise<SessionId> {
  const session = ids('ses')
  await t.commit([createSession(session)])
  await t.commit([appendOf(session, [{ id: ids('ent'), parentId: null, type: 'session_created', v: 1, at: 1, data: {} }])])
  return session
}

/** Tries a path write with a fence. */
async function write({ t, ids }: Setting, fence: Fence): Promise<unknown> {
  const row = present(await t.session(fence.session))
  return t.commit([
    appendOf(
      fence.session,
      [{ id: ids('ent'), parentId: row.leafId, type: 'custom', v: 1, at: 1, data: { name: 'x', data: 1 } }],
      { fence },
    ),
  ])
}

const plain = ({ session, owner, token }: LeaseFence): Fence => ({ session, owner, token })

export function leases(law: Law): void {
  law('J41', 'none: anyone is granted the next token; renewing and writing are refused', async setting => {
    const { t } = setting
    const session = await unowned(setting)
    for (const fence of [
      { session, owner: 'a', token: 0 },
      { session, owner: 'a', token: 1 },
    ]) {
      await refused(t.renew(fence, leaseMs), 'store.fenced')
      await refused(write(setting, fence), 'store.fenced')
    }
    const a = await t.acquire(session, 'a', leaseMs)
    equal(plain(a), { session, owner: 'a', token: 1 })
    await t.release(a)
    const b = await t.acquire(session, 'b', leaseMs)
    equal(plain(b), { session, owner: 'b', token: 2 })
    await t.release(b)
    await refused(t.renew(b, leaseMs), 'store.fenced')
    await refused(write(setting, b), 'store.fenced')
    equal((await t.acquire(session, 'b', leaseMs)).token, 3)
  })

  law('J41', 'held: its owner keeps the token and gets longer, others are told until when, writing works', async setting => {
    const { t } = setting
    const session = await unowned(setting)
    const first = await t.acquire(session, 'a', leaseMs)
    const again = await t.acquire(session, 'a', 2 * leaseMs)
    equal(again.token, first.token)
    ok(again.until > first.until)
    await refused(t.acquire(session, 'b', leaseMs), 'session.busy', { by: 'lease', until: again.until })
    const renewed = await t.renew(again, 4 * leaseMs)
    equal(plain(renewed), plain(first))
    ok(renewed.until > again.until)
    await write(setting, renewed)
    equal((await t.session(session))?.lease, { owner: 'a', token: 1, until: renewed.until })
    const shorter = await t.renew(renewed, 1)
    ok(shorter.until >= renewed.until, 'a lease never gets shorter')
  })

  law('J41', 'expired: its owner goes on with the same token, by acquiring, renewing or writing', async setting => {
    const { t, advance } = setting
    const session = await unowned(setting)
    const first = await t.acquire(session, 'a', leaseMs)
    await advance(leaseMs + 1_000)
    await write(setting, first)
    const renewed = await t.renew(first, leaseMs)
    ok(renewed.until > first.until)
    await refused(t.acquire(session, 'b', leaseMs), 'session.busy')
    await advance(leaseMs + 1_000)
    equal((await t.acquire(session, 'a', leaseMs)).token, first.token)
    await advance(leaseMs + 1_000)
    equal((await t.acquire(session, 'b', leaseMs)).token, first.token + 1)
  })

  law('J41', 'taken over: the old owner is refused in everything, its token one less than the new', async setting => {
    const { t, advance } = setting
    const session = await unowned(setting)
    const old = await t.acquire(session, 'a', leaseMs)
    await advance(leaseMs + 1_000)
    const taken = await t.acquire(session, 'b', leaseMs)
    equal(taken.token, old.token + 1)
    await refused(t.acquire(session, 'a', leaseMs), 'session.busy', { until: taken.until })
    await refused(t.renew(old, leaseMs), 'store.fenced')
    const before = await t.entries(session)
    await refused(write(setting, old), 'store.fenced')
    await refused(
      t.commit([
        { type: 'put_record', collection: 'c', key: 'k', value: 1 },
        { type: 'require', that: { fence: old } },
      ]),
      'store.fenced',
    )
    equal(await t.entries(session), before)
    equal(await t.record('c', 'k'), undefined)
    await t.release(old)
    await write(setting, taken)
    await refused(t.acquire(session, 'a', leaseMs), 'session.busy', { until: taken.until })
  })

  law('J41', 'a write is judged by token, never by the clock: a late owner writes until somebody takes over', async setting => {
    const { t, advance } = setting
    const session = await unowned(setting)
    const late = await t.acquire(session, 'a', 1)
    await advance(3_600_000)
    await write(setting, late)
    await t.acquire(session, 'b', leaseMs)
    await refused(write(setting, late), 'store.fenced', { token: late.token, current: late.token + 1 })
  })

  law('J40', 'of 50 concurrent acquires by different owners exactly one is granted', async setting => {
    const { t } = setting
    const session = await unowned(setting)
    const second = (await setting.another()).in(t.tenant)
    const outcomes = await Promise.allSettled(
      numbers(1, 50).map(n => (n % 2 === 0 ? t : second).acquire(session, `owner-${n}`, leaseMs)),
    )
    const granted = outcomes.flatMap(outcome => (outcome.status === 'fulfilled' ? [outcome.value] : []))
    equal(granted.length, 1)
    const until = present(granted[0]).until
    for (const outcome of outcomes)
      if (outcome.status === 'rejected')
        await refused(Promise.reject(outcome.reason as Error), 'session.busy', { by: 'lease', until })
  })

  law(
    'J42',
    'a path append without a fence is refused; a label from another process while the lease is held succeeds',
    async setting => {
      const { t } = setting
      const writer = await Writer.begin(setting)
      const second = (await setting.another()).in(t.tenant)
      const said = writer.message('no fence')
      await refused(second.commit([appendOf(writer.session, [said])]), 'store.fenced')
      await refused(
        second.commit([appendOf(writer.session, [writer.side('leaf_moved', { to: writer.root, reason: 'x' })])]),
        'store.fenced',
      )
      await second.commit([appendOf(writer.session, [writer.side('entry_labelled', { entry: writer.root, label: 'start' })])])
      equal(
        (await t.entries(writer.session)).map(entry => entry.type),
        ['session_created', 'entry_labelled'],
      )
      await t.commit([writer.append([said])])
    },
  )

  law('J42', 'a fence of another session, of another owner or of a change that acquires nothing is refused', async setting => {
    const { t } = setting
    const writer = await Writer.begin(setting)
    const foreign = await Writer.begin(setting)
    const said = [writer.message('x')]
    await refused(t.commit([appendOf(writer.session, said, { fence: foreign.fence })]), 'input.invalid')
    await refused(t.commit([appendOf(writer.session, said, { fence: { ...writer.fence, owner: 'b' } })]), 'store.fenced')
    await refused(t.commit([appendOf(writer.session, said, { fence: { of: 0 } })]), 'input.invalid')
    await refused(t.commit([appendOf(writer.session, said, { fence: { of: 5 } })]), 'input.invalid')
    const acquire = { type: 'acquire', session: writer.session, owner: 'writer', leaseMs } as const
    await refused(t.commit([appendOf(writer.session, said, { fence: { of: 1 } }), acquire]), 'input.invalid')
    equal((await t.session(writer.session))?.seq, 1)
  })

  law('J40', 'a lease is acquired and used in one commit; a refused acquire refuses the append with it', async setting => {
    const { t } = setting
    const writer = await Writer.begin(setting)
    const acquire = (owner: string) => ({ type: 'acquire', session: writer.session, owner, leaseMs }) as const
    const { results } = await t.commit([acquire('writer'), appendOf(writer.session, [writer.message('x')], { fence: { of: 0 } })])
    const lease = results[0] as Results['acquire']
    equal([lease.session, lease.owner, lease.token], [writer.session, 'writer', writer.fence.token])
    await refused(
      t.commit([acquire('thief'), appendOf(writer.session, [writer.message('y')], { fence: { of: 0 } })]),
      'session.busy',
    )
    equal((await t.session(writer.session))?.seq, 2)
  })

  law('J40', 'releasing as a change says whether it did; an unknown session cannot be acquired or renewed', async setting => {
    const { t, ids } = setting
    const writer = await Writer.begin(setting)
    const release = { type: 'release', fence: writer.fence } as const
    equal((await t.commit([release, release])).results, [{ released: true }, { released: false }])
    equal((await t.session(writer.session))?.lease, { owner: null, token: writer.fence.token, until: 0 })
    const session = ids('ses')
    await refused(t.acquire(session, 'a', leaseMs), 'session.not_found')
    await refused(t.renew({ session, owner: 'a', token: 1 }, leaseMs), 'session.not_found')
    await t.release({ session, owner: 'a', token: 1 })
  })
}
