import { given, type SessionId } from '#kernel'
import type { Archive, CommitOptions, CommitResult } from '#memory'
import type { Page } from '#journal'
import type { Skein } from '#skein'
import { answer, type Server } from './http.ts'

/** What `skein commit` may ask. */
export type CommitFlags = Pick<CommitOptions, 'through' | 'wait' | 'extract'>

/** The verbs of archives, here or over HTTP. */
export interface ArchiveVerbs {
  commit(id: SessionId, options: CommitFlags): Promise<CommitResult>
  close(id: SessionId, options: { readonly commit?: boolean }): Promise<CommitResult | null>
  list(
    id: SessionId,
    options: { readonly limit?: number; readonly cursor?: string; readonly all?: boolean },
  ): Promise<Page<Archive>>
}

export function localArchives({ sessions }: Pick<Skein, 'sessions'>): ArchiveVerbs {
  return {
    commit: async (id, options) => await (await sessions.open(id)).commit(options),
    close: async (id, options) => (await (await sessions.open(id)).close(options)) ?? null,
    list: async (id, options) => {
      const { items, next } = await (await sessions.open(id)).archives(options)
      return { items, ...given({ next }) }
    },
  }
}

export function remoteArchives(server: Server): ArchiveVerbs {
  const at = (id: string, verb: string): string => `v1/sessions/${encodeURIComponent(id)}/${verb}`
  const post = <T>(path: string, body: unknown): Promise<T> => answer<T>(server, path, { method: 'POST', body })
  return {
    commit: (id, options) => post(at(id, 'commit'), options),
    close: (id, options) => post(at(id, 'close'), options),
    list: (id, options) => answer(server, at(id, 'archives'), { query: { ...options } }),
  }
}
