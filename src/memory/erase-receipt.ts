import { type EntryId, isObject, type JobId, type Json, type SessionId } from '#kernel'
import type { Change, RecordRow } from '#journal'
import type { Memory } from './memory-types.ts'
import { receiptCollection } from './undo.ts'

/** What is to be erased: a user with all sessions, one session, entries of it, or one memory. */
export type EraseTarget =
  | { readonly user: string }
  /** By id or alias. */
  | { readonly session: string }
  | { readonly session: string; readonly entries: readonly EntryId[] }
  | { readonly memory: string }

/** How much went; nothing of what it said. It stays readable under its id. Law M61. */
export interface EraseReceipt {
  readonly id: string
  readonly of: 'erase'
  readonly at: number
  /** `done` once no file of the store has the bytes. */
  readonly state: 'queued' | 'done'
  readonly job: JobId
  readonly sessions: number
  readonly entries: number
  readonly blobs: number
  readonly archives: number
  readonly views: number
  readonly jobs: number
  /** Overviews that were remade. */
  readonly overviews: number
  readonly memories: number
  readonly versions: number
  readonly quotes: number
  /** Copies of what went that are sessions of their own, and remain. */
  readonly forks: readonly SessionId[]
}

/** What an erasing job still has to know; gone when it is done. */
export interface ErasePlan {
  readonly user: string | null
  readonly sessions: readonly SessionId[]
  readonly session: SessionId | null
  readonly seqs: readonly number[]
  readonly entries: readonly EntryId[]
  readonly memory: string | null
  /** Whether the entries went. */
  readonly isErased?: boolean
  /** Memories that are gone already, while something may still name them. */
  readonly forgotten?: readonly Forgotten[]
}

/** What is known of a memory that is gone, until nothing names it any more. */
export interface Forgotten {
  readonly id: string
  readonly uri: string
  readonly owner: string
  /** That taught it. */
  readonly sessions: readonly SessionId[]
}

export const forgottenOf = ({ id, uri, owner, evidence, source }: Memory): Forgotten => ({
  id,
  uri,
  owner,
  sessions: [...new Set([source.session, ...evidence.map(({ session }) => session)])],
})

export const eraseMemoryKind = 'memory.erase'
export const planCollection = 'memory_erase'

export function newReceipt(id: string, job: JobId, at: number, forks: readonly SessionId[]): EraseReceipt {
  return {
    id,
    of: 'erase',
    at,
    state: 'queued',
    job,
    sessions: 0,
    entries: 0,
    blobs: 0,
    archives: 0,
    views: 0,
    jobs: 0,
    overviews: 0,
    memories: 0,
    versions: 0,
    quotes: 0,
    forks,
  }
}

export type EraseCounts = Partial<
  Pick<
    EraseReceipt,
    'sessions' | 'entries' | 'blobs' | 'archives' | 'views' | 'jobs' | 'overviews' | 'memories' | 'versions' | 'quotes'
  >
>

export function addCounts(receipt: EraseReceipt, counts: EraseCounts): EraseReceipt {
  const sums = Object.entries(counts).map(([name, count]) => [name, receipt[name as keyof EraseCounts] + (count ?? 0)])
  return { ...receipt, ...(Object.fromEntries(sums) as EraseCounts) }
}

export const putReceipt = (receipt: EraseReceipt): Change => ({
  type: 'put_record',
  collection: receiptCollection,
  key: receipt.id,
  value: receipt as unknown as Json,
})

export const putPlan = (id: string, plan: ErasePlan): Change => ({
  type: 'put_record',
  collection: planCollection,
  key: id,
  value: plan as unknown as Json,
})

export function receiptIn(record: RecordRow | undefined): EraseReceipt | undefined {
  return isObject(record?.value) && record.value['of'] === 'erase' ? (record.value as unknown as EraseReceipt) : undefined
}
