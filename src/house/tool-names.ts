import { AgentSession, type Tool } from '#agent'
import type { SessionRow } from '#journal'
import type { MemorySession } from '#memory'
import { settingsOf } from '#session'

/** Names of the tools that a session may use. */
export async function toolNames(
  shared: readonly Tool[],
  session: MemorySession | undefined,
  row: SessionRow | undefined,
): Promise<readonly string[]> {
  const names = shared.map(({ name }) => name)
  if (session === undefined || row === undefined) return names
  const { core, gear } = AgentSession.insideOf(session)
  const own = Array.isArray(gear.tools) ? (gear.tools as readonly Tool[]).map(({ name }) => name) : Object.keys(gear.tools ?? {})
  return [...names, ...own, ...(await settingsOf(core, row)).tools.map(({ name }) => name)]
}
