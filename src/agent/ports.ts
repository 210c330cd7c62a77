import type { SessionId } from '#kernel'
import type { AiSdkModel, ConnectedModel, Connector, ConnectOptions, ModelInfo, ModelPort } from '#models'
import type { AgentGear, SendOptions } from './agent-options.ts'
import type { ChildSession } from './children.ts'
import type { ConfigSource } from './config-source.ts'
import type { Extended, Extension } from './extensions.ts'
import type { Hook } from './hooks.ts'
import type { RunSeams } from './run-seams.ts'
import type { Telemetry } from './telemetry.ts'
import type { Tool, UserInterface } from './tool.ts'

/** What the agent needs from outside: models, and the tools that a session was given in this process. */
export interface AgentPorts {
  /** Throws `model.unknown`, `auth.missing`, `model.provider_missing` before anything is written. */
  connect(model: string | ModelPort | AiSdkModel | null, options?: ConnectOptions): Promise<ConnectedModel>
  /** What files and variables say. Default: nothing. */
  readonly config?: ConfigSource
  readonly tools: readonly Tool[]
  readonly seams?: Partial<RunSeams>
  /** Of the host: they come before all of a session's own. */
  readonly hooks?: readonly Hook[]
  readonly extensions?: readonly Extension[]
  /** Where a session has none of its own. */
  readonly ui?: Partial<UserInterface>
  readonly telemetry?: Telemetry
  /** The same models, for one session, and what its extensions register among them. */
  scope?(): ModelScope
  /** What the extensions of the session added to it. */
  extended?(): Promise<Extended>
  /** What a sub-session has by itself: the host's tools, and what the session's own extensions are. */
  readonly inherited?: { readonly tools: readonly Tool[]; readonly extensions: AgentGear['extensions'] }
  /** The object of a sub-session. */
  open?(id: SessionId): Promise<ChildSession>
}

export interface ModelScope extends Pick<AgentPorts, 'connect'> {
  register(entry: Connector | ModelInfo): void
}

/** What holds where the options of a run say nothing. */
export type RunDefaults = Omit<AgentGear, 'modelOverride' | 'tools' | 'extensions'> & Pick<SendOptions, 'model'>
