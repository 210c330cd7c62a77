import { type Clock, given, type Id, invalidInput, type Json, type NewId, type Random, SkeinError } from '#kernel'
import type { Change, RecordRow, TenantStore } from '#journal'
import { retried } from './retried.ts'
import { isCodeOf, keptCode, pairingCode, readPairingCode } from './pairing-code.ts'

/** Somebody unknown who asked to be let in, or who was. */
export interface Pairing {
  readonly id: Id<'par'>
  readonly platform: string
  readonly scope?: string
  /** The canonical id of who asked. */
  readonly user: string
  readonly name?: string
  readonly state: 'pending' | 'approved'
  readonly at: number
  /** When the code runs out; `null` once it is approved. */
  readonly expiresAt: number | null
}

export interface Stranger {
  readonly platform: string
  readonly scope?: string | undefined
  readonly user: string
  readonly name?: string | undefined
}

/** Why a stranger gets no code now. */
export type Unpaired = 'asked_lately' | 'too_many_pending'

const collection = 'gateway.pairing'
const lockCollection = 'gateway.pairing-lock'
const codeMs = 3_600_000
const pauseMs = 600_000
const lockMs = 3_600_000
const mostPending = 3
const mostWrong = 5

interface Kept extends Pairing {
  readonly salt: string
  readonly hash: string
}

export interface PairingParts {
  readonly store: TenantStore
  readonly clock: Clock
  readonly random: Random
  readonly ids: NewId
  /** The tenant's, of which codes are made. */
  key(): Promise<Uint8Array>
}

/** Who may speak because a person said so once. All limits are rows, so they hold over restarts and nodes. Law G77. */
export class Pairings {
  readonly #store: TenantStore
  readonly #clock: Clock
  readonly #random: Random
  readonly #ids: NewId
  readonly #key: () => Promise<Uint8Array>

  constructor(parts: PairingParts) {
    this.#store = parts.store
    this.#clock = parts.clock
    this.#random = parts.random
    this.#ids = parts.ids
    this.#key = parts.key
  }

  /** Those that wait and those that were let in, newest first; never their codes. */
  async list(): Promise<readonly Pairing[]> {
    const rows = await this.#all()
    const now = this.#clock.now()
    return rows
      .map(row => shownOf(keptOf(row)))
      .filter(({ expiresAt }) => expiresAt === null || expiresAt > now)
      .reverse()
  }

  /** Lets in whoever was given this code. Throws `pairing.not_found`; after 5 wrong ones `rate.limited` for an hour. */
  async approve(code: string): Promise<Pairing> {
    if (typeof code !== 'string') throw invalidInput('code', 'Expected a text.')
    return await retried(() => this.#approve(code))
  }

  async #approve(code: string): Promise<Pairing> {
    const now = this.#clock.now()
    const lock = await this.#store.record(lockCollection, 'approve')
    const { wrong = 0, until = 0 } = (lock?.value ?? {}) as { wrong?: number; until?: number }
    if (until > now) throw locked(until - now)
    const typed = readPairingCode(code)
    const row = (await this.#pending(now)).find(pending => isCodeOf(typed, keptOf(pending)))
    if (row === undefined) {
      const next = wrong + 1 >= mostWrong ? { wrong: 0, until: now + lockMs } : { wrong: wrong + 1, until: 0 }
      await this.#store.commit([putLock('approve', next, lock)])
      if (next.until > now) throw locked(next.until - now)
      throw new SkeinError('pairing.not_found', 'No pending pairing has this code.')
    }
    const { expiresAt: _expires, salt: _salt, hash: _hash, ...pairing } = keptOf(row)
    const approved: Pairing = { ...pairing, state: 'approved', expiresAt: null }
    await this.#store.commit([
      { ...putPairing(approved, row), tags: ['approved', userTag(approved)] },
      ...(wrong === 0 ? [] : [putLock('approve', { wrong: 0, until: 0 }, lock)]),
    ])
    return approved
  }

  /** Takes back what was approved or asked. False if there is none. */
  async revoke(id: string): Promise<boolean> {
    const row = await this.#store.record(collection, id)
    if (row === undefined) return false
    await this.#store.commit([{ type: 'delete_record', collection, key: id }])
    return true
  }

  /** Whether one of these ids of a person was let in. */
  async isPaired({ platform, scope }: Pick<Stranger, 'platform' | 'scope'>, users: readonly string[]): Promise<boolean> {
    for (const user of users) {
      const { items } = await this.#store.records(collection, { tag: userTag({ platform, scope, user }), limit: 10 })
      if (items.some(row => keptOf(row).state === 'approved')) return true
    }
    return false
  }

  /** The code of a request that waits, to be told to who asked; `null` if there is none any more. */
  async codeOf(id: string): Promise<string | null> {
    const row = await this.#store.record(collection, id)
    if (row === undefined || keptOf(row).state !== 'pending') return null
    const code = pairingCode(await this.#key(), id)
    return isCodeOf(code, keptOf(row)) ? code : null
  }

  /** A request of a stranger with what stores it, or why there is none. Its code is kept nowhere. */
  async ask(stranger: Stranger): Promise<{ readonly id: Id<'par'>; readonly changes: readonly Change[] } | Unpaired> {
    const now = this.#clock.now()
    // Of several who ask at once, one commits; the others look again.
    const turn = await this.#store.record(lockCollection, `ask ${stranger.platform}`)
    const pending = (await this.#pending(now)).map(keptOf).filter(({ platform }) => platform === stranger.platform)
    const asked = await this.#store.records(collection, { tag: userTag(stranger), limit: 10 })
    if (asked.items.map(keptOf).some(({ at }) => at > now - pauseMs)) return 'asked_lately'
    const others = pending.filter(({ user, scope }) => user !== stranger.user || scope !== stranger.scope)
    if (others.length >= mostPending) return 'too_many_pending'
    const id = this.#ids('par')
    const { salt, hash } = keptCode(pairingCode(await this.#key(), id), this.#random)
    const { platform, scope, user, name } = stranger
    const kept: Kept = {
      id,
      platform,
      ...given({ scope, name }),
      user,
      state: 'pending',
      at: now,
      expiresAt: now + codeMs,
      salt,
      hash,
    }
    const put = { ...putPairing(kept), tags: ['pending', userTag(stranger)], expiresAt: now + codeMs }
    // Who asks again gets a new code; the old one is worth nothing.
    const old = pending.filter(({ user: who, scope: where }) => who === user && where === scope)
    const forget = old.map(({ id }): Change => ({ type: 'delete_record', collection, key: id }))
    return { id, changes: [putLock(`ask ${platform}`, { at: now }, turn), ...forget, put] }
  }

  async #pending(now: number): Promise<readonly RecordRow[]> {
    const { items } = await this.#store.records(collection, { tag: 'pending', limit: 100 })
    return items.filter(row => (keptOf(row).expiresAt ?? 0) > now)
  }

  async #all(): Promise<RecordRow[]> {
    const rows: RecordRow[] = []
    for (let cursor: string | undefined; ;) {
      const page = await this.#store.records(collection, { limit: 100, ...given({ cursor }) })
      rows.push(...page.items)
      if (page.next === undefined) return rows
      cursor = page.next
    }
  }
}

const keptOf = (row: RecordRow): Kept => row.value as unknown as Kept

function shownOf({ salt: _salt, hash: _hash, ...pairing }: Kept): Pairing {
  return pairing
}

/** Ids may hold anything, so they are parted by what no id may hold. */
const userTag = ({ platform, scope, user }: Pick<Stranger, 'platform' | 'scope' | 'user'>): string =>
  ['user', platform, scope ?? '', user].map(encodeURIComponent).join(' ')

const putPairing = (pairing: Pairing | Kept, before?: RecordRow) =>
  ({
    type: 'put_record',
    collection,
    key: pairing.id,
    value: pairing as unknown as Json,
    sort: pairing.at,
    expectVersion: before?.version ?? 0,
  }) as const

const putLock = (key: string, value: Json, before: RecordRow | undefined): Change => ({
  type: 'put_record',
  collection: lockCollection,
  key,
  value,
  expectVersion: before?.version ?? 0,
})

const locked = (retryAfterMs: number): SkeinError =>
  new SkeinError('rate.limited', 'Too many wrong codes.', { details: { retryAfterMs } })
