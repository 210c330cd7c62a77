import { isObject, isSkeinError } from '#kernel'
import type { Change, JobRow, SessionRow, TenantStore } from '#journal'
import type { Runtime } from '#session'
import { ChangedWords } from './changed-words.ts'
import { forgetAnswer, type StoredAnswer } from './extraction-answer.ts'
import { judge, type Learnable, type RangeHeard, senderOf } from './extraction-candidates.ts'
import { type OwnerMark, shelfChanges } from './memory-shelf.ts'
import {
  type Applied,
  activeRanges,
  extractedReader,
  type Fault,
  jobOf,
  ofExtractor,
  type Outcome,
  putRange,
  rangeCollection,
  settledTo,
  stateOf,
  type StoredRange,
} from './ranges.ts'
import type { Recall } from './recall.ts'
import { taughtBefore } from './taught.ts'
import { type Book, booksMet, keysOf, type Learning, type Shelf, takeIn } from './reconcile.ts'

export const summaryCollection = 'memory_summary'
const summaryLength = 2_000
const rounds = 20

/** Everything that one range is settled with. */
export interface Settling {
  readonly runtime: Runtime
  readonly store: TenantStore
  readonly recall: Recall
  readonly job: JobRow
  readonly session: SessionRow
  readonly range: StoredRange
  readonly heard: RangeHeard
  readonly answer: StoredAnswer
  /** What else goes with a change of an owner's memories. */
  alongside?(owner: string): readonly Change[]
}

interface Shelved {
  readonly shelf: Shelf
  readonly before: ReadonlyMap<string, Book>
  readonly mark: OwnerMark
}

/**
 * Takes an answer in: memories, range, watermark and the job's end in one transaction under the job's claim. Whoever changes
 * the same owner's memories meanwhile is read again. Law M49.
 */
export async function settleRange(settling: Settling): Promise<Outcome> {
  const { learnable, belowThreshold, rejected } = judge(settling.answer.candidates, settling.heard)
  for (let round = 1; ; round++) {
    const shelves = await shelvesFor(settling, learnable)
    const taken = takeAll(settling, learnable, shelves)
    const outcome: Outcome = {
      state: rejected.length > 0 ? 'partial' : taken.applied.length > 0 ? 'ok' : 'empty',
      at: settling.runtime.clock.now(),
      attempts: settling.job.attempts,
      candidates: settling.answer.candidates.length,
      belowThreshold,
      rejected,
      ...taken,
    }
    const memories = [...shelves.values()].flatMap(({ shelf, before, mark }) => {
      const changes = shelfChanges(shelf, before, mark)
      return changes.length === 0 ? [] : [...changes, ...(settling.alongside?.(shelf.owner) ?? [])]
    })
    try {
      await settling.store.commit(await settlement(settling, outcome, memories))
      return outcome
    } catch (error) {
      if (!isRace(error) || round >= rounds) throw error
      const range = await settling.store.record(rangeCollection, settling.range.row.id)
      if (range?.version !== settling.range.version) throw error
    }
  }
}

/** Somebody changed what was read. The first change is the claim: who has lost that has lost for good. */
export function isRace(error: unknown): boolean {
  return isSkeinError(error) && error.code === 'store.conflict' && error.details['change'] !== 0
}

/** All changes that settle a range, with its job's end. */
export async function settlement(
  settling: Pick<Settling, 'runtime' | 'store' | 'job' | 'session' | 'range'>,
  outcome: Outcome,
  memories: readonly Change[] = [],
): Promise<Change[]> {
  const { store, job, range } = settling
  const { row, version } = range
  const claim = { job: job.id, fence: job.fence }
  return [
    { type: 'require', that: { claim } },
    ...memories,
    ...(await summaryChanges(store, settling.session.id, row.extractor, outcome.applied)),
    putRange({ ...row, failure: null, outcome }, { expectVersion: version }),
    ...(await extractedChanges(settling, row.id)),
    forgetAnswer(job),
    { type: 'complete', ...claim, result: { state: outcome.state, applied: outcome.applied.length } },
  ]
}

/** The shelves of everyone that is learnt about, with every version of what may be met. */
async function shelvesFor(settling: Settling, learnable: readonly Learnable[]): Promise<Map<string, Shelved>> {
  const shelves = new Map<string, Shelved>()
  const learning = learningOf(settling)
  const uris = await taughtBefore(settling.store, settling.range.row)
  for (const owner of new Set(learnable.map(candidate => candidate.owner))) {
    const index = await settling.recall.ownerIndex(settling.store, owner)
    const { mark } = index
    const books = index.shallowBooks()
    const near = (words: ReadonlySet<string>, missing: number): Iterable<string> => index.near(words, missing)
    const taught = new Set([...index.heads()].flatMap(({ id, uri }) => (uris.has(uri) ? [id] : [])))
    const shelf: Shelf = {
      owner,
      books,
      changed: new Set(),
      fresh: new ChangedWords(),
      keys: keysOf(books.values()),
      near,
      taught,
    }
    const met = learnable
      .filter(candidate => candidate.owner === owner)
      .flatMap(candidate => booksMet(shelf, candidate, learning))
    for (const id of new Set([...met, ...taught])) {
      const book = await index.book(id)
      if (book !== undefined) shelf.books.set(id, book)
    }
    shelves.set(owner, { shelf, before: new Map(shelf.books), mark })
  }
  return shelves
}

function learningOf({ runtime, store, session, range, job, answer }: Settling): Learning {
  const { row } = range
  return {
    tenant: store.tenant,
    now: runtime.clock.now(),
    newId: () => runtime.ids('mem'),
    source: { session: session.id, extractor: `${row.extractor}@${row.version}`, range: row.id, job: job.id },
    evidence: ({ quote, at }) => ({
      session: session.id,
      entry: quote?.entry ?? null,
      fromSeq: row.fromSeq,
      toSeq: row.toSeq,
      quote: quote?.text ?? null,
      at,
      range: row.id,
      job: job.id,
    }),
    known: new Map(answer.known),
  }
}

function takeAll(
  settling: Settling,
  learnable: readonly Learnable[],
  shelves: ReadonlyMap<string, Shelved>,
): { readonly applied: Applied[]; readonly ignored: Fault[] } {
  const learning = learningOf(settling)
  const applied: Applied[] = []
  const ignored: Fault[] = []
  for (const candidate of learnable) {
    const { shelf } = shelves.get(candidate.owner) as Shelved
    const taken = takeIn(shelf, candidate, learning)
    applied.push(taken.applied)
    if (taken.ignored !== undefined) ignored.push(taken.ignored)
  }
  return { applied, ignored }
}

/** `extractedTo`, if this range was what it waited for. Law M50. */
async function extractedChanges(
  { runtime, store, range }: Pick<Settling, 'runtime' | 'store' | 'range'>,
  settled: string,
): Promise<Change[]> {
  const { session, extractor } = range.row
  const reader = extractedReader(extractor)
  const from = await store.watermark(session, reader)
  const to = await extractedEnd(runtime, store, session, extractor, from, settled)
  return to === from ? [] : [{ type: 'put_watermark', session, reader, seq: to, expect: from }]
}

/** The end of the longest prefix of settled ranges; `settled` counts as one of them. */
export async function extractedEnd(
  runtime: Pick<Runtime, 'clock'>,
  store: TenantStore,
  session: SessionRow['id'],
  extractor: string,
  from: number,
  settled?: string,
): Promise<number> {
  const ranges = await activeRanges(store, session, extractor, from)
  const known = await Promise.all(
    ranges.map(async ({ row }) => ({
      row,
      state: row.id === settled ? ('ok' as const) : stateOf(row, await jobOf(store, row), runtime.clock.now()),
    })),
  )
  return settledTo(from, known)
}

/** What was learnt, a line each, for the extractor's next range; the oldest whole lines go first. Law M53. */
async function summaryChanges(
  store: TenantStore,
  session: SessionRow['id'],
  extractor: string,
  applied: readonly Applied[],
): Promise<Change[]> {
  const lines = applied.flatMap(({ action, uri }) => (action === 'same' ? [] : [`- [${action}] ${uri}`]))
  if (lines.length === 0) return []
  const key = ofExtractor(session, extractor)
  const record = await store.record(summaryCollection, key)
  const kept = [...summaryIn(record?.value).split('\n').filter(Boolean), ...lines]
  while (kept.join('\n').length > summaryLength) kept.shift()
  return [
    {
      type: 'put_record',
      collection: summaryCollection,
      key,
      value: { text: kept.join('\n') },
      tags: [session],
      expectVersion: record?.version ?? 0,
    },
  ]
}

const summaryIn = (value: unknown): string => (isObject(value) && typeof value['text'] === 'string' ? value['text'] : '')

export async function summaryOf(store: TenantStore, session: SessionRow['id'], extractor: string): Promise<string> {
  return summaryIn((await store.record(summaryCollection, ofExtractor(session, extractor)))?.value)
}

/** Whose memories a range may be about: the user, or everyone who wrote in it, and the agent. */
export function ownersOf(heard: RangeHeard): string[] {
  const senders = heard.messages.filter(({ data }) => data.role === 'user').flatMap(message => senderOf(message) ?? [])
  return [...new Set([...(heard.user === null ? senders : [heard.user]), heard.agent])]
}
