import { createIds, manualClock, newId } from '#kernel'
import { describe, expect, it } from 'vitest'
import { headEffect, memoryStore, totalsAfter, type NewEntry, type SessionFields, noTotals } from '#journal'

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

describe('the memory store', () => {
  it('creates a session, takes its first entries in the same commit and pages them back', async () => {
    const store = memoryStore({ clock: manualClock() })
    const t = store.in('default')
    const ids = createIds()
    const session = newId('ses')
    const root: NewEntry = { id: ids('ent'), parentId: null, type: 'session_created', v: 1, at: 5, totals: noTotals, data: {} }
    const message: NewEntry = {
      id: ids('ent'),
      parentId: root.id,
      type: 'message_added',
      v: 1,
      at: 6,
      tokens: 3,
      totals: totalsAfter({ type: 'message_added', tokens: 3 }),
      data: { role: 'user', parts: [{ type: 'text', text: 'hello world' }] },
    }
    const entries = [root, message]
    await t.commit([
      { type: 'create_session', session, alias: null, fields, data: {} },
      { type: 'acquire', session, owner: 'me', leaseMs: 1000 },
      {
        type: 'append',
        session,
        entries,
        head: headEffect(entries, { preview: null, data: {}, state: 'active' }),
        fence: { of: 1 },
      },
    ])
    expect((await t.entries(session)).map(e => e.seq)).toEqual([1, 2])
    expect((await t.session(session))?.preview).toBe('hello world')
    expect((await t.search({ query: 'hello' })).hits).toHaveLength(1)
    expect((await store.check()).findings).toEqual([])
  })
})
