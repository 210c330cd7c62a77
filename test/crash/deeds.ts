import type { Append, Fence, HeadPatch, NewEntry, Results, Store, TenantStore } from '#journal'
import { headEffect } from '#journal'
import type { EntryId, JobId, manualClock, NewId, SessionId } from '#kernel'
import { draft, placeDrafts } from '#session'
import type { Skein } from '#skein'
import { type Effect, seen } from './diary.ts'

/** A text that can be made again from its mark: the mark as a word of its own, then filling up to about `size` characters. */
export interface Text {
  readonly mark: string
  readonly size: number
}

/**
 * One verb with everything that it takes to do it again, as plain data. `mark` is its own word, kept on every entry that it
 * writes as `traceId`. `face` says through which of the process's two openings it goes.
 */
export type Deed = { readonly mark: string; readonly face?: 0 | 1 } & (
  | { readonly verb: 'create'; readonly alias: string; readonly key: string }
  | { readonly verb: 'append'; readonly session: SessionId; readonly texts: readonly Text[]; readonly key?: string }
  | {
      readonly verb: 'record'
      readonly session: SessionId
      readonly size: number
      readonly usage: boolean
      readonly key?: string
    }
  | { readonly verb: 'move'; readonly session: SessionId; readonly to: EntryId }
  | { readonly verb: 'fork'; readonly session: SessionId; readonly at?: EntryId; readonly key: string }
  | { readonly verb: 'rename'; readonly session: SessionId }
  | { readonly verb: 'label'; readonly session: SessionId; readonly entry: EntryId }
  /** A side entry, committed past the face, so that its durability can be chosen. */
  | { readonly verb: 'note'; readonly session: SessionId; readonly durability: 'full' | 'relaxed' }
  /** A message from a new source: session, entries, route and job in one commit. Law J18. */
  | { readonly verb: 'arrive'; readonly session: SessionId; readonly route: string; readonly job: JobId; readonly entry: EntryId }
  /** Completes a claimed job with a record as its effect, in one commit. */
  | { readonly verb: 'complete' }
  /** Takes the lease as a new owner and extends the branch, in one commit. */
  | { readonly verb: 'seize'; readonly session: SessionId; readonly owner: string }
  /** Extends the branch with a fence that somebody has overtaken: must be refused. Law J41. */
  | { readonly verb: 'intrude'; readonly session: SessionId; readonly fence: Fence }
  /** Takes a lease and keeps it for as long as the process lives. */
  | { readonly verb: 'hold'; readonly session: SessionId; readonly owner: string }
  | { readonly verb: 'import'; readonly session: SessionId; readonly bundle: string }
  | { readonly verb: 'delete'; readonly session: SessionId }
  | { readonly verb: 'restore'; readonly session: SessionId }
  | { readonly verb: 'erase'; readonly session: SessionId }
)

/** Where deeds are done. */
export interface Stage {
  readonly store: Store
  readonly faces: readonly [Skein, Skein]
  readonly clock: ReturnType<typeof manualClock>
  readonly ids: NewId
  /** A new owner of leases and claims, known to be this process's. */
  readonly owner: () => string
}

export const tenant = 'default'
export const jobKind = 'crash.job'
export const effectsCollection = 'effects'
export const leaseMs = 60_000

/** Entries of each type that a deed writes with its mark: all of them or none. */
export function traces(deed: Deed): Readonly<Record<string, number>> {
  switch (deed.verb) {
    case 'create':
      return { session_created: 1 }
    case 'append':
      return { message_added: deed.texts.length }
    case 'record':
      return { turn_started: 1, message_added: 2, turn_ended: 1, snapshot_taken: 1, ...(deed.usage ? { usage_recorded: 1 } : {}) }
    case 'move':
      return { leaf_moved: 1 }
    case 'rename':
      return { session_titled: 1 }
    case 'label':
      return { entry_labelled: 1 }
    case 'note':
      return { custom: 1 }
    case 'arrive':
      return { session_created: 1, message_added: 1 }
    case 'seize':
      return { message_added: 1 }
    case 'delete':
      return { session_deleted: 1 }
    case 'fork':
    case 'complete':
    case 'intrude':
    case 'hold':
    case 'import':
    case 'restore':
    case 'erase':
      return {}
    default:
      return deed satisfies never
  }
}

export function textOf({ mark, size }: Text): string {
  let text = mark
  for (let n = 0; text.length < size; n++) text += ` ${mark.slice(0, 3)}${n.toString(36)}filling`
  return text
}

const usage = { inputTokens: 11, outputTokens: 7 }

/** Does it. The same deed done again with its key must give the same effect and change nothing. */
export async function perform(deed: Deed, stage: Stage): Promise<Effect> {
  const t = stage.store.in(tenant)
  const { sessions } = stage.faces[deed.face ?? 0]
  const options = { traceId: deed.mark, ...('key' in deed && deed.key !== undefined ? { idempotencyKey: deed.key } : {}) }
  switch (deed.verb) {
    case 'create': {
      const { id } = await sessions.create({ id: deed.alias, title: deed.mark, ...options })
      return { session: id }
    }
    case 'append': {
      const session = await sessions.open(deed.session)
      const messages = deed.texts.map(text => ({ role: 'user', content: textOf(text) }))
      const { entries, durability } = await session.append(messages, options)
      return { session: deed.session, entries: entries.map(seen), durability }
    }
    case 'record': {
      const session = await sessions.open(deed.session)
      const turn = {
        user: textOf({ mark: deed.mark, size: 40 }),
        assistant: textOf({ mark: deed.mark, size: deed.size }),
        ...(deed.usage ? { usage } : {}),
      }
      const { entries, durability } = await session.record(turn, options)
      return { session: deed.session, entries: entries.map(seen), durability }
    }
    case 'move':
      await (await sessions.open(deed.session)).moveTo(deed.to, { ...options, reason: deed.mark })
      return { session: deed.session }
    case 'fork': {
      const session = await sessions.open(deed.session)
      const fork = await session.fork({ title: deed.mark, ...(deed.at === undefined ? {} : { at: deed.at }), ...options })
      return { session: fork.id }
    }
    case 'rename':
      await (await sessions.open(deed.session)).rename(deed.mark, options)
      return { session: deed.session }
    case 'label':
      await (await sessions.open(deed.session)).label(deed.entry, deed.mark, options)
      return { session: deed.session }
    case 'delete':
      await sessions.delete(deed.session, options)
      return { session: deed.session }
    case 'restore':
      await sessions.restore(deed.session)
      return { session: deed.session }
    case 'erase':
      await sessions.delete(deed.session, { erase: true })
      return { session: deed.session }
    case 'import': {
      const { id } = await sessions.import('skein', deed.bundle)
      return { session: id }
    }
    default:
      return await commitDeed(deed, t, stage)
  }
}

type CommitDeed = Extract<Deed, { verb: 'note' | 'arrive' | 'complete' | 'seize' | 'intrude' | 'hold' }>

/** Those that go past the face, to the store's own verb. */
async function commitDeed(deed: CommitDeed, t: TenantStore, stage: Stage): Promise<Effect> {
  switch (deed.verb) {
    case 'note': {
      const entries: NewEntry[] = [
        {
          id: stage.ids('ent'),
          parentId: null,
          type: 'custom',
          v: 1,
          at: 2,
          traceId: deed.mark,
          data: { name: 'note', text: deed.mark },
        },
      ]
      const append: Append = { type: 'append', session: deed.session, entries, head: effectOf(entries) }
      const { results, durability } = await t.commit([append], { durability: deed.durability })
      return { session: deed.session, entries: placed(append, results[0] as Results['append']), durability }
    }
    case 'arrive':
      return await arrive(deed, t, stage)
    case 'complete':
      return await complete(stage)
    case 'seize': {
      const append = await pathAppend(deed, t, stage, { of: 0 })
      const { results, durability } = await t.commit([
        { type: 'acquire', session: deed.session, owner: deed.owner, leaseMs: 1 },
        append,
      ])
      const { token } = results[0] as Results['acquire']
      return { session: deed.session, entries: placed(append, results[1] as Results['append']), durability, token }
    }
    case 'intrude': {
      const { results } = await t.commit([await pathAppend(deed, t, stage, deed.fence)])
      return { session: deed.session, token: (results[0] as Results['append']).token }
    }
    case 'hold': {
      const { token } = await t.acquire(deed.session, deed.owner, leaseMs)
      return { session: deed.session, token }
    }
    default:
      return deed satisfies never
  }
}

async function pathAppend(
  deed: Extract<Deed, { verb: 'seize' | 'intrude' }>,
  t: TenantStore,
  stage: Stage,
  fence: NonNullable<Append['fence']>,
): Promise<Append> {
  const row = await t.session(deed.session)
  if (row === undefined) throw new Error(`Session ${deed.session} is not there.`)
  const message = { role: 'user', parts: [{ type: 'text', text: deed.mark }] } as const
  const entries = placeDrafts([{ ...draft('message_added', message), traceId: deed.mark }], row, stage.clock.now(), stage.ids)
  const leaf = row.leafId === null ? {} : { expectLeaf: row.leafId }
  return { type: 'append', session: deed.session, entries, head: headEffect(entries, row), fence, ...leaf }
}

/** Law J18: everything that a first message brings, in one commit. */
async function arrive(deed: Extract<Deed, { verb: 'arrive' }>, t: TenantStore, stage: Stage): Promise<Effect> {
  const nothing = { leafId: null, totals: { messages: 0, turns: 0, tokens: 0 } }
  const now = stage.clock.now()
  const message = { role: 'user', parts: [{ type: 'text', text: deed.mark }] } as const
  const drafts = [
    { ...draft('session_created', createdBy(deed.mark)), traceId: deed.mark },
    { ...draft('message_added', message), traceId: deed.mark, id: deed.entry },
  ]
  const entries = placeDrafts(drafts, nothing, now, stage.ids)
  const { results, durability } = await t.commit([
    { type: 'create_session', session: deed.session, alias: null, fields: fieldsAt(deed.mark, now), data: {} },
    { type: 'append', session: deed.session, entries, head: effectOf(entries) },
    { type: 'put_route', key: deed.route, value: { session: deed.session }, expectVersion: 0 },
    {
      type: 'enqueue',
      job: { id: deed.job, kind: jobKind, key: deed.route, payload: { mark: deed.mark }, session: deed.session, maxAttempts: 99 },
    },
  ])
  const append: Append = { type: 'append', session: deed.session, entries }
  return { session: deed.session, entries: placed(append, results[1] as Results['append']), durability }
}

/** The next job, whosoever; one that a dead writer had begun is begun again. */
async function complete({ store, owner }: Stage): Promise<Effect> {
  const t = store.in(tenant)
  const job = await store.claim({ [jobKind]: 1 }, owner(), leaseMs)
  if (job === undefined) return {}
  const { durability } = await t.commit([
    { type: 'complete', job: job.id, fence: job.fence, result: job.id },
    { type: 'put_record', collection: effectsCollection, key: job.id, value: job.fence, expectVersion: 0 },
  ])
  return { job: job.id, durability }
}

const createdBy = (title: string) => ({
  title,
  user: null,
  agent: 'main',
  cwd: null,
  parent: null,
  platform: null,
  tags: [],
  metadata: {},
  model: null,
  thinking: null,
  system: null,
})

const fieldsAt = (title: string, now: number) => ({
  state: 'active' as const,
  hidden: false,
  title,
  preview: null,
  user: null,
  agent: 'main',
  platform: null,
  cwd: null,
  parent: null,
  model: null,
  tags: [],
  createdAt: now,
  updatedAt: now,
  lastMessageAt: null,
  lastAccessedAt: now,
})

const effectOf = (entries: readonly NewEntry[]): HeadPatch => headEffect(entries, { preview: null, data: {}, state: 'active' })

/** The entries as the answer placed them. */
function placed({ session, entries }: Append, { first }: Results['append']): NonNullable<Effect['entries']> {
  return entries.map((entry, index) => seen({ ...entry, session, seq: first + index }))
}
