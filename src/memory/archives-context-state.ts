import type { SessionRow } from '#journal'
import type { SessionCore } from '#session'
import type { ShownMemory } from './commit-ports.ts'
import { readFolding } from './read-state.ts'
import { stateText } from './state-text.ts'

/** The working state, as it stands before the newest turn; none while there is nothing to say. */
export async function shownState(core: SessionCore, row: SessionRow): Promise<readonly ShownMemory[]> {
  const text = stateText((await readFolding(core, row)).state)
  return text === '' ? [] : [{ kind: 'state', id: core.id, text }]
}
