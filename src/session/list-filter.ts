import type { SessionId } from '#kernel'
import type { SessionSort, SessionState } from '#journal'

export interface ListFilter {
  readonly query?: string
  readonly state?: SessionState
  /** This process's working set. */
  readonly open?: boolean
  readonly user?: string
  readonly agent?: string
  readonly platform?: string
  readonly cwd?: string
  readonly tag?: string
  readonly parent?: SessionId
  readonly activeWithinMs?: number
  readonly since?: number
  readonly until?: number
  readonly sort?: SessionSort
  /** 1–200, default 50. */
  readonly limit?: number
  readonly cursor?: string
}
