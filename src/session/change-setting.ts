import { given, isSkeinError } from '#kernel'
import type { SessionCore, WriteOptions, Written } from './core.ts'
import type { Draft } from './draft.ts'

/** Runs may begin and end between the look and the write. */
const mostTries = 100

/**
 * Writes settings on the branch. Beside a run of this process it is written with the run's own lease: the run keeps what it began
 * with, and the next one has what was set. Law P10.
 */
export async function changeSetting(core: SessionCore, drafts: readonly Draft[], options: WriteOptions = {}): Promise<Written> {
  for (let tries = 1; ; tries++) {
    const run = core.activeRun
    try {
      return await core.path(() => ({ drafts }), { ...options, ...given({ run }) })
    } catch (error) {
      const isOther = isSkeinError(error) && error.code === 'session.busy' && error.details['by'] === 'run'
      if (!isOther || core.activeRun === run || tries >= mostTries) throw error
    }
  }
}
