import type { Group } from './groups.ts'

/** Which groups stay as they are: those from `start` on, and the one with the newest user message. Places in the list of groups. */
export interface Tail {
  readonly start: number
  readonly user: number
}

/**
 * The newest groups within `keepTokens`, whole turns where they fit, at most `turns` of them; always the newest group and
 * the newest user message.
 */
export function tailOf(groups: readonly Group[], keepTokens: number, turns: number = Infinity): Tail {
  const user = groups.findLastIndex(group => group.user)
  const oldest = turnsBack(groups, turns)
  let start = groups.length
  let kept = 0
  while (start > oldest) {
    const size = groups[start - 1]?.tokens ?? 0
    if (start < groups.length && kept + size > keepTokens) break
    kept += size
    start--
  }
  if (start > 0 && groups[start]?.turn === groups[start - 1]?.turn) {
    const whole = groups.findIndex((group, at) => at > start && group.turn !== groups[at - 1]?.turn)
    if (whole > 0) start = whole
  }
  return { start, user }
}

/** Where the newest so many turns begin. */
export function turnsBack(groups: readonly Group[], turns: number): number {
  let left = turns
  for (let at = groups.length - 1; at > 0; at--) if (groups[at]?.turn !== groups[at - 1]?.turn && --left <= 0) return at
  return 0
}

export const inTail = (tail: Tail, group: number): boolean => group >= tail.start || group === tail.user
