import { given, isObject, SkeinError } from '#kernel'
import type { Change, JobRow, SessionRow, TenantStore } from '#journal'
import type { JobDone, JobWork } from '#jobs'
import type { ConnectedModel } from '#models'
import type { Runtime } from '#session'
import { attemptError, failureIn, keepAnswer, plainCandidates, type StoredAnswer, storedAnswer } from './extraction-answer.ts'
import { isRace, ownersOf, settlement, settleRange, summaryOf } from './extraction-apply.ts'
import { cutSchema, skippedOutcome } from './extraction-cut.ts'
import { cutRange } from './extraction-cut-job.ts'
import type { RangeHeard } from './extraction-candidates.ts'
import { messagesIn } from './extraction-read.ts'
import { shownText } from './extraction-text.ts'
import type { ExtractionInput, Extractor, ExtractorAnswer, ExtractorEntry } from './extractor.ts'
import { askModel, type Spending } from './llm-extractor.ts'
import { activeTag, type Failure, type Outcome, rangeCollection, rangeOf, type StoredRange } from './ranges.ts'
import type { Recall } from './recall.ts'
import { rulesExtractor } from './rules-extractor.ts'

const mostKnown = 10
const mostRounds = 10
/** Of what was said, as much is looked for among what is known. */
const queryLength = 4_000

export interface ExtractionWorkParts {
  readonly runtime: Runtime
  readonly recall: Recall
  /** One of the caller's own, if there is one. */
  readonly own: Extractor | undefined
  /** The model that a session's ranges are read by. */
  connect(tenant: string, row: SessionRow): Promise<ConnectedModel>
  /** Tells whoever watches the session in this process. */
  tell(tenant: string, session: SessionRow['id'], event: { readonly type: string; readonly [more: string]: unknown }): void
  /** What else goes with a change of an owner's memories. */
  alongside?(owner: string): readonly Change[]
}

/** The work of `memory.extract`: one range, asked once, however often it is tried; a long one is cut first. */
export function extractionWork(parts: ExtractionWorkParts): JobWork {
  return { schema: cutSchema, timeoutMs: 120_000, run: (job, signal) => learnSettled(parts, job, signal) }
}

/** A range that a rewind changed meanwhile is read again; who has lost the claim is done. */
async function learnSettled(parts: ExtractionWorkParts, job: JobRow, signal: AbortSignal): Promise<JobDone> {
  for (let round = 1; ; round++) {
    try {
      return await learn(parts, job, signal)
    } catch (error) {
      if (!isRace(error) || round >= mostRounds) throw error
    }
  }
}

async function learn(parts: ExtractionWorkParts, job: JobRow, signal: AbortSignal): Promise<JobDone> {
  const { runtime } = parts
  const store = runtime.store.in(job.tenant)
  const id = isObject(job.payload) ? job.payload['range'] : undefined
  const record = typeof id === 'string' ? await store.record(rangeCollection, id) : undefined
  if (record === undefined || !record.tags.includes(activeTag)) return { result: { state: 'replaced' } }
  const range = rangeOf(record)
  if (range.row.outcome !== null) return { result: { state: range.row.outcome.state } }
  const session = await store.session(range.row.session)
  if (session === undefined) return { result: { state: 'erased' } }
  if (session.state === 'deleted') {
    await store.commit(
      await settlement(
        { runtime, store, job, session, range },
        skippedOutcome('session_deleted', runtime.clock.now(), job.attempts),
      ),
    )
    return { ended: true }
  }
  if (range.row.uncut === true) return await cutRange(runtime, store, job, range)
  const heard = await hear(store, session, range)
  const kept = await storedAnswer(store, job, range)
  const asked = kept === undefined ? await ask(parts, { store, job, session, range, heard }, signal) : { range, answer: kept }
  signal.throwIfAborted()
  const outcome = await settleRange({
    runtime,
    store,
    recall: parts.recall,
    job,
    session,
    heard,
    ...asked,
    ...given({ alongside: parts.alongside }),
  })
  tellOutcome(parts, job, range, outcome)
  return { ended: true }
}

async function hear(store: TenantStore, session: SessionRow, { row }: StoredRange): Promise<RangeHeard> {
  const { fromSeq, toSeq, piece } = row
  const messages = await messagesIn(store, session.id, row.leaf, fromSeq - 1, toSeq)
  return { session: session.id, messages, fromSeq, toSeq, piece, user: session.user, agent: session.agent }
}

interface Asked {
  readonly store: TenantStore
  readonly job: JobRow
  readonly session: SessionRow
  readonly range: StoredRange
  readonly heard: RangeHeard
}

/** Asks the extractor. A failure is told on the range, with what it used, and thrown as the attempt's end. */
async function ask(
  parts: ExtractionWorkParts,
  { store, job, session, range, heard }: Asked,
  signal: AbortSignal,
): Promise<{ readonly range: StoredRange; readonly answer: StoredAnswer }> {
  const { runtime } = parts
  const { extractor } = range.row
  const entries = entriesOf(heard)
  if (extractor === rulesExtractor.name && parts.own?.name !== extractor) {
    const { candidates } = await rulesExtractor.extract({ entries, summary: '', known: [], now: runtime.clock.now() }, signal)
    return { range, answer: { toSeq: range.row.toSeq, candidates: plainCandidates(candidates), known: [] } }
  }
  let spent: Omit<ExtractorAnswer, 'candidates'> | undefined
  const fail = async (failure: Failure, error: unknown): Promise<never> => {
    await keepAnswer(runtime, store, job, session, range, spent, failure)
    parts.tell(store.tenant, session.id, { type: 'extraction_ended', range: range.row.id, outcome: 'failed', failure })
    throw attemptError(failure, error)
  }
  const meant = await knownFor(parts.recall, store, heard, entries)
  const input: ExtractionInput = {
    entries,
    summary: await summaryOf(store, session.id, extractor),
    known: meant.map(({ abstract, category }, index) => ({ n: index + 1, text: abstract, category })),
    now: runtime.clock.now(),
    ...(range.row.sessionTime === null ? {} : { sessionTime: range.row.sessionTime }),
  }
  let answer: ExtractorAnswer
  try {
    answer = await askExtractor(parts, store.tenant, session, extractor, input, signal, used => (spent = used))
  } catch (error) {
    // Taken back by a stopping worker, or out of time: the job says so itself.
    signal.throwIfAborted()
    return await fail(failureIn(error), error)
  }
  const { candidates, ...used } = answer
  spent ??= used
  if (!Array.isArray(candidates)) return await fail('parse', new SkeinError('provider.truncated', 'No list of candidates.'))
  const stored: StoredAnswer = {
    toSeq: range.row.toSeq,
    candidates: plainCandidates(candidates),
    known: meant.map(({ id }, index) => [index + 1, id] as const),
  }
  signal.throwIfAborted()
  return { range: await keepAnswer(runtime, store, job, session, range, spent, stored), answer: stored }
}

async function askExtractor(
  parts: ExtractionWorkParts,
  tenant: string,
  session: SessionRow,
  name: string,
  input: ExtractionInput,
  signal: AbortSignal,
  spending: Spending,
): Promise<ExtractorAnswer> {
  if (parts.own?.name === name) {
    const { candidates, usage } = await parts.own.extract(input, signal)
    return {
      candidates: candidates as never,
      ...(usage === undefined ? {} : { usage, model: `${parts.own.name}@${parts.own.version}` }),
    }
  }
  if (name !== 'llm') throw new SkeinError('provider.unavailable', `This process has no extractor ${name}.`)
  const model = await parts.connect(tenant, session)
  return await askModel(model, input, parts.runtime.clock.now(), signal, spending)
}

function entriesOf({ messages, piece }: RangeHeard): ExtractorEntry[] {
  return messages.flatMap(({ id, at, data }) => {
    const text = shownText(data.role, data.parts)
    const said = piece === null ? text : text.slice(piece.from, piece.to)
    return said.trim() === '' || data.role === 'system' ? [] : [{ id, role: data.role, text: said, at }]
  })
}

/** At most ten memories that the range may be about, of those whose it is. */
async function knownFor(
  recall: Recall,
  store: TenantStore,
  heard: RangeHeard,
  entries: readonly ExtractorEntry[],
): Promise<
  readonly { readonly id: string; readonly abstract: string; readonly category: ExtractionInput['known'][number]['category'] }[]
> {
  const query = entries
    .map(({ text }) => text)
    .join('\n')
    .slice(0, queryLength)
  return await recall.search(store, { query, owners: ownersOf(heard), limit: mostKnown })
}

function tellOutcome(parts: ExtractionWorkParts, job: JobRow, { row }: StoredRange, outcome: Outcome): void {
  const changed = outcome.applied.filter(({ action }) => action !== 'same')
  if (changed.length > 0)
    parts.tell(job.tenant, row.session, { type: 'memory_changed', changes: changed.map(({ action, uri }) => ({ action, uri })) })
  parts.tell(job.tenant, row.session, { type: 'extraction_ended', range: row.id, outcome: outcome.state })
  const unowned = outcome.rejected.filter(({ code }) => code === 'owner_unknown').length
  if (unowned === 0) return
  parts.runtime.notice({
    level: 'warn',
    code: 'memory.owner_unknown',
    message: `Nobody is told as the owner of what session ${row.session} teaches (${unowned} left out of range ${row.id}). Create sessions with a user, or append messages with from.`,
    session: row.session,
    tenant: job.tenant,
    job: job.id,
    ...given({ traceId: job.traceId ?? undefined }),
  })
}
