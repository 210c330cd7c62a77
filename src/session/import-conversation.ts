import { given, type JsonObject, type SessionId } from '#kernel'
import { type Entry, isPath, type NewEntry, type TenantStore, type Totals } from '#journal'
import { messageDrafts } from './append-messages.ts'
import { SessionCore } from './core.ts'
import { type Draft, draft, placeDrafts } from './draft.ts'
import { seededId } from './formats/seeded-ids.ts'
import { ImportWriter } from './import-writer.ts'
import type { MessageInput } from './message-input.ts'
import type { Runtime } from './runtime.ts'

/** A conversation of another program, read whole. */
export interface Conversation {
  /** What that program is called, and its id there, which stays the session's alias. */
  readonly format: string
  readonly alias: string
  readonly createdAt: number
  readonly title?: string | null
  readonly user?: string | null
  readonly platform?: string | null
  readonly metadata?: JsonObject
  readonly messages: readonly MessageInput[]
  /** What was said beside: a branch of its own from the beginning. */
  readonly beside?: readonly MessageInput[]
  /** Side entries that come last. */
  readonly after?: readonly Draft[]
}

const noTotals: Totals = { messages: 0, turns: 0, tokens: 0 }

/**
 * Writes a conversation as a session that shows when it is whole; one under its alias is left as it is. Each user message
 * begins a turn. Large ones are written in pieces.
 */
export async function importConversation(
  runtime: Runtime,
  store: TenantStore,
  conversation: Conversation,
): Promise<{ readonly id: SessionId; readonly created: boolean }> {
  const { format, alias, createdAt, title = null, user = null, platform = null, metadata = {} } = conversation
  const known = await store.session({ alias })
  if (known !== undefined && !known.hidden) return { id: known.id, created: false }
  const id = seededId('ses', createdAt, `${format}\n${alias}`)
  const writer = new ImportWriter(runtime, store, id)
  const core = new SessionCore(id, store, runtime)
  const data = {
    title,
    user,
    agent: 'main',
    cwd: null,
    parent: null,
    platform,
    tags: [],
    metadata,
    model: null,
    thinking: null,
    system: null,
  }
  const [root] = place([draft('session_created', data, { at: createdAt, by: 'import' })], null, noTotals)
  if (root === undefined) throw new Error('Nothing was placed.')
  await writer.begin(alias, root, createdAt)
  try {
    await writer.add(root, [])
    const rootTotals = root.totals ?? noTotals
    const turns = { next: 0 }
    const beside = conversation.beside ?? []
    if (beside.length > 0) {
      await addBranch(beside, turns)
      const back = draft('leaf_moved', { to: root.id, reason: 'imported' }, { totals: rootTotals, at: createdAt, by: 'import' })
      for (const entry of place([back], null, noTotals)) await writer.add(entry, [])
    }
    await addBranch(conversation.messages, turns)
    for (const entry of place(conversation.after ?? [], null, noTotals)) await writer.add(entry, [])
    await writer.finish()
    return { id, created: true }

    async function addBranch(messages: readonly MessageInput[], turn: { next: number }): Promise<void> {
      const stowed = messageDrafts(core, messages, { by: 'import' }, { handedIn: true })
      const blobs = [...stowed.blobs]
      const entries = place(inTurns(stowed.drafts, turn, createdAt), root?.id ?? null, rootTotals)
      for (const entry of entries) await writer.add(entry, blobs.splice(0))
    }
  } catch (error) {
    await writer.discard()
    throw error
  }

  function place(drafts: readonly Draft[], leafId: Entry['parentId'], totals: Totals): NewEntry[] {
    return placeDrafts(drafts, { leafId, totals }, createdAt, runtime.ids).map(entry =>
      isPath(entry) ? entry : { ...entry, ...given({ totals: entry.totals }) },
    )
  }
}

/** Messages with the turns that user messages begin. */
function inTurns(drafts: readonly Draft[], turn: { next: number }, createdAt: number): Draft[] {
  const placed: Draft[] = []
  let open: number | undefined
  let at = createdAt
  const close = (): void => {
    if (open !== undefined) placed.push(draft('turn_ended', { index: open, status: 'done' }, { at, by: 'import' }))
    open = undefined
  }
  for (const one of drafts) {
    if ((one.data as { readonly role?: string }).role === 'user') {
      close()
      open = turn.next++
      placed.push(draft('turn_started', { index: open }, { at: one.at ?? at, by: 'import' }))
    }
    at = one.at ?? at
    placed.push(one)
  }
  close()
  return placed
}
