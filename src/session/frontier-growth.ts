import { itemOf, type Shown } from '#context'
import type { Frontier } from './frontier.ts'

/** Whether one frontier is the other and what was added since. */
export function isGrown(before: Frontier, now: Frontier): boolean {
  if (before.edit?.id !== now.edit?.id) return false
  const last = before.items.at(-1)
  if (last === undefined) return true
  const same = now.items[before.items.length - 1]
  return last.kind === 'entry'
    ? same?.kind === 'entry' && same.entry.id === last.entry.id
    : same?.kind === 'summary' && same.summary.id === last.summary.id
}

/** Tokens of the leading places that both show alike. */
export function sharedTokens(before: readonly Shown[], after: readonly Shown[]): number {
  let sum = 0
  for (const [at, item] of after.entries()) {
    const old = before[at]
    if (old === undefined || JSON.stringify(itemOf(old)) !== JSON.stringify(itemOf(item))) break
    sum += item.tokens
  }
  return sum
}
