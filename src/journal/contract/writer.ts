import type { EntryId, Json, JsonObject, NewId, SessionId } from '#kernel'
import {
  type Append,
  type Change,
  type CreateSession,
  type Fence,
  headEffect,
  type NewBlob,
  type NewEntry,
  noTotals,
  type Results,
  type SessionFields,
  stowParts,
  type TenantStore,
  type Totals,
  totalsAfter,
} from '#journal'
import type { Setting } from './setting.ts'

export const startOfTime = 1_700_000_000_000

const plainFields: SessionFields = {
  state: 'active',
  hidden: false,
  title: null,
  preview: null,
  user: null,
  agent: 'main',
  platform: null,
  cwd: null,
  parent: null,
  model: null,
  tags: [],
  createdAt: startOfTime,
  updatedAt: startOfTime,
  lastMessageAt: null,
  lastAccessedAt: startOfTime,
}

export interface Beginning {
  readonly alias?: string
  readonly fields?: Partial<SessionFields>
  readonly data?: JsonObject
}

export function createSession(session: SessionId, { alias, fields, data = {} }: Beginning = {}): CreateSession {
  return { type: 'create_session', session, alias: alias ?? null, fields: { ...plainFields, ...fields }, data }
}

/** An entry before it has its place. */
export function entryOf(ids: NewId, type: string, data: unknown, more: Partial<NewEntry> = {}): NewEntry {
  return { id: ids('ent'), parentId: null, type, v: 1, at: startOfTime, data, ...more }
}

export const textMessage = (text: string, role = 'user'): JsonObject => ({ role, parts: [{ type: 'text', text }] })

/** An append whose head follows from its entries, as the journal room makes it. */
export function appendOf(
  session: SessionId,
  entries: readonly NewEntry[],
  more: Omit<Partial<Append>, 'type' | 'session' | 'entries'> = {},
): Append {
  return { type: 'append', session, entries, head: headEffect(entries, { preview: null, data: {}, state: 'active' }), ...more }
}

/** One who extends a session's branch: holds its lease, knows its leaf and its running totals. */
export class Writer {
  readonly t: TenantStore
  readonly session: SessionId
  readonly root: EntryId
  readonly fence: Fence
  leaf: EntryId
  readonly #ids: NewId
  readonly #totals = new Map<EntryId, Totals>()

  private constructor(t: TenantStore, ids: NewId, root: NewEntry, fence: Fence) {
    this.t = t
    this.#ids = ids
    this.session = fence.session
    this.root = root.id
    this.leaf = root.id
    this.fence = fence
    this.#totals.set(root.id, noTotals)
  }

  /** Creates a session, takes its lease and writes its root: one commit. */
  static async begin(
    { t, ids }: Pick<Setting, 't' | 'ids'>,
    beginning: Beginning & { readonly owner?: string } = {},
  ): Promise<Writer> {
    const session = ids('ses')
    const { changes, root } = beginningOf(ids, session, beginning)
    const { results } = await t.commit(changes)
    return new Writer(t, ids, root, results[1] as Results['acquire'])
  }

  /** A path entry below the leaf, which it becomes in this writer's eyes. */
  path(type: string, data: unknown, more: Partial<NewEntry> = {}): NewEntry {
    const entry = entryOf(this.#ids, type, data, { parentId: this.leaf, ...more })
    const totals = totalsAfter(entry, this.#totals.get(this.leaf))
    this.#totals.set(entry.id, totals)
    this.leaf = entry.id
    return { ...entry, totals }
  }

  message(text: string, role = 'user', more: Partial<NewEntry> = {}): NewEntry {
    return this.path('message_added', textMessage(text, role), more)
  }

  side(type: string, data: unknown, more: Partial<NewEntry> = {}): NewEntry {
    return entryOf(this.#ids, type, data, more)
  }

  append(entries: readonly NewEntry[], more: Omit<Partial<Append>, 'type' | 'session' | 'entries'> = {}): Append {
    return appendOf(this.session, entries, { fence: this.fence, ...more })
  }

  async commit(...entries: NewEntry[]): Promise<Results['append']> {
    const { results } = await this.t.commit([this.append(entries)])
    return results[0] as Results['append']
  }

  /** Says one thing and gives the entry's id. */
  async say(text: string, role = 'user', more: Partial<NewEntry> = {}): Promise<EntryId> {
    const entry = this.message(text, role, more)
    await this.commit(entry)
    return entry.id
  }

  /** A message whose parts are stowed away as they would be by a session. */
  stowed(parts: Parameters<typeof stowParts>[0]): {
    readonly entry: NewEntry
    readonly change: Append
    readonly blobs: readonly NewBlob[]
  } {
    const { parts: stored, blobs } = stowParts(parts)
    const entry = this.path('message_added', { role: 'user', parts: stored as unknown as Json })
    return { entry, blobs, change: this.append([entry], { blobs, blobRefs: blobs.map(blob => blob.id) }) }
  }

  async moveTo(to: EntryId): Promise<void> {
    this.leaf = to
    const totals = this.#totals.get(to) ?? noTotals
    await this.commit(this.side('leaf_moved', { to, reason: 'test' }, { totals }))
  }
}

/** Creates, acquires and writes the root: the changes of a session's first commit. */
export function beginningOf(
  ids: NewId,
  session: SessionId,
  { owner = 'writer', ...beginning }: Beginning & { readonly owner?: string } = {},
): { readonly changes: Change[]; readonly root: NewEntry } {
  const root = entryOf(ids, 'session_created', {}, { totals: noTotals, at: beginning.fields?.updatedAt ?? startOfTime })
  return {
    root,
    changes: [
      createSession(session, beginning),
      { type: 'acquire', session, owner, leaseMs: 15_000 },
      appendOf(session, [root], { fence: { of: 1 } }),
    ],
  }
}
