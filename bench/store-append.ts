import { newId } from '#kernel'
import { type Fence, headEffect, type NewEntry, noTotals, type Results, type Store, type Totals, totalsAfter } from '#journal'

export interface StoreAppend {
  append(message: unknown, durability: 'full' | 'relaxed'): Promise<unknown>
}

/** A session at the store's own port, below the face: what a writer that relaxes its appends pays. */
export async function prepareAppend(store: Store): Promise<StoreAppend> {
  const tenant = store.in('default')
  const session = newId('ses')
  const at = Date.now()
  const root: NewEntry = { id: newId('ent'), parentId: null, type: 'session_created', v: 1, at, totals: noTotals, data: {} }
  const fields = {
    state: 'active',
    hidden: false,
    title: null,
    preview: '',
    user: null,
    agent: 'main',
    platform: null,
    cwd: null,
    parent: null,
    model: null,
    tags: [],
    createdAt: at,
    updatedAt: at,
    lastMessageAt: null,
    lastAccessedAt: at,
  } as const
  const row = { preview: '', data: {}, state: 'active' } as const
  const { results } = await tenant.commit([
    { type: 'create_session', session, alias: null, fields, data: {} },
    { type: 'acquire', session, owner: 'bench', leaseMs: 3_600_000 },
    { type: 'append', session, entries: [root], head: headEffect([root], row), fence: { of: 1 } },
  ])
  const fence = results[1] as Results['acquire'] & Fence
  let leaf = root.id
  let totals: Totals = noTotals
  return {
    append(message, durability) {
      totals = totalsAfter({ type: 'message_added', tokens: 1 }, totals)
      const entry: NewEntry = {
        id: newId('ent'),
        parentId: leaf,
        type: 'message_added',
        v: 1,
        at: Date.now(),
        tokens: 1,
        totals,
        data: message,
      }
      leaf = entry.id
      return tenant.commit([{ type: 'append', session, entries: [entry], head: headEffect([entry], row), fence }], { durability })
    },
  }
}
