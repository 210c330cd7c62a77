import { given, type SessionId } from '#kernel'
import { type Change, isType, type SessionRow, type TenantStore } from '#journal'
import type { Forgotten } from './erase-receipt.ts'

const pageSize = 500

/** Erases the notes by which sessions of an owner were shown memories that are gone. Law M61. */
export async function forgetNotes(store: TenantStore, gone: readonly Forgotten[], claim: readonly Change[] = []): Promise<void> {
  const owners = new Set(gone.map(({ owner }) => owner))
  const ids = gone.map(({ id }) => id)
  const isShown = ({ user, agent }: SessionRow): boolean => owners.has(agent) || (user !== null && owners.has(user))
  for (let cursor: string | undefined; gone.length > 0;) {
    const page = await store.sessions({
      states: ['active', 'ended', 'deleted'],
      sort: 'createdAt',
      limit: 200,
      ...given({ cursor }),
    })
    for (const row of page.items) {
      const seqs = isShown(row) ? await notesOf(store, row.id, ids) : []
      if (seqs.length > 0) await store.commit([...claim, { type: 'erase_entries', session: row.id, seqs }])
    }
    if (page.next === undefined) return
    cursor = page.next
  }
}

async function notesOf(store: TenantStore, session: SessionId, ids: readonly string[]): Promise<number[]> {
  const found: number[] = []
  for (let after = 0; ;) {
    const page = await store.entries(session, { after, types: ['context_noted'], limit: pageSize })
    for (const entry of page)
      if (isType(entry, 'context_noted') && entry.data.origin === 'recall' && ids.some(id => entry.data.text.includes(id)))
        found.push(entry.seq)
    if (page.length < pageSize) return found
    after = page.at(-1)?.seq ?? after
  }
}
