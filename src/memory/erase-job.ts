import { isSkeinError, type SessionId } from '#kernel'
import type { Change, JobRow, TenantStore } from '#journal'
import type { JobDone, JobWork } from '#jobs'
import type { Erased, Runtime } from '#session'
import { type IsGone, unlearn } from './erase-books.ts'
import { entriesErased } from './erase-entries.ts'
import { addCounts, type ErasePlan, type EraseReceipt, planCollection, putReceipt, receiptIn } from './erase-receipt.ts'
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

async function eraseAsked(parts: EraseParts, job: JobRow, signal: AbortSignal): Promise<JobDone> {
  const { store: all } = parts.runtime
  const store = all.in(job.tenant)
  const { receipt: id } = job.payload as { readonly receipt: string }
  const plan = (await store.record(planCollection, id))?.value as unknown as ErasePlan | undefined
  let receipt = receiptIn(await store.record(receiptCollection, id))
  if (plan === undefined || receipt === undefined) return { result: { state: 'gone' } }
  const claim: Change = { type: 'require', that: { claim: { job: job.id, fence: job.fence } } }
  const count = async (counts: Parameters<typeof addCounts>[1]): Promise<void> => {
    receipt = addCounts(receipt as EraseReceipt, counts)
    await store.commit([claim, putReceipt(receipt)])
  }
  const forget = async (): Promise<void> => {
    signal.throwIfAborted()
    const { gone, versions, quotes } = await unlearn(store, goneBy(plan), () => [claim])
    await forgetUris(store, gone, [claim])
    if (versions + quotes > 0) await count({ memories: gone.length, versions, quotes })
  }
  await forget()
  for (const session of plan.sessions) {
    signal.throwIfAborted()
    const erased = await parts.eraseSession(job.tenant, session).catch(ifUnknown)
    if (erased !== undefined) await count({ ...erased, sessions: 1 })
  }
  if (plan.session !== null) await count(await eraseSome(store, plan.session, plan.seqs, claim))
  // What was learnt on the way.
  await forget()
  signal.throwIfAborted()
  // What is free in a file still has its bytes.
  await all.purge?.()
  return {
    result: { receipt: id },
    effects: [putReceipt({ ...receipt, state: 'done' }), { type: 'delete_record', collection: planCollection, key: id }],
  }
}

/** What was learnt from a session that is gone goes, too. */
export async function forgetLearnt(store: TenantStore, session: SessionId): Promise<void> {
  const { gone } = await unlearn(store, evidence => evidence.session === session)
  await forgetUris(store, gone)
}

function ifUnknown(error: unknown): undefined {
  if (!isSkeinError(error) || error.code !== 'session.not_found') throw error
  return undefined
}

async function eraseSome(
  store: TenantStore,
  session: SessionId,
  seqs: readonly number[],
  claim: Change,
): Promise<Parameters<typeof addCounts>[1]> {
  for (let round = 1; ; round++) {
    const row = await store.session(session)
    if (row === undefined || seqs.length === 0) return {}
    const { changes, overviews } = await entriesErased(store, row, seqs)
    try {
      const { results } = await store.commit([claim, ...changes])
      const { entries, blobs } = results[1] as { readonly entries: number; readonly blobs: number }
      return { entries, blobs, overviews }
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
