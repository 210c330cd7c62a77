import { given, invalidInput, type SessionId } from '#kernel'
import { addCounters, type Counters, type Entry, isType, noCounters, usageCounters } from '#journal'
import type { SessionCore } from './core.ts'
import { usageTotals, type UsageTotals } from './session-info.ts'
import { sumTools, toolTypes, type ToolUsage } from './tool-usage.ts'

export const usageGroups = ['model', 'purpose', 'turn', 'step', 'tool'] as const
export type UsageGroup = (typeof usageGroups)[number]

export interface UsageOptions {
  readonly by?: UsageGroup
  /** With the sub-sessions' requests. */
  readonly tree?: boolean
}

export interface UsageReport extends UsageTotals {
  readonly by?: readonly (UsageTotals & { readonly key: string })[]
  readonly tools?: readonly ToolUsage[]
  readonly demo?: true
}

/** What the session's requests used and cost, each request once. Failed attempts count, too. Law S11. */
export async function sessionUsage(core: SessionCore, options: UsageOptions = {}): Promise<UsageReport> {
  if (options.by !== undefined && !usageGroups.includes(options.by))
    throw invalidInput('by', `Expected one of ${usageGroups.join(', ')}.`)
  const row = await core.row()
  if (options.by === 'tool') return { ...usageTotals(row.counters), tools: await sumTools(entriesOf(core, core.id, toolTypes)) }
  if (options.by === undefined && options.tree !== true) return usageTotals(row.counters)
  const groups = new Map<string, Counters>()
  let sum: Counters = noCounters
  const seen = new Set<string>()
  for (const session of options.tree === true ? await family(core) : [core.id]) {
    for await (const entry of entriesOf(core, session, ['usage_recorded'])) {
      if (!isType(entry, 'usage_recorded') || seen.has(entry.data.requestId)) continue
      seen.add(entry.data.requestId)
      const counted = usageCounters(entry.data.usage, entry.data.cost)
      sum = addCounters(sum, counted)
      const key = keyOf(entry, options.by)
      groups.set(key, addCounters(groups.get(key) ?? noCounters, counted))
    }
  }
  if (options.by === undefined) return usageTotals(sum)
  return { ...usageTotals(sum), by: [...groups].map(([key, counters]) => ({ key, ...usageTotals(counters) })) }
}

function keyOf(entry: Entry, by: UsageGroup | undefined): string {
  if (!isType(entry, 'usage_recorded')) return ''
  switch (by) {
    case 'model':
      return entry.data.model ?? 'unknown'
    case 'purpose':
      return entry.data.purpose
    case 'turn':
      return entry.turn ?? 'none'
    case 'step':
      return entry.data.step === undefined ? 'none' : String(entry.data.step)
    default:
      return ''
  }
}

/** What a session counts, in order; that of a fork begins after its `session_forked`. */
export async function* entriesOf(
  core: Pick<SessionCore, 'store'>,
  session: SessionId,
  types: readonly string[],
): AsyncGenerator<Entry> {
  const [forked] = await core.store.entries(session, { types: ['session_forked'], order: 'desc', limit: 1 })
  let after = forked !== undefined && isType(forked, 'session_forked') ? forked.data.seq : 0
  for (
    let page = await core.store.entries(session, { after, types, limit: 500 });
    page.length > 0;
    page = await core.store.entries(session, { after, types, limit: 500 })
  ) {
    yield* page
    after = page.at(-1)?.seq ?? after
  }
}

/** The session and all its sub-sessions, deleted ones too. */
export async function family(core: Pick<SessionCore, 'store' | 'id'>): Promise<ReadonlySet<SessionId>> {
  // A set goes on over what is added to it, and takes each only once: an imported session may name itself its parent.
  const found = new Set([core.id])
  for (const parent of found) {
    for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
      const page = await core.store.sessions({
        parent,
        states: ['active', 'ended', 'deleted'],
        limit: 200,
        ...given({ cursor }),
      })
      for (const { id } of page.items) found.add(id)
      cursor = page.next
    }
  }
  return found
}
