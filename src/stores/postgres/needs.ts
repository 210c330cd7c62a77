import type { EntryId, JobId, SessionId } from '#kernel'
import { type Change, routeCollection } from '#journal'

/** Which rows a list of changes may read or write: what has to be locked and loaded before they are applied. */
export interface Needs {
  readonly sessions: Set<SessionId>
  readonly aliases: Set<string>
  /** Entry ids whose presence is asked about, by session. */
  readonly entries: Map<SessionId, Set<EntryId>>
  readonly views: (readonly [session: SessionId, name: string])[]
  readonly watermarks: (readonly [session: SessionId, reader: string])[]
  readonly archives: Set<string>
  /** Sessions all of whose archives are needed. */
  readonly archivesOf: Set<SessionId>
  readonly records: (readonly [collection: string, key: string])[]
  readonly memories: Set<string>
  readonly jobs: Set<JobId>
  readonly uniqueJobs: (readonly [kind: string, uniqueKey: string])[]
  /** How many jobs are put into each line. */
  readonly lines: Map<string, number>
  readonly erases: Set<SessionId>
  readonly entryErases: (readonly [session: SessionId, seqs: readonly number[]])[]
}

export const jobLine = (kind: string, key: string): string => JSON.stringify(['line', kind, key])
const uniqueLine = (kind: string, uniqueKey: string): string => JSON.stringify(['unique', kind, uniqueKey])

export function needsOf(changes: readonly Change[]): Needs {
  const needs: Needs = {
    sessions: new Set(),
    aliases: new Set(),
    entries: new Map(),
    views: [],
    watermarks: [],
    archives: new Set(),
    archivesOf: new Set(),
    records: [],
    memories: new Set(),
    jobs: new Set(),
    uniqueJobs: [],
    lines: new Map(),
    erases: new Set(),
    entryErases: [],
  }
  for (const change of changes) addNeeds(needs, change)
  for (const change of changes) {
    // What is copied along with a session is asked for in the copy.
    if (change.type !== 'copy_session') continue
    for (const id of needs.entries.get(change.to) ?? []) addEntry(needs, change.from, id)
  }
  return needs
}

function addNeeds(needs: Needs, change: Change): void {
  switch (change.type) {
    case 'create_session':
      needs.sessions.add(change.session)
      if (change.alias !== null) needs.aliases.add(change.alias)
      return
    case 'append':
      needs.sessions.add(change.session)
      for (const entry of change.entries) addEntry(needs, change.session, entry.id)
      if (change.head?.setsLeaf !== undefined) addEntry(needs, change.session, change.head.setsLeaf)
      return
    case 'copy_session':
      needs.sessions.add(change.from).add(change.to)
      return
    case 'erase_session':
      needs.sessions.add(change.session)
      needs.erases.add(change.session)
      return
    case 'erase_entries':
      needs.sessions.add(change.session)
      needs.entryErases.push([change.session, change.seqs])
      return
    case 'acquire':
      needs.sessions.add(change.session)
      return
    case 'release':
      needs.sessions.add(change.fence.session)
      return
    case 'put_view':
      needs.sessions.add(change.session)
      needs.views.push([change.session, change.name])
      return
    case 'put_watermark':
      needs.sessions.add(change.session)
      needs.watermarks.push([change.session, change.reader])
      return
    case 'put_archive':
      needs.sessions.add(change.session)
      needs.archives.add(change.id)
      needs.archivesOf.add(change.session)
      return
    case 'put_blob':
      return
    case 'put_route':
    case 'delete_route':
      needs.records.push([routeCollection, change.key])
      return
    case 'put_record':
    case 'delete_record':
      needs.records.push([change.collection, change.key])
      return
    case 'put_memory':
    case 'erase_memory':
      needs.memories.add(change.id)
      return
    case 'enqueue': {
      const { kind, key, id } = change.job
      needs.jobs.add(id)
      addLine(needs, jobLine(kind, key))
      if (change.uniqueKey !== undefined) {
        needs.uniqueJobs.push([kind, change.uniqueKey])
        addLine(needs, uniqueLine(kind, change.uniqueKey))
      }
      return
    }
    case 'complete':
    case 'fail':
    case 'park':
    case 'release_job':
    case 'redrive':
      needs.jobs.add(change.job)
      return
    case 'require':
      return addRequired(needs, change.that)
    default:
      // An unknown change needs nothing: applying refuses it.
      change satisfies never
  }
}

function addRequired(needs: Needs, that: Extract<Change, { type: 'require' }>['that']): void {
  if ('fence' in that) {
    if ('session' in that.fence) needs.sessions.add(that.fence.session)
  } else if ('route' in that) needs.records.push([routeCollection, that.route])
  else if ('collection' in that) needs.records.push([that.collection, that.key])
  else if ('archive' in that) needs.archives.add(that.archive)
  else if ('claim' in that) needs.jobs.add(that.claim.job)
  else {
    needs.sessions.add(that.session)
    if ('watermark' in that) needs.watermarks.push([that.session, that.watermark])
  }
}

function addEntry(needs: Needs, session: SessionId, id: EntryId): void {
  const ids = needs.entries.get(session) ?? new Set<EntryId>()
  needs.entries.set(session, ids.add(id))
}

function addLine(needs: Needs, line: string): void {
  needs.lines.set(line, (needs.lines.get(line) ?? 0) + 1)
}
