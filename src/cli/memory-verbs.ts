import { given } from '#kernel'
import type {
  EraseReceipt,
  EraseTarget,
  Extracted,
  MemoriesFilter,
  Memory,
  MemoryHit,
  MemorySearch,
  PendingExtraction,
  Range,
  RangesFilter,
  Receipt,
  UndoTarget,
} from '#memory'
import type { Skein } from '#skein'
import { answer, type Server } from './http.ts'

interface Items<T> {
  readonly items: readonly T[]
  readonly next?: string
}

/** What `skein memory` stands on. */
export interface MemoryVerbs {
  list(owner: string | undefined, filter: MemoriesFilter): Promise<Items<Memory>>
  search(search: MemorySearch): Promise<Items<MemoryHit> & { readonly degraded: readonly string[] }>
  history(id: string): Promise<Items<Memory>>
  pending(): Promise<Items<PendingExtraction>>
  ranges(filter: RangesFilter): Promise<Items<Range>>
  extract(session: string, sessionTime?: string): Promise<Extracted>
  rewind(session: string, seq: number): Promise<boolean>
  undo(target: UndoTarget): Promise<Receipt>
  erase(target: EraseTarget): Promise<EraseReceipt>
}

export function localMemory({ memory }: Skein): MemoryVerbs {
  return {
    list: (owner, filter) => memory.list(owner, filter),
    search: async search => {
      const items = await memory.search(search)
      return { items, degraded: items.degraded }
    },
    history: async id => ({ items: await memory.history(id) }),
    pending: async () => ({ items: await memory.pending() }),
    ranges: filter => memory.ranges(filter),
    extract: (session, sessionTime) => memory.extract(session, given({ sessionTime })),
    rewind: (session, seq) => memory.rewind(session, seq),
    undo: target => memory.undo(target),
    erase: target => memory.erase(target),
  }
}

export function remoteMemory(server: Server): MemoryVerbs {
  const post = <T>(verb: string, body: object): Promise<T> => answer(server, `v1/memory/${verb}`, { method: 'POST', body })
  return {
    list: (owner, filter) => answer(server, 'v1/memory', { query: given({ owner, ...filter }) }),
    search: search => answer(server, 'v1/memory/search', { query: { ...search } }),
    history: id => answer(server, `v1/memory/${encodeURIComponent(id)}/history`),
    pending: () => answer(server, 'v1/memory/pending'),
    ranges: filter => answer(server, 'v1/memory/ranges', { query: { ...filter } }),
    extract: (session, sessionTime) => post('extract', given({ session, sessionTime })),
    rewind: (session, seq) => post('rewind', { session, seq }),
    undo: target => post('undo', typeof target === 'string' ? { memory: target } : target),
    erase: target => post('erase', target),
  }
}
