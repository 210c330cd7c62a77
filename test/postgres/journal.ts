import { type EntryId, newId, type SessionId } from '#kernel'
import {
  type Append,
  type Change,
  type Fence,
  headEffect,
  type NewEntry,
  noTotals,
  type Results,
  type SessionFields,
  type TenantStore,
  type Totals,
  totalsAfter,
} from '#journal'

const at = 1_700_000_000_000

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
  createdAt: at,
  updatedAt: at,
  lastMessageAt: null,
  lastAccessedAt: at,
}

/** A session with its root and a lease, as a writer of these tests knows it. */
export interface Journal {
  readonly session: SessionId
  readonly fence: Fence
  /** The changes that add messages to the branch. */
  say(...texts: string[]): Append
  /** The changes that add side entries, as any process may. */
  label(text: string): Append
}

export function beginning(session: SessionId = newId('ses')): { readonly changes: readonly Change[]; readonly root: NewEntry } {
  const root: NewEntry = { id: newId('ent'), parentId: null, type: 'session_created', v: 1, at, totals: noTotals, data: {} }
  return {
    root,
    changes: [
      { type: 'create_session', session, alias: null, fields, data: {} },
      { type: 'acquire', session, owner: 'writer', leaseMs: 60_000 },
      { type: 'append', session, entries: [root], head: headOf([root]), fence: { of: 1 } },
    ],
  }
}

const headOf = (entries: readonly NewEntry[]) => headEffect(entries, { preview: null, data: {}, state: 'active' })

export async function beginJournal(t: TenantStore): Promise<Journal> {
  const session = newId('ses')
  const { changes, root } = beginning(session)
  const { results } = await t.commit(changes)
  const fence = results[1] as Results['acquire']
  let leaf: EntryId = root.id
  let totals: Totals = noTotals
  const message = (text: string): NewEntry => {
    totals = totalsAfter({ type: 'message_added', tokens: 1 }, totals)
    const entry: NewEntry = {
      id: newId('ent'),
      parentId: leaf,
      type: 'message_added',
      v: 1,
      at: at + 1,
      tokens: 1,
      totals,
      data: { role: 'user', parts: [{ type: 'text', text }] },
    }
    leaf = entry.id
    return entry
  }
  return {
    session,
    fence,
    say(...texts) {
      const entries = texts.map(message)
      return { type: 'append', session, entries, head: headOf(entries), fence }
    },
    label(text) {
      const entries = [{ id: newId('ent'), parentId: null, type: 'custom', v: 1, at: at + 1, data: { name: 'label', text } }]
      return { type: 'append', session, entries, head: headOf(entries) }
    },
  }
}
