export { type ConnectedModel, type InputReceipt, maxStepsDefault, type RunStatus, type TurnResult } from './run.ts'
export { type AgentPorts, readUserInput, type Run, type SendOptions, startRun } from './send.ts'
export { foldResult, readResult } from './read-result.ts'
export { describeTool, type Tool, type ToolCall, type ToolSet, toolTimeoutMs } from './tool.ts'
