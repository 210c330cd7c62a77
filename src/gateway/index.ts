export { type Actor } from './actor.ts'
export { type Answer, type AnswerReply, type AnswerTurn } from './answer-turn.ts'
export { type Pin } from './active-work.ts'
export { authorise, type Authorisation } from './authorise.ts'
export { Desk, type Front } from './desk.ts'
export { type Explanation } from './explain.ts'
export { Gateway, type ResolveOptions } from './gateway.ts'
export { type GatewayEvent } from './gateway-events.ts'
export { isGatewayRun } from './gateway-run.ts'
export { gatewayHooks } from './hooks.ts'
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
export { hermesFolderFiles, hermesStateBytes } from './hermes-folder.ts'
export { importHermes } from './import-hermes.ts'
export { type Learnt } from './learn.ts'
export { type RouteFilter } from './list-routes.ts'
export { type Switching } from './operations.ts'
export { type SourceContext } from './prompt.ts'
export { pseudonym, type PseudonymForm, type PseudonymOptions } from './pseudonym.ts'
export { type GatewayRecoverOptions } from './recover.ts'
export { evaluateReset, type ResetClocks, type ResetDecision, type ResetMode, type ResetPolicy } from './reset-policy.ts'
export { type Resolved } from './resolve.ts'
export { type RewriteOptions, type Rewritten } from './rewrite.ts'
export { type Fresh, type HoldKind, type OpenTurn, type Route, type RouteHold } from './route.ts'
export {
  type ActiveWork,
  type BusyMode,
  type GatewayOptions,
  type HomeChannel,
  type PlatformOptions,
  readGatewaySettings,
  type ResetRules,
} from './settings.ts'
export { decodeSource, describeSource, encodeSource, type Source, type SourceInput } from './source.ts'
export { parseTarget, type Target } from './target.ts'
export { canonicalWhatsApp, normalizeWhatsApp } from './whatsapp.ts'
export {
  type AdapterCapabilities,
  type AdapterHost,
  type GatewayAdapter,
  type Outgoing,
  type SendContext,
  type SendFault,
} from './adapter.ts'
export { type ChatPlatform, chatPlatforms, missingVariables, openPlatform } from './chat-sdk/open-platform.ts'
export { type ChatSdkAdapter, chatSdkAdapter, type ChatSdkOptions } from './chat-sdk-adapter.ts'
export { type Delivery, type DeliverOptions } from './deliver.ts'
export { Exchanges } from './exchanges.ts'
export { type GatewayFinding } from './doctor.ts'
export { type HookRequest } from './hook-request.ts'
export { type Inbound, type InboxReceipt } from './inbound.ts'
export { type InboxRow, type InboxState } from './inbox-row.ts'
export { type InboxFilter, type OutboxFilter } from './list-messages.ts'
export { type Destination, type OutboxRow, type OutboxState } from './outbox-row.ts'
export { type Pairing } from './pairings.ts'
export { type Firing, type Schedule } from './schedule-row.ts'
export { type NewSchedule, Schedules, type SchedulesFilter } from './schedules.ts'
export { sweepRegularly, tellGateway } from './sweep.ts'
export { terminalAdapter, type TerminalOptions } from './terminal.ts'
export { type HookAdapter, mostHookBytes, type Webhook, webhookAdapter, type WebhookOptions } from './webhook.ts'
export { gatewayWorks, unaskedKinds } from './works.ts'
