export { type AgentGear, type AgentOptions, type OpenOptions, type SendOptions } from './agent-options.ts'
export { type Allowance } from './allowance.ts'
export { delegateTool } from './delegate.ts'
export { type SpawnOptions } from './spawn-options.ts'
export { AgentSession, closeGraceMs } from './agent-session.ts'
export { AgentSessions, type Recovered } from './agent-sessions.ts'
export { type AnswerInput, Approvals } from './approvals.ts'
export { type ConfigKey, configKeys, type ConfigValue, findKey, variableOf } from './config-keys.ts'
export { sectionOf } from './config-layers.ts'
export { type ConfigSource, configSource } from './config-source.ts'
export { type ShownSetting } from './held-settings.ts'
export {
  type Config,
  environmentLayer,
  flagLayer,
  isSecretReference,
  type Layer,
  type LayerName,
  mergeLayers,
  type Setting,
} from './config-layers.ts'
export {
  type Environment,
  findConfigFiles,
  namedPath,
  type ParseToml,
  type Project,
  readConfigFiles,
  realFolder,
  secretText,
  trustedFolders,
} from './config-files.ts'
export { type Gate } from './gates.ts'
export { type Guardrails } from './guardrails.ts'
export { type Hook, readHooks } from './hooks.ts'
export { type Extension, type ExtensionHost, type ExtensionLoader, type ExtensionModel, readExtensions } from './extensions.ts'
export { extensionsIn } from './extensions-file.ts'
export { builtInRoles, findRole, type Role, rulesOfRole } from './roles.ts'
export { readTelemetry, type TelemetryOptions } from './telemetry.ts'
export { readUi } from './ui.ts'
export { type PrefillItem } from './prefill-session.ts'
export { type RunRules } from './run-rules.ts'
export { type Approval, type ApprovalAnswer, type ApprovalId } from './approvals-row.ts'
export { Operators, type OperatorsParts } from './operators.ts'
export { expandMap, type MapInfo, type MapPage, type MapPageOptions, mapText } from './operators/expand-map.ts'
export { type AgenticMapOptions, type LlmMapOptions, type MapInputs, type ResumeOptions } from './operators/map-options.ts'
export { type MapCount, type MapErrorKind, type MapId, type MapKind, type MapResult } from './operators/map-rows.ts'
export { type MapReceipt, type MapRun, type ResultsOptions } from './operators/map-run.ts'
export { RunningMaps } from './operators/running-maps.ts'
export { modelSummarizer } from './model-summarizer.ts'
export type { Alongside, AtEnd, Placed } from './alongside.ts'
export { type RunStatus, type TurnResult } from './turn-result.ts'
export { type AgentPorts } from './ports.ts'
export { type InputReceipt } from './input-receipt.ts'
export { readUserInput } from './read-user-input.ts'
export { type Run } from './run-face.ts'
export { startRun } from './send.ts'
export { foldResult, readResult } from './read-result.ts'
export { type RecoveryAnswer } from './mend-run.ts'
export { type RecoverOptions, type Recovery } from './recover.ts'
export { type RecoveryAction, type RecoveryEffect, type RecoveryPlan } from './recovery-plan.ts'
export { type MissingCode } from './run-code.ts'
export {
  type AiSdkTool,
  type AiSdkTools,
  aiSdkTools,
  describeTool,
  nullUi,
  type Replay,
  type Resource,
  type ResultParts,
  type Tool,
  type ToolCall,
  type ToolKind,
  type ToolReply,
  type ToolSet,
  type ToolSpending,
  toolTimeoutMs,
  type UserInterface,
} from './tool.ts'
export {
  type CheckpointInfo,
  Checkpoints,
  type RewindOptions,
  type RewindPreview,
  type Rewound,
  type SaveOptions,
} from './tools/checkpoints.ts'
export { type FileToolName, fileTools, type FileToolsOptions } from './tools/file-tools.ts'
export { type RewindItem } from './tools/rewind-plan.ts'
export { type McpClient, type McpOptions, mcpTools } from './tools/mcp.ts'
