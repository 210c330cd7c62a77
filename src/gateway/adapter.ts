import type { Inbound, InboxReceipt } from './inbound.ts'
import type { Destination } from './outbox-row.ts'
import type { SourceInput } from './source.ts'

export interface AdapterCapabilities {
  /** UTF-16 units of one message. */
  readonly maxTextChars: number
  readonly edits: boolean
  readonly typing: boolean
  readonly threads: boolean
  readonly media: boolean
  /** The same `id` sent again shows once. */
  readonly idempotentSend: boolean
  /** People's ids need not reach the model as they are. */
  readonly piiSafe: boolean
}

/** What an adapter may ask of the gateway. */
export interface AdapterHost {
  /** Resolves once the message is stored; only then the platform is told that it came. */
  receive(message: Inbound): Promise<InboxReceipt>
  /** The gateway's time. */
  now?(): number
  /** Whether somebody may speak from there; what is large need not be fetched for who may not. */
  maySpeak?(source: SourceInput): Promise<boolean>
  /** Whether there is a session for messages from there already. */
  knows?(source: SourceInput): Promise<boolean>
}

export interface Outgoing {
  readonly text: string
  readonly replyTo?: string
  readonly kind: 'answer' | 'notice'
}

export interface SendContext {
  /** Of the outbox row, the same at each attempt. */
  readonly id: string
  /** From 1. */
  readonly attempt: number
  /** When the message was put on its way. */
  readonly at: number
  readonly signal: AbortSignal
}

/** What a failed `send` may say. Anything else that is thrown is tried again. */
export interface SendFault {
  /** Never send it again. */
  readonly permanent?: boolean
  readonly retryAfterMs?: number
}

/** A platform, as the gateway knows it. */
export interface GatewayAdapter {
  readonly platform: string
  readonly capabilities: AdapterCapabilities
  start(host: AdapterHost): Promise<void>
  send(target: Destination, message: Outgoing, context: SendContext): Promise<{ readonly messageId?: string }>
  /** Nothing is left running after it. */
  stop(): Promise<void>
  edit?(target: Destination, messageId: string, message: Outgoing): Promise<void>
  typing?(target: Destination): Promise<void>
}
