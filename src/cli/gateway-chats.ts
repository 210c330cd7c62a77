import { chatPlatforms, chatSdkAdapter, type GatewayAdapter, type GatewayOptions, missingVariables, openPlatform } from '#gateway'
import { given, isObject } from '#kernel'
import type { ChatSettings } from './gateway-config.ts'
import type { Io } from './io.ts'

interface Wanted {
  readonly env: Io['env']
  /** What the file says of platforms: those that it names are spoken with. */
  readonly platforms: GatewayOptions['platforms']
  readonly settings: Readonly<Record<string, ChatSettings>>
  tell(text: string): void
}

/**
 * Adapters of the platforms that the file names and whose tokens the environment has. One without any is said and left out; one
 * with some of them is `config.invalid`, one without its packages `adapter.unavailable`.
 */
export async function openChats({ env, platforms, settings, tell }: Wanted): Promise<GatewayAdapter[]> {
  const adapters: GatewayAdapter[] = []
  for (const [platform, known] of Object.entries(chatPlatforms)) {
    const named = isObject(platforms) ? platforms[platform] : undefined
    if (named === undefined || named.enabled === false) continue
    const missing = missingVariables(known, env)
    if (missing.length === known.needs.length) {
      tell(`${known.title} is not connected: ${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} not set.`)
      continue
    }
    const adapter = await openPlatform(known, env, tell)
    adapters.push(chatSdkAdapter({ platform, adapter, ...given(settings[platform] ?? {}) }))
  }
  return adapters
}
