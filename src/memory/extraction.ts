import { given, isSkeinError, type JobId, type JsonObject, wait } from '#kernel'
import type { SessionRow, TenantStore } from '#journal'
import type { Runtime, SessionCore } from '#session'
import type { ExtractionAsk, ExtractionPlan, ExtractionPort } from './commit-ports.ts'
import { cutRanges, type ExtractorName, wholeSession } from './extraction-cut.ts'
import { extractedEnd } from './extraction-apply.ts'
import { defaultInputTokens, type Extractor } from './extractor.ts'
import { llmVersion } from './llm-extractor.ts'
import {
  activeRanges,
  extractKind,
  extractedReader,
  jobOf,
  ofExtractor,
  queuedReader,
  rangeCollection,
  rangeOf,
  type RangeRow,
  type RangeState,
  stateOf,
} from './ranges.ts'
import { rulesExtractor } from './rules-extractor.ts'

const tries = 5
const pollMs = 50

/** Which extractor new ranges are cut for; `off`: none. */
export type ExtractorChoice = 'rules' | 'llm' | 'off' | Extractor

/** How far a session is learnt from. */
export interface ExtractionState {
  readonly extractor: string
  readonly state: 'idle' | 'pending' | 'running' | 'failed' | 'parked'
  /** Whether a range is being learnt from right now. */
  readonly running: boolean
  readonly queuedTo: number
  readonly extractedTo: number
}

export interface Extracted {
  readonly session: SessionRow['id']
  readonly extraction: ExtractionPlan['extraction']
  readonly jobs: readonly JobId[]
}

/** Cuts journals into ranges and knows how far each is learnt from. What archives ask of it is its port. */
export class Extraction implements ExtractionPort {
  readonly #runtime: Runtime
  readonly #choice: ExtractorChoice

  constructor(runtime: Runtime, choice: ExtractorChoice) {
    this.#runtime = runtime
    this.#choice = choice
  }

  get runtime(): Runtime {
    return this.#runtime
  }

  /** Undefined where nothing is learnt. */
  extractorFor(row: Pick<SessionRow, 'model'>): ExtractorName | undefined {
    if (this.#choice === 'off') return undefined
    if (this.#choice === 'rules') return rulesExtractor
    if (this.#choice !== 'llm') return this.#choice
    const window = this.#runtime.modelFacts(row.model).contextWindow
    const most = window === undefined ? defaultInputTokens : Math.max(500, Math.floor(window / 2))
    return { name: 'llm', version: llmVersion, maxInputTokens: Math.min(defaultInputTokens, most) }
  }

  /** The name that cursors are kept under. */
  get name(): string | undefined {
    return this.extractorFor({ model: null })?.name
  }

  async extractionChanges(ask: ExtractionAsk): Promise<ExtractionPlan> {
    const { core, row, toSeq, endEntry, extract, sessionTime, traceId } = ask
    const extractor = this.extractorFor(row)
    // What lives in this process only has no worker that learns from it.
    if (extractor === undefined || !(await this.#isDurable(core))) return { changes: [], jobs: [], extraction: 'none' }
    const more = given({ sessionTime, traceId })
    return await cutRanges({
      runtime: this.#runtime,
      store: core.store,
      extractor,
      session: row.id,
      toSeq,
      endEntry,
      extract,
      ...more,
    })
  }

  /** Queues what a session says after `queuedTo`. */
  async extract(
    store: TenantStore,
    row: SessionRow,
    options: { readonly sessionTime?: string; readonly traceId?: string } = {},
  ): Promise<Extracted> {
    const extractor = this.extractorFor(row)
    const whole = extractor === undefined ? undefined : await wholeSession(store, row)
    if (extractor === undefined || whole === undefined) return { session: row.id, extraction: 'none', jobs: [] }
    for (let round = 1; ; round++) {
      const ask = { runtime: this.#runtime, store, extractor, session: row.id, extract: true, ...whole, ...options }
      const plan = await cutRanges(ask)
      try {
        await store.commit(plan.changes)
        return { session: row.id, extraction: plan.extraction, jobs: plan.jobs }
      } catch (error) {
        if (!isSkeinError(error) || error.code !== 'store.conflict' || round >= tries) throw error
      }
    }
  }

  async extractionSettled(core: SessionCore, waitMs: number, signal?: AbortSignal): Promise<JsonObject> {
    const { store, id } = core
    const extractor = this.extractorFor({ model: null })
    if (extractor === undefined) return { outcome: 'none' }
    const from = await store.watermark(id, extractedReader(extractor.name))
    for (let waited = 0; waited < waitMs; waited += pollMs) {
      signal?.throwIfAborted()
      const open = await store.jobs({ session: id, kind: extractKind, states: ['queued', 'running'], limit: 1 })
      if (open.length === 0) break
      await wait(this.#runtime.timers, pollMs)
    }
    const ranges = (await this.#states(store, id, extractor.name)).filter(({ row }) => row.toSeq > from)
    const counts = { candidates: 0, applied: 0, belowThreshold: 0, rejected: 0 }
    for (const { row } of ranges) {
      counts.candidates += row.outcome?.candidates ?? 0
      counts.applied += row.outcome?.applied.length ?? 0
      counts.belowThreshold += row.outcome?.belowThreshold ?? 0
      counts.rejected += row.outcome?.rejected.length ?? 0
    }
    return {
      outcome: worst(ranges.map(({ state }) => state)),
      counts,
      ranges: ranges.map(({ row, state }) => ({ id: row.id, fromSeq: row.fromSeq, toSeq: row.toSeq, state })),
    }
  }

  async extractionMark({ store, id }: SessionCore): Promise<string> {
    const { name } = this
    if (name === undefined) return ''
    const newest = await store.records(rangeCollection, { tag: ofExtractor(id, name), order: 'desc', limit: 1 })
    const [range] = newest.items
    // That one was cut adds nothing.
    return `${name} ${range === undefined ? '' : (rangeOf(range).row.of?.range ?? range.key)}`
  }

  async extractionInfo({ store, id }: Pick<SessionCore, 'store' | 'id'>): Promise<JsonObject> {
    return { ...(await this.stateOf(store, id)) }
  }

  /** Of ranges that are not settled the first tells the state. */
  async stateOf(store: TenantStore, session: SessionRow['id']): Promise<ExtractionState> {
    const extractor = this.extractorFor({ model: null })
    if (extractor === undefined) return { extractor: 'off', state: 'idle', running: false, queuedTo: 0, extractedTo: 0 }
    const { name, version } = extractor
    const [queuedTo, extractedTo] = await Promise.all([
      store.watermark(session, queuedReader(name)),
      this.extractedTo(store, session, name),
    ])
    const states =
      extractedTo >= queuedTo ? [] : (await this.#states(store, session, name, extractedTo)).map(({ state }) => state)
    const state = (['running', 'failed', 'pending', 'parked'] as const).find(one => states.includes(one)) ?? 'idle'
    return { extractor: `${name}@${version}`, state, running: states.includes('running'), queuedTo, extractedTo }
  }

  /** The end of the longest settled prefix. The watermark is behind it only where a job was given up. */
  async extractedTo(store: TenantStore, session: SessionRow['id'], name: string): Promise<number> {
    const from = await store.watermark(session, extractedReader(name))
    const queued = await store.watermark(session, queuedReader(name))
    return from >= queued ? from : await extractedEnd(this.#runtime, store, session, name, from)
  }

  async #states(
    store: TenantStore,
    session: SessionRow['id'],
    name: string,
    from: number = 0,
  ): Promise<{ readonly row: RangeRow; readonly state: RangeState }[]> {
    const ranges = await activeRanges(store, session, name, from)
    const now = this.#runtime.clock.now()
    return await Promise.all(ranges.map(async ({ row }) => ({ row, state: stateOf(row, await jobOf(store, row), now) })))
  }

  async #isDurable({ store, id }: SessionCore): Promise<boolean> {
    return (await this.#runtime.store.in(store.tenant).session(id)) !== undefined
  }
}

const order: readonly RangeState[] = ['running', 'pending', 'failed', 'parked', 'partial', 'ok', 'empty', 'skipped']

/** What a person should know first of several ranges. */
const worst = (states: readonly RangeState[]): string => order.find(state => states.includes(state)) ?? 'none'
