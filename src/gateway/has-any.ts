import { parseSessionRef } from '#kernel'
import type { Front } from './desk.ts'

/** Deleted sessions count, too: somebody was here. Law G49. */
export async function hasAnySessions({ store }: Front, except?: string): Promise<boolean> {
  const { items } = await store.sessions({ states: ['active', 'ended', 'deleted'], limit: 2 })
  if (except === undefined) return items.length > 1
  const ref = parseSessionRef(except, 'except')
  const id = typeof ref === 'string' ? ref : (await store.session(ref))?.id
  return items.some(row => row.id !== id)
}
