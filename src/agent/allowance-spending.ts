import type { RunId, SessionId } from '#kernel'
import { type Entry, isType } from '#journal'
import { entriesOf, family, type SessionCore } from '#session'
import { type Limit, nothingSpent, plus, type Reached, reachedOf, type Spent, tokensOf } from './allowance.ts'

type Store = Pick<SessionCore, 'store'>

/**
 * What is spent of limits, read from the journal each time it is asked for: so it holds over restarts, and over what children
 * and other processes spend meanwhile.
 */
export class Spending {
  readonly #core: SessionCore
  readonly #runs = new Map<Limit, RunSpending>()
  readonly limits: readonly Limit[]

  constructor(core: SessionCore, limits: readonly Limit[]) {
    this.#core = core
    this.limits = limits
  }

  /** The first limit that is reached. */
  async reached(): Promise<Reached | undefined> {
    for (const limit of this.limits) {
      const { session, run, allowance } = limit
      const isCounted = allowance.nano !== undefined || allowance.tokens !== undefined
      const spent = !isCounted ? nothingSpent : run === null ? await spentIn(this.#core, session) : await this.#runOf(limit, run)
      const now = this.#core.runtime.clock.now()
      const ran = allowance.wallMs === undefined ? 0 : await ranMs(this.#core, session, run, now)
      const found = reachedOf(limit, spent, ran)
      if (found !== undefined) return found
    }
    return undefined
  }

  async #runOf(limit: Limit, run: RunId): Promise<Spent> {
    const known = this.#runs.get(limit) ?? new RunSpending(this.#core, limit.session, run)
    this.#runs.set(limit, known)
    return await known.sum()
  }
}

/** A session and all its sub-sessions; each request once. */
async function spentIn({ store }: Store, session: SessionId): Promise<Spent> {
  let sum = nothingSpent
  for (const id of await family({ store, id: session })) sum = plus(sum, await spentBy({ store }, id))
  return sum
}

async function spentBy({ store }: Store, session: SessionId): Promise<Spent> {
  const counters = (await store.session(session))?.counters
  if (counters === undefined) return nothingSpent
  // What no provider told is estimated beside its entry alone.
  if (counters.unknownRequests === 0 && counters.requests > 0 && counters.inputTokens + counters.outputTokens > 0)
    return { nano: counters.costNano, tokens: tokensOf(counters), unpriced: 0 }
  if (counters.requests === 0) return nothingSpent
  let sum = nothingSpent
  const seen = new Set<string>()
  for await (const entry of entriesOf({ store }, session, ['usage_recorded'])) {
    if (!isType(entry, 'usage_recorded') || seen.has(entry.data.requestId)) continue
    seen.add(entry.data.requestId)
    sum = plus(sum, spentOn(entry))
  }
  return sum
}

/** Pure: what one request spent. Where its provider did not say, its estimate counts. */
export function spentOn(entry: Entry): Spent {
  if (!isType(entry, 'usage_recorded')) return nothingSpent
  const { usage, cost, estimate } = entry.data
  const isTold = usage.inputTokens !== null && usage.outputTokens !== null
  const { inputTokens, outputTokens } = usage
  const filled = {
    ...usage,
    inputTokens: inputTokens ?? estimate?.inputTokens ?? null,
    outputTokens: outputTokens ?? estimate?.outputTokens ?? null,
  }
  return { nano: cost ?? estimate?.nano ?? 0, tokens: tokensOf(filled), unpriced: cost === null && isTold ? 1 : 0 }
}

const pageSize = 500

/** One run and the sessions that it began; reads on from where it was last asked. */
class RunSpending {
  readonly #core: SessionCore
  readonly #session: SessionId
  readonly #run: RunId
  readonly #children = new Set<SessionId>()
  #after: number | undefined
  #own = nothingSpent

  constructor(core: SessionCore, session: SessionId, run: RunId) {
    this.#core = core
    this.#session = session
    this.#run = run
  }

  async sum(): Promise<Spent> {
    const { store } = this.#core
    let after = this.#after ?? (await startOf({ store }, this.#session, this.#run))
    for (let isMore = true; isMore;) {
      const page = await store.entries(this.#session, { after, types: ['usage_recorded', 'child_started'], limit: pageSize })
      for (const entry of page) this.#take(entry)
      after = page.at(-1)?.seq ?? after
      isMore = page.length === pageSize
    }
    this.#after = after
    let sum = this.#own
    for (const child of this.#children) sum = plus(sum, await spentIn(this.#core, child))
    return sum
  }

  #take(entry: Entry): void {
    // A summary that the run waited for stands under its turn alone.
    const isMine = entry.run === this.#run || (entry.run === undefined && entry.by === 'compaction')
    if (isMine) this.#own = plus(this.#own, spentOn(entry))
    if (entry.run === this.#run && isType(entry, 'child_started')) this.#children.add(entry.data.child)
  }
}

/** The `seq` right before a run. */
async function startOf({ store }: Store, session: SessionId, run: RunId): Promise<number> {
  for (let before: number | undefined; ;) {
    const page = await store.entries(session, {
      types: ['run_started'],
      order: 'desc',
      limit: pageSize,
      ...(before === undefined ? {} : { before }),
    })
    const found = page.find(entry => entry.run === run)
    if (found !== undefined) return found.seq - 1
    before = page.at(-1)?.seq
    if (page.length < pageSize || before === undefined) return 0
  }
}

const runMarks = ['run_started', 'step_started', 'usage_recorded', 'step_ended', 'run_ended']

/** How long runs of a session went on, one of them or all; what was abandoned did until it last wrote. */
async function ranMs({ store }: Store, session: SessionId, run: RunId | null, now: number): Promise<number> {
  let sum = 0
  let began: number | undefined
  let last = 0
  let after = run === null ? 0 : await startOf({ store }, session, run)
  for (;;) {
    const page = await store.entries(session, { after, types: runMarks, limit: pageSize })
    for (const entry of page) {
      if (entry.run === undefined || (run !== null && entry.run !== run)) continue
      if (isType(entry, 'run_started')) began = last = entry.at
      if (isType(entry, 'run_ended') && began !== undefined) {
        sum += Math.max(0, (entry.data.reason === 'abandoned' ? last : entry.at) - began)
        began = undefined
        if (run !== null) return sum
      }
      last = entry.at
    }
    after = page.at(-1)?.seq ?? after
    if (page.length < pageSize) return sum + (began === undefined ? 0 : Math.max(0, now - began))
  }
}
