import type { EntryId } from '#kernel'
import { type Change, type Finding, isPath, noTotals } from '#journal'
import { equal, jobOf, type Law, ok, present, type Setting } from './setting.ts'
import { appendOf, entryOf, textMessage, Writer } from './writer.ts'

async function findings({ store, t }: Setting, deep = false): Promise<readonly Finding[]> {
  return (await store.check({ deep })).findings.filter(finding => finding.tenant === t.tenant)
}

/** Whoever writes wrongly through the port is caught by the checker: one fault, one kind of finding, named by what it is about. */
const faults: Readonly<
  Record<string, { kind: Finding['kind']; plant: (writer: Writer, setting: Setting) => { changes: Change[]; ref: string } }>
> = {
  'an orphaned parent': {
    kind: 'orphan',
    plant: (writer, { ids }) => {
      const entry = entryOf(ids, 'message_added', textMessage('x'), {
        parentId: ids('ent'),
        totals: { messages: 1, turns: 0, tokens: 0 },
      })
      return { changes: [writer.append([entry])], ref: entry.id }
    },
  },
  'a wrong leaf': {
    kind: 'leaf',
    plant: writer => {
      const leaf = writer.root
      const entry = writer.message('x')
      return { changes: [writer.append([entry], { head: { setsLeaf: leaf, totals: noTotals } })], ref: writer.session }
    },
  },
  'a wrong turn count': {
    kind: 'count',
    plant: writer => ({ changes: [writer.append([], { head: { add: { turnCount: 1 } } })], ref: writer.session }),
  },
  'wrong totals of an entry': {
    kind: 'totals',
    plant: writer => {
      const entry = { ...writer.message('x'), totals: { messages: 7, turns: 0, tokens: 0 } }
      return {
        changes: [writer.append([entry], { head: { setsLeaf: entry.id, totals: { messages: 1, turns: 0, tokens: 0 } } })],
        ref: entry.id,
      }
    },
  },
  'wrong totals of the head': {
    kind: 'totals',
    plant: writer => ({
      changes: [writer.append([], { head: { totals: { messages: 0, turns: 0, tokens: 3 } } })],
      ref: writer.session,
    }),
  },
  'a missing blob': {
    kind: 'blob',
    plant: writer => {
      const { change, blobs } = writer.stowed([{ type: 'text', text: 'x'.repeat(5_000) }])
      return { changes: [{ ...change, blobs: [] }], ref: present(blobs[0]).id }
    },
  },
  'an altered blob': {
    kind: 'blob',
    plant: writer => {
      const { change, blobs } = writer.stowed([{ type: 'text', text: 'x'.repeat(5_000) }])
      const blob = present(blobs[0])
      return { changes: [{ ...change, blobs: [{ ...blob, bytes: blob.bytes.slice(1) }] }], ref: blob.id }
    },
  },
}

export function checking(law: Law): void {
  law('J48', 'a journal with branches, turns, blobs, archives, jobs, a copy and erased entries has no fault', async setting => {
    const { t, store, ids } = setting
    const writer = await Writer.begin(setting)
    const turn = writer.path('turn_started', { index: 0 })
    await writer.commit(turn, writer.message('one', 'user', { tokens: 4 }))
    const kept = writer.leaf
    await t.commit([writer.stowed([{ type: 'text', text: 'y'.repeat(5_000) }]).change])
    await writer.moveTo(kept)
    await writer.say('two', 'assistant', { tokens: 2 })
    await t.commit([
      { type: 'put_archive', id: 'arc_1', session: writer.session, fromSeq: 1, toSeq: 2, data: {}, expectVersion: 0 },
      { type: 'put_archive', id: 'arc_2', session: writer.session, fromSeq: 3, toSeq: 4, data: {}, expectVersion: 0 },
      {
        type: 'put_archive',
        id: 'arc_3',
        session: writer.session,
        fromSeq: 1,
        toSeq: 4,
        children: ['arc_1', 'arc_2'],
        data: {},
        expectVersion: 0,
      },
      { type: 'erase_entries', session: writer.session, seqs: [3] },
      jobOf(setting, { session: writer.session }),
    ])
    const second = await Writer.begin(setting, { fields: { hidden: true } })
    equal(
      [(await findings(setting)).filter(({ session }) => session !== second.session), await findings(setting, true)],
      [[], []],
    )
    const { sessions, entries } = await store.check()
    ok(sessions >= 1 && entries >= 6)
    equal(isPath(present(await t.entry(writer.session, turn.id))), true)
    equal(await t.entry(second.session, ids('ent') satisfies EntryId), undefined)
  })

  for (const [fault, { kind, plant }] of Object.entries(faults)) {
    law('J48', `check finds ${fault} and names it`, async setting => {
      const writer = await Writer.begin(setting)
      const { changes, ref } = plant(writer, setting)
      await setting.t.commit(changes)
      const found = await findings(setting, true)
      equal(
        found.map(finding => [finding.session, finding.kind, finding.ref]),
        [[writer.session, kind, ref]],
        JSON.stringify(found),
      )
    })
  }

  law('J48', 'check finds a journal that does not begin with session_created', async setting => {
    const writer = await Writer.begin(setting)
    const { session } = writer
    const entry = writer.side('custom', { name: 'x', data: 1 })
    await setting.t.commit([
      { type: 'erase_session', session },
      { type: 'create_session', session, alias: null, fields: present(await setting.t.session(session)), data: {} },
      appendOf(session, [entry]),
    ])
    equal(
      (await findings(setting)).map(finding => [finding.kind, finding.ref]),
      [['root', entry.id]],
    )
  })

  law('J29', 'a store answers a ping and counts what it did', async ({ store, t }) => {
    await store.ping()
    const before = store.stats()
    await t.commit([{ type: 'put_record', collection: 'c', key: 'k', value: 1 }])
    const after = store.stats()
    equal([after.adapter, after.transactions - before.transactions, after.commits - before.commits], [store.adapter, 1, 1])
  })
}
