import { isSkeinError, type SessionId } from '#kernel'
import type { Change, JobRow, TenantStore } from '#journal'
import type { JobDone, JobWork } from '#jobs'
import type { Erased, Runtime } from '#session'
import { type IsGone, unlearn, type Unlearnt } from './erase-books.ts'
import { entriesErased } from './erase-entries.ts'
import {
  addCounts,
  type EraseCounts,
  type ErasePlan,
  type EraseReceipt,
  forgottenOf,
  planCollection,
  putPlan,
  putReceipt,
  receiptIn,
} from './erase-receipt.ts'
import { forgetNotes } from './erase-notes.ts'
import { forgetUris } from './erase-uris.ts'
import { categoryRules } from './extractor.ts'
import type { Evidence, Memory } from './memory-types.ts'
import { receiptCollection } from './undo.ts'

const tries = 20

export interface EraseParts {
  readonly runtime: Pick<Runtime, 'store'>
  /** Ends what goes on in a session and removes it for good. Throws `session.not_found`. */
  eraseSession(tenant: string, session: SessionId): Promise<Erased>
}

/** The work of `memory.erase`: each part may be done again, and what is done is counted at once. Law M61. */
export function eraseWork(parts: EraseParts): JobWork {
  return { schema: 1, timeoutMs: 60_000, run: (job, signal) => eraseAsked(parts, job, signal) }
}

/** How far an erasing is: what it still has to know, and what it has counted. Both are written with what was done. */
interface Progress {
  readonly plan: ErasePlan
  readonly receipt: EraseReceipt
}

async function eraseAsked(parts: EraseParts, job: JobRow, signal: AbortSignal): Promise<JobDone> {
  const { store: all } = parts.runtime
  const store = all.in(job.tenant)
  const { receipt: id } = job.payload as { readonly receipt: string }
  const plan = (await store.record(planCollection, id))?.value as unknown as ErasePlan | undefined
  const receipt = receiptIn(await store.record(receiptCollection, id))
  if (plan === undefined || receipt === undefined) return { result: { state: 'gone' } }
  const claim: Change = { type: 'require', that: { claim: { job: job.id, fence: job.fence } } }
  let progress: Progress = { plan, receipt }
  const kept = (next: Progress): Change[] => [claim, putPlan(id, next.plan), putReceipt(next.receipt)]
  const keep = async (next: Progress): Promise<void> => {
    await store.commit(kept(next))
    progress = next
  }
  const count = (counts: EraseCounts): Progress => ({ ...progress, receipt: addCounts(progress.receipt, counts) })
  const forget = async (): Promise<void> => {
    signal.throwIfAborted()
    let next = progress
    await unlearn(store, goneBy(plan), {
      also: found => kept((next = unlearnt(progress, found))),
      written: () => (progress = next),
    })
    const { forgotten = [] } = progress.plan
    if (forgotten.length === 0) return
    await forgetUris(store, forgotten, [claim])
    await forgetNotes(store, forgotten, [claim])
    await keep({ ...progress, plan: { ...progress.plan, forgotten: [] } })
  }
  await forget()
  for (const session of plan.sessions) {
    signal.throwIfAborted()
    const erased = await parts.eraseSession(job.tenant, session).catch(ifUnknown)
    if (erased !== undefined) await keep(count({ ...erased, sessions: 1 }))
  }
  if (plan.session !== null && progress.plan.isErased !== true) {
    const before = progress
    const blobs = await eraseSome(store, plan.session, plan.seqs, counts => {
      progress = { plan: { ...before.plan, isErased: true }, receipt: addCounts(before.receipt, counts) }
      return kept(progress)
    })
    await keep(count({ blobs }))
  }
  // What was learnt on the way.
  await forget()
  signal.throwIfAborted()
  // What is free in a file still has its bytes.
  await all.purge?.()
  return {
    result: { receipt: id },
    effects: [putReceipt({ ...progress.receipt, state: 'done' }), { type: 'delete_record', collection: planCollection, key: id }],
  }
}

function unlearnt({ plan, receipt }: Progress, { gone, versions, quotes }: Unlearnt): Progress {
  return {
    plan: { ...plan, forgotten: [...(plan.forgotten ?? []), ...gone.map(forgottenOf)] },
    receipt: addCounts(receipt, { memories: gone.length, versions, quotes }),
  }
}

/** What was learnt from a session that is gone goes, too. */
export async function forgetLearnt(store: TenantStore, session: SessionId): Promise<void> {
  const gone = (await unlearn(store, evidence => evidence.session === session)).map(forgottenOf)
  await forgetUris(store, gone)
  await forgetNotes(store, gone)
}

function ifUnknown(error: unknown): undefined {
  if (!isSkeinError(error) || error.code !== 'session.not_found') throw error
  return undefined
}

/** How many blobs went; all else is counted by what is written with it. */
async function eraseSome(
  store: TenantStore,
  session: SessionId,
  seqs: readonly number[],
  kept: (counts: EraseCounts) => readonly Change[],
): Promise<number> {
  for (let round = 1; ; round++) {
    const row = await store.session(session)
    if (row === undefined || seqs.length === 0) return 0
    const { changes, entries, overviews } = await entriesErased(store, row, seqs)
    const first = kept({ entries, overviews })
    try {
      const { results } = await store.commit([...first, ...changes])
      return (results[first.length] as { readonly blobs: number }).blobs
    } catch (error) {
      if (!isSkeinError(error) || error.code !== 'store.conflict' || error.details['change'] === 0 || round >= tries) throw error
    }
  }
}

/** Which evidence goes with what is erased. */
function goneBy(plan: ErasePlan): IsGone {
  const sessions = new Set(plan.sessions)
  const entries = new Set<string>(plan.entries)
  const cites = ({ session, entry, fromSeq, toSeq }: Evidence): boolean =>
    session === plan.session && (entry === null ? plan.seqs.some(seq => fromSeq <= seq && seq <= toSeq) : entries.has(entry))
  // An agent may have the user's name; what it has learnt is its own.
  const isWhole = ({ id, owner, category }: Memory): boolean =>
    id === plan.memory || (owner === plan.user && categoryRules[category].owner === 'user')
  return (evidence, memory) => isWhole(memory) || sessions.has(evidence.session) || cites(evidence)
}
