import { createIds } from '#kernel'
import { beforeEach, describe, expect } from 'vitest'
import { verifies } from '#verifies'
import {
  type ArchiveRow,
  checkStore,
  type Entry,
  type Finding,
  memoryStore,
  type SessionRow,
  type Store,
  type TenantStore,
} from '#journal'
import { Writer } from './contract/writer.ts'

/** A store whose reads lie as they are told. */
function lying(store: Store, lies: (t: TenantStore) => Partial<TenantStore>): Store {
  return { ...store, in: tenant => ({ ...store.in(tenant), ...lies(store.in(tenant)) }) }
}

const lyingEntries = (store: Store, lie: (entries: readonly Entry[]) => readonly Entry[]): Store =>
  lying(store, t => ({ entries: async (session, query) => lie(await t.entries(session, query)) }))
const lyingRow = (store: Store, lie: (row: SessionRow) => SessionRow): Store =>
  lying(store, t => ({ sessions: async filter => ({ items: (await t.sessions(filter)).items.map(lie) }) }))

describe('a planted fault', () => {
  let store: Store
  let writer: Writer
  let ids: ReturnType<typeof createIds>
  const findings = async (planted: Store, deep = false): Promise<[Finding['kind'], string | null][]> =>
    (await checkStore(planted, { deep })).findings.map(({ kind, ref }) => [kind, ref])

  beforeEach(async () => {
    ids = createIds()
    store = memoryStore()
    writer = await Writer.begin({ t: store.in('default'), ids })
    for (const text of ['one', 'two', 'three', 'four']) await writer.say(text)
    await writer.t.commit([writer.stowed([{ type: 'text', text: 'x'.repeat(5_000) }]).change])
    expect(await findings(store, true)).toEqual([])
  })

  verifies('J48', 'a gap is found, and named by the entry behind it', async () => {
    const planted = lyingEntries(store, entries =>
      entries.filter(entry => entry.type !== 'custom').map(entry => (entry.seq < 6 ? entry : { ...entry, seq: entry.seq + 1 })),
    )
    const last = (await writer.t.entries(writer.session)).at(-1)
    expect(await findings(planted)).toEqual([
      ['gap', last?.id],
      ['count', writer.session],
    ])
  })

  verifies('J48', 'a wrong count of the head is found', async () => {
    expect(await findings(lyingRow(store, row => ({ ...row, seq: row.seq + 1 })))).toEqual([['count', writer.session]])
    expect(await findings(lyingRow(store, row => ({ ...row, counters: { ...row.counters, turnCount: 3 } })))).toEqual([
      ['count', writer.session],
    ])
  })

  verifies('J48', 'a wrong leaf, wrong totals, an orphan and a wrong root are found', async () => {
    const entries = await writer.t.entries(writer.session)
    expect(await findings(lyingRow(store, row => ({ ...row, leafId: ids('ent') })))).toContainEqual(['leaf', writer.session])
    expect(await findings(lyingRow(store, row => ({ ...row, totals: { ...row.totals, tokens: 1 } })))).toEqual([
      ['totals', writer.session],
    ])
    const orphan = (list: readonly Entry[]): readonly Entry[] =>
      list.map(entry => (entry.seq === 6 ? { ...entry, parentId: ids('ent') } : entry))
    expect(await findings(lyingEntries(store, orphan))).toContainEqual(['orphan', entries[5]?.id])
    const forward = (list: readonly Entry[]): readonly Entry[] =>
      list.map(entry => (entry.seq === 3 ? { ...entry, parentId: entries[3]?.id ?? null } : entry))
    expect(await findings(lyingEntries(store, forward))).toContainEqual(['orphan', entries[2]?.id])
    const root = (list: readonly Entry[]): readonly Entry[] =>
      list.map(entry => (entry.seq === 1 ? { ...entry, type: 'custom' } : entry))
    expect(await findings(lyingEntries(store, root))).toContainEqual(['root', entries[0]?.id])
  })

  verifies('J48', 'a missing blob is found at once, an altered one by the deep check', async () => {
    const blob = (await store.check()).blobs
    expect(blob).toBe(1)
    expect((await findings(lying(store, () => ({ blobs: async () => [] })))).map(([kind]) => kind)).toEqual(['blob'])
    const altered = lying(store, t => ({
      blobs: async ids => (await t.blobs(ids)).map(row => ({ ...row, bytes: row.bytes.map(byte => byte ^ 1) })),
    }))
    expect(await findings(altered)).toEqual([])
    expect((await findings(altered, true)).map(([kind]) => kind)).toEqual(['blob'])
  })

  verifies('J48', 'archives that overlap, or reach beyond the journal, are found; children within a parent are not', async () => {
    const archive = (id: string, fromSeq: number, toSeq: number, children: string[] = []): ArchiveRow => ({
      id,
      session: writer.session,
      fromSeq,
      toSeq,
      children,
      data: {},
      version: 1,
    })
    const planted = (...rows: ArchiveRow[]): Store => lying(store, () => ({ archives: async () => rows }))
    expect(await findings(planted(archive('arc_1', 1, 3), archive('arc_2', 3, 4)))).toEqual([['overlap', 'arc_2']])
    expect(await findings(planted(archive('arc_1', 1, 5), archive('arc_2', 2, 3)))).toEqual([['overlap', 'arc_2']])
    expect(await findings(planted(archive('arc_1', 1, 99)))).toEqual([['watermark', 'arc_1']])
    expect(
      await findings(planted(archive('arc_3', 1, 4, ['arc_1', 'arc_2']), archive('arc_1', 1, 2), archive('arc_2', 3, 4))),
    ).toEqual([])
  })

  verifies('J48', 'erased entries, also turns, moves and the root, are no fault', async () => {
    await writer.commit(writer.path('turn_started', { index: 0 }))
    await writer.moveTo(writer.root)
    const seqs = (await writer.t.entries(writer.session)).map(entry => entry.seq)
    for (const seq of seqs.reverse()) {
      await writer.t.commit([{ type: 'erase_entries', session: writer.session, seqs: [seq] }])
      expect(await findings(store, true), `${seq}`).toEqual([])
    }
  })
})
