import type { EntryId, SessionId } from '#kernel'
import type { TokenCounter } from '#context'
import { type Entry, type EntryOf, fetchParts, isType, type TenantStore } from '#journal'
import type { Heard } from './extraction-plan.ts'
import { shownText } from './extraction-text.ts'

export type Message = EntryOf<'message_added'>

const pageSize = 500
/** What the frame around an entry takes. */
const frameTokens = 8

/** The messages in after…to of the branch that ends at `leaf`, oldest first, with their full parts. */
export async function messagesIn(
  store: TenantStore,
  session: SessionId,
  leaf: EntryId,
  after: number,
  to: number,
): Promise<Message[]> {
  return await withParts(store, (await spokenIn(store, session, leaf, after, to, Infinity)) ?? [])
}

/** The same as they are stored; undefined where they are more than `most`, of which no more is read then. */
export async function spokenIn(
  store: TenantStore,
  session: SessionId,
  leaf: EntryId,
  after: number,
  to: number,
  most: number,
): Promise<Entry[] | undefined> {
  const found: Entry[] = []
  for (let from: EntryId | null = leaf; from !== null;) {
    const limit = Math.min(pageSize, most + 1)
    const page: readonly Entry[] = await store.branch(session, { from, types: ['message_added'], limit })
    const oldest = page.at(-1)
    found.push(...page.filter(({ seq }) => seq > after && seq <= to))
    if (found.length > most) return undefined
    if (oldest === undefined || page.length < limit || oldest.seq <= after) break
    from = oldest.parentId
  }
  return found.reverse()
}

/** What was said, by whom but the system; with the parts that are kept apart. */
export async function withParts(store: TenantStore, messages: readonly Entry[]): Promise<Message[]> {
  const { entries } = await fetchParts(store, messages, { files: 'trust' })
  return entries.filter((entry): entry is Message => isType(entry, 'message_added') && entry.data.role !== 'system')
}

export function heard(message: Message, counter: TokenCounter): Heard {
  const text = shownText(message.data.role, message.data.parts)
  return {
    id: message.id,
    seq: message.seq,
    role: message.data.role,
    turn: message.turn ?? null,
    text,
    tokens: counter.count(text) + frameTokens,
  }
}

/** The newest message in after…to, on whatever branch. */
export async function newestMessage(
  store: TenantStore,
  session: SessionId,
  after: number,
  to?: number,
): Promise<number | undefined> {
  const [found] = await store.entries(session, {
    after,
    types: ['message_added'],
    order: 'desc',
    limit: 1,
    ...(to === undefined ? {} : { before: to + 1 }),
  })
  return found?.seq
}
