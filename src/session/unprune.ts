import { invalidInput, isId, SkeinError } from '#kernel'
import { applyEdit, type Edit, itemOf, noEdit, type ShownEntry } from '#context'
import type { PartRef } from '#journal'
import { readContextState } from './context-state.ts'
import type { SessionCore } from './core.ts'
import { draft } from './draft.ts'

/**
 * Shows parts as they are stored, in one edit that can be followed back. Parts that are shown whole stay as they are. Throws
 * `input.invalid` for what is no part's ref, `entry.not_found` for one that the context doesn't show. Law C42.
 */
export async function unprune(
  core: SessionCore,
  refs: readonly PartRef[],
): Promise<{ readonly restored: readonly PartRef[]; readonly version: number }> {
  checkRefs(refs)
  let answer = { restored: [] as PartRef[], version: 0 }
  await core.path(
    async row => {
      const { frontier, show } = await readContextState(core, row)
      const changed = new Set(frontier.items.flatMap(item => (item.kind === 'entry' ? changedParts(item) : [])))
      const shown = new Set(frontier.items.flatMap(item => (item.kind === 'entry' ? [item.entry.id] : [])))
      for (const ref of refs) {
        if (!shown.has(ref.split('#')[0] as never))
          throw new SkeinError('entry.not_found', `The context of session ${core.id} doesn't show ${ref}.`, { details: { ref } })
      }
      const restored = [...new Set(refs)].filter(ref => changed.has(ref))
      answer = { restored, version: frontier.version + (restored.length > 0 ? 1 : 0) }
      if (restored.length === 0) return { drafts: [] }
      const edit: Edit = { ...noEdit, restore: restored }
      const items = applyEdit(frontier.items, edit, show)
      const first = items.findIndex((item, at) => item !== frontier.items[at])
      const sharedTokens = items.slice(0, first).reduce((sum, item) => sum + item.tokens, 0)
      const data = {
        version: answer.version,
        reason: 'unprune',
        swapped: [],
        pruned: [],
        cut: [],
        restored,
        sharedTokens,
      } as const
      return { drafts: [draft('context_edited', { ...data, frontier: items.map(itemOf) })] }
    },
    core.activeRun === undefined ? {} : { run: core.activeRun },
  )
  return answer
}

function checkRefs(refs: unknown): void {
  if (!Array.isArray(refs)) throw invalidInput('refs', 'Expected a list of parts, as in ent_…#0.')
  refs.forEach(checkRef)
}

function checkRef(ref: unknown, index: number): void {
  const [entry, part, more] = typeof ref === 'string' ? ref.split('#') : []
  if (!isId('ent', entry) || part === undefined || !/^\d{1,6}$/.test(part) || more !== undefined)
    throw invalidInput(`refs[${index}]`, 'Expected a part, as in ent_…#0.')
}

const changedParts = ({ entry, pruned, cut }: ShownEntry): PartRef[] =>
  [...pruned, ...cut.map(({ part }) => part)].map((part): PartRef => `${entry.id}#${part}`)
