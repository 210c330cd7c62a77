import { hostZone, lastBoundary, nextBoundary } from './zones.ts'

export const resetModes = ['none', 'idle', 'daily', 'both', 'all'] as const
export type ResetMode = (typeof resetModes)[number]

/** When a conversation begins afresh by itself. */
export interface ResetPolicy {
  /** `both`: whichever is due first; `all`: only when both are. */
  readonly mode: ResetMode
  /** Default 1440. */
  readonly idleMinutes?: number
  /** Of the zone's day, 0–23. Default 4. */
  readonly atHour?: number
  /** IANA. Default: the gateway's, then the host's. */
  readonly zone?: string
  /** Whether the user is told. Default true. */
  readonly notify?: boolean
  /** Platforms where nobody is told. Default `api_server`, `webhook`. */
  readonly notifyExclude?: readonly string[]
}

export interface ResetClocks {
  readonly lastUserAt: number
  /** The end of the last turn that a user's message began. */
  readonly lastTurnEndedAt?: number
}

export interface ResetDecision {
  readonly due: boolean
  readonly reason: 'idle' | 'daily' | 'all' | null
  /** The first millisecond at which a message would reset, `null` if none ever does. */
  readonly nextAt: number | null
}

export const resetDefaults: Required<Omit<ResetPolicy, 'mode' | 'zone'>> = {
  idleMinutes: 1_440,
  atHour: 4,
  notify: true,
  notifyExclude: ['api_server', 'webhook'],
}

/**
 * Whether a message that comes now begins afresh. Both clocks run from the later of the two times, one in the future counts
 * as now. Idle is due after `idleMinutes`, daily once the zone's wall clock has read `atHour:00` since. Laws G26–G29, G32.
 */
export function evaluateReset(policy: ResetPolicy | ResetMode, clocks: ResetClocks, now: number): ResetDecision {
  const { mode, idleMinutes, atHour, zone: given } = { ...resetDefaults, ...asPolicy(policy) }
  const last = Math.min(now, Math.max(clocks.lastUserAt, clocks.lastTurnEndedAt ?? Number.NEGATIVE_INFINITY))
  const idle = (): Due => {
    const until = last + idleMinutes * 60_000
    return { due: now > until, at: Math.floor(until) + 1 }
  }
  const daily = (): Due => {
    const zone = given ?? hostZone()
    return { due: last < lastBoundary(now, atHour, zone), at: nextBoundary(last, atHour, zone) }
  }
  switch (mode) {
    case 'none':
      return { due: false, reason: null, nextAt: null }
    case 'idle':
      return decide(idle(), 'idle')
    case 'daily':
      return decide(daily(), 'daily')
    case 'both': {
      const [first, second] = [idle(), daily()]
      return { ...decide(first.due ? first : second, first.due ? 'idle' : 'daily'), nextAt: Math.min(first.at, second.at) }
    }
    case 'all': {
      const [first, second] = [idle(), daily()]
      return decide({ due: first.due && second.due, at: Math.max(first.at, second.at) }, 'all')
    }
    default:
      return mode satisfies never
  }
}

interface Due {
  readonly due: boolean
  readonly at: number
}

function decide({ due, at }: Due, reason: 'idle' | 'daily' | 'all'): ResetDecision {
  return { due, reason: due ? reason : null, nextAt: at }
}

/** A mode alone is a policy with all its constants. What is `undefined` is not there. */
export function asPolicy(given: ResetPolicy | ResetMode): ResetPolicy {
  if (typeof given === 'string') return { mode: given }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as unknown as ResetPolicy
}
