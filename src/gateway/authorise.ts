import { bareId } from './key.ts'
import type { GatewaySettings } from './settings.ts'
import type { Source } from './source.ts'

/** Whether a source may speak, and by which rule. */
export interface Authorisation {
  readonly allowed: boolean
  readonly reason: 'host' | 'all' | 'list' | 'pairing' | 'allow_all' | 'bot' | 'unauthorized'
}

/**
 * The platform's `all`, its list by any alias, a pairing, everybody, else nobody; the command line passes, bots only where
 * they may. Laws G76, G78.
 */
export function authorise(
  { platforms, allowAll }: GatewaySettings,
  { platform, userId, userIdAlt, isBot }: Source,
  aliases: readonly string[],
  isPaired = false,
): Authorisation {
  if (platform === 'local') return { allowed: true, reason: 'host' }
  const { allow, allowBots = false } = Object.hasOwn(platforms, platform) ? (platforms[platform] ?? {}) : {}
  if (isBot && !allowBots) return { allowed: false, reason: 'bot' }
  if (allow === 'all') return { allowed: true, reason: 'all' }
  const bare = (id: string): string => bareId(platform, id)
  const known = new Set([...aliases, userId, userIdAlt].filter(id => id !== undefined).map(bare))
  if (allow?.some(id => known.has(bare(id))) === true) return { allowed: true, reason: 'list' }
  if (isPaired) return { allowed: true, reason: 'pairing' }
  return allowAll ? { allowed: true, reason: 'allow_all' } : { allowed: false, reason: 'unauthorized' }
}
