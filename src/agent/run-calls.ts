import type { ToolCallPart, ToolResultPart } from '#journal'
import type { RunRecord } from './run-record.ts'
import { runCall } from './tool.ts'

const sideBySide = 8

/** Read-only calls run side by side, then the others one by one in the order of the answer; results keep that order. */
export async function runCalls({ core, options }: RunRecord, calls: readonly ToolCallPart[]): Promise<ToolResultPart[]> {
  const { run, signal } = options
  const tools = new Map(options.tools.map(tool => [tool.name, tool]))
  const results = new Map<string, ToolResultPart>()
  const one = async (call: ToolCallPart): Promise<void> => {
    if (signal.aborted) return
    const about = { run, callId: call.callId, tool: call.tool }
    core.live.emit({ type: 'tool_started', ...about, input: call.input })
    const result = await runCall(tools.get(call.tool), call, {
      signal,
      progress: text => void core.live.emit({ type: 'tool_delta', ...about, text }),
    })
    core.live.emit({ type: 'tool_ended', ...about, status: result.status })
    results.set(call.callId, result)
  }
  const reads = calls.filter(call => tools.get(call.tool)?.readOnly === true)
  for (let at = 0; at < reads.length; at += sideBySide) await Promise.all(reads.slice(at, at + sideBySide).map(one))
  for (const call of calls) if (!reads.includes(call)) await one(call)
  return calls.map(call => results.get(call.callId) ?? skipped(call))
}

export const skipped = (call: ToolCallPart): ToolResultPart => ({
  type: 'tool_result',
  callId: call.callId,
  tool: call.tool,
  status: 'skipped',
  output: 'Cancelled before this call began.',
})
