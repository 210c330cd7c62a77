import type { BlobId, Json } from '#kernel'

export type Role = 'user' | 'assistant' | 'tool' | 'system'
export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'content_filter' | 'error' | 'aborted' | 'other'

/** A provider's finish reason, where it came from outside, stays beside ours in `rawFinishReason`. */
export interface Message {
  readonly role: Role
  readonly parts: readonly Part[]
  readonly from?: string
  readonly source?: Json
  readonly model?: string
  readonly finishReason?: FinishReason
  readonly rawFinishReason?: string
  /** How far what it says may be trusted, where that is not the user's own word. */
  readonly trust?: string
  /** What the format that it came in said beside; opaque, kept as it is. */
  readonly providerData?: Json
}

interface PartCommon {
  /** `recall`: injected from memory, so never learnt from. */
  readonly origin?: 'recall'
  /** What a provider wants back untouched; opaque, kept byte for byte. Law J9. */
  readonly providerData?: Json
  /** Of a result or file that is too large to be shown: what it is made of, in at most 400 tokens. Shown in its place. */
  readonly outline?: string
}

export interface TextPart extends PartCommon {
  readonly type: 'text'
  readonly text: string
}
export interface ReasoningPart extends PartCommon {
  readonly type: 'reasoning'
  readonly text: string
  readonly signature?: string
  readonly redacted?: string
}
export interface ToolCallPart extends PartCommon {
  readonly type: 'tool_call'
  readonly callId: string
  readonly tool: string
  readonly input: Json
}
export type ToolResultStatus = 'ok' | 'error' | 'denied' | 'skipped' | 'interrupted'
export interface ToolResultPart extends PartCommon {
  readonly type: 'tool_result'
  readonly callId: string
  readonly tool: string
  readonly status: ToolResultStatus
  readonly output: Json
  readonly details?: Json
  readonly trust?: string
}
/** `bytes` is the size. The content is a blob, or stays where `url` points. `tokens`: what it was estimated at, by its content. */
export interface FilePart extends PartCommon {
  readonly type: 'file'
  readonly mediaType: string
  readonly name?: string
  readonly bytes: number
  readonly tokens?: number
  readonly blob?: BlobId
  readonly url?: string
}
export interface SourcePart extends PartCommon {
  readonly type: 'source'
  readonly url: string
  readonly title?: string
}
export interface CustomPart extends PartCommon {
  readonly type: 'custom'
  readonly name: string
  readonly data: Json
}
/** What is left of a part whose blob is missing or altered. Everything else of the entry still reads. */
export interface LostPart {
  readonly type: 'lost'
  readonly blob: BlobId
}

export type Part = TextPart | ReasoningPart | ToolCallPart | ToolResultPart | FilePart | SourcePart | CustomPart | LostPart

/** What a model is told of a tool. */
export interface ToolDescription {
  readonly name: string
  readonly description: string
  readonly inputSchema: Json
}
