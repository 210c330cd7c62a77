import { type Entry, type FileState, isType } from '#journal'
import { sameState } from './file-states.ts'

/** What the journal tells of one file from some place on. */
export interface Remembered {
  readonly cwd: string
  /** As it stood before anything that is to be taken back. */
  readonly before: FileState
  /** As the agent last left it; absent if nothing is known to have been written. */
  readonly left?: FileState
}

export interface RewindItem {
  readonly path: string
  readonly action: 'restore' | 'remove' | 'skip'
  readonly reason:
    | 'changed'
    | 'missing'
    | 'created'
    | 'unchanged'
    | 'changed_outside'
    | 'unprotected'
    | 'outside_cwd'
    | 'no_plain_file'
    | 'content_lost'
    | 'failed'
}

/**
 * The files that checkpoints from `seq` on speak of, each as it stood before the first of those, and as the agent last left
 * it. `unprotected` are those that could not be kept. Pure.
 */
export function remembered(
  entries: readonly Entry[],
  seq: number,
): { readonly files: readonly Remembered[]; readonly unprotected: readonly string[] } {
  const files = new Map<string, { cwd: string; before: FileState; left?: FileState }>()
  const left = new Map<string, FileState>()
  const unprotected = new Set<string>()
  const keyOf = (cwd: string, path: string): string => `${cwd}\0${path}`
  for (const entry of entries) {
    if (isType(entry, 'checkpoint_saved')) {
      const { cwd, files: saved, unprotected: not = [] } = entry.data
      if (entry.seq < seq) continue
      for (const before of saved) {
        const key = keyOf(cwd, before.path)
        if (!files.has(key)) files.set(key, { cwd, before })
      }
      for (const { path } of not) unprotected.add(path)
    } else if (isType(entry, 'checkpoint_settled') || isType(entry, 'files_rewound'))
      for (const state of entry.data.files) left.set(keyOf(entry.data.cwd, state.path), state)
  }
  return {
    files: [...files].map(([key, file]) => {
      const last = left.get(key)
      return last === undefined ? file : { ...file, left: last }
    }),
    unprotected: [...unprotected],
  }
}

/** What becomes of a file that stands as `now`. Pure. */
export function rewindItem({ before, left }: Remembered, now: FileState, force: boolean): RewindItem {
  const { path } = before
  if (sameState(before, now)) return { path, action: 'skip', reason: 'unchanged' }
  if (!force && (left === undefined || !sameState(left, now))) return { path, action: 'skip', reason: 'changed_outside' }
  if (before.hash === null) return { path, action: 'remove', reason: 'created' }
  return { path, action: 'restore', reason: now.hash === null ? 'missing' : 'changed' }
}
