import { canonical, type EntryId, messageOf, toJson } from '#kernel'
import { applyEdit, editOf, hideReplaced, itemOf, type Shown, showEntry } from '#context'
import { type Entry, type FrontierItem, isType, type SessionRow, type Summary, type SummaryId } from '#journal'
import { isContent } from './branch-spans.ts'
import type { ContextState } from './context-state.ts'
import { readContextState } from './context-state.ts'
import type { SessionCore } from './core.ts'
import { expand } from './expand.ts'
import { contextEntries, frontierTypes } from './frontier.ts'
import { readRange } from './read-range.ts'
import { readSummary } from './summary-nodes.ts'

/** A broken promise of the context, and the ref that it is about. */
export interface AuditFinding {
  readonly kind: 'missing' | 'doubled' | 'order' | 'summary' | 'edit' | 'frontier' | 'unreachable'
  readonly ref: string
  readonly message: string
}

/** What the branch's entries are in the context: each in exactly one of the four states, if nothing is wrong. */
export interface Audit {
  /** Those that a context can show. */
  readonly entries: number
  readonly raw: number
  readonly covered: number
  readonly hidden: number
  readonly prefill: number
  /** In no state. */
  readonly missing: readonly EntryId[]
  /** In more than one. */
  readonly doubled: readonly EntryId[]
  /** Refs that the context names and that can't be read. */
  readonly unreachable: readonly string[]
  readonly findings: readonly AuditFinding[]
}

/**
 * Proves that nothing is lost: expands every place of the context down to entries and compares with the branch, makes the
 * frontier again from what each edit did and compares with what is stored and what is in memory, and follows every ref that
 * the context names. Reads the whole branch. Laws C11–C13, C21, C32, C81.
 */
export async function audit(core: SessionCore): Promise<Audit> {
  const row = await core.row()
  const state = await readContextState(core, row)
  const pages = await branchPages(core, row)
  const ids = pages
    .flat()
    .filter(isContent)
    .map(entry => entry.id)
  const findings: AuditFinding[] = []
  const { items } = state.frontier
  const expanded: EntryId[] = []
  const counts = { raw: 0, covered: 0, hidden: 0, prefill: 0 }
  for (const item of items) {
    if (item.kind === 'summary') {
      const covers = await coveredBy(core, item.summary, findings)
      counts.covered += covers.length
      expanded.push(...covers)
    } else {
      counts[item.hidden === undefined ? 'raw' : 'hidden']++
      expanded.push(item.entry.id)
    }
  }
  const { missing, doubled } = compare(ids, expanded, findings)
  await replay(core, state, pages, findings)
  const unreachable = await followRefs(core, items, findings)
  return { entries: ids.length, ...counts, missing, doubled, unreachable, findings }
}

/** The entries beneath a node, from its leaves; what doesn't fit together on the way is found. Laws C15, C16. */
async function coveredBy(core: SessionCore, summary: Summary, findings: AuditFinding[]): Promise<EntryId[]> {
  const { id, covers, children } = summary
  const tell = (message: string): void => void findings.push({ kind: 'summary', ref: id, message })
  const range = (await readRange(core, covers)).filter(isContent).map(entry => entry.id)
  if (range[0] !== covers.first || range.at(-1) !== covers.last) tell('Its range is not on one path.')
  else if (range.length !== covers.entries) tell(`It covers ${range.length} entries, not ${covers.entries}.`)
  if (children.length === 0) return range
  const beneath: EntryId[] = []
  for (const child of children) {
    const node = await readSummary(core, child)
    if (node === undefined) tell(`Its child ${child} is not there.`)
    else beneath.push(...(await coveredBy(core, node, findings)))
  }
  if (beneath.join() !== range.join()) tell('Its children are not its range.')
  return range
}

function compare(
  branch: readonly EntryId[],
  expanded: readonly EntryId[],
  findings: AuditFinding[],
): { readonly missing: EntryId[]; readonly doubled: EntryId[] } {
  const seen = new Map<EntryId, number>()
  for (const id of expanded) seen.set(id, (seen.get(id) ?? 0) + 1)
  const missing = branch.filter(id => !seen.has(id))
  const doubled = [...seen].flatMap(([id, times]) => (times > 1 ? [id] : []))
  for (const ref of missing) findings.push({ kind: 'missing', ref, message: 'It stands nowhere in the context.' })
  for (const ref of doubled) findings.push({ kind: 'doubled', ref, message: 'It stands more than once in the context.' })
  const places = new Map(branch.map((id, at) => [id, at]))
  for (const [at, ref] of expanded.entries()) {
    const place = places.get(ref)
    if (place === undefined) findings.push({ kind: 'order', ref, message: 'It is not on the branch.' })
    else if (place < (places.get(expanded[at - 1] as EntryId) ?? -1))
      findings.push({ kind: 'order', ref, message: 'It stands behind what came later.' })
  }
  return { missing, doubled }
}

/** The frontier from what each edit did, against what each says it is, and against what is in memory. Law C21. */
async function replay(
  core: SessionCore,
  { frontier, show }: ContextState,
  pages: readonly (readonly Entry[])[],
  findings: AuditFinding[],
): Promise<void> {
  let items: Shown[] = []
  let version = 0
  for (const page of pages) {
    const nodes = await nodesOf(core, page)
    const contents = new Map((await contextEntries(core, page)).map(entry => [entry.id, entry]))
    for (const entry of page) {
      const content = contents.get(entry.id)
      if (content !== undefined) items.push(showEntry(content, show))
      if (!isType(entry, 'context_edited')) continue
      items = [
        ...applyEdit(
          items,
          editOf(entry.data, id => nodes.get(id)),
          show,
        ),
      ]
      if (entry.data.version !== ++version)
        findings.push({ kind: 'edit', ref: entry.id, message: `Its version is ${entry.data.version}, not ${version}.` })
      const place = differs(items, entry.data.frontier)
      if (place !== undefined)
        findings.push({ kind: 'edit', ref: entry.id, message: `It doesn't say at ${place} what was done to it.` })
    }
  }
  const place = differs(hideReplaced(items), frontier.items.map(itemOf))
  if (place !== undefined) findings.push({ kind: 'frontier', ref: place, message: 'It is shown otherwise than the edits say.' })
}

/** Oldest first. */
async function branchPages(core: SessionCore, { leafId }: SessionRow): Promise<Entry[][]> {
  const pages: Entry[][] = []
  for (let from = leafId; from !== null;) {
    const page: readonly Entry[] = await core.store.branch(core.id, { from, types: frontierTypes, limit: pageSize })
    pages.push([...page].reverse())
    from = page.length < pageSize ? null : (page.at(-1)?.parentId ?? null)
  }
  return pages.reverse()
}
const pageSize = 500

async function nodesOf(core: SessionCore, page: readonly Entry[]): Promise<ReadonlyMap<SummaryId, Summary>> {
  const ids = new Set(page.flatMap(entry => (isType(entry, 'context_edited') ? entry.data.swapped : [])))
  const nodes = await Promise.all([...ids].map(id => readSummary(core, id)))
  return new Map(nodes.flatMap(node => (node === undefined ? [] : [[node.id, node] as const])))
}

/** The ref at the first place where two lists differ. */
function differs(items: readonly Shown[], stored: readonly FrontierItem[]): string | undefined {
  const length = Math.max(items.length, stored.length)
  for (let at = 0; at < length; at++) {
    const [item, other] = [items[at], stored[at]]
    const made = item === undefined ? undefined : itemOf(item)
    if (canonical(toJson(made ?? null)) === canonical(toJson(other ?? null))) continue
    const named = made ?? other
    return named === undefined ? '' : 'summary' in named ? named.summary : named.entry
  }
  return undefined
}

/** Everything that a context points to: what stands for more than it shows, and where that is. */
export function printedRefs(items: readonly Shown[]): string[] {
  return items.flatMap(item => {
    if (item.kind === 'summary') return [item.summary.id, ...item.summary.quotes.map(({ entry }) => entry)]
    const { entry, pruned, cut, hidden } = item
    if (hidden !== undefined) return []
    const outlined = entry.message.parts.flatMap((part, at) => ('outline' in part ? [at] : []))
    return [...new Set([...pruned, ...cut.map(({ part }) => part), ...outlined])].map(part => `${entry.id}#${part}`)
  })
}

async function followRefs(core: SessionCore, items: readonly Shown[], findings: AuditFinding[]): Promise<string[]> {
  const unreachable: string[] = []
  for (const ref of new Set(printedRefs(items))) {
    try {
      await expand(core, ref, { limit: 1 })
    } catch (error) {
      unreachable.push(ref)
      findings.push({ kind: 'unreachable', ref, message: messageOf(error) })
    }
  }
  return unreachable
}
