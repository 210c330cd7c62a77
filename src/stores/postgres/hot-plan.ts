import type { EntryId, SessionId } from '#kernel'
import {
  type Acquire,
  addCounters,
  type Append,
  type Change,
  type Counters,
  noCounters,
  type Result,
  type SessionFields,
  type Waiting,
} from '#journal'

/** What of a session an append may set and still be one statement. */
const hotFields: ReadonlySet<string> = new Set<keyof SessionFields>([
  'updatedAt',
  'lastAccessedAt',
  'lastMessageAt',
  'preview',
  'model',
])

/** A commit that needs no row but its session's: an append to a session that is there, perhaps with taking its lease. */
export interface HotMember {
  readonly waiting: Waiting
  readonly acquire: Acquire | undefined
  readonly append: Append | undefined
  readonly add: Counters
}

/** Hot members of one session in a row: one guarded update of its head carries them all, or none. */
export interface Chain {
  readonly session: SessionId
  readonly members: HotMember[]
}

/** What is known of a head once its update went through. Counters in the order of `counters`. */
export interface HeadAfter {
  readonly seq: number
  readonly token: number
  readonly until: number
  readonly leaf: EntryId | null
  readonly counters: Counters
}

export function hotMember(waiting: Waiting): HotMember | undefined {
  const { changes } = waiting
  const [first, second] = changes
  if (first === undefined || changes.length > 2) return undefined
  const acquire = first.type === 'acquire' ? first : undefined
  if (acquire === undefined && second !== undefined) return undefined
  const append = acquire === undefined ? first : second
  if (append === undefined) return { waiting, acquire, append: undefined, add: noCounters }
  if (append.type !== 'append' || !isHot(append, acquire)) return undefined
  return { waiting, acquire, append, add: addCounters(noCounters, append.head?.add ?? {}) }
}

function isHot(append: Append, acquire: Acquire | undefined): boolean {
  const { head, fence, entries, session } = append
  if (entries.length === 0 || head?.merge !== undefined) return false
  if (
    head?.set !== undefined &&
    !Object.entries(head.set).every(([field, value]) => hotFields.has(field) && (value !== null || !field.endsWith('At')))
  )
    return false
  if (acquire !== undefined && acquire.session !== session) return false
  if (fence !== undefined && 'of' in fence && (fence.of !== 0 || acquire === undefined)) return false
  if (fence !== undefined && 'session' in fence && fence.session !== session) return false
  // A fence from elsewhere beside a lease taken here: rare, and the other path knows.
  if (acquire !== undefined && fence !== undefined && !('of' in fence)) return false
  if (new Set(entries.map(entry => entry.id)).size !== entries.length) return false
  return head?.setsLeaf === undefined || (fence !== undefined && entries.some(entry => entry.id === head.setsLeaf))
}

export const sessionOf = (member: HotMember): SessionId => (member.append?.session ?? member.acquire?.session) as SessionId

/** Whether a member may ride on the chain's one update: same writer, and nothing that depends on what the row held in between. */
export function mayFollow(chain: Chain, member: HotMember): boolean {
  const first = chain.members[0]
  const before = chain.members.at(-1)
  if (first?.append === undefined || before === undefined || member.append === undefined) return false
  if (guardOf(first) !== guardOf(member)) return false
  const leaf = leafAfter(chain)
  const { expectLeaf, head } = member.append
  if (expectLeaf !== undefined && expectLeaf !== leaf) return false
  // A side entry's answer names the leaf, which is known only from the row itself or from a member before.
  return leaf !== undefined || head?.setsLeaf === undefined
}

function guardOf({ acquire, append }: HotMember): string {
  if (acquire !== undefined) return JSON.stringify(['acquire', acquire.owner, acquire.leaseMs, append?.fence !== undefined])
  const fence = append?.fence
  return fence === undefined || 'of' in fence ? 'none' : JSON.stringify(['fence', fence.owner, fence.token])
}

/** The leaf that the chain leaves behind, if it sets one. */
export function leafAfter(chain: Pick<Chain, 'members'>): EntryId | undefined {
  return chain.members.reduce<EntryId | undefined>((leaf, member) => member.append?.head?.setsLeaf ?? leaf, undefined)
}

/** What answers a commit once the head of its chain is known: kept with an idempotency key, completed by `answerOf`. */
export interface Outline {
  readonly acquire: { readonly session: SessionId; readonly owner: string } | null
  readonly ids: readonly EntryId[] | null
  /** The leaf after it, if the chain up to it set one. */
  readonly leaf: EntryId | null
  /** What later members of the chain added to the head. */
  readonly later: { readonly entries: number; readonly add: Partial<Counters> }
}

/** The outlines of a chain's members, in order. */
export function outlinesOf({ members }: Pick<Chain, 'members'>): Outline[] {
  let entries = 0
  let add: Counters = noCounters
  const outlines = members.map((member, index) => ({ member, leaf: leafAfter({ members: members.slice(0, index + 1) }) ?? null }))
  return outlines
    .reverse()
    .map(({ member: { acquire, append, add: own }, leaf }) => {
      const outline = {
        acquire: acquire === undefined ? null : { session: acquire.session, owner: acquire.owner },
        ids: append?.entries.map(entry => entry.id) ?? null,
        leaf,
        later: { entries, add: Object.fromEntries(Object.entries(add).filter(([, value]) => value !== 0)) },
      }
      entries += append?.entries.length ?? 0
      add = addCounters(add, own)
      return outline
    })
    .reverse()
}

export function answerOf({ acquire, ids, leaf, later }: Outline, head: HeadAfter): Result[] {
  const results: Result[] = []
  if (acquire !== null) results.push({ ...acquire, token: head.token, until: head.until })
  if (ids !== null) {
    const last = head.seq - later.entries
    results.push({
      first: last - ids.length + 1,
      last,
      ids,
      leafId: leaf ?? head.leaf,
      token: head.token,
      counters: addCounters(head.counters, negated(later.add)),
    })
  }
  return results
}

function negated(sums: Partial<Counters>): Partial<Counters> {
  return Object.fromEntries(Object.entries(sums).map(([counter, value]) => [counter, -value]))
}

/** Sessions that a change may touch; hot members of those wait for the other path. */
export function touchedBy(changes: readonly Change[]): string[] {
  return changes.flatMap(change => {
    if (change.type === 'copy_session') return [change.from, change.to]
    if (change.type === 'release') return [change.fence.session]
    return 'session' in change ? [change.session] : []
  })
}

/** What keeps a commit in order with others: its sessions, and for all but hot ones the rest of its tenant. */
export function bondsOf(waiting: Waiting): string[] {
  const bonds = touchedBy(waiting.changes).map(session => `${waiting.tenant} ${session}`)
  if (hotMember(waiting) === undefined) bonds.push(waiting.tenant)
  return bonds
}

/** Splits one tenant's group: chains for one statement, in the order of sessions, and the rest, in order, for a transaction. */
export function planGroup(members: readonly Waiting[]): { readonly chains: readonly Chain[]; readonly rest: readonly Waiting[] } {
  const chains = new Map<string, Chain>()
  const rest: Waiting[] = []
  const waited = new Set<string>()
  for (const waiting of members) {
    const hot = hotMember(waiting)
    if (hot !== undefined) {
      const session = sessionOf(hot)
      const chain = chains.get(session)
      if (!waited.has(session) && (chain === undefined || mayFollow(chain, hot))) {
        if (chain === undefined) chains.set(session, { session, members: [hot] })
        else chain.members.push(hot)
        continue
      }
    }
    rest.push(waiting)
    for (const session of touchedBy(waiting.changes)) waited.add(session)
  }
  return { chains: [...chains.values()].sort((a, b) => (a.session < b.session ? -1 : 1)), rest }
}
