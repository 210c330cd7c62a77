import { cleanLine, isObject, type Json, type JsonObject } from '#kernel'
import type { Entry, NewEntry } from './entry.ts'
import { isKnown, isPath } from './entry-types.ts'
import { type Counter, type Counters, counters, type HeadPatch, type SessionFields, type SessionRow } from './head.ts'
import type { Message } from './message.ts'
import type { Usage } from './usage.ts'
import { hasUnindexedText } from './search-text.ts'

export const previewLength = 120

/**
 * What a list of entries does to the session's row: the one definition, for appending, copying and proving.
 * `row` is the session as it was before them. Pure and total: entries of unknown types only count as entries.
 */
export function headEffect(entries: readonly NewEntry[], row: Pick<SessionRow, 'preview' | 'data' | 'state'>): HeadPatch {
  const effect: Effect = { set: {}, merge: {}, add: {} }
  for (const entry of entries) addEffect(effect, entry as Entry, row)
  return {
    set: effect.set,
    ...(effect.setsLeaf === undefined ? {} : { setsLeaf: effect.setsLeaf }),
    ...(effect.totals === undefined ? {} : { totals: effect.totals }),
    ...(Object.keys(effect.merge).length === 0 ? {} : { merge: effect.merge }),
    ...(Object.keys(effect.add).length === 0 ? {} : { add: effect.add }),
  }
}

interface Effect {
  set: { -readonly [F in keyof SessionFields]?: SessionFields[F] }
  merge: Record<string, Json>
  add: Partial<Record<Counter, number>>
  setsLeaf?: NonNullable<HeadPatch['setsLeaf']>
  totals?: NonNullable<HeadPatch['totals']>
}

function addEffect(effect: Effect, entry: Entry, row: Pick<SessionRow, 'preview' | 'data' | 'state'>): void {
  effect.set.updatedAt = Math.max(effect.set.updatedAt ?? 0, entry.at)
  effect.set.lastAccessedAt = effect.set.updatedAt
  if (isPath(entry)) {
    effect.setsLeaf = entry.id
    if (entry.totals !== undefined) effect.totals = entry.totals
  }
  if (!isKnown(entry)) return
  switch (entry.type) {
    case 'message_added': {
      effect.set.lastMessageAt = Math.max(effect.set.lastMessageAt ?? 0, entry.at)
      const preview =
        row.preview === null && effect.set.preview == null && entry.data.role === 'user' ? previewOf(entry.data) : null
      if (preview !== null) effect.set.preview = preview
      if (hasUnindexedText(entry)) effect.merge['large'] = true
      return
    }
    case 'turn_started':
      // A run's turn is named by its index when it has to be ended by others.
      if (entry.run !== undefined) mergeInto(effect, 'running', { index: entry.data.index })
      return addTo(effect, { turnCount: 1 })
    case 'usage_recorded':
      return addTo(effect, usageCounters(entry.data.usage, entry.data.cost))
    case 'session_titled':
      effect.set.title = entry.data.title
      return
    case 'session_annotated':
      if (entry.data.tags !== undefined) effect.set.tags = entry.data.tags
      if (entry.data.metadata !== undefined) mergeInto(effect, 'metadata', entry.data.metadata)
      return
    case 'session_ended':
      effect.set.state = 'ended'
      mergeInto(effect, 'ended', { reason: entry.data.reason, at: entry.at })
      return
    case 'session_reopened':
      effect.set.state = 'active'
      effect.merge['ended'] = null
      return
    case 'session_deleted':
      mergeInto(effect, 'deleted', { until: entry.data.until, state: effect.set.state ?? row.state })
      effect.set.state = 'deleted'
      return
    case 'session_restored': {
      const deleted = effect.merge['deleted'] ?? row.data['deleted']
      effect.set.state = isObject(deleted) && deleted['state'] === 'ended' ? 'ended' : 'active'
      effect.merge['deleted'] = null
      return
    }
    case 'session_forked':
      // Holds, runs, their inputs and usage stay with the source.
      effect.set.state = 'active'
      for (const member of ['holds', 'running', 'inputs', 'ended', 'deleted', 'route']) effect.merge[member] = null
      effect.merge['forkedFrom'] = { session: entry.data.from, entry: entry.data.at }
      return
    case 'context_edited':
      // Whoever shows messages need not look for edits where there never was one.
      effect.merge['edited'] = true
      return
    case 'leaf_moved':
      effect.setsLeaf = entry.data.to
      // Whoever knew the branch by its leaf sees that it may be another.
      effect.merge['moved'] = entry.id
      if (entry.totals !== undefined) effect.totals = entry.totals
      return
    case 'hold_added':
      return mergeInto(effect, 'holds', { [entry.data.reason]: entry.at })
    case 'hold_removed':
      return mergeInto(effect, 'holds', { [entry.data.reason]: null })
    case 'route_bound':
      effect.merge['route'] = { key: entry.data.key, generation: entry.data.generation }
      return
    case 'route_unbound':
      effect.merge['route'] = null
      return
    case 'model_changed':
      effect.set.model = entry.data.model
      return
    case 'thinking_changed':
      return mergeInto(effect, 'settings', { thinking: entry.data.level })
    case 'system_changed':
      return mergeInto(effect, 'settings', { system: entry.id })
    case 'tools_changed':
      return mergeInto(effect, 'settings', { tools: entry.id })
    case 'run_started':
      effect.merge['running'] = { run: entry.run ?? null, turn: entry.turn ?? null, since: entry.at }
      return
    case 'run_ended':
      effect.merge['running'] = null
      return
    case 'input_admitted': {
      const { input, delivery } = entry.data
      if (delivery === 'start') return
      return mergeInto(effect, 'inputs', {
        [input]: { delivery, run: entry.run ?? null, turn: entry.turn ?? null, entry: entry.id },
      })
    }
    case 'input_delivered':
    case 'input_dropped':
      return mergeInto(effect, 'inputs', { [entry.data.input]: null })
    default:
      return
  }
}

function mergeInto(effect: Effect, member: string, patch: JsonObject): void {
  const before = effect.merge[member]
  effect.merge[member] = bothPatches(isObject(before) ? (before as JsonObject) : {}, patch)
}

/** One merge patch that does what two do, one after the other. What a `null` of the first emptied, the second fills in part. */
function bothPatches(first: JsonObject, second: JsonObject): JsonObject {
  const members = Object.entries(second).map(([name, value]): [string, Json] => {
    const before = Object.hasOwn(first, name) ? first[name] : undefined
    return [name, isObject(before) && isObject(value) ? bothPatches(before as JsonObject, value as JsonObject) : value]
  })
  return { ...first, ...Object.fromEntries(members) }
}

function addTo(effect: Effect, add: Partial<Counters>): void {
  for (const counter of counters)
    if (add[counter] !== undefined)
      effect.add[counter] = Math.min((effect.add[counter] ?? 0) + add[counter], Number.MAX_SAFE_INTEGER)
}

/** One request's tokens and cost as counters; unknown tokens add nothing, an unknown cost counts as unknown. */
export function usageCounters(usage: Usage, cost: number | null): Partial<Counters> {
  return {
    requests: 1,
    unknownRequests: cost === null ? 1 : 0,
    costNano: cost ?? 0,
    inputTokens: usage.inputTokens ?? 0,
    cacheReadTokens: usage.cacheReadTokens ?? 0,
    cacheWrite5mTokens: usage.cacheWrite5mTokens ?? 0,
    cacheWrite1hTokens: usage.cacheWrite1hTokens ?? 0,
    outputTokens: usage.outputTokens ?? 0,
    reasoningTokens: usage.reasoningTokens ?? 0,
  }
}

/** The first text of a message, as one clean line. */
export function previewOf(message: Message): string | null {
  for (const part of message.parts) {
    if (part.type !== 'text') continue
    const text = 'preview' in part ? (part as { preview: string }).preview : part.text
    const line = cleanLine(text.slice(0, 4 * previewLength), previewLength)
    if (line !== null) return line
  }
  return null
}
