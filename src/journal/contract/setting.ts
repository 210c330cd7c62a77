import assert from 'node:assert/strict'
import { createIds, type ErrorCode, isSkeinError, type JobId, type Json, type NewId, type SkeinError } from '#kernel'
import type { Enqueue, JobRow, Store, TenantStore } from '#journal'

/** What the suite needs of an adapter. */
export interface ContractStore {
  readonly store: Store
  /**
   * Lets that much time pass for everything that the store judges by a clock: leases, jobs, expiry, keys. An adapter with an
   * injected clock moves the clock; one whose clock is the database's moves the stored times back by as much. A commit's
   * `at` is of the same clock.
   */
  advance(ms: number): void | Promise<void>
  /** A second handle on the same rows, as another process would have it. Left out: the same store again. */
  another?(): Promise<Store>
  /** Closes the stores of this case and removes what they leave behind. */
  close(): Promise<void>
}

/**
 * Opens a store for one case. It may hold rows that earlier cases left, since each case uses tenants and job kinds of its
 * own; but nothing else may work on it meanwhile.
 */
export type OpenContractStore = () => Promise<ContractStore>

/** `describe` and `it` of vitest, node:test, bun, jest or mocha. */
export interface ContractRunner {
  readonly describe: (name: string, body: () => void) => unknown
  readonly it: (name: string, run: () => Promise<void>) => unknown
}

/** What one case works with. */
export interface Setting {
  readonly store: Store
  /** A tenant of this case's own, and another one. */
  readonly t: TenantStore
  readonly other: TenantStore
  readonly ids: NewId
  /** A job kind of this case's own. */
  readonly kind: string
  /** The store's time. */
  now(): Promise<number>
  advance(ms: number): Promise<void>
  another(): Promise<Store>
}

/** States a case: the laws that it proves, its text, what it does. */
export type Law = (laws: string, text: string, run: (setting: Setting) => Promise<void>) => void

const ids = createIds()

/** Runs one case on a store of its own. */
export async function stage(open: OpenContractStore, run: (setting: Setting) => Promise<void>): Promise<void> {
  const opened = await open()
  const { store } = opened
  const mark = ids('own').slice(4).toLowerCase()
  const t = store.in(`a-${mark}`)
  const others: Store[] = []
  try {
    await run({
      store,
      t,
      other: store.in(`b-${mark}`),
      ids,
      kind: `kind-${mark}`,
      now: async () => (await t.commit([{ type: 'put_record', collection: 'time', key: 'now', value: null }])).at,
      advance: async ms => opened.advance(ms),
      another: async () => {
        const other = (await opened.another?.()) ?? store
        if (other !== store) others.push(other)
        return other
      },
    })
  } finally {
    for (const other of others) await other.close()
    await opened.close()
  }
}

/** The promise rejects with this code, and with these details among others. */
export async function refused(promise: Promise<unknown>, code: ErrorCode, details: object = {}): Promise<SkeinError> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => ({ error }),
  )
  assert.ok(outcome !== undefined, `resolved instead of rejecting with ${code}`)
  const { error } = outcome
  assert.ok(isSkeinError(error), `rejected with ${String(error)} instead of ${code}`)
  assert.equal(error.code, code, error.message)
  assert.partialDeepStrictEqual(error.details, details)
  return error
}

/** Polls until the condition holds; fails after `withinMs`. For what is promised within a time, never for a verdict by sleeping. */
export async function until(condition: () => boolean | Promise<boolean>, what: string, withinMs = 60_000): Promise<void> {
  const end = performance.now() + withinMs
  while (!(await condition())) {
    assert.ok(performance.now() < end, `${what}: not within ${withinMs} ms`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

/** A job to be enqueued; one attempt left out of five by default. */
export function jobOf(
  setting: Pick<Setting, 'ids' | 'kind'>,
  job: Partial<Enqueue['job']> = {},
  more: Pick<Enqueue, 'uniqueKey' | 'runAfter'> = {},
): Enqueue & { readonly job: { readonly id: JobId } } {
  return {
    type: 'enqueue',
    job: { id: setting.ids('job'), kind: setting.kind, key: 'k', payload: null, maxAttempts: 5, ...job },
    ...more,
  }
}

/** Claims the next job of this case's kind; fails if there is none. */
export async function claim(
  { store, kind }: Pick<Setting, 'store' | 'kind'>,
  owner = 'worker',
  leaseMs = 15_000,
): Promise<JobRow> {
  const job = await store.claim({ [kind]: 1 }, owner, leaseMs)
  assert.ok(job !== undefined, 'no job to claim')
  return job
}

export function numbers(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index)
}

/** What a case asserts with: plain, runner-independent, with a readable difference. */
export const equal: (actual: unknown, expected: unknown, message?: string) => void = (actual, expected, message) =>
  message === undefined ? assert.deepStrictEqual(actual, expected) : assert.deepStrictEqual(actual, expected, message)
export const ok: (value: unknown, message?: string) => asserts value = (value, message) => assert.ok(value, message)

/** The value is there; for rows that a case has just written. */
export function present<T>(value: T | undefined): T {
  assert.ok(value !== undefined, 'nothing was found')
  return value
}

export const anyJson: Json = {
  '': [],
  zero: '\u0000',
  lone: ['\ud800', '\udc00x', '😀'],
  __proto__x: 1,
  numbers: [0, -1, 1.5, 1e300, 5e-324, Number.MAX_SAFE_INTEGER],
  quotes: `'"\\/\b\f\n\r\t\u2028`,
  nested: { constructor: 'c', toString: { hasOwnProperty: null } },
}
