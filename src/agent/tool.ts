import {
  invalidInput,
  byteLength,
  cutCodePoints,
  isObject,
  isSkeinError,
  isStandardSchema,
  type Json,
  type JsonObject,
  messageOf,
  type StandardSchema,
  stringify,
  toJson,
  unlessAborted,
  validate,
} from '#kernel'
import { maxPartBytes, type ToolCallPart, type ToolDescription, type ToolResultPart } from '#journal'

/** One call, as its tool sees it. */
export interface ToolCall {
  readonly id: string
  /** The same for every attempt of one call. */
  readonly idempotencyKey: string
  readonly signal: AbortSignal
  /** Tells readers of the run how far it is; not stored. */
  progress(text: string): void
}

/** Something that a model may ask for. A throw is an error result, and the model goes on. Source: spec/agent.md 10. */
export interface Tool<I = unknown> {
  readonly name: string
  readonly description: string
  /** A Standard Schema, whose check is run, or a JSON Schema, which is told to the model. */
  readonly input: StandardSchema<I> | JsonObject
  /** JSON Schema for the model where `input` is a validator. */
  readonly inputSchema?: JsonObject
  /** Changes nothing: read-only calls run side by side. */
  readonly readOnly?: boolean
  /** Milliseconds, default 120,000. */
  readonly timeoutMs?: number
  run(input: I, call: ToolCall): unknown
}

/** Tools by name; two of one name is `tool.duplicate`, found when they are listed. */
export type ToolSet = readonly Tool[]

export const toolTimeoutMs = 120_000
/** Of a tool's error, in code points. */
const maxErrorLength = 16_384
const maxDetailsBytes = 65_536
const nameShape = /^[A-Za-z0-9_-]{1,64}$/

export function describeTool(tool: Tool): ToolDescription {
  if (!isObject(tool) || typeof tool.name !== 'string')
    throw invalidInput('tools', 'Expected tools: { name, description, input, run }.')
  if (!nameShape.test(tool.name))
    throw invalidInput('tools', `A tool's name has 1–64 letters, digits, underscores or hyphens: ${tool.name}`)
  if (tool.timeoutMs !== undefined && !(Number.isSafeInteger(tool.timeoutMs) && tool.timeoutMs > 0))
    throw invalidInput('tools', `The timeoutMs of ${tool.name} is not a whole number of milliseconds.`)
  const schema = isStandardSchema(tool.input) ? (tool.inputSchema ?? { type: 'object' }) : tool.input
  return { name: tool.name, description: tool.description, inputSchema: schema }
}

/** Carries out one call. Never throws but for an abort: whatever goes wrong is a result that the model can correct. */
export async function runCall(
  tool: Tool | undefined,
  call: ToolCallPart,
  context: Omit<ToolCall, 'id' | 'idempotencyKey'>,
): Promise<ToolResultPart> {
  const result = (status: ToolResultPart['status'], output: Json): ToolResultPart => ({
    type: 'tool_result',
    callId: call.callId,
    tool: call.tool,
    status,
    output,
  })
  if (tool === undefined) return result('error', `There is no tool named ${call.tool}.`)
  if (isBroken(call.input)) return result('error', `The arguments are not JSON: ${call.input.broken.slice(0, 200)}`)
  const timeout = AbortSignal.timeout(tool.timeoutMs ?? toolTimeoutMs)
  const signal = AbortSignal.any([context.signal, timeout])
  let begun = false
  try {
    const input = isStandardSchema(tool.input) ? await unlessAborted(validate(tool.input, call.input), signal) : call.input
    begun = true
    const output = await unlessAborted(
      Promise.resolve(tool.run(input as never, { ...context, signal, id: call.callId, idempotencyKey: call.callId })),
      signal,
    )
    return readOutput(output, result)
  } catch (error) {
    if (context.signal.aborted)
      return result(
        'interrupted',
        'Outcome unknown: the run was cancelled while this call was going on. Check before repeating it.',
      )
    if (timeout.aborted) return result('error', `The tool took longer than ${tool.timeoutMs ?? toolTimeoutMs} ms.`)
    const message = cutCodePoints(messageOf(error), maxErrorLength)
    return result(
      'error',
      !begun && isSkeinError(error) && error.code === 'input.invalid' ? `Invalid arguments: ${message}` : message,
    )
  }
}

function readOutput(output: unknown, result: (status: ToolResultPart['status'], output: Json) => ToolResultPart): ToolResultPart {
  if (isObject(output) && 'content' in output) {
    const { content, isError, details } = output
    return {
      ...result(isError === true ? 'error' : 'ok', plain(content)),
      ...(details === undefined ? {} : { details: readDetails(details) }),
    }
  }
  return result('ok', plain(output))
}

/** Details stand in the entry itself, so there is little room for them; of larger ones their size is kept. */
function readDetails(details: unknown): Json {
  const json = toJson(details, 'details')
  const bytes = byteLength(stringify(json))
  return bytes > maxDetailsBytes ? { leftOut: { bytes } } : json
}

/** Text stays text, nothing is null, the rest is JSON. */
function plain(value: unknown): Json {
  if (value === undefined) return null
  const json = toJson(value, 'result')
  const bytes = byteLength(stringify(json))
  if (bytes > maxPartBytes) throw new Error(`The result takes ${bytes} bytes; at most ${maxPartBytes} can be stored.`)
  return json
}

/** Arguments that were not JSON, kept as they came so that nothing is lost. */
export function brokenInput(text: string): JsonObject {
  return { broken: text, skein: 'broken-input' }
}

function isBroken(input: Json): input is { readonly broken: string } & JsonObject {
  return isObject(input) && input['skein'] === 'broken-input' && typeof input['broken'] === 'string'
}
