import type { PartRef } from '#journal'
import type { Group } from './groups.ts'
import { isResult, type Shown, type ShowOptions, shownPartTokens } from './shown.ts'
import { inTail, type Tail, turnsBack } from './tail.ts'

export interface PruneSettings {
  readonly protectTokens: number
  readonly minTokens: number
  readonly protectedTools: readonly string[]
}

/** The tools whose results say what is stored anyway. */
export const recallTools: readonly string[] = ['session_search', 'session_describe', 'session_expand']

/** What a marker in a result's place weighs, roughly: what it saves is more than this, or it isn't worth it. */
const markerTokens = 40

/**
 * Results that can be left out, oldest last: going back from the newest, those beyond the protected total, recall results
 * always; none of the tail, of the last two turns or of a protected tool. Nothing when it saves less than the minimum.
 * Source: spec/context.md 4, law C41.
 */
export function planPrune(
  items: readonly Shown[],
  groups: readonly Group[],
  tail: Tail,
  settings: PruneSettings,
  options: ShowOptions,
): { readonly refs: readonly PartRef[]; readonly tokens: number } {
  const twoTurns = turnsBack(groups, 2)
  const refs: PartRef[] = []
  let total = 0
  let saved = 0
  for (let at = groups.length - 1; at >= 0; at--) {
    const group = groups[at]
    if (group === undefined) continue
    const isKept = at >= twoTurns || inTail(tail, at)
    for (const { ref, tool, tokens } of resultsOf(items, group, options)) {
      if (settings.protectedTools.includes(tool)) continue
      total += tokens
      if (isKept || tokens <= markerTokens) continue
      if (total <= settings.protectTokens && !recallTools.includes(tool)) continue
      refs.push(ref)
      saved += tokens - markerTokens
    }
  }
  return saved >= settings.minTokens ? { refs, tokens: saved } : { refs: [], tokens: 0 }
}

/** The results of a group that are shown whole, newest first. */
export function resultsOf(
  items: readonly Shown[],
  group: Group,
  options: ShowOptions,
): { readonly ref: PartRef; readonly tool: string; readonly tokens: number }[] {
  const found: { ref: PartRef; tool: string; tokens: number }[] = []
  for (let at = group.to; at >= group.from; at--) {
    const item = items[at]
    if (item?.kind !== 'entry' || item.hidden !== undefined) continue
    for (let part = item.entry.message.parts.length - 1; part >= 0; part--) {
      const result = item.entry.message.parts[part]
      if (!isResult(result) || item.pruned.includes(part)) continue
      found.push({ ref: `${item.entry.id}#${part}`, tool: result.tool, tokens: shownPartTokens(item, part, options) })
    }
  }
  return found
}
