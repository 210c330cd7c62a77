import {
  byteLength,
  cutCodePoints,
  given,
  invalidInput,
  isObject,
  isSkeinError,
  isStandardSchema,
  type Json,
  type JsonObject,
  messageOf,
  SkeinError,
  stringify,
  systemTimers,
  type Timers,
  toJson,
  unlessAborted,
  validate,
} from '#kernel'
import { type FileInput, lowest, maxPartBytes, type ToolCallPart, type ToolDescription, type ToolResultPart } from '#journal'
import { schemaIssues } from './operators/json-schema.ts'
import { type AiSdkTools, aiSdkTools } from './tools/ai-sdk.ts'
import {
  nullUi,
  type Replay,
  type ResultParts,
  type Tool,
  type ToolCall,
  type ToolKind,
  type ToolReply,
} from './tools/definition.ts'

export type {
  Replay,
  Resource,
  ResultParts,
  Tool,
  ToolCall,
  ToolKind,
  ToolReply,
  ToolSpending,
  UserInterface,
} from './tools/definition.ts'
export { nullUi } from './tools/definition.ts'

export { type AiSdkTool, type AiSdkTools, aiSdkTools } from './tools/ai-sdk.ts'

/** A list, or a record of what `tool()` of the AI SDK makes. Two of one name is `tool.duplicate`. */
export type ToolSet = readonly Tool[] | AiSdkTools

/** The same as a list. Throws `input.invalid` for a record of anything else. */
export function readTools(tools: ToolSet): readonly Tool[] {
  return isList(tools) ? tools : aiSdkTools(tools)
}

const isList = (tools: ToolSet): tools is readonly Tool[] => Array.isArray(tools)

export const toolTimeoutMs = 120_000
/** Of a tool's error, in code points. */
const maxErrorLength = 16_384
const maxDetailsBytes = 65_536
const kinds: readonly ToolKind[] = ['read', 'search', 'ask', 'write', 'execute', 'network', 'secret', 'extension']
const replays: readonly Replay[] = ['safe', 'idempotent', 'never']
const nameShape = /^[A-Za-z0-9_-]{1,64}$/

export function describeTool(tool: Tool): ToolDescription {
  if (!isObject(tool) || typeof tool.name !== 'string')
    throw invalidInput('tools', 'Expected tools: { name, description, input, run }.')
  if (!nameShape.test(tool.name))
    throw invalidInput('tools', `A tool's name has 1–64 letters, digits, underscores or hyphens: ${tool.name}`)
  if (tool.timeoutMs !== undefined && !(Number.isSafeInteger(tool.timeoutMs) && tool.timeoutMs > 0))
    throw invalidInput('tools', `The timeoutMs of ${tool.name} is not a whole number of milliseconds.`)
  if (tool.kind !== undefined && !kinds.includes(tool.kind))
    throw invalidInput('tools', `The kind of ${tool.name} is none of ${kinds.join(', ')}.`)
  if (tool.replay !== undefined && !replays.includes(tool.replay))
    throw invalidInput('tools', `The replay of ${tool.name} is none of ${replays.join(', ')}.`)
  const schema = isStandardSchema(tool.input) ? (tool.inputSchema ?? { type: 'object' }) : tool.input
  return { name: tool.name, description: tool.description, inputSchema: schema }
}

/** What it does, and what may be done with it after a crash, where it doesn't say so itself. */
export const kindOf = ({ kind, readOnly }: Pick<Tool, 'kind' | 'readOnly'>): ToolKind =>
  kind ?? (readOnly === true ? 'read' : 'execute')
export const replayOf = ({ replay, readOnly }: Pick<Tool, 'replay' | 'readOnly'>): Replay =>
  replay ?? (readOnly === true ? 'safe' : 'never')

/** What a call is given by whoever carries it out; what is left out does nothing. */
export interface CallContext
  extends Pick<ToolCall, 'signal' | 'progress'>, Partial<Omit<ToolCall, 'id' | 'signal' | 'progress'>> {
  /** Whose time a tool has. Default: the machine's. */
  readonly timers?: Timers
  /** From here on a tool that goes on after `signal` is not waited for. Default: it is not waited for at all. */
  readonly giveUp?: AbortSignal
}

/** What a call came to. */
export interface CallOutcome {
  readonly result: ToolResultPart
  /** Stand behind the result, in the same message. */
  readonly files: readonly FileInput[]
  /** The tool ends the run: as done, or because a question is open. */
  readonly terminate?: 'terminated' | 'question_open'
}

/**
 * The arguments of a call as its tool takes them. Throws `input.invalid`, with every issue, for what is no JSON or does not
 * fit. Changes nothing, so a call can be judged by what it says before it begins.
 */
export async function readArguments(tool: Tool, call: ToolCallPart): Promise<unknown> {
  const { input } = call
  if (isBroken(input)) throw invalidInput('', `The arguments are not JSON: ${input.broken.slice(0, 200)}`)
  if (isStandardSchema(tool.input)) return await validate(tool.input, input)
  const issues = schemaIssues(tool.input, input)
  if (issues.length === 0) return input
  // Models say null for what they leave out.
  if (isObject(input)) {
    const said = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== null)) as JsonObject
    if (schemaIssues(tool.input, said).length === 0) return said
  }
  throw new SkeinError('input.invalid', issues.map(({ path, message }) => `${path}: ${message}`).join('; '), {
    details: { path: issues[0]?.path, issues },
  })
}

/** Carries out one call. Never throws: whatever goes wrong is a result that the model can correct. Laws A24, A27. */
export async function carryOut(tool: Tool | undefined, call: ToolCallPart, context: CallContext): Promise<CallOutcome> {
  const part = (status: ToolResultPart['status'], output: Json): ToolResultPart => ({
    type: 'tool_result',
    callId: call.callId,
    tool: call.tool,
    status,
    output,
    ...given({ trust: tool?.trust }),
  })
  const failed = (text: string): CallOutcome => ({ result: part('error', text), files: [] })
  if (tool === undefined) return failed(`There is no tool named ${call.tool}.`)
  if (isBroken(call.input)) return failed(`The arguments are not JSON: ${call.input.broken.slice(0, 200)}`)
  const timeoutMs = tool.timeoutMs ?? toolTimeoutMs
  const late = new AbortController()
  const stopTimer = (context.timers ?? systemTimers).after(timeoutMs, () =>
    late.abort(new DOMException('The tool took too long.', 'TimeoutError')),
  )
  const signal = AbortSignal.any([context.signal, late.signal])
  const giveUp = AbortSignal.any([context.giveUp ?? context.signal, late.signal])
  let begun = false
  try {
    const input = await unlessAborted(readArguments(tool, call), signal)
    begun = true
    const output = await unlessAborted(Promise.resolve(tool.run(input as never, callOf(call, context, signal))), giveUp)
    return readOutput(output, part)
  } catch (error) {
    if (context.signal.aborted)
      return {
        result: part(
          'interrupted',
          'Outcome unknown: the run was cancelled while this call was going on. Check before repeating it.',
        ),
        files: [],
      }
    if (late.signal.aborted) return failed(`The tool took longer than ${timeoutMs} ms.`)
    const message = cutCodePoints(messageOf(error), maxErrorLength)
    return failed(!begun && isSkeinError(error) && error.code === 'input.invalid' ? `Invalid arguments: ${message}` : message)
  } finally {
    stopTimer()
  }
}

const callOf = (call: ToolCallPart, context: CallContext, signal: AbortSignal): ToolCall => ({
  id: call.callId,
  idempotencyKey: context.idempotencyKey ?? call.callId,
  signal,
  cwd: context.cwd ?? null,
  ui: context.ui ?? nullUi,
  progress: context.progress,
  usage: context.usage ?? (() => undefined),
  checkpoint: context.checkpoint ?? (async () => undefined),
})

function readOutput(output: unknown, part: (status: ToolResultPart['status'], output: Json) => ToolResultPart): CallOutcome {
  if (!isReply(output)) {
    const { text, files } = readContent(output)
    return { result: part('ok', text), files }
  }
  const { text, files } = readContent(output.content)
  const { isError, details, terminate, trust } = output
  const result = part(isError === true ? 'error' : 'ok', text)
  return {
    result: {
      ...result,
      ...(typeof trust === 'string' ? { trust: lowest([result.trust ?? 'tool-observed', trust]) } : {}),
      ...(details === undefined ? {} : { details: readDetails(details) }),
    },
    files,
    ...(terminate === true ? { terminate: 'terminated' } : terminate === 'question_open' ? { terminate } : {}),
  }
}

const isReply = (output: unknown): output is ToolReply => isObject(output) && 'content' in output

/** Texts of parts are the output, joined by line ends; files stand behind it. */
function readContent(content: unknown): { readonly text: Json; readonly files: readonly FileInput[] } {
  if (!isParts(content)) return { text: plain(content), files: [] }
  const files = content.filter(part => part.type === 'file')
  const names = files.map(({ name, mediaType }) => `[file: ${name ?? mediaType}]`)
  const texts = content.flatMap(part => (part.type === 'text' ? [part.text] : []))
  return { text: plain((texts.length > 0 ? texts : names).join('\n')), files }
}

const isParts = (content: unknown): content is ResultParts =>
  Array.isArray(content) &&
  content.length > 0 &&
  content.every(
    (part: unknown) =>
      isObject(part) &&
      ((part['type'] === 'text' && typeof part['text'] === 'string') ||
        (part['type'] === 'file' && part['data'] instanceof Uint8Array && typeof part['mediaType'] === 'string')),
  )

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
