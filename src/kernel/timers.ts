/** Calls back once after `ms`; the returned function takes that back. */
export interface Timers {
  /** `awaited`: somebody waits for it, so the process has to stay. */
  after(ms: number, run: () => void, options?: { readonly awaited?: boolean }): () => void
}

/** Real timers, of which only awaited ones keep a process alive. */
export const systemTimers: Timers = {
  after(ms, run, { awaited = false } = {}) {
    const timer = setTimeout(run, ms)
    if (!awaited) timer.unref()
    return () => clearTimeout(timer)
  },
}

/** Timers that wait until they are rung: for tests. */
export function manualTimers(): Timers & { readonly count: number; ring(ms: number): void } {
  const due = new Set<{ readonly ms: number; readonly run: () => void }>()
  return {
    after: (ms, run) => {
      const timer = { ms, run }
      due.add(timer)
      return () => void due.delete(timer)
    },
    /** How many are waiting. */
    get count() {
      return due.size
    },
    /** Rings all of that length. */
    ring(ms) {
      for (const timer of [...due]) if (timer.ms === ms && due.delete(timer)) timer.run()
    },
  }
}

/** Calls back every `ms` until the returned function is called. */
export function every(timers: Timers, ms: number, run: () => void): () => void {
  let cancel = (): void => undefined
  const next = (): void => {
    cancel = timers.after(ms, () => {
      next()
      run()
    })
  }
  next()
  return () => cancel()
}

/** Resolves after `ms`, or as soon as the signal aborts. */
export function wait(timers: Timers, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const cancel = timers.after(ms, done, { awaited: true })
    if (signal?.aborted === true) done()
    else signal?.addEventListener('abort', done, { once: true })
  })
}

/** What `work` gives within `ms`, else what `late` gives or throws; what `work` does after that is ignored. */
export async function within<T, L>(
  timers: Timers,
  ms: number,
  work: PromiseLike<T>,
  late: () => L,
  options: { readonly awaited?: boolean } = {},
): Promise<T | L> {
  let cancel = (): void => undefined
  const over = new Promise<void>(resolve => (cancel = timers.after(ms, resolve, options)))
  try {
    return await Promise.race([work, over.then(late)])
  } finally {
    cancel()
  }
}
