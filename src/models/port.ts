import type { FilePart, Message, Part, ToolDescription, Usage } from '#journal'
import type { Json, JsonObject, SkeinError } from '#kernel'

export const thinkingLevels = ['off', 'minimal', 'low', 'medium', 'high', 'xhigh'] as const
export type ThinkingLevel = (typeof thinkingLevels)[number]

/** A file as a model gets it: `data` is its content. Without `data` and `url` it cannot be sent. */
export interface RequestFile extends FilePart {
  readonly data?: Uint8Array
}

/** A journal message, its large parts fetched and its files' contents beside them. Every journal `Message` is one. */
export interface RequestMessage extends Omit<Message, 'parts'> {
  readonly parts: readonly (Part | RequestFile)[]
}

/** One request to a model. Whoever builds it has checked and repaired it: a port adds and removes nothing. */
export interface ModelRequest {
  readonly system?: string | null
  readonly messages: readonly RequestMessage[]
  readonly tools: readonly ToolDescription[]
  /** Output tokens, reasoning included; a port raises it where a thinking level needs more. Absent: the provider's default. */
  readonly maxTokens?: number
  /** Absent: nothing is said to the provider. `off` asks it not to think. */
  readonly thinking?: ThinkingLevel
  readonly temperature?: number
  /** Where cache marks may stand and how long they hold. Absent: no marks. `prefill` counts the messages that stand before all history. */
  readonly cache?: { readonly ttl: '5m' | '1h'; readonly prefill?: number }
  /** Handed to the provider untouched, by provider name; wins over what a port sets itself. */
  readonly providerOptions?: { readonly [provider: string]: JsonObject }
}

export type EndReason = 'stop' | 'tool_calls' | 'length' | 'content_filter' | 'other'

/**
 * What a model does while it answers. `providerData` is opaque, belongs on the part that the event closes, and goes back
 * with it byte for byte (law P30). `text_ended` comes only where a provider attached something to a text.
 * `usage` may repeat: the last one counts. Exactly one `ended` or `failed` closes a stream (law P25).
 */
export type ModelEvent =
  | { readonly type: 'request_started'; readonly responseId?: string }
  | { readonly type: 'text_delta' | 'reasoning_delta'; readonly id: string; readonly text: string }
  | { readonly type: 'text_ended' | 'reasoning_ended'; readonly id: string; readonly providerData?: Json }
  | { readonly type: 'call_delta'; readonly callId: string; readonly name: string; readonly text: string }
  | {
      readonly type: 'call_ended'
      readonly callId: string
      readonly name: string
      /** JSON text as the model wrote it, possibly broken. */
      readonly input: string
      readonly providerData?: Json
    }
  | { readonly type: 'file_ended'; readonly mediaType: string; readonly bytes: Uint8Array; readonly providerData?: Json }
  | { readonly type: 'usage'; readonly usage: Usage }
  | { readonly type: 'ended'; readonly reason: EndReason; readonly rawFinishReason?: string }
  | { readonly type: 'failed'; readonly error: SkeinError }

/**
 * Something that answers requests. `stream` begins when it is iterated; each iteration is a request of its own.
 * A provider's failure is a `failed` event, never a throw. An aborted signal ends the iteration at once, also on a
 * provider that hangs, by throwing the signal's reason; usage that was known by then has been yielded before.
 */
export interface ModelPort {
  readonly provider: string
  readonly modelId: string
  /** What the port knows of its model; the registry's row fills in the rest. */
  readonly info?: Partial<ModelInfo>
  stream(request: ModelRequest, signal: AbortSignal): AsyncIterable<ModelEvent>
}

/** An unknown capability counts as yes for tools, as no for images and reasoning. */
export interface Capabilities {
  readonly reasoning?: boolean
  readonly images?: boolean
  readonly tools?: boolean
}

export interface ModelInfo {
  readonly provider: string
  readonly id: string
  readonly name: string
  /** Tokens of prompt and answer together. */
  readonly contextWindow: number
  readonly maxOutput: number
  readonly capabilities: Capabilities
  readonly prices?: readonly PriceRow[]
  /** The whole provider is paid by subscription: requests cost 0. */
  readonly billing?: 'subscription'
  /** Made up from the id's look, not from a table. Law P4. */
  readonly synthesized?: true
  /** Its window was not told and is 128,000 by default. Law P31. */
  readonly assumed?: true
  /** Not a language model. */
  readonly demo?: true
}

/** Integer nano-dollars per million tokens. A missing rate is unknown, not free. */
export interface Rates {
  readonly input?: number
  readonly output?: number
  readonly cacheRead?: number
  readonly cacheWrite5m?: number
  readonly cacheWrite1h?: number
}

/** What a model costs from a day on. Source: spec/agent.md 3. */
export interface PriceRow {
  readonly provider: string
  readonly model: string
  /** First day, `YYYY-MM-DD`, UTC; absent: from always. */
  readonly from?: string
  readonly rates: Rates
  /** Above this many prompt tokens the whole request has these rates; what a tier leaves out is unknown. */
  readonly tiers?: readonly { readonly abovePromptTokens: number; readonly rates: Rates }[]
}

export interface OAuth {
  readonly accessToken: string
  readonly refreshToken: string
  /** Epoch milliseconds. */
  readonly expiresAt: number
}

/** What a provider accepts as proof, and where it was found. `none` is for models that need none. */
export type Credential =
  | { readonly kind: 'none'; readonly fields?: { readonly [name: string]: string } }
  | {
      readonly kind: 'apiKey'
      readonly apiKey: string
      readonly source: 'option' | 'runtime' | 'stored' | 'environment'
      /** Further members that a provider needs, e.g. `baseUrl`. */
      readonly fields?: { readonly [name: string]: string }
    }
  | { readonly kind: 'oauth'; readonly oauth: OAuth; readonly source: 'stored' }

/**
 * Makes ports for one provider. `refresh` is called under the credential file's lock, 300 s before a login's time is over, and
 * has 20 s. It throws `auth.rejected`, or an error with the `status` 400, 401 or 403, where the provider refuses the login; whatever
 * else it throws means that the provider could not be asked now. It may leave `refreshToken` out: then the old one is kept.
 */
export interface Connector {
  readonly provider: string
  connect(credential: Credential, info: ModelInfo): ModelPort | Promise<ModelPort>
  refresh?(oauth: OAuth, signal: AbortSignal): Promise<OAuth>
}

/** A model object of the AI SDK, by shape: `specificationVersion` v2, v3 or v4 with `doStream`. */
export interface AiSdkModel {
  readonly specificationVersion: string
  readonly provider: string
  readonly modelId: string
  doStream(options: never): PromiseLike<{ readonly stream: ReadableStream<unknown> }>
}
