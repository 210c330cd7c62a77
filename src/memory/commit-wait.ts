import { isObject, type JobId, wait } from '#kernel'
import type { SessionCore } from '#session'
import { storedArchive } from './archive-row.ts'
import { cutOverview } from './archive-text.ts'
import type { CommitOptions, CommitResult, Sealed } from './commit-types.ts'

const waitDefaultMs = 30_000
const overviewDefault = 2_000
const lookMs = 20

/**
 * Waits for a sealed archive to become ready, as long as was asked for. When the time is over, or its job is parked, it is
 * still sealed; the job goes on. An abort rejects with its reason, and the seal stays. Law M17.
 */
export async function whenReady(core: SessionCore, sealed: Sealed, options: CommitOptions): Promise<CommitResult> {
  const { wait: asked = false, signal, maxOverviewChars = overviewDefault } = options
  const ms = asked === true ? waitDefaultMs : asked === false ? 0 : asked.ms
  if (asked === false) return sealed
  // Told by what was slept, not by a clock that somebody may hold.
  for (let slept = 0; ; slept += lookMs) {
    signal?.throwIfAborted()
    const row = await core.store.archive(sealed.archive)
    const archive = row === undefined ? undefined : storedArchive(row)
    if (archive !== undefined && archive.data.state !== 'sealed')
      return { ...sealed, status: 'ready', overview: cutOverview(archive.data.overview, maxOverviewChars) }
    const error = await parkedWith(core, archive?.data.job ?? sealed.jobs[0])
    if (error !== undefined) return { ...sealed, error }
    if (slept >= ms) return sealed
    await wait(core.runtime.timers, Math.min(lookMs, ms), signal)
  }
}

async function parkedWith(core: SessionCore, id: JobId | null | undefined): Promise<Sealed['error']> {
  const job = id == null ? undefined : await core.store.job(id)
  if (job === undefined || (job.state !== 'parked' && job.state !== 'skipped')) return undefined
  const { code, message } = isObject(job.lastError) ? job.lastError : {}
  return {
    code: typeof code === 'string' ? code : 'skein.bug',
    message: typeof message === 'string' ? message : 'Its job was given up.',
  }
}
