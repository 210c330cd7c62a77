export {
  type AiSdkModel,
  type Capabilities,
  type Connector,
  type Credential,
  type EndReason,
  type ModelEvent,
  type ModelInfo,
  type ModelPort,
  type ModelRequest,
  type OAuth,
  type PriceRow,
  type Rates,
  type RequestFile,
  type RequestMessage,
  type ThinkingLevel,
  thinkingLevels,
} from './port.ts'
export { complete, type Completion } from './complete.ts'
export { demoInfo, demoModel, demoNotice } from './demo.ts'
export {
  type ScriptedAnswer,
  type ScriptedCall,
  type ScriptedModel,
  scriptedModel,
  type ScriptedOptions,
  type ScriptedStep,
} from './scripted.ts'
export { fromAiSdk } from './from-ai-sdk.ts'
export { uniqueCallId } from './sdk-reading.ts'
export { providerError, retryableStatuses } from './provider-error.ts'
export { decideRetry, type FailedAttempt, type RetryDecision, retryLimits, silent } from './retry.ts'
export { chooseRows, type Cost, costOf, type CostParts, type PriceSources } from './cost.ts'
export { assumedWindow, completeInfo, type ConnectedModel, fitRequest } from './connected.ts'
export { authMissing, type Credentials, type CredentialSummary, type Environment } from './credentials.ts'
export { credentialFile, type CredentialFileOptions, credentialPlace } from './credential-file.ts'
export { type CredentialStore, memoryCredentials, type StoredCredential } from './credential-store.ts'
export { keyVariablesOf } from './credential-kinds.ts'
export type { Route } from './route.ts'
export {
  type ConnectOptions,
  createModels,
  keyedDefaults,
  type ModelCheck,
  type ModelNotice,
  type Models,
  type ModelsOptions,
  type ResolvedModel,
} from './models.ts'
