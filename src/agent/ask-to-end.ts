import { isObject, isSkeinError, type RunId, type SessionId, wait } from '#kernel'
import { SessionCore } from '#session'
import { endIfDead } from './abandon.ts'
import { keptOptions } from './kept-options.ts'
import { goingOn, runningIn } from './input-queue.ts'
import { type AskedEnd, putRun, readRunRow } from './run-row.ts'

/** How often it is looked whether a run of another process has ended. */
const lookMs = 200
/** Losing a race with the run's own commits, or with what is said to it, is nothing that a caller should hear of. */
const maxTries = 100

/**
 * Asks for the end of the run that a session shows, in whatever process it goes on: that one heeds it soon, and whoever finds it
 * dead ends it so. Durable when it resolves. The run; undefined if none shows, or another than `only`.
 */
export async function askToEnd(core: SessionCore, end: AskedEnd, only?: RunId): Promise<RunId | undefined> {
  for (let tries = 1; ; tries++) {
    const running = runningIn(await core.row())
    if (running === undefined || (only !== undefined && running.run !== only)) return undefined
    const { run, asked, version } = await readRunRow(core)
    // It began or ended between the looks.
    if (run !== running.run && tries < maxTries) continue
    if (asked !== undefined && (asked.how === 'abort' || end.how === 'cancel')) return running.run
    const wish = { how: end.how, reason: asked?.reason ?? end.reason }
    try {
      await core.store.commit([putRun(core, running.run, { expectVersion: version, asked: wish })])
      return running.run
    } catch (error) {
      if (!isSkeinError(error) || error.code !== 'store.conflict' || tries >= maxTries) throw error
    }
  }
}

/**
 * Ends the run that another process has of a session, or had when it died; resolves when it has ended. False if none shows.
 * A process that died is waited for as long as its lease lasts.
 */
export async function endElsewhere(core: SessionCore, how: AskedEnd['how'], only?: RunId): Promise<boolean> {
  const run = await askToEnd(core, { how, reason: 'user_cancelled' }, only)
  if (run === undefined) return false
  for (;;) {
    const row = await core.row()
    if (runningIn(row)?.run !== run) return true
    if (goingOn(core, row) === undefined) await endIfDead(core, run)
    else await wait(core.runtime.timers, lookMs)
  }
}

/** Asks for the end of what children of a session do that is not in `here`. True if there was any. Law A56. */
export async function endChildrenElsewhere(
  { store, id, runtime }: SessionCore,
  how: AskedEnd['how'],
  here: ReadonlySet<SessionId>,
): Promise<boolean> {
  let asked = false
  for (let cursor: string | undefined; ;) {
    const page = await store.sessions({ parent: id, states: ['active'], limit: 200, ...(cursor === undefined ? {} : { cursor }) })
    for (const row of page.items) {
      if (!isObject(row.data['running']) || here.has(row.id)) continue
      const child = new SessionCore(row.id, store, runtime)
      if ((await keptOptions(child)).child?.linked !== true) continue
      asked = (await askToEnd(child, { how, reason: 'parent_cancelled' })) !== undefined || asked
    }
    cursor = page.next
    if (cursor === undefined) return asked
  }
}
