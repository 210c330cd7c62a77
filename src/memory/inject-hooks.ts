import type { ContextHook, HookState } from '#context'
import { isType, type TenantStore } from '#journal'
import { showsArchives } from './archives-context.ts'
import type { ShownMemory } from './commit-ports.ts'
import { learntText } from './extraction-text.ts'
import { enveloped, profileText, recallText } from './inject.ts'
import { readFolding } from './read-state.ts'
import type { Recall } from './recall.ts'
import { stateText } from './state-text.ts'

/** Characters of recall beside one message. */
const mostRecalled = 4_000
/** How far back the newest user message is looked for, where it is stored already. */
const lookBack = 20

/**
 * Profile, working state and recall in contexts without the view of archives, which has places of its own for them. Each text
 * stands in an envelope, as data. Source: spec/memory.md 6.
 */
export function injectHooks(recall: () => Recall, storeOf: (tenant: string) => TenantStore): readonly ContextHook[] {
  const hook = (
    name: string,
    place: ContextHook['place'],
    read: (state: HookState, store: TenantStore) => Promise<readonly ShownMemory[]>,
  ): ContextHook => ({
    name,
    place,
    origin: 'recall',
    render: async state => {
      if (showsArchives(state.row, {})) return null
      return (await read(state, storeOf(state.tenant))).map(enveloped).join('\n')
    },
  })
  return [
    hook('memory_profile', 'head', async ({ row }, store) => await profileText(recall(), store, row)),
    hook('memory_state', 'turn', async ({ session, row }, store) => {
      const text = stateText((await readFolding({ id: session, store, memory: {} }, row)).state)
      return text === '' ? [] : [{ kind: 'state', id: session, text }]
    }),
    hook('memory_recall', 'turn', async (state, store) => {
      const found = await recallText(recall(), store, state.row, state.said ?? (await newestSaid(state, store)))
      let left = mostRecalled
      return found.filter(({ text }) => (left -= text.length) >= 0)
    }),
  ]
}

async function newestSaid({ session }: HookState, store: TenantStore): Promise<string> {
  for (const entry of await store.branch(session, { types: ['message_added'], limit: lookBack }))
    if (isType(entry, 'message_added') && entry.data.role === 'user') return learntText(entry.data.parts)
  return ''
}
