export type {
  AiSdkModel,
  Capabilities,
  Connector,
  Credential,
  EndReason,
  ModelEvent,
  ModelInfo,
  ModelPort,
  ModelRequest,
  OAuth,
  PriceRow,
  Rates,
  RequestFile,
  RequestMessage,
  ThinkingLevel,
} from './port.ts'
export { thinkingLevels } from './port.ts'
export { fullUsage, noUsage } from './usage.ts'
export { demoInfo, demoModel, demoNotice } from './demo.ts'
export {
  type ScriptedAnswer,
  type ScriptedCall,
  type ScriptedModel,
  scriptedModel,
  type ScriptedOptions,
  type ScriptedStep,
} from './scripted.ts'
