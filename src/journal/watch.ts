import { invalidInput, type SessionId } from '#kernel'
import type { Entry } from './entry.ts'
import type { TenantStore } from './store.ts'
import { unknownSession } from './refusal.ts'

/** Rings when a session's journal may have grown. Rings too many cost one read; rings lost are made up for by the adapter's poll. */
export class Bell {
  readonly #ringers = new Map<string, Set<() => void>>()
  #closed = false

  get closed(): boolean {
    return this.#closed
  }

  /** How many wait for a ring, now or between two reads. */
  get listeners(): number {
    let count = 0
    for (const set of this.#ringers.values()) count += set.size
    return count
  }

  ring(tenant: string, session: SessionId): void {
    for (const ringer of this.#ringers.get(`${tenant} ${session}`) ?? []) ringer()
  }

  ringAll(): void {
    for (const set of this.#ringers.values()) for (const ringer of set) ringer()
  }

  close(): void {
    this.#closed = true
    this.ringAll()
  }

  listen(tenant: string, session: SessionId, ringer: () => void): () => void {
    const key = `${tenant} ${session}`
    const set = this.#ringers.get(key) ?? new Set()
    this.#ringers.set(key, set.add(ringer))
    return () => {
      set.delete(ringer)
      if (set.size === 0 && this.#ringers.get(key) === set) this.#ringers.delete(key)
    }
  }
}

const pageSize = 500
/** After a ring within a page, so that many rings cost little. */
const smallPageSize = 50

/**
 * Replays what comes after `after`, then follows, without gap or repeat: the cursor is the only state, the bell only says
 * when to read again. One page in memory at most; a ring drops what is left of it, since that may have been erased.
 * Ends when the session is erased, the store closes or the signal aborts. Laws J43, J47.
 */
export async function* watchEntries(
  store: TenantStore,
  bell: Bell,
  session: SessionId,
  after: number,
  signal?: AbortSignal,
): AsyncGenerator<Entry, void, undefined> {
  const row = await store.session(session)
  if (row === undefined) throw unknownSession(session)
  if (!Number.isSafeInteger(after) || after < 0 || after > row.seq)
    throw invalidInput('after', `Expected a whole number from 0 to ${row.seq}.`)
  let cursor = after
  let rung = true
  let wake: (() => void) | undefined
  const stop = bell.listen(store.tenant, session, () => {
    rung = true
    wake?.()
  })
  const abort = (): void => wake?.()
  const over = (): boolean => signal?.aborted === true || bell.closed
  signal?.addEventListener('abort', abort, { once: true })
  try {
    let size = pageSize
    while (!over()) {
      rung = false
      const page = await readPage(store, bell, session, cursor, size)
      if (page === undefined) return
      for (const entry of page) {
        if (over()) return
        if (rung) break
        yield entry
        cursor = entry.seq
      }
      const more = rung || page.length === size
      size = rung ? smallPageSize : pageSize
      if (more) continue
      if (page.length === 0 && (await store.session(session)) === undefined) return
      if (!rung && !over()) await new Promise<void>(resolve => (wake = resolve))
      wake = undefined
    }
  } finally {
    stop()
    signal?.removeEventListener('abort', abort)
  }
}

/** The entries after the cursor; undefined when the store was closed meanwhile. */
async function readPage(
  store: TenantStore,
  bell: Bell,
  session: SessionId,
  after: number,
  limit: number,
): Promise<readonly Entry[] | undefined> {
  try {
    return await store.entries(session, { after, limit })
  } catch (error) {
    if (bell.closed) return undefined
    throw error
  }
}
