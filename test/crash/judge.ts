import { type Entry, fetchParts, type SessionState } from '#journal'
import { isObject, type SessionId } from '#kernel'
import { type Deed, effectsCollection, type Stage, tenant, traces } from './deeds.ts'
import { type Effect, seen, type Told } from './diary.ts'
import type { Ledger } from './ledger.ts'

type Presence = SessionState | 'absent'

/** Holds what one writer told against what the store has. */
export class Judge {
  readonly ledger: Ledger
  readonly stage: Stage
  readonly told: readonly Told[]
  /** Whether the server's machine was cut off: what was acknowledged as relaxed may then be gone. */
  readonly #power: boolean
  /** Entries that appeared since the last judgement, by session and mark. */
  readonly #traced = new Map<SessionId, Map<string, Entry[]>>()
  readonly #presence = new Map<SessionId, Presence>()

  constructor(ledger: Ledger, stage: Stage, told: readonly Told[], { power = false }: { readonly power?: boolean } = {}) {
    this.ledger = ledger
    this.stage = stage
    this.told = told
    this.#power = power
  }

  async judge(): Promise<void> {
    if (this.#power) this.ledger.forgetTokens()
    const before = new Map([...this.ledger.known].map(([id, { state }]) => [id, state]))
    for (const id of await this.#touched()) await this.read(id)
    for (const [id, presence] of this.#presence) this.#judgePresence(id, presence, before.get(id) ?? 'absent')
    for (const told of this.told) {
      await this.judgeOne(told)
      if (told.outcome === 'acknowledged')
        this.ledger.acknowledged += Object.values(traces(told.deed)).reduce((sum, count) => sum + count, 0)
    }
    this.#judgeOrder()
  }

  /** One verb: all of its effect, none, or either, as it was answered. */
  async judgeOne(told: Told): Promise<void> {
    this.#judgeEntries(told)
    await this.#judgeRows(told)
  }

  /** Reads a session again: after the judgement it may have grown. */
  async read(id: SessionId): Promise<void> {
    const found = await this.ledger.catchUp(this.stage.store.in(tenant), id)
    this.#presence.set(id, found?.row.state ?? 'absent')
    if (found === undefined) return
    const traced = this.#traced.get(id) ?? new Map<string, Entry[]>()
    this.#traced.set(id, traced)
    for (const entry of found.fresh) {
      const mark = entry.traceId ?? ''
      traced.set(mark, [...(traced.get(mark) ?? []), entry])
    }
    this.#judgeTurns(id, found.fresh)
  }

  presence(id: SessionId): Presence {
    return this.#presence.get(id) ?? 'absent'
  }

  /** What a deed left in its session. */
  found(id: SessionId, deed: Deed): readonly Entry[] {
    return this.#traced.get(id)?.get(deed.mark) ?? []
  }

  /** The session that a deed was about, also of one whose answer never came. */
  async sessionOf({ deed, acks }: Told): Promise<SessionId | undefined> {
    if (deed.verb === 'create') return acks[0]?.session ?? (await this.stage.store.in(tenant).session({ alias: deed.alias }))?.id
    return 'session' in deed ? deed.session : undefined
  }

  async #touched(): Promise<ReadonlySet<SessionId>> {
    const touched = new Set<SessionId>()
    for (const told of this.told) {
      const id = await this.sessionOf(told)
      if (id !== undefined) touched.add(id)
      for (const { session } of told.acks) if (session !== undefined) touched.add(session)
      if (told.deed.verb === 'erase' && id !== undefined) this.ledger.forget(id)
      if (told.deed.verb === 'fork') for (const row of await this.#forks(told.deed)) touched.add(row)
    }
    return touched
  }

  async #forks(deed: Extract<Deed, { verb: 'fork' }>): Promise<SessionId[]> {
    const { items } = await this.stage.store.in(tenant).sessions({ query: deed.mark })
    return items.filter(row => row.title === deed.mark).map(row => row.id)
  }

  /** Where a session may be after everything that was told of it: each unanswered verb may have happened or not. */
  #judgePresence(id: SessionId, presence: Presence, before: Presence): void {
    let possible = new Set<Presence>([before])
    let erased = false
    for (const { deed, outcome, acks } of this.told) {
      const about = 'session' in deed && deed.verb !== 'fork' ? deed.session === id : acks.some(effect => effect.session === id)
      if (!about || outcome === 'refused') continue
      const after = new Set([...possible].map(state => presenceAfter(deed, state)))
      possible = outcome === 'acknowledged' ? after : new Set([...possible, ...after])
      if (outcome === 'acknowledged' && deed.verb === 'erase') erased = true
      else if (deed.verb === 'import') erased = false
    }
    if (erased) this.ledger.erased.add(id)
    else this.ledger.erased.delete(id)
    // A create or fork whose answer never came names no session.
    const unnamed =
      before === 'absent' &&
      !possible.has('active') &&
      this.told.some(({ deed, outcome }) => outcome === 'unknown' && (deed.verb === 'create' || deed.verb === 'fork'))
    if (!possible.has(presence) && !unnamed)
      this.ledger.breach(
        presence === 'absent' ? 'lost' : 'answer',
        `${id} is ${presence}; it may be ${[...possible].join(' or ')}`,
      )
  }

  #judgeEntries(told: Told): void {
    const { deed, outcome, acks, n } = told
    const [first, ...others] = acks
    if (others.some(effect => !sameEffect(effect, first as Effect)))
      this.ledger.breach('answer', `${deed.mark} (${deed.verb}) was answered differently: ${JSON.stringify(acks)}`)
    const id = 'session' in deed ? deed.session : first?.session
    if (id === undefined || deed.verb === 'fork') return
    const erase = this.told.find(later => later.n > n && later.deed.verb === 'erase' && later.deed.session === id)
    if (
      erase !== undefined &&
      (erase.outcome === 'unknown' ? this.presence(id) === 'absent' : erase.outcome === 'acknowledged')
    ) {
      if (this.found(id, deed).length > 0) this.ledger.breach('answer', `${deed.mark} is in ${id}, which was erased since`)
      return
    }
    const relaxed = this.#power && first?.durability === 'relaxed'
    this.#judgeCounts(id, deed, relaxed ? 'unknown' : outcome)
    if (!relaxed) this.#judgeSeen(id, deed, first)
  }

  #judgeCounts(id: SessionId, deed: Deed, outcome: Told['outcome']): void {
    const found = this.found(id, deed)
    const wanted = traces(deed)
    const differs = (factor: 0 | 1): string[] =>
      [...new Set([...Object.keys(wanted), ...found.map(entry => entry.type)])].filter(
        type => found.filter(entry => entry.type === type).length !== (wanted[type] ?? 0) * factor,
      )
    const has = `${deed.mark} (${deed.verb}, ${outcome}) left ${found.map(entry => `${entry.seq} ${entry.type}`).join(', ') || 'nothing'} in ${id}`
    const total = Object.values(wanted).reduce((sum, count) => sum + count, 0)
    if (found.length > total) this.ledger.breach('doubled', has)
    else if (outcome === 'acknowledged' && differs(1).length > 0) this.ledger.breach(found.length < total ? 'lost' : 'half', has)
    else if (outcome === 'refused' && found.length > 0) this.ledger.breach('answer', has)
    else if (outcome === 'unknown' && differs(0).length > 0 && differs(1).length > 0) this.ledger.breach('half', has)
  }

  #judgeSeen(id: SessionId, deed: Deed, effect: Effect | undefined): void {
    const { entries = [], token = 0 } = this.ledger.known.get(id) ?? {}
    for (const entry of effect?.entries ?? []) {
      const there = entries[entry.seq - 1]
      if (there?.id !== entry.id) this.ledger.breach('lost', `${entry.id} (${deed.mark}) is not at ${entry.seq} of ${id}`)
      else if (there.hash !== entry.hash) this.ledger.breach('altered', `${entry.id} (${deed.mark}) at ${entry.seq} of ${id}`)
    }
    if (effect?.token !== undefined && token < effect.token && !this.#power)
      this.ledger.breach('fence', `${id} has token ${token}; ${effect.token} was granted`)
  }

  /** Laws S1, C82: of each turn there is all, its snapshot too, in one piece, or nothing. A fork may have been cut within one. */
  #judgeTurns(id: SessionId, fresh: readonly Entry[]): void {
    const forked = fresh.findIndex(entry => entry.type === 'session_forked')
    const turns = Map.groupBy(
      fresh.slice(forked + 1).filter(entry => entry.turn !== undefined),
      entry => entry.turn,
    )
    for (const [turn, entries] of turns) {
      const [first, last] = [entries[0] as Entry, entries.at(-1) as Entry]
      const ends = entries.at(-2)?.type === 'snapshot_taken' && last.type === 'turn_ended'
      const whole = first.type === 'turn_started' && ends && last.seq - first.seq === entries.length - 1
      if (!whole)
        this.ledger.breach('half', `turn ${turn} of ${id} is ${entries.map(entry => `${entry.seq} ${entry.type}`).join(', ')}`)
    }
  }

  /** What an author did one after the other stands in that order. */
  #judgeOrder(): void {
    const last = new Map<string, { seq: number; mark: string }>()
    for (const { author, deed } of this.told) {
      if (!('session' in deed) || deed.verb === 'note' || deed.verb === 'rename' || deed.verb === 'label') continue
      const found = this.found(deed.session, deed)
      const place = `${author} ${deed.session}`
      const before = last.get(place)
      for (const { seq } of found) {
        if (before !== undefined && seq <= before.seq)
          this.ledger.breach(
            'reordered',
            `${deed.mark} stands at ${seq} of ${deed.session}, before ${before.mark} at ${before.seq}`,
          )
      }
      const highest = found.at(-1)
      if (highest !== undefined) last.set(place, { seq: highest.seq, mark: deed.mark })
    }
  }

  /** Rows beside the journal. */
  async #judgeRows({ deed, outcome, acks }: Told): Promise<void> {
    const t = this.stage.store.in(tenant)
    switch (deed.verb) {
      case 'arrive': {
        const session = (await t.session(deed.session)) !== undefined
        const all = [
          session,
          (await t.route(deed.route)) !== undefined,
          (await t.job(deed.job)) !== undefined,
          this.found(deed.session, deed).length === 2,
        ]
        if (new Set(all).size > 1)
          this.ledger.breach('half', `${deed.mark}: session, route, job and entries are there: ${all.join(', ')}`)
        if (session && outcome !== 'refused') this.ledger.jobs.add(deed.job)
        return
      }
      case 'complete': {
        const job = acks[0]?.job
        if (job !== undefined && (await t.job(job))?.state !== 'done')
          this.ledger.breach('lost', `job ${job} was completed and is not done`)
        return
      }
      case 'fork':
        return await this.#judgeFork(deed, outcome, acks[0])
      case 'import':
        return await this.#judgeImport(deed)
      default:
    }
  }

  async #judgeFork(deed: Extract<Deed, { verb: 'fork' }>, outcome: Told['outcome'], effect: Effect | undefined): Promise<void> {
    const forks = await this.#forks(deed)
    if (forks.length > 1) this.ledger.breach('doubled', `${deed.mark} made ${forks.join(' and ')}`)
    if (outcome === 'acknowledged' && forks[0] !== effect?.session)
      this.ledger.breach('lost', `fork ${effect?.session} (${deed.mark})`)
    if (outcome === 'refused' && forks.length > 0) this.ledger.breach('answer', `${deed.mark} was refused and is ${forks[0]}`)
    const [fork] = forks
    const source = this.ledger.known.get(deed.session)?.entries
    const copy = fork === undefined ? undefined : this.ledger.known.get(fork)?.entries
    if (copy === undefined || source === undefined || fork === undefined) return
    const forked = await this.stage.store.in(tenant).entries(fork, { types: ['session_forked'], limit: 1 })
    const length = (forked[0]?.seq ?? 0) - 1
    if (length < 1) this.ledger.breach('half', `fork ${fork} (${deed.mark}) says nowhere where it came from`)
    for (const [index, entry] of copy.slice(0, Math.max(0, length)).entries())
      if (entry.hash !== source[index]?.hash)
        this.ledger.breach('altered', `entry ${index + 1} of fork ${fork} differs from its source`)
  }

  /** What shows of an imported session begins with all of its bundle. */
  async #judgeImport({ bundle, session, mark }: Extract<Deed, { verb: 'import' }>): Promise<void> {
    if (this.presence(session) === 'absent') return
    const t = this.stage.store.in(tenant)
    const wanted = bundle.split('\n').flatMap(line => {
      const value: unknown = line === '' ? {} : JSON.parse(line)
      return isObject(value) && 'entry' in value ? [seen({ ...(value['entry'] as unknown as Entry), session })] : []
    })
    const { entries, lost } = await fetchParts(t, await t.entries(session, { limit: wanted.length }))
    if (lost.length > 0) this.ledger.breach('lost', `blobs ${lost.join(', ')} of ${session} (${mark})`)
    const have = (await t.entries(session, { limit: wanted.length })).map(seen)
    if (entries.length < wanted.length || have.some((entry, index) => entry.hash !== wanted[index]?.hash))
      this.ledger.breach('half', `${session} (${mark}) is not what its bundle said`)
  }
}

function presenceAfter({ verb }: Deed, state: Presence): Presence {
  switch (verb) {
    case 'create':
    case 'arrive':
    case 'fork':
    case 'import':
      return state === 'absent' ? 'active' : state
    case 'delete':
      return state === 'active' ? 'deleted' : state
    case 'restore':
      return state === 'deleted' ? 'active' : state
    case 'erase':
      return 'absent'
    default:
      return state
  }
}

function sameEffect(a: Effect, b: Effect): boolean {
  return a.session === b.session && JSON.stringify(a.entries ?? []) === JSON.stringify(b.entries ?? [])
}

/** Every job that is done has its effect, and no other has. */
export async function judgeJobs(ledger: Ledger, stage: Stage): Promise<void> {
  const t = stage.store.in(tenant)
  for (const id of ledger.jobs) {
    const done = (await t.job(id))?.state === 'done'
    const effect = (await t.record(effectsCollection, id)) !== undefined
    if (done !== effect) ledger.breach('half', `job ${id} is ${done ? 'done without' : 'not done, but has'} its effect`)
  }
}
