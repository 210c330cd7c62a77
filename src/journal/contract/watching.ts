import type { SessionId } from '#kernel'
import type { Entry, TenantStore } from '#journal'
import { equal, type Law, numbers, ok, refused, until } from './setting.ts'
import { appendOf, Writer } from './writer.ts'

/** Collects a watch in the background. `over` settles when it has ended. */
function follow(
  t: TenantStore,
  session: SessionId,
  after: number,
): { readonly seen: Entry[]; readonly over: Promise<void>; stop(): void } {
  const controller = new AbortController()
  const seen: Entry[] = []
  const over = (async () => {
    for await (const entry of t.watch(session, after, { signal: controller.signal })) seen.push(entry)
  })()
  return { seen, over, stop: () => controller.abort() }
}

const first = async (entries: AsyncIterable<Entry>): Promise<unknown> => {
  for await (const entry of entries) return entry
  return undefined
}

export function watching(law: Law): void {
  law('J43', 'watching from 0 during 1,000 concurrent appends yields 1…n once each, in order', async setting => {
    const { t } = setting
    const writer = await Writer.begin(setting)
    const second = (await setting.another()).in(t.tenant)
    const watch = follow(second, writer.session, 0)
    await Promise.all(
      numbers(1, 1_000).map(n =>
        (n % 2 === 0 ? t : second).commit([appendOf(writer.session, [writer.side('custom', { name: 'n', data: n })])]),
      ),
    )
    await until(() => watch.seen.length >= 1_001, 'all entries')
    watch.stop()
    await watch.over
    equal(
      watch.seen.map(entry => entry.seq),
      numbers(1, 1_001),
    )
    equal(watch.seen.slice(0, 3), await t.entries(writer.session, { limit: 3 }))
  })

  law('J43', 'a watch replays what lies behind its cursor, in pages, and then follows', async setting => {
    const { t } = setting
    const writer = await Writer.begin(setting)
    await writer.commit(...numbers(2, 1_300).map(n => writer.side('custom', { name: 'n', data: n })))
    const watches = [follow(t, writer.session, 0), follow(t, writer.session, 1_299), follow(t, writer.session, 1_300)]
    const said = await writer.say('live')
    await until(() => watches.every(({ seen }) => seen.at(-1)?.id === said), 'the live entry')
    for (const { stop } of watches) stop()
    await Promise.all(watches.map(({ over }) => over))
    equal(
      watches.map(({ seen }) => seen.map(entry => entry.seq)),
      [numbers(1, 1_301), [1_300, 1_301], [1_301]],
    )
  })

  law('J43', 'aborting a watch ends it, while it waits, between two entries and before it begins', async setting => {
    const { t } = setting
    const writer = await Writer.begin(setting)
    const waiting = follow(t, writer.session, 1)
    await writer.say('one')
    await until(() => waiting.seen.length === 1, 'the entry')
    waiting.stop()
    await waiting.over
    const controller = new AbortController()
    const seen: number[] = []
    for await (const entry of t.watch(writer.session, 0, { signal: controller.signal })) {
      seen.push(entry.seq)
      controller.abort()
    }
    equal(seen, [1])
    equal(await first(t.watch(writer.session, 0, { signal: AbortSignal.abort() })), undefined)
  })

  law('J43', 'leaving the loop ends a watch, and the store closes without waiting for it', async setting => {
    const { t, store } = setting
    const writer = await Writer.begin(setting)
    ok(await first(t.watch(writer.session, 0)))
    const open = follow(t, writer.session, 0)
    await until(() => open.seen.length === 1, 'the entry')
    await store.close()
    await open.over
  })

  law('J43', 'a watch beyond the end or of an unknown session is refused', async ({ ids, ...setting }) => {
    const { t, other } = setting
    const writer = await Writer.begin({ ids, t })
    for (const after of [2, -1, 0.5]) await refused(first(t.watch(writer.session, after)), 'input.invalid')
    await refused(first(t.watch(ids('ses'), 0)), 'session.not_found')
    await refused(first(other.watch(writer.session, 0)), 'session.not_found')
  })

  law('J44', 'an entry that another process wrote reaches the watcher', async setting => {
    const { t } = setting
    const writer = await Writer.begin(setting)
    const second = await setting.another()
    const watch = follow(second.in(t.tenant), writer.session, 1)
    const said = await writer.say('from elsewhere')
    await until(() => watch.seen.length === 1, 'the entry of another process')
    equal(watch.seen[0]?.id, said)
    watch.stop()
    await watch.over
  })

  law(
    'J47',
    'a watch ends when the session is erased, also by another process, and yields nothing of it after',
    async setting => {
      const { t } = setting
      const writer = await Writer.begin(setting)
      const second = await setting.another()
      const watches = [follow(t, writer.session, 0), follow(second.in(t.tenant), writer.session, 0)]
      await until(() => watches.every(({ seen }) => seen.length === 1), 'the entry')
      await t.commit([{ type: 'erase_session', session: writer.session }])
      await Promise.all(watches.map(({ over }) => over))
      equal(
        watches.map(({ seen }) => seen.length),
        [1, 1],
      )
    },
  )

  law('J47', 'a watch that stands within a page shows nothing that was erased meanwhile', async setting => {
    const { t } = setting
    const writer = await Writer.begin(setting)
    for (const n of numbers(1, 4)) await writer.say(`secret ${n}`)
    const types: string[] = []
    const controller = new AbortController()
    for await (const entry of t.watch(writer.session, 0, { signal: controller.signal })) {
      types.push(entry.type)
      if (entry.seq === 2) await t.commit([{ type: 'erase_entries', session: writer.session, seqs: [3, 4] }])
      if (entry.seq === 5) controller.abort()
    }
    equal(types, ['session_created', 'message_added', 'erased', 'erased', 'message_added'])
    const rest: number[] = []
    for await (const entry of t.watch(writer.session, 0)) {
      rest.push(entry.seq)
      if (entry.seq === 2) await t.commit([{ type: 'erase_session', session: writer.session }])
    }
    equal(rest, [1, 2])
  })
}
