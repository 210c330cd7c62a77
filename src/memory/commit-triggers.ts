import { isObject, isSkeinError, messageOf } from '#kernel'
import type { SessionRow } from '#journal'
import type { SessionCore } from '#session'
import { cursorOf } from './commit-cursor.ts'
import { dueCause, type LiveState, type Policy, type PolicyCause, readPolicy } from './commit-policy.ts'
import { commitSession } from './commit.ts'
import type { CommitResult } from './commit-types.ts'
import { liveCounts, liveStart } from './live-counts.ts'
import type { MemoryParts } from './memory-parts.ts'

/** The session's own policy over its process's. */
export function policyOf(parts: MemoryParts, row: Pick<SessionRow, 'data'>): Policy {
  const own = isObject(row.data['memory']) ? row.data['memory']['commit'] : undefined
  return own === undefined ? parts.settings.commit : readPolicy(own, 'memory.commit', parts.settings.commit)
}

export async function liveState(core: SessionCore, row: SessionRow): Promise<LiveState> {
  const { lastCommitAt } = cursorOf(row)
  const { liveMessages, liveTokens } = await liveCounts(core, row)
  return {
    messages: liveMessages,
    tokens: liveTokens,
    oldestAt: liveMessages === 0 ? null : (await liveStart(core, row)).oldestAt,
    newestAt: row.lastMessageAt,
    lastCommitAt,
  }
}

export async function dueNow(core: SessionCore, parts: MemoryParts, row: SessionRow): Promise<PolicyCause | undefined> {
  const policy = policyOf(parts, row)
  if (policy === 'manual') return undefined
  return dueCause(policy, await liveState(core, row), core.runtime.clock.now())
}

/** Seals by policy what is due. Law M19. */
export async function commitDue(core: SessionCore, parts: MemoryParts, traceId?: string): Promise<CommitResult | undefined> {
  const row = await core.row()
  const policy = policyOf(parts, row)
  const cause = await dueNow(core, parts, row)
  if (cause === undefined || policy === 'manual') return undefined
  return await commitSession(core, parts, { cause, keepTurns: policy.keepTurns, ...(traceId === undefined ? {} : { traceId }) })
}

/** The same where nobody waits for it: what fails is a notice, and the next check tries again. */
export async function commitIfDue(core: SessionCore, parts: MemoryParts, traceId?: string): Promise<CommitResult | undefined> {
  try {
    return await commitDue(core, parts, traceId)
  } catch (error) {
    if (
      isSkeinError(error) &&
      (error.code === 'session.not_found' || error.code === 'session.closed' || error.code === 'store.closed')
    )
      return undefined
    core.runtime.notice({
      level: 'warn',
      code: isSkeinError(error) ? error.code : 'skein.bug',
      message: `A commit that was due failed: ${messageOf(error)}`,
      session: core.id,
      tenant: core.store.tenant,
      ...(traceId === undefined ? {} : { traceId }),
    })
    return undefined
  }
}
