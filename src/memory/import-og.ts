import { given, invalidInput, isAlias, isObject, isSkeinError, type Json, type SessionId, sha256 } from '#kernel'
import { AgentSession } from '#agent'
import { type Change, type Entry, type TenantStore, totalsAfter } from '#journal'
import { draft, type Draft, messageDrafts, type MessageInput, readMessage, type SessionCore } from '#session'
import { type ArchiveData, archiveData, type ArchiveId, storedArchive } from './archive-row.ts'
import { abstractLine, cutOverview } from './archive-text.ts'
import { archiveReader, cursorData, cursorOf, moveOf } from './commit-cursor.ts'
import { filesBelow } from './import-og-folder.ts'
import {
  filesOf,
  type OgArchive,
  type OgMessage,
  type OgNode,
  type OgSession,
  type OgSkipped,
  readOg,
} from './import-og-nodes.ts'
import { readOgState } from './import-og-state.ts'
import type { MemorySession } from './memory-session.ts'
import { mergeChanges } from './merge-plan.ts'

/** The path of a folder, or nodes of oG-Memory's store. */
export type OgInput = string | readonly OgNode[] | Readonly<Record<string, unknown>>

export interface OgImported {
  /** The first session; the others stand in `sessions`. */
  readonly id: SessionId
  readonly session: MemorySession
  /** False where everything was here already. */
  readonly created: boolean
  readonly sessions: readonly SessionId[]
  readonly archives: number
  readonly merged: number
  readonly messages: number
  readonly entries: number
  readonly skipped: readonly OgSkipped[]
}

/** Where sessions are made and found. */
export interface OgSessions {
  create(options: { id?: string; metadata: Record<string, Json>; idempotencyKey: string }): Promise<MemorySession>
  open(id: string): Promise<MemorySession>
}

/** Which session an imported one is, by the hash of its own id. */
const ogCollection = 'import.og'

/**
 * Reads archives of oG-Memory: messages become entries, archives ready ones, and its state the working state. Again it adds
 * nothing; what can't be read is listed, and the rest goes on. Source: spec/memory.md 14.
 */
export async function importOg(sessions: OgSessions, store: TenantStore, input: unknown): Promise<OgImported> {
  const { files, skipped } = await filesIn(input)
  const read = readOg(files)
  if (read.sessions.length === 0) throw invalidInput('input', 'No sessions of oG-Memory are here.')
  const total = { archives: 0, merged: 0, messages: 0, entries: 0, states: 0 }
  const imported: MemorySession[] = []
  let created = false
  for (const one of read.sessions) {
    const { session, isNew } = await sessionFor(sessions, store, one)
    const added = await importSession(AgentSession.insideOf(session).core, one)
    for (const key of ['archives', 'merged', 'messages', 'entries', 'states'] as const) total[key] += added[key]
    created ||= isNew || added.entries > 0 || added.merged > 0
    imported.push(session)
  }
  const [first] = imported as [MemorySession, ...MemorySession[]]
  const { states: _states, ...counts } = total
  return {
    id: first.id,
    session: first,
    created,
    sessions: imported.map(({ id }) => id),
    ...counts,
    skipped: [...skipped, ...read.skipped],
  }
}

async function filesIn(input: unknown): Promise<Awaited<ReturnType<typeof filesBelow>>> {
  if (typeof input === 'string') {
    if (input === '' || input.includes('\0')) throw invalidInput('input', 'Expected the path of a folder.')
    return await filesBelow(input)
  }
  if (!isObject(input) && !Array.isArray(input)) throw invalidInput('input', 'Expected a folder or nodes.')
  return { files: filesOf(input), skipped: [] }
}

async function sessionFor(
  sessions: OgSessions,
  store: TenantStore,
  { id }: OgSession,
): Promise<{ readonly session: MemorySession; readonly isNew: boolean }> {
  const key = sha256(id)
  const known = await store.record(ogCollection, key)
  const before = isObject(known?.value) ? known.value['session'] : undefined
  if (typeof before === 'string') {
    const session = await sessions.open(before).catch((error: unknown) => {
      if (isSkeinError(error) && error.code === 'session.not_found') return undefined
      throw error
    })
    if (session !== undefined) return { session, isNew: false }
  }
  const options = { metadata: { externalId: id }, idempotencyKey: `og-memory ${key} ${known?.version ?? 0}` }
  const session = await sessions
    .create({ ...options, ...given({ id: isAlias(id) ? id : undefined }) })
    .catch((error: unknown) => {
      // Its name is another's.
      if (!isSkeinError(error) || error.code !== 'session.exists') throw error
      return sessions.create({ ...options, idempotencyKey: `${options.idempotencyKey} unnamed` })
    })
  await store.commit([{ type: 'put_record', collection: ogCollection, key, value: { session: session.id } }])
  return { session, isNew: true }
}

interface Added {
  readonly archives: number
  readonly merged: number
  readonly messages: number
  readonly entries: number
  readonly states: number
}

async function importSession(core: SessionCore, { archives, state }: OgSession): Promise<Added> {
  const rows = (await core.store.archives(core.id)).map(storedArchive)
  const known = new Map(rows.flatMap(row => (row.data.externalId === undefined ? [] : [[row.data.externalId, row.id] as const])))
  const seen = await importedMessages(core)
  const added = { archives: 0, merged: 0, messages: 0, entries: 0, states: 0 }
  for (const archive of archives) {
    if (known.has(archive.id)) continue
    const sources = sourcesOf(archive, archives, known)
    if (sources !== undefined && (await putParent(core, archive, sources))) {
      added.merged++
      continue
    }
    const messages = archive.messages.filter(message => {
      const key = keyOf(message)
      return seen.has(key) ? false : (seen.add(key), true)
    })
    const { id, entries } = await putImported(core, archive, messages)
    known.set(archive.id, id)
    added.archives++
    added.messages += messages.length
    added.entries += entries
  }
  if (state !== undefined) added.states += await putState(core, state)
  return { ...added, entries: added.entries + added.states }
}

const keyOf = ({ id, role, text, at }: OgMessage): string => id ?? sha256(JSON.stringify([role, text, at ?? null]))

/** The old ids of the messages that are here. */
async function importedMessages(core: SessionCore): Promise<Set<string>> {
  const seen = new Set<string>()
  for (let after = 0; ;) {
    const page = await core.store.entries(core.id, { after, types: ['message_added'], limit: 500 })
    for (const { data } of page) if (isObject(data) && typeof data['externalId'] === 'string') seen.add(data['externalId'])
    if (page.length < 500) return seen
    after = page.at(-1)?.seq ?? after
  }
}

/** What a merged one was made of, if all of it is here. */
function sourcesOf(
  archive: OgArchive,
  all: readonly OgArchive[],
  known: ReadonlyMap<string, ArchiveId>,
): readonly ArchiveId[] | undefined {
  if (!archive.id.startsWith('merged_')) return undefined
  const named = archive.sources.length > 0 ? archive.sources : coveredBy(archive, all)
  const ids = named.map(name => known.get(name))
  return ids.length < 2 || ids.includes(undefined) ? undefined : (ids as ArchiveId[])
}

/** Of one that names no sources: those whose messages it holds, all of them. */
function coveredBy(archive: OgArchive, all: readonly OgArchive[]): string[] {
  const held = new Set(archive.messages.map(keyOf))
  return all
    .filter(
      other => other.id !== archive.id && other.messages.length > 0 && other.messages.every(message => held.has(keyOf(message))),
    )
    .map(({ id }) => id)
}

/** The archive and its messages in one transaction; without new messages a marker has its place. */
async function putImported(
  core: SessionCore,
  archive: OgArchive,
  messages: readonly OgMessage[],
): Promise<{ readonly id: ArchiveId; readonly entries: number }> {
  const id = core.runtime.ids('arc')
  const { entries } = await core.path(row => {
    const stowed = messageDrafts(core, messages.map(messageOf), { by: 'import' })
    const named = stowed.drafts.map((item, index): Draft => {
      const message = messages[index]
      const externalId = message === undefined ? '' : keyOf(message)
      return { ...item, by: 'import', id: core.runtime.ids('ent'), data: { ...(item.data as object), externalId } }
    })
    const marker = (): Draft => ({
      type: 'custom',
      path: true,
      id: core.runtime.ids('ent'),
      by: 'import',
      data: { name: 'archive_imported', data: { externalId: archive.id } },
    })
    const drafts = named.length > 0 ? named : [marker()]
    const cursor = cursorOf(row)
    const toSeq = row.seq + drafts.length
    const base = drafts.reduce(
      (totals, item) => totalsAfter({ type: item.type, ...given({ tokens: item.tokens }) }, totals),
      row.totals,
    )
    const data = importedData(archive, drafts, row.leafId, core.runtime.clock.now(), messages)
    const next = { archivedTo: toSeq, commits: cursor.commits, lastCommitAt: cursor.lastCommitAt, base, move: moveOf(row) }
    const alongside: Change[] = [
      { type: 'put_watermark', session: core.id, reader: archiveReader, seq: toSeq, expect: cursor.archivedTo },
      {
        type: 'put_archive',
        id,
        session: core.id,
        fromSeq: cursor.archivedTo + 1,
        toSeq,
        data: archiveData(data),
        expectVersion: 0,
      },
    ]
    return { ...stowed, drafts, alongside, head: { merge: cursorData(next) } }
  })
  return { id, entries: entries.length }
}

function messageOf({ role, text, at }: OgMessage): MessageInput {
  const input = role === 'tool' ? { role: 'user', content: `[tool] ${text}` } : { role, content: text }
  return readMessage({ ...input, ...given({ at }) }, 'messages')
}

function importedData(
  archive: OgArchive,
  drafts: readonly Draft[],
  leaf: Entry['parentId'],
  now: number,
  messages: readonly OgMessage[],
): ArchiveData {
  const count = (role: OgMessage['role']): number => messages.filter(message => message.role === role).length
  return {
    state: 'ready',
    overview: cutOverview(archive.overview),
    abstract: abstractLine(archive.abstract),
    by: 'import',
    counts: {
      user: count('user'),
      assistant: count('assistant'),
      tool: count('tool'),
      tokens: drafts.reduce((sum, { tokens = 0 }) => sum + tokens, 0),
    },
    messages: messages.length,
    endEntry: drafts.at(-1)?.id ?? 'ent_',
    before: leaf,
    chained: true,
    cause: 'manual',
    job: null,
    startedAt: messages[0]?.at ?? archive.createdAt,
    endedAt: messages.at(-1)?.at ?? archive.createdAt,
    createdAt: archive.createdAt === 0 ? now : archive.createdAt,
    externalId: archive.id,
  }
}

/** A parent over sources that are here; false where they don't follow each other, so that it can be none. */
async function putParent(core: SessionCore, archive: OgArchive, ids: readonly ArchiveId[]): Promise<boolean> {
  const rows = (await core.store.archives(core.id)).map(storedArchive)
  const sources = rows.filter(({ id }) => ids.includes(id)).sort((a, b) => a.toSeq - b.toSeq)
  const [first, last] = [sources[0], sources.at(-1)]
  if (first === undefined || last === undefined || sources.some(({ data }) => data.state !== 'ready')) return false
  const follow = sources.every(({ fromSeq }, index) => index === 0 || fromSeq === (sources[index - 1]?.toSeq ?? 0) + 1)
  if (!follow) return false
  const sum = (pick: (data: ArchiveData) => number): number => sources.reduce((total, { data }) => total + pick(data), 0)
  const data: ArchiveData = {
    ...last.data,
    state: 'ready',
    overview: cutOverview(archive.overview),
    abstract: abstractLine(archive.abstract),
    counts: {
      user: sum(({ counts }) => counts.user),
      assistant: sum(({ counts }) => counts.assistant),
      tool: sum(({ counts }) => counts.tool),
      tokens: sum(({ counts }) => counts.tokens),
    },
    messages: sum(({ messages }) => messages),
    before: first.data.before,
    startedAt: first.data.startedAt,
    externalId: archive.id,
    createdAt: archive.createdAt,
  }
  const parent = { fromSeq: first.fromSeq, toSeq: last.toSeq, data }
  await core.store.commit(mergeChanges(core.id, core.runtime.ids('arc'), { merge: true, sources, parent }))
  return true
}

/** Its working state, unless the same was imported before. Returns how many entries that took. */
async function putState(core: SessionCore, state: Readonly<Record<string, unknown>>): Promise<number> {
  const { set, commitments } = readOgState(state)
  const hash = sha256(JSON.stringify([set, commitments]))
  const key = `${core.id}/state`
  const known = await core.store.record(ogCollection, key)
  if ((Object.keys(set).length === 0 && commitments.length === 0) || known?.value === hash) return 0
  const { entries } = await core.side(() => ({
    drafts: [
      ...(Object.keys(set).length === 0 ? [] : [draft('state_changed', { set: { ...set } as never }, { by: 'import' })]),
      ...commitments.map(({ text, kind }) =>
        draft('commitment_added', { id: core.runtime.ids('cmt'), text, kind } as never, { by: 'import' }),
      ),
    ],
    alongside: [{ type: 'put_record', collection: ogCollection, key, value: hash, expectVersion: known?.version ?? 0 }],
  }))
  return entries.length
}
