import {
  type Extension,
  type Hook,
  readExtensions,
  readHooks,
  readTelemetry,
  readUi,
  type TelemetryOptions,
  type Tool,
  type UserInterface,
} from '#agent'
import type { ContextHook, ContextSettingsInput, Summarizer } from '#context'
import { type GatewayOptions, readGatewaySettings } from '#gateway'
import type { Store } from '#journal'
import {
  aFlag,
  aFunction,
  anObject,
  aText,
  type Clock,
  either,
  listOf,
  type Random,
  shape,
  type Timers,
  wholeNumber,
} from '#kernel'
import type { MemorySettings } from '#memory'
import type { ModelsOptions } from '#models'
import type { LiveLimits, Notice } from '#session'

/** `openSkein(options)`. */
export interface SkeinOptions {
  /** `memory:`, `sqlite:FILE`, `postgres://…`, or a store object, which `close` leaves open. Default `sqlite:skein.db`. */
  readonly store?: string | Store
  readonly clock?: Clock
  readonly random?: Random
  readonly timers?: Timers
  readonly sessions?: Partial<LiveLimits>
  /** The model of sessions that name none. Default: the first provider with a key in `env`, else the offline demo. */
  readonly model?: string
  readonly models?: Omit<ModelsOptions, 'env' | 'timers'>
  /**
   * The file of provider keys and logins. Default: what `env` says, which is `SKEIN_CREDENTIALS`, else `skein/credentials.json` in
   * `XDG_CONFIG_HOME` or in `.config` of `HOME`; without any of them there is no file.
   */
  readonly credentials?: string
  /** Where keys and base URLs are looked up. Default: nothing; the server and the command line hand in the process's. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /**
   * A file of settings instead of the user's, which is `skein/config.toml` in `XDG_CONFIG_HOME` or in `.config` of `HOME`, as `env`
   * says them. A project's file is found from a session's `cwd` upward.
   */
  readonly config?: string
  /** Tools that every session of this process may use. */
  readonly tools?: readonly Tool[]
  /** Code at the places of every session and run, before a session's own. */
  readonly hooks?: readonly Hook[]
  /** Loaded for every session that is opened, before its own. */
  readonly extensions?: readonly Extension[]
  /** By which people are shown and asked something, where a session says nothing else. */
  readonly ui?: Partial<UserInterface>
  /** How runs are told to OpenTelemetry. Default: spans without content, where a host has registered a tracer provider. */
  readonly telemetry?: boolean | TelemetryOptions
  /** How contexts are kept, where a session doesn't say otherwise. A summarizer may be one of your own. */
  readonly context?: Omit<ContextSettingsInput, 'summarizer'> & { readonly summarizer?: string | Summarizer }
  /** Archives, learning and recall. Without it nothing is sealed by itself. */
  readonly memory?: MemorySettings
  /** Texts that stand in every context beside the conversation. */
  readonly contextHooks?: readonly ContextHook[]
  /** Where messages come from, and which session they go to. */
  readonly gateway?: GatewayOptions
  /** `false`: this process runs no background jobs. */
  readonly worker?: boolean
  readonly onNotice?: (notice: Notice) => void
  /** Takes each notice as a line to log; never message text. */
  readonly logger?: { log(line: Notice & { readonly at: number }): void }
}

export const checkOptions: (value: unknown) => void = shape<SkeinOptions>({
  store: either(aText, anObject, 'Expected an address or a store.'),
  clock: anObject,
  random: anObject,
  timers: anObject,
  sessions: shape<LiveLimits>({ liveMax: wholeNumber(1), idleMs: wholeNumber(1) }),
  model: aText,
  credentials: aText,
  models: shape<Omit<ModelsOptions, 'env' | 'timers'>>({
    clock: anObject,
    notice: aFunction,
    store: anObject,
    prices: listOf(anObject, 'price rows'),
    morePrices: aFunction,
  }),
  env: anObject,
  config: aText,
  tools: listOf(anObject, 'tools'),
  hooks: value => void readHooks(value),
  extensions: value => void readExtensions(value),
  ui: value => void readUi(value),
  telemetry: value => void readTelemetry(value),
  context: anObject,
  memory: anObject,
  contextHooks: listOf(anObject, 'hooks'),
  gateway: value => void readGatewaySettings(value),
  worker: aFlag,
  onNotice: aFunction,
  logger: anObject,
})
