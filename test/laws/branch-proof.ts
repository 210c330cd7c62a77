import { canonical, toJson } from '#kernel'
import { type ContextEdited, type Entry, type FrontierItem, isType, type Summary } from '#journal'
import type { Session } from '#skein'
import { expect } from 'vitest'

/** Entries that the laws call message entries: messages, texts of a caller's own, notes. */
const isContent = (entry: Entry): boolean =>
  isType(entry, 'message_added') ||
  isType(entry, 'context_noted') ||
  (isType(entry, 'custom') && typeof entry.data.text === 'string')

/** Every entry, by pages. */
export async function everyEntry(session: Session, branch: boolean): Promise<Entry[]> {
  const found: Entry[] = []
  for (let after = 0; ;) {
    const page = await session.entries({ after, limit: 1_000, branch })
    found.push(...page)
    if (page.length < 1_000) return found
    after = page.at(-1)?.seq ?? after
  }
}

export interface Proof {
  readonly entries: ReadonlyMap<string, string>
  readonly version: number
  readonly items: readonly FrontierItem[]
  readonly summaries: ReadonlyMap<string, Summary>
}

/**
 * Folds what the journal holds, by nothing but its entries, and holds the session to it: laws C11–C17 and C21. Gives what was
 * there, so that the next proof can tell whether anything was changed since (C20).
 */
export async function proveBranch(session: Session, before?: Proof): Promise<Proof> {
  const all = await everyEntry(session, false)
  const byId = new Map(all.map(entry => [entry.id, entry]))
  const bytes = new Map(all.map(entry => [entry.id as string, canonical(toJson(entry))]))
  for (const [id, text] of before?.entries ?? []) expect(bytes.get(id)).toBe(text)

  const { leafId } = await session.info()
  const branch: Entry[] = []
  for (let at = leafId === null ? undefined : byId.get(leafId); at !== undefined;) {
    branch.push(at)
    at = at.parentId === null ? undefined : byId.get(at.parentId)
  }
  branch.reverse()
  const content = branch.filter(isContent).map(({ id }) => id)
  const place = new Map(content.map((id, at) => [id, at]))
  const edit = branch.findLast(entry => isType(entry, 'context_edited'))
  const said = edit === undefined ? undefined : (edit.data as ContextEdited)
  const since = branch.slice(edit === undefined ? 0 : branch.indexOf(edit) + 1).filter(isContent)
  const items: FrontierItem[] = [...(said?.frontier ?? []), ...since.map(({ id }) => ({ entry: id }))]

  const summaries = new Map<string, Summary>()
  for (const entry of all) if (isType(entry, 'summary_added')) summaries.set(entry.data.id, entry.data)
  const rangeOf = ({ covers: { first, last } }: Summary): string[] => {
    const path: string[] = []
    for (let at = byId.get(last); at !== undefined;) {
      if (isContent(at)) path.push(at.id)
      if (at.id === first) return path.reverse()
      at = at.parentId === null ? undefined : byId.get(at.parentId)
    }
    throw new Error(`${first} is not on the way back from ${last}.`)
  }
  const expanded = (id: string): string[] => {
    const node = summaries.get(id)
    if (node === undefined) throw new Error(`${id} is not stored.`)
    return node.kind === 'leaf' ? rangeOf(node) : node.children.flatMap(expanded)
  }

  // C16, for every node there is.
  for (const node of summaries.values()) {
    expect(expanded(node.id)).toEqual(rangeOf(node))
    expect(rangeOf(node)).toHaveLength(node.covers.entries)
    if (node.kind === 'leaf') expect(node.depth).toBe(0)
    else {
      expect(node.children.length).toBeGreaterThanOrEqual(2)
      expect(node.depth).toBe(1 + Math.max(...node.children.map(child => summaries.get(child)?.depth ?? NaN)))
    }
  }

  // C11–C13: each entry once, in order.
  const shown = items.flatMap(item => ('summary' in item ? expanded(item.summary) : [item.entry]))
  expect(shown).toEqual(content)
  const told = (await session.conversation()).map(({ id }) => id)
  expect(shown.filter(id => byId.get(id as never)?.type !== 'context_noted')).toEqual(told)

  // C15: a call and its results are on one side of each border.
  const itemOf = new Map<string, number>()
  for (const [at, item] of items.entries())
    for (const id of 'summary' in item ? expanded(item.summary) : [item.entry]) itemOf.set(id, 'summary' in item ? at : -1)
  const asked = new Map<string, string>()
  for (const id of content) {
    const entry = byId.get(id)
    if (entry === undefined || !isType(entry, 'message_added')) continue
    for (const part of entry.data.parts) {
      if (part.type === 'tool_call') asked.set(part.callId, id)
      if (part.type !== 'tool_result' || !asked.has(part.callId)) continue
      const call = asked.get(part.callId) as string
      asked.delete(part.callId)
      // One that came only when its call was covered already could stand nowhere else.
      if (edit !== undefined && itemOf.get(call) !== -1 && entry.seq > edit.seq) continue
      expect([part.callId, itemOf.get(id)]).toEqual([part.callId, itemOf.get(call)])
    }
  }
  for (const id of itemOf.keys()) expect(place.has(id as never)).toBe(true)

  // C21: what is materialised is this.
  const { version, items: stands = [] } = await session.context({ compact: false, explain: true, facts: vast })
  expect(version).toBe(said?.version ?? 0)
  expect(stands.map(({ ref }) => ref)).toEqual(items.map(item => ('summary' in item ? item.summary : item.entry)))
  const { findings } = await session.audit()
  expect(findings).toEqual([])

  // C80: where each stands, also off the branch, and by which nodes.
  for (const { id, type } of all.filter(isContent)) {
    const { shown: how, via, reason } = await session.explain(id)
    const at = itemOf.get(id)
    const item = at === undefined || at < 0 ? undefined : items[at]
    if (at === undefined) expect([type, how, reason]).toEqual([type, 'absent', 'other_branch'])
    else if (item === undefined || !('summary' in item)) expect([id, how, reason]).not.toEqual([id, 'absent', 'other_branch'])
    else {
      expect([id, how, via[0]]).toEqual([id, 'summary', item.summary])
      expect(expanded(via.at(-1) ?? '')).toContain(id)
      expect(summaries.get(via.at(-1) ?? '')?.kind).toBe('leaf')
    }
  }
  for (const { ref, before: behind, after } of (await session.recall('e', { mode: 'literal', limit: 20 })).hits) {
    const at = place.get(ref) ?? NaN
    expect([behind?.ref, ref, after?.ref]).toEqual([content[at - 1], content[at], content[at + 1]])
  }
  return { entries: bytes, version, items, summaries }
}

/** A window that nothing is too long for. */
export const vast = { contextWindow: 100_000_000, maxOutput: 1_000, provider: 'openai' }
