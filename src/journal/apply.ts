import { invalidInput, type JsonObject, mergePatch, SkeinError } from '#kernel'
import { claimed, endJob, enqueue, redrive } from './apply-job.ts'
import type {
  Append,
  Change,
  CopySession,
  CreateSession,
  EraseEntries,
  Fence,
  PutArchive,
  PutMemory,
  PutRecord,
  Require,
  Result,
  Results,
} from './change.ts'
import type { Entry } from './entry.ts'
import { noCounters, noLease, patchHead, type SessionRow } from './head.ts'
import { grantLease } from './lease.ts'
import { conflict, unknownSession } from './refusal.ts'
import type { CommitContext, Rows } from './rows.ts'
import type { RecordRow } from './store.ts'

/** Routes are records of their own collection; one mechanism for versioned rows. */
export const routeCollection = 'route'

/**
 * Carries out one commit's changes, in order, in an open transaction. This is what every adapter means by them.
 * Throws for the first change that is refused; the adapter then undoes all. Source: docs/stores.md, spec/foundation.md 3.2.
 */
export function applyChanges(rows: Rows, changes: readonly Change[], context: CommitContext): Result[] {
  const results: Result[] = []
  for (const [index, change] of changes.entries()) {
    results.push(applyChange(rows, change, { ...context, index, changes, results }))
  }
  return results
}

interface Turn extends CommitContext {
  readonly index: number
  readonly changes: readonly Change[]
  readonly results: readonly Result[]
}

function applyChange(rows: Rows, change: Change, turn: Turn): Result {
  switch (change.type) {
    case 'create_session':
      return createSession(rows, change, turn)
    case 'append':
      return append(rows, change, turn)
    case 'copy_session':
      return copySession(rows, change)
    case 'erase_session': {
      const erased = rows.session(change.session) !== undefined
      return { erased, ...rows.eraseSession(change.session) }
    }
    case 'erase_entries':
      return eraseEntries(rows, change)
    case 'acquire': {
      const row = sessionRow(rows, change.session)
      const lease = grantLease(row.id, row.lease, change.owner, change.leaseMs, turn)
      rows.putSession({ ...row, lease }, row)
      return { session: row.id, owner: change.owner, token: lease.token, until: lease.until }
    }
    case 'release': {
      const row = rows.session(change.fence.session)
      if (row === undefined || row.lease.token !== change.fence.token || row.lease.owner !== change.fence.owner)
        return { released: false }
      rows.putSession({ ...row, lease: { ...row.lease, owner: null, until: 0 } }, row)
      return { released: true }
    }
    case 'put_view': {
      sessionRow(rows, change.session)
      const before = rows.view(change.session, change.name)
      if (before !== undefined && before.format === change.format && before.seq > change.seq) return { stored: false }
      const { type: _type, ...view } = change
      rows.putView(view)
      return { stored: true }
    }
    case 'put_watermark': {
      const row = sessionRow(rows, change.session)
      const actual = rows.watermark(change.session, change.reader)
      if (actual !== change.expect) throw conflict(turn, { watermark: change.expect }, { watermark: actual })
      if (change.seq > row.seq) throw invalidInput(`changes[${turn.index}].seq`, `Beyond the journal's end, ${row.seq}.`)
      rows.putWatermark(change.session, change.reader, change.seq)
      return { seq: change.seq }
    }
    case 'put_archive':
      return putArchive(rows, change, turn)
    case 'put_blob':
      rows.addBlobs([change.blob])
      return { id: change.blob.id }
    case 'put_route':
      return putRecord(rows, { ...change, collection: routeCollection, type: 'put_record' }, turn)
    case 'delete_route':
      return deleteRecord(rows, routeCollection, change.key, change.expectVersion, turn)
    case 'put_record':
      return putRecord(rows, change, turn)
    case 'delete_record':
      return deleteRecord(rows, change.collection, change.key, change.expectVersion, turn)
    case 'put_memory':
      return putMemory(rows, change, turn)
    case 'erase_memory':
      return { versions: rows.eraseMemory(change.id) }
    case 'enqueue':
      return enqueue(rows, change, turn)
    case 'complete':
      return endJob(rows, change, turn, { state: 'done', result: change.result ?? null, lastError: null, endedAt: turn.now })
    case 'fail':
      return endJob(rows, change, turn, {
        state: 'queued',
        lastError: change.error,
        runAfter: change.runAfter ?? turn.now + (change.afterMs ?? 0),
      })
    case 'park':
      return endJob(rows, change, turn, { state: 'parked', lastError: change.error, endedAt: turn.now })
    case 'release_job':
      return endJob(rows, change, turn, { state: 'queued' }, -1)
    case 'redrive':
      return redrive(rows, change, turn)
    case 'require':
      return requireThat(rows, change, turn)
    default:
      throw invalidInput(`changes[${turn.index}].type`, `Unknown change ${(change satisfies never as { type: string }).type}.`)
  }
}

function sessionRow(rows: Rows, id: SessionRow['id']): SessionRow {
  const row = rows.session(id)
  if (row === undefined) throw unknownSession(id)
  return row
}

function createSession(rows: Rows, change: CreateSession, turn: Turn): Results['create_session'] {
  const taken = rows.session(change.session)?.id ?? (change.alias === null ? undefined : rows.sessionByAlias(change.alias))
  if (taken !== undefined) {
    throw new SkeinError('session.exists', `Session ${change.alias ?? change.session} exists.`, {
      details: { change: turn.index, session: taken },
    })
  }
  const { session, alias, fields, data } = change
  rows.putSession(
    {
      id: session,
      alias,
      ...fields,
      seq: 0,
      leafId: null,
      totals: { messages: 0, turns: 0, tokens: 0 },
      counters: noCounters,
      data,
      lease: noLease,
    },
    undefined,
  )
  return { session }
}

function append(rows: Rows, change: Append, turn: Turn): Results['append'] {
  const row = sessionRow(rows, change.session)
  const token = checkFence(rows, row, change, turn)
  if (change.expectLeaf !== undefined && row.leafId !== change.expectLeaf)
    throw conflict(turn, { leaf: change.expectLeaf }, { leaf: row.leafId })
  const named = new Set<string>()
  for (const { id } of change.entries) {
    if (named.has(id) || rows.entryExists(row.id, id)) throw conflict(turn, { entry: null }, { entry: id })
    named.add(id)
  }
  const entries: Entry[] = change.entries.map((entry, index) => ({ ...entry, session: row.id, seq: row.seq + 1 + index }))
  const leaf = change.head?.setsLeaf
  if (leaf !== undefined && !entries.some(entry => entry.id === leaf) && !rows.entryExists(row.id, leaf)) {
    throw new SkeinError('entry.not_found', `Session ${row.id} has no entry ${leaf}.`, { details: { entry: leaf } })
  }
  const next = patchHead(
    { ...row, seq: row.seq + entries.length },
    change.head ?? {},
    (data, patch) => mergePatch(data, patch) as JsonObject,
  )
  rows.putSession(next, row)
  rows.addEntries(row.id, entries)
  if (change.blobs !== undefined) rows.addBlobs(change.blobs, row.id)
  if (change.blobRefs !== undefined) rows.addBlobRefs(row.id, change.blobRefs)
  return {
    first: row.seq + 1,
    last: next.seq,
    ids: entries.map(entry => entry.id),
    leafId: next.leafId,
    token,
    counters: next.counters,
  }
}

/** A write that moves the leaf needs the newest fence; a write with a fence needs it to be the newest. Judged by token alone. */
function checkFence(rows: Rows, row: SessionRow, change: Append, turn: Turn): number {
  if (change.fence === undefined) {
    if (change.head?.setsLeaf !== undefined && row.seq > 0)
      throw new SkeinError('store.fenced', 'Extending a branch needs the fence of a lease.', { details: { session: row.id } })
    return row.lease.token
  }
  const fence = fenceOf(change.fence, turn)
  if (fence.session !== row.id) throw invalidInput(`changes[${turn.index}].fence`, 'A fence of another session.')
  requireFence(row, fence)
  return fence.token
}

function requireFence(row: SessionRow, fence: Fence): void {
  if (row.lease.token === fence.token && row.lease.owner === fence.owner) return
  throw new SkeinError('store.fenced', `Another owner has taken over session ${row.id}.`, {
    details: { session: row.id, token: fence.token, current: row.lease.token },
  })
}

function fenceOf(fence: Fence | { readonly of: number }, turn: Turn): Fence {
  if (!('of' in fence)) return fence
  const change = turn.changes[fence.of]
  if (change?.type !== 'acquire' || fence.of >= turn.index)
    throw invalidInput(`changes[${turn.index}].fence`, `Change ${fence.of} acquires nothing.`)
  return turn.results[fence.of] as Results['acquire']
}

function copySession(rows: Rows, change: CopySession): Results['copy_session'] {
  const from = sessionRow(rows, change.from)
  const to = sessionRow(rows, change.to)
  const fromSeq = change.fromSeq ?? 1
  if (change.toSeq > from.seq || to.seq !== fromSeq - 1) throw invalidInput('toSeq', `Cannot copy ${fromSeq}…${change.toSeq}.`)
  const entries = rows.copyEntries(change.from, change.to, fromSeq, change.toSeq)
  rows.putSession({ ...to, seq: change.toSeq }, to)
  return { entries }
}

function putArchive(rows: Rows, change: PutArchive, turn: Turn): Results['put_archive'] {
  const session = sessionRow(rows, change.session)
  if (change.fromSeq < 1 || change.toSeq < change.fromSeq || change.toSeq > session.seq) {
    throw invalidInput(`changes[${turn.index}]`, `An archive covers 1 ≤ fromSeq ≤ toSeq ≤ ${session.seq}.`)
  }
  const before = rows.archive(change.id)
  if ((before?.version ?? 0) !== change.expectVersion)
    throw conflict(turn, { version: change.expectVersion }, { version: before?.version ?? 0 })
  const children = change.children ?? []
  for (const other of rows.archivesMeeting(change.session, change.fromSeq, change.toSeq)) {
    if (other.id === change.id || children.includes(other.id) || other.children.includes(change.id)) continue
    // A descendant of a child lies inside it, as does every descendant of ours inside an ancestor.
    if (isWithin(rows, other.id, children) || isWithin(rows, change.id, other.children)) continue
    throw conflict(turn, { overlap: null }, { overlap: other.id })
  }
  const version = change.expectVersion + 1
  rows.putArchive({
    id: change.id,
    session: change.session,
    fromSeq: change.fromSeq,
    toSeq: change.toSeq,
    children,
    data: change.data,
    version,
  })
  return { version }
}

function isWithin(rows: Rows, id: string, ancestors: readonly string[], seen: Set<string> = new Set()): boolean {
  return ancestors.some(ancestor => {
    if (ancestor === id) return true
    if (seen.has(ancestor)) return false
    return isWithin(rows, id, rows.archive(ancestor)?.children ?? [], seen.add(ancestor))
  })
}

function putRecord(rows: Rows, change: PutRecord, turn: Turn): Results['put_record'] {
  const before = live(rows.record(change.collection, change.key), turn.now)
  const version = before?.version ?? 0
  if (change.expectVersion !== undefined && change.expectVersion !== version)
    throw conflict(turn, { version: change.expectVersion }, { version })
  const { collection, key, value, tags = [], sort = 0, expiresAt = null } = change
  rows.putRecord({ collection, key, value, tags, sort, expiresAt, version: version + 1 })
  return { version: version + 1 }
}

function deleteRecord(
  rows: Rows,
  collection: string,
  key: string,
  expectVersion: number | undefined,
  turn: Turn,
): { deleted: boolean } {
  const before = live(rows.record(collection, key), turn.now)
  const version = before?.version ?? 0
  if (expectVersion !== undefined && expectVersion !== version) throw conflict(turn, { version: expectVersion }, { version })
  rows.deleteRecord(collection, key)
  return { deleted: before !== undefined }
}

/** An expired record is none, whether or not it was swept. */
export function live(record: RecordRow | undefined, now: number): RecordRow | undefined {
  return record !== undefined && record.expiresAt !== null && record.expiresAt <= now ? undefined : record
}

/** The row counts what went, so that whoever keeps what was read of the session sees that it must be read again. */
function eraseEntries(rows: Rows, change: EraseEntries): Results['erase_entries'] {
  const counts = rows.eraseEntries(change.session, change.seqs)
  const row = counts.entries === 0 ? undefined : rows.session(change.session)
  if (row !== undefined) {
    const before = typeof row.data['erasures'] === 'number' ? row.data['erasures'] : 0
    // The preview may be of what went.
    rows.putSession({ ...row, preview: null, data: { ...row.data, erasures: before + 1 } }, row)
  }
  return counts
}

function putMemory(rows: Rows, change: PutMemory, turn: Turn): Results['put_memory'] {
  const newest = rows.memory(change.id)
  const version = newest?.version ?? 0
  const changesNewest = newest !== undefined && change.version === version
  if (!changesNewest && change.version !== version + 1) throw conflict(turn, { version: change.version }, { version })
  if (changesNewest && (newest.owner !== change.owner || newest.text !== change.text))
    throw conflict(turn, { text: change.text }, { text: newest.text })
  const { id, owner, text, evidence, data, embedding = null } = change
  rows.putMemory({ id, version: change.version, owner, text, evidence, data, embedding })
  return { version: change.version }
}

function requireThat(rows: Rows, { that }: Require, turn: Turn): Results['require'] {
  if ('leaf' in that) {
    const { leafId } = sessionRow(rows, that.session)
    if (leafId !== that.leaf) throw conflict(turn, { leaf: that.leaf }, { leaf: leafId })
  } else if ('fence' in that) {
    const fence = fenceOf(that.fence, turn)
    requireFence(sessionRow(rows, fence.session), fence)
  } else if ('route' in that) {
    requireVersion(turn, that.version, rows.record(routeCollection, that.route)?.version)
  } else if ('collection' in that) {
    requireVersion(turn, that.version, live(rows.record(that.collection, that.key), turn.now)?.version)
  } else if ('archive' in that) {
    requireVersion(turn, that.version, rows.archive(that.archive)?.version)
  } else if ('watermark' in that) {
    const seq = rows.watermark(that.session, that.watermark)
    if (seq !== that.seq) throw conflict(turn, { watermark: that.seq }, { watermark: seq })
  } else if ('claim' in that) {
    claimed(rows, that.claim, turn)
  } else {
    const { state } = sessionRow(rows, that.session)
    if (!that.states.includes(state)) throw conflict(turn, { states: [...that.states] }, { state })
  }
  return { held: true }
}

function requireVersion(turn: Turn, expected: number, actual = 0): void {
  if (actual !== expected) throw conflict(turn, { version: expected }, { version: actual })
}
