import type { Fresh } from './route.ts'
import { resetDefaults, type ResetPolicy } from './reset-policy.ts'

const hourMinutes = 60

/** What a user is told of a session that began by itself; undefined where there is nothing to tell. Law G34. */
export function freshNotice(fresh: Fresh | undefined, policy: ResetPolicy, platform: string): string | undefined {
  if (fresh?.kind !== 'auto' || !fresh.hadActivity) return undefined
  const { idleMinutes, atHour, notify, notifyExclude } = { ...resetDefaults, ...policy }
  if (!notify || (notifyExclude as readonly string[]).includes(platform)) return undefined
  const why = whyOf(fresh.reason, idleMinutes, atHour)
  return why === undefined ? undefined : `New session: ${why}. Send /resume 1 to go back.`
}

function whyOf(reason: string, idleMinutes: number, atHour: number): string | undefined {
  const idle = idleMinutes > 0 && idleMinutes % hourMinutes === 0 ? `${idleMinutes / hourMinutes} h` : `${idleMinutes} min`
  switch (reason) {
    case 'idle':
    case 'all':
      return `the last one was idle for more than ${idle}`
    case 'daily':
      return `the day turned over at ${String(atHour).padStart(2, '0')}:00`
    case 'suspended':
      return 'the last one was stopped'
    default:
      return undefined
  }
}
