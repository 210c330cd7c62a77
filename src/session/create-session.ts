import { given, invalidInput, isAlias, isId, isSkeinError, type Json, type JsonObject, type SessionId, SkeinError } from '#kernel'
import type { ContextSettingsInput } from '#context'
import {
  type Change,
  type CommitOptions,
  headEffect,
  type SessionCreated,
  type SessionFields,
  type SessionRow,
  type TenantStore,
  type ToolDescription,
} from '#journal'
import { type VerbOptions, writeOptions } from './append-messages.ts'
import { readOwnSettings } from './context-settings.ts'
import { digestOf } from './core.ts'
import { draft, placeDrafts } from './draft.ts'
import { readMetadata, readName, readTags, readTitle, readToolDescriptions } from './marks.ts'
import type { Runtime } from './runtime.ts'

export interface CreateOptions extends VerbOptions {
  /** An alias of your own, accepted wherever a session id is. Taken: `session.exists`. */
  readonly id?: string
  readonly title?: string | null
  /** Who it belongs to and which agent answers. Never change afterwards. */
  readonly user?: string | null
  readonly agent?: string
  readonly cwd?: string | null
  readonly parent?: SessionId | null
  readonly platform?: string | null
  readonly tags?: readonly string[]
  readonly metadata?: JsonObject
  readonly model?: string | null
  readonly thinking?: string | null
  readonly system?: string | null
  readonly tools?: readonly ToolDescription[]
  /** How its context is kept, where that differs from what `openSkein` was given. Never changes afterwards. */
  readonly context?: ContextSettingsInput
  /** `archives`: its context shows archives in place of summaries. Never changes afterwards. */
  readonly view?: 'archives'
  /** How it is remembered, where that differs from what `openSkein` was given. Never changes afterwards. */
  readonly memory?: { readonly commit?: JsonObject | 'manual' }
  /** `false`: lives in this process only. */
  readonly durable?: boolean
  /** For rooms above: what they keep with the session, beside what it is created with. */
  readonly more?: JsonObject
}

/** A session whose id is made by what it is for, and what is written with it. */
export interface Creation {
  readonly id?: SessionId
  readonly alongside?: readonly Change[]
}

const maxDepth = 3

/** What writes a session, for a commit that may do more. */
export interface SessionPlan {
  readonly id: SessionId
  readonly changes: readonly Change[]
  readonly commit: CommitOptions
}

/** Checks options. Throws `input.invalid`, or `session.not_found` for the parent; the commit may refuse with `session.exists`. */
export async function planSession(
  runtime: Runtime,
  store: TenantStore,
  options: CreateOptions,
  more: JsonObject = {},
  creation: Creation = {},
): Promise<SessionPlan> {
  const context = await readOwnSettings(runtime, options.context)
  const created = readCreated(options, {
    ...more,
    ...options.more,
    ...given({ context, view: options.view, memory: options.memory }),
  })
  const alias = options.id === undefined ? null : readAlias(options.id)
  if (created.parent !== null) await checkParent(store, created.parent)
  const now = runtime.clock.now()
  const id = creation.id ?? runtime.ids('ses')
  const { idempotencyKey: _key, signal: _signal, traceId: _trace, ...asked } = options
  const write = writeOptions('create', options, asked)
  const traced = given({ traceId: options.traceId })
  const told = options.tools === undefined ? [] : readToolDescriptions(options.tools)
  const tools = told.length === 0 ? [] : [draft('tools_changed', { tools: told }, traced)]
  const entries = placeDrafts(
    [draft('session_created', created, traced), ...tools],
    { leafId: null, totals: { messages: 0, turns: 0, tokens: 0 } },
    now,
    runtime.ids,
  )
  const effect = headEffect(entries, { preview: null, data: {}, state: 'active' })
  const settings: Record<string, Json> = {
    ...(created.thinking === null ? {} : { thinking: created.thinking }),
    ...given({ system: created.system === null ? undefined : entries[0]?.id, tools: entries[1]?.id }),
  }
  const fields: SessionFields = {
    state: 'active',
    hidden: false,
    title: created.title,
    preview: null,
    user: created.user,
    agent: created.agent,
    platform: created.platform,
    cwd: created.cwd,
    parent: created.parent,
    model: created.model,
    tags: created.tags,
    createdAt: now,
    updatedAt: now,
    lastMessageAt: null,
    lastAccessedAt: now,
  }
  const changes: Change[] = [
    {
      type: 'create_session',
      session: id,
      alias,
      fields,
      data: { settings, metadata: created.metadata, ...given({ context, view: options.view, memory: options.memory }) },
    },
    { type: 'append', session: id, entries, head: effect },
    ...(creation.alongside ?? []),
  ]
  const commit: CommitOptions = {
    ...(write.idempotencyKey === undefined ? {} : { key: write.idempotencyKey, digest: digestOf(null, write.asked) }),
    ...given({ signal: write.signal }),
    memo: id,
  }
  return { id, changes, commit }
}

/** Plans and writes `session_created`. Throws `input.invalid`, `session.exists`, or `session.not_found` for the parent. */
export async function createSession(...asked: Parameters<typeof planSession>): Promise<SessionId> {
  const { id, changes, commit } = await planSession(...asked)
  const store = asked[1]
  const committed = await store.commit(changes, commit).catch(async (error: unknown) => {
    // Its id is nobody else's: if it is there, it was this commit that landed.
    if (!isUnknownOutcome(error) || (await store.session(id).catch(() => undefined)) === undefined) throw error
    return undefined
  })
  return committed?.replayed === true ? (committed.memo as SessionId) : id
}

function isUnknownOutcome(error: unknown): boolean {
  return isSkeinError(error) && (error.code === 'store.unavailable' || error.code === 'store.uncertain')
}

function readCreated(options: CreateOptions, more: JsonObject): SessionCreated {
  const name = (value: string | null | undefined, path: string): string | null =>
    value === undefined || value === null ? null : readName(value, path)
  return {
    ...more,
    title: readTitle(options.title),
    user: name(options.user, 'user'),
    agent: options.agent === undefined ? 'main' : readName(options.agent, 'agent'),
    cwd: options.cwd === undefined || options.cwd === null ? null : readPath(options.cwd),
    parent: options.parent === undefined || options.parent === null ? null : readParent(options.parent),
    platform: name(options.platform, 'platform'),
    tags: options.tags === undefined ? [] : readTags(options.tags),
    metadata: options.metadata === undefined ? {} : readMetadata(options.metadata),
    model: name(options.model, 'model'),
    thinking: name(options.thinking, 'thinking'),
    system: readSystem(options.system),
  }
}

export function readAlias(value: unknown): string {
  if (isAlias(value)) return value
  throw invalidInput(
    'id',
    'An alias has 1–128 letters, digits, dots, underscores or hyphens, begins with a letter or digit, and has no prefix of an id.',
  )
}

function readParent(value: unknown): SessionId {
  if (isId('ses', value)) return value
  throw invalidInput('parent', 'Expected a session id.')
}

/** A directory, as data: never resolved, never opened. */
function readPath(value: unknown): string {
  if (
    typeof value === 'string' &&
    value !== '' &&
    Buffer.byteLength(value) <= 4_096 &&
    value.isWellFormed() &&
    !/[\u0000-\u001f]/.test(value)
  )
    return value
  throw invalidInput('cwd', 'Expected a path without control characters.')
}

function readSystem(value: unknown): string | null {
  if (value === undefined || value === null) return null
  if (typeof value === 'string') return value
  throw invalidInput('system', 'Expected a text or null.')
}

/** A parent must be there, and sub-sessions are at most three deep. */
async function checkParent(store: TenantStore, parent: SessionId): Promise<void> {
  let depth = 0
  for (let id: SessionId | null = parent; id !== null && depth <= maxDepth; depth++) {
    const row: SessionRow | undefined = await store.session(id)
    if (depth === 0 && (row === undefined || row.hidden || row.state === 'deleted'))
      throw new SkeinError('session.not_found', `There is no session ${parent}.`, { details: { session: parent } })
    id = row?.parent ?? null
  }
  if (depth > maxDepth) throw invalidInput('parent', `Sub-sessions are at most ${maxDepth} deep.`)
}
