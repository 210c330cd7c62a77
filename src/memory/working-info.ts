import type { SessionRow } from '#journal'
import type { SessionCore, SessionInfo } from '#session'
import { liveCounts } from './live-counts.ts'
import { readFolding } from './read-state.ts'

/** What the list of open sessions says of one beside its row. */
export async function workingInfo(
  core: SessionCore,
  row: SessionRow,
): Promise<Pick<SessionInfo, 'liveTokens'> & Partial<SessionInfo>> {
  const [{ liveTokens }, { state }] = await Promise.all([liveCounts(core, row), readFolding(core, row)])
  return { liveTokens, objective: state.objective }
}
