import { type EntryId, given, type SessionId, SkeinError } from '#kernel'
import {
  checkKey,
  type Entry,
  headEffect,
  isPath,
  isType,
  type NewEntry,
  type SessionFields,
  type SessionRow,
  type TenantStore,
} from '#journal'
import { digestOf, type SessionCore } from './core.ts'
import { draft, placeDrafts } from './draft.ts'
import { sweepLater } from './erase-job.ts'
import { readTitle } from './marks.ts'
import { type Marks, marksAt } from './marks-at.ts'
import { settingsAt } from './move-leaf.ts'
import { entryOf } from './read-messages.ts'
import type { VerbOptions } from './append-messages.ts'

export interface ForkOptions extends VerbOptions {
  /** The copy ends with this entry. Default: the journal's end. */
  readonly at?: EntryId
  readonly title?: string | null
}

/** How many entries one commit of a copy takes. */
const chunk = 2_000

/**
 * Copies entries 1…n with the same ids, seqs and parents into a new session. Holds, runs, queued inputs and usage stay
 * behind. It can't be listed or opened before the last commit. Laws J13, J14.
 */
export async function forkSession(core: SessionCore, options: ForkOptions = {}): Promise<SessionId> {
  if (options.idempotencyKey !== undefined) checkKey(options.idempotencyKey)
  const digest = digestOf(core.id, ['fork', { at: options.at, title: options.title }])
  if (options.idempotencyKey !== undefined) {
    const before = await core.store.replay(options.idempotencyKey, digest)
    if (before?.memo !== undefined) return before.memo as SessionId
  }
  const title = options.title === undefined ? undefined : readTitle(options.title)
  const source = await core.row()
  const at = options.at === undefined ? await newest(core.store, source) : await entryOf(core, options.at, 'at')
  const id = core.runtime.ids('ses')
  const end = await leafAt(core, at)
  const place = { leafId: end.id, totals: end.totals ?? source.totals }
  const marks = await marksAt(core, source, at.seq)
  const { store } = core

  for (let from = 1; from <= at.seq; from += chunk) {
    const copy = {
      type: 'copy_session',
      from: core.id,
      to: id,
      fromSeq: from,
      toSeq: Math.min(at.seq, from + chunk - 1),
    } as const
    const begin = {
      type: 'create_session',
      session: id,
      alias: null,
      fields: fieldsOf(source, marks, core),
      data: marks.data,
    } as const
    await store.commit(from === 1 ? [begin, copy, sweepLater(core.runtime, id, options.traceId)] : [copy])
  }
  const now = core.runtime.clock.now()
  const traced = given({ traceId: options.traceId })
  const drafts = [
    draft('session_forked', { from: core.id, at: at.id, seq: at.seq }, traced),
    ...(title === undefined ? [] : [draft('session_titled', { title }, traced)]),
  ]
  const entries: NewEntry[] = placeDrafts(drafts, place, now, core.runtime.ids)
  const settings = await settingsAt({ store, id: core.id }, end)
  const effect = headEffect(entries, { preview: marks.preview, data: {}, state: 'active' })
  const committed = await store.commit(
    [
      { type: 'acquire', session: id, owner: core.runtime.owner, leaseMs: core.runtime.leaseMs },
      {
        type: 'append',
        session: id,
        entries,
        fence: { of: 0 },
        head: {
          set: {
            ...settings.set,
            ...effect.set,
            ...given({ title }),
            hidden: false,
          },
          merge: {
            ...effect.merge,
            ...settings.merge,
            ...given({ prefill: source.data['prefill'], prompt: source.data['prompt'] }),
          },
          add: { turnCount: await turnsUpTo(store, core.id, at.seq) },
          setsLeaf: end.id,
          totals: place.totals,
        },
      },
    ],
    { ...(options.idempotencyKey === undefined ? {} : { key: options.idempotencyKey, digest }), memo: id },
  )
  if (committed.replayed) {
    // Another call with this key was first; this copy was never seen.
    await store.commit([{ type: 'erase_session', session: id }])
    return committed.memo as SessionId
  }
  const row = await store.session(id)
  if (row !== undefined) await store.release({ session: id, owner: core.runtime.owner, token: row.lease.token })
  return id
}

function fieldsOf(source: SessionRow, marks: Marks, core: SessionCore): SessionFields {
  const { user, agent, platform, cwd, parent, model } = source
  const { title, preview, tags, lastMessageAt } = marks
  const now = core.runtime.clock.now()
  return {
    state: 'active',
    hidden: true,
    title,
    preview,
    user,
    agent,
    platform,
    cwd,
    parent,
    model,
    tags,
    createdAt: now,
    updatedAt: now,
    lastMessageAt,
    lastAccessedAt: now,
  }
}

async function newest(store: TenantStore, row: SessionRow): Promise<Entry> {
  const [entry] = await store.entries(row.id, { order: 'desc', limit: 1 })
  if (entry === undefined)
    throw new SkeinError('store.corrupt', `Session ${row.id} has no entries. Run skein doctor.`, { details: { session: row.id } })
  return entry
}

/** Where the journal stood once entry `at` had been written: a fold, so the newest path entry or leaf move up to it. */
async function leafAt(core: SessionCore, at: Entry): Promise<Entry> {
  if (isPath(at)) return at
  for (let before = at.seq + 1; before > 1;) {
    const page = await core.store.entries(core.id, { before, order: 'desc', limit: 200 })
    for (const entry of page) {
      if (isType(entry, 'leaf_moved')) return await entryOf(core, entry.data.to)
      if (isPath(entry)) return entry
    }
    before = page.at(-1)?.seq ?? 1
  }
  throw new SkeinError('store.corrupt', `Session ${core.id} has no root. Run skein doctor.`, { details: { session: core.id } })
}

async function turnsUpTo(store: TenantStore, session: SessionId, seq: number): Promise<number> {
  const [turn] = await store.entries(session, { before: seq + 1, types: ['turn_started'], order: 'desc', limit: 1 })
  return turn !== undefined && isType(turn, 'turn_started') ? turn.data.index + 1 : 0
}
