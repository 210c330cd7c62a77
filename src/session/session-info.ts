import { isObject, type Json, type JsonObject, type RunId, type SessionId, type EntryId, type TurnId } from '#kernel'
import type { Counters, SessionRow, SessionState, Usage } from '#journal'

/** Tokens and money of a set of requests. `nano` is what is known, `null` if nothing is; `complete` says whether that is all. */
export interface UsageTotals {
  readonly requests: number
  readonly usage: { readonly [F in keyof Usage]: number }
  readonly cost: { readonly nano: number | null; readonly complete: boolean; readonly unknownRequests: number }
}

export interface SessionInfo {
  readonly id: SessionId
  readonly alias: string | null
  readonly tenant: string
  readonly title: string | null
  readonly preview: string | null
  readonly state: SessionState
  readonly createdAt: number
  readonly updatedAt: number
  readonly lastMessageAt: number | null
  readonly lastAccessedAt: number
  readonly seq: number
  readonly leafId: EntryId | null
  /** On the branch. */
  readonly messages: number
  readonly turns: number
  /** Estimated tokens of the branch's messages that no archive holds. */
  readonly liveTokens: number
  readonly model: string | null
  /** Set while the model is the offline demo. */
  readonly demo?: true
  readonly thinking: string | null
  readonly user: string | null
  readonly agent: string
  readonly platform: string | null
  readonly cwd: string | null
  readonly tags: readonly string[]
  readonly metadata: JsonObject
  readonly parent: SessionId | null
  readonly holds: readonly string[]
  /** What the provider counted as the last request's prompt, `null` where it never said. */
  readonly lastPromptTokens: number | null
  /** The route on which it is current. */
  readonly route?: { readonly key: string; readonly generation: number }
  readonly running: { readonly run: RunId; readonly turn: TurnId; readonly since: number } | null
  readonly usage: UsageTotals
  /** Of a session of the working set: what it is about. */
  readonly objective?: string | null
}

export function sessionInfo(tenant: string, row: SessionRow): SessionInfo {
  const member = (name: string): JsonObject => {
    const value = row.data[name]
    return isObject(value) ? (value as JsonObject) : {}
  }
  const running = row.data['running']
  const settings = member('settings')
  return {
    id: row.id,
    alias: row.alias,
    tenant,
    title: row.title,
    preview: row.preview,
    state: row.state,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    lastMessageAt: row.lastMessageAt,
    lastAccessedAt: row.lastAccessedAt,
    seq: row.seq,
    leafId: row.leafId,
    messages: row.totals.messages,
    turns: row.totals.turns,
    liveTokens: Math.max(0, row.totals.tokens - archivedTokens(row.data)),
    model: row.model,
    ...(row.model?.startsWith('demo/') === true ? { demo: true as const } : {}),
    thinking: textOf(settings['thinking']),
    user: row.user,
    agent: row.agent,
    platform: row.platform,
    cwd: row.cwd,
    tags: row.tags,
    metadata: member('metadata'),
    parent: row.parent,
    holds: Object.keys(member('holds')).sort(),
    running: isObject(running) ? runningOf(running) : null,
    lastPromptTokens: numberOf(member('request')['reported']),
    ...routeOf(row.data['route']),
    usage: usageTotals(row.counters),
  }
}

/** Of the branch up to the newest archive's end; behind a leaf that was moved since, that is read where it has to be exact. */
function archivedTokens({ archive, moved }: JsonObject): number {
  if (!isObject(archive) || !isObject(archive['base']) || (archive['move'] ?? null) !== (moved ?? null)) return 0
  return typeof archive['base']['tokens'] === 'number' ? archive['base']['tokens'] : 0
}

function runningOf({ run, turn, since }: Record<string, unknown>): SessionInfo['running'] {
  return { run, turn, since } as NonNullable<SessionInfo['running']>
}

const numberOf = (value: Json | undefined): number | null => (typeof value === 'number' ? value : null)

function routeOf(value: Json | undefined): Pick<SessionInfo, 'route'> {
  return isObject(value) ? { route: value as unknown as NonNullable<SessionInfo['route']> } : {}
}

const textOf = (value: Json | undefined): string | null => (typeof value === 'string' ? value : null)

/** The session's sums as everybody sees them. One unknown price makes the cost incomplete, never 0. Law S11. */
export function usageTotals(counters: Counters): UsageTotals {
  const { requests, unknownRequests, costNano } = counters
  return {
    requests,
    usage: {
      inputTokens: counters.inputTokens,
      cacheReadTokens: counters.cacheReadTokens,
      cacheWrite5mTokens: counters.cacheWrite5mTokens,
      cacheWrite1hTokens: counters.cacheWrite1hTokens,
      outputTokens: counters.outputTokens,
      reasoningTokens: counters.reasoningTokens,
    },
    cost: {
      nano: requests > unknownRequests || requests === 0 ? costNano : null,
      complete: unknownRequests === 0,
      unknownRequests,
    },
  }
}
