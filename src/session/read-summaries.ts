import { isType, type Summary } from '#journal'
import type { SessionCore } from './core.ts'
import { readContextState } from './context-state.ts'
import { wholeSummaries } from './summary-nodes.ts'

const pageSize = 200

/** Every node that the session's journal holds, in the order in which they were made, and whether the context shows it. */
export async function readSummaries(core: SessionCore): Promise<(Summary & { readonly shown: boolean })[]> {
  const { frontier } = await readContextState(core, await core.row())
  const shown = new Set(frontier.items.flatMap(item => (item.kind === 'summary' ? [item.summary.id] : [])))
  const found: (Summary & { readonly shown: boolean })[] = []
  for (let after = 0; ;) {
    const page = await core.store.entries(core.id, { after, types: ['summary_added'], limit: pageSize })
    const nodes = page.flatMap(entry => (isType(entry, 'summary_added') ? [entry.data] : []))
    for (const node of await wholeSummaries(core, nodes)) found.push({ ...node, shown: shown.has(node.id) })
    if (page.length < pageSize) return found
    after = page.at(-1)?.seq ?? 0
  }
}
