// What a program imports to deal with messages itself: sources, keys, resets, pseudonyms, targets, and adapters.
export { decodeSource, describeSource, encodeSource, type Source, type SourceInput } from './source.ts'
export {
  formatKey,
  type IdentityResolver,
  isShared,
  type KeyFlags,
  keyOf,
  legacyKeyOf,
  parseKey,
  type SessionKey,
} from './key.ts'
export { evaluateReset, type ResetClocks, type ResetDecision, type ResetMode, type ResetPolicy } from './reset-policy.ts'
export { canonicalWhatsApp, normalizeWhatsApp } from './whatsapp.ts'
export { pseudonym, type PseudonymForm, type PseudonymOptions } from './pseudonym.ts'
export { parseTarget, type Target } from './target.ts'
export {
  type AdapterCapabilities,
  type AdapterHost,
  type GatewayAdapter,
  type Outgoing,
  type SendContext,
  type SendFault,
} from './adapter.ts'
export { type Inbound, type InboxReceipt } from './inbound.ts'
export { type ChatAdapter } from './chat-sdk/chat.ts'
export { type ChatSdkAdapter, chatSdkAdapter, type ChatSdkOptions } from './chat-sdk-adapter.ts'
export { terminalAdapter, type TerminalOptions } from './terminal.ts'
export { type Webhook, webhookAdapter, type WebhookOptions } from './webhook.ts'
