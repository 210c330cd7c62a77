import type { AgentSessions } from '#agent'
import type { SessionId } from '#kernel'
import type { MemorySession } from '#memory'
import type { Runtime } from '#session'
import type { SessionRow, TenantStore } from '#journal'
import { GatewayEvents } from './gateway-events.ts'
import type { HookTaker } from './hook-request.ts'
import { KeyedLocks } from './keyed-locks.ts'
import type { GatewaySettings } from './settings.ts'

export interface DeskParts {
  readonly runtime: Runtime
  readonly settings: GatewaySettings
  /** Whether a run of the session goes on in this process. */
  runsHere(tenant: string, session: SessionId): boolean
  /** Names of the tools that a session may use, or a new one. */
  toolNames(tenant: string, row: SessionRow | undefined): Promise<readonly string[]>
  /** Where Skein keeps its data, and the user's home, if they are known. */
  readonly dataFolder: string | undefined
  readonly home: string | undefined
}

/** What the gateways of one opening share: settings, the order of waiting callers, connected platforms. */
export class Desk {
  readonly runtime: Runtime
  readonly settings: GatewaySettings
  readonly runsHere: DeskParts['runsHere']
  readonly toolNames: DeskParts['toolNames']
  /** Where what is delivered to `local` goes, and the same as it is shown, with `~` for the user's home. */
  readonly outputFolder: string
  readonly outputDir: string
  /** One after the other, for each tenant and place. */
  readonly locks: KeyedLocks = new KeyedLocks()
  /** Platforms whose adapter was started and that are enabled. */
  readonly connected: Set<string> = new Set()
  /** Platforms whose adapter says that it can do with pseudonyms. */
  readonly piiSafe: Set<string> = new Set()
  /** By which adapter a hook's requests are taken, whichever tenant's it is. */
  readonly hooks: Map<string, HookTaker> = new Map()
  readonly events: GatewayEvents = new GatewayEvents()

  constructor({ runtime, settings, runsHere, toolNames, dataFolder, home }: DeskParts) {
    this.runtime = runtime
    this.settings = settings
    this.runsHere = runsHere
    this.toolNames = toolNames
    this.outputFolder = (settings.outputDir ?? `${dataFolder ?? '~/.local/share/skein'}/output`).replace(/(.)\/+$/, '$1')
    const isBelow = home !== undefined && home !== '' && (this.outputFolder === home || this.outputFolder.startsWith(`${home}/`))
    this.outputDir = isBelow ? `~${this.outputFolder.slice(home.length)}` : this.outputFolder
  }

  get now(): number {
    return this.runtime.clock.now()
  }
}

/** One tenant's side of the desk: what its verbs work on. */
export interface Front {
  readonly desk: Desk
  readonly tenant: string
  readonly store: TenantStore
  readonly sessions: AgentSessions<MemorySession>
}

/** Whose messages go out, and how what carries them is named. */
export const sendingOf = ({ tenant, desk }: Front): { readonly tenant: string; readonly ids: Runtime['ids'] } => ({
  tenant,
  ids: desk.runtime.ids,
})
