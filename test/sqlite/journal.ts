import {
  type Append,
  type Change,
  type CommitOptions,
  type Committed,
  type Fence,
  headEffect,
  type HeadPatch,
  type NewEntry,
  noTotals,
  type Results,
  type SessionFields,
  type Store,
  type TenantStore,
  totalsAfter,
} from '#journal'
import { createIds, type EntryId, type SessionId } from '#kernel'
import { processOwner } from '#stores/sqlite'

export const ids = createIds()

const fields: SessionFields = {
  state: 'active',
  hidden: false,
  title: null,
  preview: null,
  user: null,
  agent: 'main',
  platform: null,
  cwd: null,
  parent: null,
  model: null,
  tags: [],
  createdAt: 1,
  updatedAt: 1,
  lastMessageAt: null,
  lastAccessedAt: 1,
}

/** A session and whoever extends its branch. */
export interface Author {
  readonly t: TenantStore
  readonly session: SessionId
  readonly fence: Fence
  readonly root: EntryId
  /** Appends a message below the leaf. */
  say(text: string, options?: CommitOptions): Promise<Committed>
  /** A side entry, which needs no fence and no order. */
  note(text: string): Append
}

/** Creates, acquires and writes the root in one commit, with more changes behind if wanted. */
export async function begin(
  store: Store,
  tenant = 'default',
  owner: string = processOwner(),
  more: readonly Change[] = [],
): Promise<Author> {
  const t = store.in(tenant)
  const session = ids('ses')
  const root: NewEntry = { id: ids('ent'), parentId: null, type: 'session_created', v: 1, at: 1, totals: noTotals, data: {} }
  const { results } = await t.commit([
    { type: 'create_session', session, alias: null, fields, data: {} },
    { type: 'acquire', session, owner, leaseMs: 60_000 },
    { type: 'append', session, entries: [root], head: effect(root), fence: { of: 1 } },
    ...more,
  ])
  const fence = results[1] as Results['acquire']
  let leaf = root.id
  let totals = noTotals
  return {
    t,
    session,
    fence,
    root: root.id,
    async say(text, options) {
      const data = { role: 'user', parts: [{ type: 'text', text }] }
      const next = totalsAfter({ type: 'message_added' }, totals)
      const entry: NewEntry = { id: ids('ent'), parentId: leaf, type: 'message_added', v: 1, at: 2, totals: next, data }
      const change: Append = { type: 'append', session, entries: [entry], head: effect(entry), fence, expectLeaf: leaf }
      const committed = await t.commit([change], options)
      leaf = entry.id
      totals = next
      return committed
    },
    note(text) {
      const entry: NewEntry = { id: ids('ent'), parentId: null, type: 'custom', v: 1, at: 2, data: { name: 'note', text } }
      return { type: 'append', session, entries: [entry], head: effect(entry) }
    },
  }
}

const effect = (entry: NewEntry): HeadPatch => headEffect([entry], { preview: null, data: {}, state: 'active' })
