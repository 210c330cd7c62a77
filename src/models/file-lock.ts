import { open, readFile, rm, stat } from 'node:fs/promises'
import { SkeinError } from '#kernel'

/** Source: spec/agent.md 2. */
export const lockLimits = {
  /** A lock that is older was left by a process that died. */
  staleMs: 30_000,
  /** Then `auth.locked`. */
  waitMs: 10_000,
  /** Between two attempts, and up to as much again. */
  pauseMs: 20,
} as const

export interface LockOutside {
  /** The machine's time: compared with when the file system says that a lock was made. */
  now(): number
  /** In [0, 1). */
  number(): number
  /** A text that nobody else has. */
  name(): string
  pause(ms: number): Promise<void>
}

/** A lock that is held. */
export interface HeldLock {
  /** False once somebody has taken it as stale. */
  isOurs(): Promise<boolean>
  release(): Promise<void>
}

/**
 * Takes a lock that other processes respect: a file, made if it isn't there. Waits for whoever has it, `waitMs` in all, and
 * takes the place of one that is stale. Rejects with `auth.locked`.
 */
export async function takeLock(file: string, outside: LockOutside): Promise<HeldLock> {
  const until = outside.now() + lockLimits.waitMs
  for (;;) {
    const name = outside.name()
    if (await make(file, name)) return held(file, name)
    if (await isStale(file, outside)) await removeStale(file, outside)
    else if (outside.now() >= until) throw locked(file)
    else await outside.pause(lockLimits.pauseMs * (1 + outside.number()))
  }
}

function held(file: string, name: string): HeldLock {
  const isOurs = async (): Promise<boolean> => (await readFile(file, 'utf8').catch(() => undefined)) === name
  return {
    isOurs,
    async release() {
      if (await isOurs()) await rm(file, { force: true })
    },
  }
}

/** True if it was not there. */
async function make(file: string, name: string): Promise<boolean> {
  try {
    await using handle = await open(file, 'wx', 0o600)
    await handle.writeFile(name).catch(async (error: unknown) => {
      await rm(file, { force: true })
      throw error
    })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function isStale(file: string, { now }: LockOutside): Promise<boolean> {
  const found = await stat(file).catch(() => undefined)
  return found !== undefined && now() - found.mtimeMs > lockLimits.staleMs
}

/** One at a time, so that nobody removes the lock that another has just put in the stale one's place. */
async function removeStale(file: string, outside: LockOutside): Promise<void> {
  const removing = `${file}.stale`
  if (!(await make(removing, outside.name()))) {
    if (await isStale(removing, outside)) await rm(removing, { force: true })
    else await outside.pause(lockLimits.pauseMs)
    return
  }
  try {
    if (await isStale(file, outside)) await rm(file, { force: true })
  } finally {
    await rm(removing, { force: true })
  }
}

const locked = (file: string): SkeinError =>
  new SkeinError('auth.locked', `Another process holds the credentials: ${file} has been there for too long. Try again.`, {
    details: { file },
  })
