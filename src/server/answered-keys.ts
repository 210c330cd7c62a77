import { isObject, isSkeinError, type Json, toJson, SkeinError } from '#kernel'
import { keyLifeMs, type TenantStore } from '#journal'
import type { Clock } from '#kernel'
import type { Answer } from './answer.ts'

const collection = 'answer'

interface Kept {
  readonly digest: string
  readonly status: number
  readonly value: Json
  readonly headers: Readonly<Record<string, string>>
  readonly session: string | null
}

export interface Keyed {
  readonly store: TenantStore
  readonly key: string
  /** What was asked, as a hash; called once the body has been read. */
  digest(): Promise<string>
  /** Whether a session can be seen now: what is deleted or erased is not shown from a kept answer either. */
  visible(session: string): Promise<boolean>
}

/**
 * What idempotency keys were answered with, kept 7 days, so that a repeat gets the same status and body, also after a
 * restart. The verbs hold each key themselves: if the process dies between a verb's commit and this, the repeat has no
 * second effect, and its answer is read anew. Law H4.
 */
export class AnsweredKeys {
  readonly #clock: Clock
  readonly #failed: (error: unknown) => void
  readonly #going = new Map<string, Promise<unknown>>()

  constructor(clock: Clock, failed: (error: unknown) => void) {
    this.#clock = clock
    this.#failed = failed
  }

  /** Runs once for a key; who comes while it runs waits for it. Throws `idempotency.mismatch` for another request. */
  async once(keyed: Keyed, run: () => Promise<Answer>): Promise<Answer> {
    const name = `${keyed.store.tenant} ${keyed.key}`
    const before = this.#going.get(name)
    const mine = (before ?? Promise.resolve()).then(
      () => this.#answer(keyed, run),
      () => this.#answer(keyed, run),
    )
    this.#going.set(name, mine)
    try {
      return await mine
    } finally {
      if (this.#going.get(name) === mine) this.#going.delete(name)
    }
  }

  /** Takes away what was kept of an erased session. */
  async forget(store: TenantStore, session: string): Promise<void> {
    for (;;) {
      const { items, next } = await store.records(collection, { tag: session, limit: 100 })
      if (items.length > 0) await store.commit(items.map(({ key }) => ({ type: 'delete_record', collection, key })))
      if (next === undefined) return
    }
  }

  async #answer(keyed: Keyed, run: () => Promise<Answer>): Promise<Answer> {
    const { store, key } = keyed
    const kept = keptOf((await store.record(collection, key))?.value)
    if (kept !== undefined) {
      if (kept.digest !== (await keyed.digest()))
        throw new SkeinError('idempotency.mismatch', 'This idempotency key was used for another request.')
      if (kept.session === null || (await keyed.visible(kept.session)))
        return { status: kept.status, value: kept.value, headers: kept.headers, replayed: true }
    }
    const replayed = await isKnown(store, key)
    const answer = await run()
    await this.#keep(keyed, answer)
    return { replayed, ...answer }
  }

  async #keep({ store, key, digest }: Keyed, { status, value, headers = {}, session }: Answer): Promise<void> {
    try {
      const kept = {
        digest: await digest(),
        status,
        value: toJson(value ?? null),
        headers,
        session: session ?? null,
      } satisfies Kept
      await store.commit(
        [
          {
            type: 'put_record',
            collection,
            key,
            value: kept,
            tags: session === undefined ? [] : [session],
            sort: this.#clock.now(),
            expiresAt: this.#clock.now() + keyLifeMs,
          },
        ],
        { durability: 'relaxed' },
      )
    } catch (error) {
      // The effect is durable and its key is held by the verb; a repeat has its answer read anew.
      this.#failed(error)
    }
  }
}

/** Whether a commit was made under the key. A key that is asked for with another digest than its own says so. */
async function isKnown(store: TenantStore, key: string): Promise<boolean> {
  try {
    return (await store.replay(key, 'asked')) !== undefined
  } catch (error) {
    if (isSkeinError(error) && error.code === 'idempotency.mismatch') return true
    throw error
  }
}

function keptOf(value: unknown): Kept | undefined {
  return isObject(value) && typeof value['digest'] === 'string' ? (value as unknown as Kept) : undefined
}
