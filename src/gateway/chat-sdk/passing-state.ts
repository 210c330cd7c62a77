interface Kept {
  readonly value: unknown
  readonly until: number
}

/** Locks, lists and values as adapters use them. */
export interface ChatState {
  get(key: string): Promise<unknown>
  set(key: string, value: unknown, ttlMs?: number): Promise<void>
  setIfNotExists(key: string, value: unknown, ttlMs?: number): Promise<boolean>
  delete(key: string): Promise<void>
  getList(key: string): Promise<unknown[]>
  appendToList(key: string, value: unknown, options?: { maxLength?: number; ttlMs?: number }): Promise<void>
  acquireLock(key: string, ttlMs: number): Promise<{ threadId: string; token: string; expiresAt: number } | null>
  releaseLock(lock: { threadId: string; token: string }): Promise<void>
  extendLock(lock: { threadId: string; token: string }, ttlMs: number): Promise<boolean>
  forceReleaseLock(key: string): Promise<void>
}

/** Which events were seen is the inbox's to say: an adapter notes them before they are stored, and would drop what is sent again. */
const seenBefore = /:(event-delivered|webhook-update):/
/** What a link shows is not waited for. */
const previews = /:unfurls:/
const mostKeys = 10_000

/** What adapters remember while the process lives: names of people and channels. Nothing that matters after it is kept here. */
export function passingState(now: () => number): ChatState & Record<string, unknown> {
  const kept = new Map<string, Kept>()
  let tokens = 0
  const locks = new Map<string, { readonly token: string; readonly until: number }>()
  const read = (key: string): unknown => {
    const found = kept.get(key)
    if (found === undefined || found.until > now()) return found?.value
    kept.delete(key)
    return undefined
  }
  const write = (key: string, value: unknown, ttlMs = Infinity): void => {
    kept.delete(key)
    kept.set(key, { value, until: now() + ttlMs })
    const [oldest] = kept.keys()
    if (kept.size > mostKeys && oldest !== undefined) kept.delete(oldest)
  }
  const holds = ({ threadId, token }: { threadId: string; token: string }): boolean => locks.get(threadId)?.token === token
  return {
    connect: async () => undefined,
    disconnect: async () => undefined,
    get: async key => (previews.test(key) ? {} : seenBefore.test(key) ? null : (read(key) ?? null)),
    set: async (key, value, ttlMs) => {
      if (!seenBefore.test(key) && !previews.test(key)) write(key, value, ttlMs)
    },
    setIfNotExists: async (key, value, ttlMs) => {
      if (seenBefore.test(key)) return true
      if (read(key) !== undefined) return false
      write(key, value, ttlMs)
      return true
    },
    delete: async key => void kept.delete(key),
    getList: async key => [...((read(key) as unknown[] | undefined) ?? [])],
    appendToList: async (key, value, { maxLength = 1_000, ttlMs } = {}) =>
      write(key, [...((read(key) as unknown[] | undefined) ?? []), value].slice(-maxLength), ttlMs),
    acquireLock: async (threadId, ttlMs) => {
      if ((locks.get(threadId)?.until ?? 0) > now()) return null
      const token = String(++tokens)
      const expiresAt = now() + ttlMs
      locks.set(threadId, { token, until: expiresAt })
      return { threadId, token, expiresAt }
    },
    releaseLock: async lock => {
      if (holds(lock)) locks.delete(lock.threadId)
    },
    extendLock: async (lock, ttlMs) => {
      if (!holds(lock)) return false
      locks.set(lock.threadId, { token: lock.token, until: now() + ttlMs })
      return true
    },
    forceReleaseLock: async threadId => void locks.delete(threadId),
    isSubscribed: async () => false,
    subscribe: async () => undefined,
    unsubscribe: async () => undefined,
  }
}
