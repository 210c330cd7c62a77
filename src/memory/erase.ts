import {
  type EntryId,
  given,
  invalidInput,
  isId,
  isObject,
  type JobId,
  parseSessionRef,
  sha256,
  type SessionId,
  wait,
} from '#kernel'
import type { Change, TenantStore } from '#journal'
import type { Runtime } from '#session'
import { seqsOf } from './erase-entries.ts'
import {
  eraseMemoryKind,
  type ErasePlan,
  type EraseReceipt,
  type EraseTarget,
  newReceipt,
  putPlan,
  putReceipt,
  receiptIn,
} from './erase-receipt.ts'
import { readBook } from './memory-shelf.ts'
import { receiptCollection } from './undo.ts'

const waitMs = 30_000
const pollMs = 50

export interface Erasing {
  readonly runtime: Pick<Runtime, 'clock' | 'ids' | 'timers'>
  readonly store: TenantStore
  /** Whether this process works jobs off, so that waiting for one is worth it. */
  readonly works: boolean
  /** Whose things may be erased. */
  mayChange(owner: string | null): boolean
}

/** One target, and nothing beside it. */
export function readTarget(target: unknown): EraseTarget {
  const { user, session, entries, memory, ...more } = (target ?? {}) as Record<string, unknown>
  const named = [user, session, memory].filter(one => one !== undefined)
  const [one] = named
  if (Object.keys(more).length > 0 || named.length !== 1 || typeof one !== 'string' || one === '')
    throw invalidInput('target', 'Expected { user }, { session }, { session, entries } or { memory }.')
  if (user !== undefined) return { user: one }
  if (memory !== undefined) return { memory: one }
  if (entries === undefined) return { session: one }
  if (!Array.isArray(entries) || entries.length === 0 || !entries.every(entry => isId('ent', entry)))
    throw invalidInput('entries', 'Expected ids of entries.')
  return { session: one, entries: [...new Set(entries as EntryId[])] }
}

/** A target that is there for the caller, or why it is not. */
export type Missing = 'session' | 'memory'

/**
 * Queues the job that erases, and waits for it 30 s at most where this process works jobs off. Returns what it counted by then;
 * `missing` says what to throw for a target that is not there for the caller.
 */
export async function erase(
  erasing: Erasing,
  target: EraseTarget,
  missing: (what: Missing, id: string) => Error,
): Promise<EraseReceipt> {
  const { store, runtime } = erasing
  const plan = await planOf(erasing, target, missing)
  const id = runtime.ids('evt')
  const job = runtime.ids('job')
  const receipt = newReceipt(id, job, runtime.clock.now(), await forksOf(store, plan))
  const key = sha256(JSON.stringify(target)).slice(0, 32)
  const changes: Change[] = [
    putReceipt(receipt),
    putPlan(id, plan),
    {
      type: 'enqueue',
      job: { id: job, kind: eraseMemoryKind, key, payload: { receipt: id }, maxAttempts: 20, parkedBlocks: true },
    },
  ]
  await store.commit(changes)
  if (erasing.works) await ended(erasing, job)
  return receiptIn(await store.record(receiptCollection, id)) ?? receipt
}

async function ended({ store, runtime }: Erasing, job: JobId): Promise<void> {
  for (let waited = 0; waited < waitMs; waited += pollMs) {
    const row = await store.job(job)
    if (row?.state !== 'queued' && row?.state !== 'running') return
    await wait(runtime.timers, pollMs)
  }
}

async function planOf(
  { store, mayChange }: Erasing,
  target: EraseTarget,
  missing: (what: Missing, id: string) => Error,
): Promise<ErasePlan> {
  const none: ErasePlan = { user: null, sessions: [], session: null, seqs: [], entries: [], memory: null }
  if ('user' in target) {
    if (!mayChange(target.user)) return none
    return { ...none, user: target.user, sessions: await sessionsOf(store, { user: target.user }) }
  }
  if ('memory' in target) {
    const book = isId('mem', target.memory) ? await readBook(store, target.memory) : undefined
    const owner = book?.versions.at(-1)?.owner
    if (owner === undefined || !mayChange(owner)) throw missing('memory', target.memory)
    return { ...none, memory: target.memory }
  }
  const row = await store.session(parseSessionRef(target.session))
  if (row === undefined || row.hidden || !mayChange(row.user)) throw missing('session', target.session)
  const session = row.id
  if (!('entries' in target)) return { ...none, sessions: [session] }
  return { ...none, session, entries: target.entries, seqs: await seqsOf(store, session, target.entries) }
}

/** A fork has the entries of its source under its own name and says whose they were; nothing else refers to it. */
async function forksOf(store: TenantStore, { sessions, session }: ErasePlan): Promise<SessionId[]> {
  const from = new Set<unknown>(session === null ? sessions : [session])
  const found: SessionId[] = []
  if (from.size === 0) return found
  for (const id of await sessionsOf(store)) {
    if (from.has(id)) continue
    const told = await store.entries(id, { types: ['session_forked'] })
    if (told.some(({ data }) => isObject(data) && from.has(data['from']))) found.push(id)
  }
  return found
}

/** Deleted ones, too. */
async function sessionsOf(store: TenantStore, of: { readonly user?: string } = {}): Promise<SessionId[]> {
  const found: SessionId[] = []
  for (let cursor: string | undefined; ;) {
    const page = await store.sessions({
      ...of,
      states: ['active', 'ended', 'deleted'],
      sort: 'createdAt',
      limit: 200,
      ...given({ cursor }),
    })
    found.push(...page.items.map(({ id }) => id))
    if (page.next === undefined) return found
    cursor = page.next
  }
}
