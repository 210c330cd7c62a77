import { canonical, type EntryId, type Json } from '#kernel'
import { type Entry, fetchParts, isType, noTotals } from '#journal'
import { digestable, messageDrafts, namedContents, type VerbOptions, writeOptions } from './append-messages.ts'
import type { Plan, SessionCore } from './core.ts'
import { draft } from './draft.ts'
import { type MessageFormat, writeMessages } from './formats/messages.ts'
import type { MessageInput } from './message-input.ts'
import { settingsAt } from './move-leaf.ts'
import { readAppend } from './read-input.ts'
import { fileContents } from './read-messages.ts'

export interface Rewritten {
  /** Messages of the branch that stayed, and messages that are new. */
  readonly kept: number
  readonly added: number
  readonly leafId: EntryId | null
}

/**
 * Makes the conversation exactly these messages, in one commit: the leaf moves to the end of what is common with the branch,
 * the rest is appended there. Nothing is removed; the branch that was left stays whole. Law G50.
 */
export async function rewriteBranch(
  core: SessionCore,
  messages: unknown,
  options: VerbOptions & { readonly format?: MessageFormat } = {},
): Promise<Rewritten> {
  const inputs = readAppend(messages, options.format)
  return await core.verb(async () => {
    const contents = await namedContents(core, inputs)
    const wanted = inputs.map(input => written(input, { contentOf: blob => contents.get(blob) }))
    let kept = 0
    const { entries, row } = await core.path(
      async (row): Promise<Plan> => {
        const branch = await branchOf(core, row.leafId)
        const said = branch.filter(entry => isType(entry, 'message_added'))
        kept = await commonWith(core, said, wanted)
        const rest = inputs.slice(kept)
        const stowed = messageDrafts(core, rest, {}, { handedIn: true, contents })
        const dropped = said[kept]
        if (dropped === undefined) return stowed
        const cut = cutBefore(branch, dropped)
        const totals = cut.totals ?? noTotals
        return {
          ...stowed,
          drafts: [draft('leaf_moved', { to: cut.id, reason: 'rewritten' }, { totals }), ...stowed.drafts],
          head: await settingsAt(core, cut),
          onto: { leafId: cut.id, totals },
        }
      },
      { ...writeOptions('rewrite', options, inputs.map(digestable)), retryOnConflict: true },
    )
    const leaf = entries.findLast(entry => entry.parentId !== null)
    const moved = entries.find(entry => isType(entry, 'leaf_moved'))
    const to = moved !== undefined && isType(moved, 'leaf_moved') ? moved.data.to : row.leafId
    return { kept, added: inputs.length - kept, leafId: leaf?.id ?? to }
  })
}

/** A message as the form says it that most chat APIs take: what is equal there is the same message. */
function written(
  message: MessageInput | Parameters<typeof writeMessages>[1][number],
  options: Parameters<typeof writeMessages>[2],
): string {
  return canonical(writeMessages('openai', [message as Parameters<typeof writeMessages>[1][number]], options) as Json)
}

/** How many messages at the beginning are the same. */
async function commonWith(core: SessionCore, said: readonly Entry[], wanted: readonly string[]): Promise<number> {
  for (const [index, entry] of said.slice(0, wanted.length).entries()) {
    const [full] = (await fetchParts(core.store, [entry])).entries
    if (full === undefined || !isType(full, 'message_added')) return index
    const contents = await fileContents(core, [full.data])
    if (written(full.data, contents) !== wanted[index]) return index
  }
  return Math.min(said.length, wanted.length)
}

/** The path from the root to the leaf. */
async function branchOf(core: SessionCore, leafId: EntryId | null): Promise<Entry[]> {
  const branch: Entry[] = []
  for (let from = leafId; from !== null;) {
    const page = await core.store.branch(core.id, { from, limit: 500 })
    branch.push(...page)
    from = page.length === 0 ? null : (page.at(-1)?.parentId ?? null)
  }
  return branch.reverse()
}

/** Where the branch ends without a message and what was begun for it. */
function cutBefore(branch: readonly Entry[], dropped: Entry): Entry {
  let at = branch.indexOf(dropped) - 1
  while (at > 0 && (branch[at]?.type === 'turn_started' || branch[at]?.type === 'context_noted')) at--
  return branch[at] ?? dropped
}
