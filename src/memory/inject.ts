import { fenced, tagsOf } from '#context'
import type { SessionRow, TenantStore } from '#journal'
import type { ShownMemory } from './commit-ports.ts'
import { isCurrent, type Memory } from './memory-types.ts'
import type { Recall } from './recall.ts'

const mostRecalled = 20

/** Texts by rank; `degraded` names legs that failed while the others answered. */
export interface Recollection extends ReadonlyArray<ShownMemory> {
  readonly degraded: readonly string[]
}

/** What a session is shown of memory belongs to whom it is bound to. */
const ownersOf = ({ user, agent }: Pick<SessionRow, 'user' | 'agent'>): string[] => (user === null ? [agent] : [user, agent])

/** The current profile of the session's user, by key. */
export async function profileText(recall: Recall, store: TenantStore, { user }: SessionRow): Promise<ShownMemory[]> {
  if (user === null) return []
  const index = await recall.ownerIndex(store, user)
  return [...index.heads()]
    .filter(memory => isCurrent(memory) && memory.category === 'profile')
    .sort((one, other) => (one.key < other.key ? -1 : 1))
    .map(memory => shown('profile', memory, memory.abstract))
}

/** What is known about a query, best first, without the profile. */
export async function recallText(recall: Recall, store: TenantStore, row: SessionRow, query: string): Promise<Recollection> {
  const found = await recall.search(store, { query, owners: ownersOf(row), limit: mostRecalled })
  const texts = found.filter(({ category }) => category !== 'profile').map(memory => shown('recall', memory, memory.overview))
  return Object.defineProperty(texts, 'degraded', { value: found.degraded }) as unknown as Recollection
}

const shown = (kind: ShownMemory['kind'], { id }: Memory, text: string): ShownMemory => ({ kind, id, text })

const tags = tagsOf('skein-memory')

/** A text as data without authority: it can neither close nor open the envelope. Source: spec/memory.md 6. */
export function enveloped({ kind, id, text }: ShownMemory): string {
  return fenced('skein-memory', { kind, id }, text, tags)
}
