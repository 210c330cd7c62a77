import type { Session } from '#skein'
import type { Fact } from './facts.ts'
import type { Decoy } from './scene.ts'

/**
 * Where a fact's value is now. `retained`: the context holds it; `one_hop`: one search for its subject does; `two_hops`: an
 * entry that such a search names does; `host_only`: only a program finds it, by the letter. `stale`: the context holds what was
 * true before, and not what is; `mutated`: it holds what nobody said; `resurrected`: it holds as open what was ticked off, and
 * not that it was. `missing`: none of it.
 */
export const factStates = ['retained', 'one_hop', 'two_hops', 'host_only', 'missing', 'mutated', 'stale', 'resurrected'] as const
export type FactState = (typeof factStates)[number]

export interface Verdict {
  readonly fact: Fact
  readonly state: FactState
  /** Whether one search for its subject gives it, wherever else it stands. */
  readonly found: boolean
  /** Whether its subject stands near it in the context. */
  readonly named: boolean
}

/** What one call of `session_search` answers, as a model reads it. */
export type Search = (query: string) => Promise<string>

/** Looks for every fact as a model would: in what it is shown, then by one call, then by what that names. */
export async function judgeFacts(
  session: Session,
  facts: readonly Fact[],
  search: Search,
  planted: ReadonlyMap<string, string> = new Map(),
): Promise<Verdict[]> {
  const { messages } = await session.context({ compact: false, format: 'skein' })
  const shown = messages.flatMap(textsIn)
  const shows = (value: string): boolean => shown.some(text => holds(text, value))
  const verdicts: Verdict[] = []
  for (const fact of facts) {
    const { subject, value, before } = fact
    const answer = await search(subject)
    const found = holds(answer, value)
    const named = shown.some(text => standsNear(text, value, subject))
    const state = async (): Promise<FactState> => {
      if ([...planted].some(([other, figure]) => value.includes(figure) && shows(value.replace(figure, other)))) return 'mutated'
      if (fact.closed !== undefined && isOpenAgain(shown, value)) return 'resurrected'
      if (shows(value)) return 'retained'
      if (before !== undefined && shows(before.value)) return 'stale'
      if (found) return 'one_hop'
      if (await isBehind(session, value, answer)) return 'two_hops'
      return (await session.recall(value, { mode: 'literal' })).hits.length > 0 ? 'host_only' : 'missing'
    }
    verdicts.push({ fact, state: await state(), found, named })
  }
  return verdicts
}

/** An item that stands open in what is shown, and nowhere ticked off. */
function isOpenAgain(shown: readonly string[], value: string): boolean {
  const lines = shown.flatMap(text => text.split('\n')).filter(line => holds(line, value))
  return lines.some(line => line.includes('[ ]')) && !lines.some(line => line.includes('[x]'))
}

/** Proposals that the context tells without saying that they never were more. */
export async function countAsserted(session: Session, decoys: readonly Decoy[]): Promise<number> {
  const { messages } = await session.context({ compact: false, format: 'skein' })
  const lines = messages.flatMap(textsIn).flatMap(text => text.split(/\n|(?<=[.!?]) /))
  return decoys.filter(({ value, hedge }) =>
    lines.some(line => holds(line, value) && !line.includes(hedge) && !line.startsWith('Identifiers: ')),
  ).length
}

/** How many of the facts the context shows to the letter. */
export async function countRetained(session: Session, facts: readonly Fact[]): Promise<number> {
  const { messages } = await session.context({ compact: false, format: 'skein' })
  const shown = messages.flatMap(textsIn)
  return facts.filter(({ value }) => shown.some(text => holds(text, value))).length
}

async function isBehind(session: Session, value: string, answer: string): Promise<boolean> {
  for (const [ref] of answer.matchAll(/^(?:ent|sum)_\w+/gm))
    if (JSON.stringify(await session.expand(ref)).includes(JSON.stringify(value).slice(1, -1))) return true
  return false
}

/** To the letter, and not as a piece of a longer word or figure. */
function holds(text: string, value: string): boolean {
  for (let at = text.indexOf(value); at >= 0; at = text.indexOf(value, at + 1)) {
    const isInside = /[A-Za-z0-9]/.test(text.charAt(at - 1)) && /^[A-Za-z0-9]/.test(value)
    const goesOn = /^[A-Za-z0-9]/.test(text.slice(at + value.length)) && /[A-Za-z0-9]$/.test(value)
    if (!isInside && !goesOn) return true
  }
  return false
}

function standsNear(text: string, value: string, subject: string): boolean {
  const at = text.indexOf(value)
  return at >= 0 && text.slice(Math.max(0, at - 200), at + value.length + 200).includes(subject)
}

function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (Array.isArray(value)) return value.flatMap(textsIn)
  return typeof value === 'object' && value !== null
    ? Object.entries(value).flatMap(([name, inner]) => [name, ...textsIn(inner)])
    : []
}
