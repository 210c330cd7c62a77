import { given, invalidInput, isObject, isStandardSchema, type Json, type JsonObject, type StandardSchema, toJson } from '#kernel'
import type { FileInput, TextPart } from '#journal'
import type { Tool, ToolCall, ToolReply } from './definition.ts'

/** What `tool()` of the AI SDK makes, by its shape; its package is not needed. Names are the record's keys. */
export interface AiSdkTool {
  /** A text, or a function that gives one. */
  readonly description?: unknown
  /** A Standard Schema, or what `jsonSchema()` makes; older objects call it `parameters`. */
  readonly inputSchema?: unknown
  readonly parameters?: unknown
  readonly execute?: ((input: never, options: never) => unknown) | undefined
  readonly needsApproval?: unknown
  readonly toModelOutput?: unknown
}

export type AiSdkTools = Readonly<Record<string, AiSdkTool>>

/**
 * Tools of the AI SDK as tools of ours, so policy, ledger and events are the same for them. One without `execute` is run by
 * a host: it can be described to a session, not given to it. Throws `input.invalid`. Law A28.
 */
export function aiSdkTools(tools: AiSdkTools): Tool[] {
  return Object.entries(tools).map(([name, tool]) => aiSdkTool(name, tool))
}

function aiSdkTool(name: string, tool: AiSdkTool): Tool {
  const at = `tools.${name}`
  if (typeof tool !== 'object' || tool === null) throw invalidInput(at, 'Expected what tool() of the AI SDK makes.')
  const { execute, toModelOutput } = tool
  if (typeof execute !== 'function') throw invalidInput(at, 'It has no execute, so nobody here can run it.')
  const run = execute as (input: unknown, options: JsonOptions) => unknown
  const approval = approvalOf(tool.needsApproval)
  return {
    name,
    description: wordsOf(tool.description),
    ...schemasOf(tool.inputSchema ?? tool.parameters, at),
    ...given({ approval }),
    run: async (input, call) => {
      const output = await last(run(input, optionsOf(call)), call)
      if (typeof toModelOutput !== 'function') return output
      const told: unknown = await (toModelOutput as (given: unknown) => unknown)({ toolCallId: call.id, input, output })
      return replyOf(told, output)
    },
  }
}

const wordsOf = (description: unknown): string => {
  const words: unknown = typeof description === 'function' ? (description as (given: object) => unknown)({}) : description
  return typeof words === 'string' ? words : ''
}

interface JsonOptions {
  readonly toolCallId: string
  readonly messages: readonly never[]
  readonly abortSignal: AbortSignal
}

const optionsOf = ({ id, signal }: ToolCall): JsonOptions => ({ toolCallId: id, messages: [], abortSignal: signal })

/** A generator's yields are progress; its last one is the output. */
async function last(given: unknown, call: ToolCall): Promise<unknown> {
  const output = await given
  if (typeof output !== 'object' || output === null || !(Symbol.asyncIterator in output)) return output
  let newest: unknown
  for await (const item of output as AsyncIterable<unknown>) {
    newest = item
    if (typeof item === 'string') call.progress(item)
  }
  return newest
}

/** A function may be asynchronous and see more than its input, so where one stands a person is always asked. */
const approvalOf = (needs: unknown): boolean | undefined => (needs === undefined ? undefined : needs !== false)

function schemasOf(schema: unknown, at: string): Pick<Tool, 'input' | 'inputSchema'> {
  // What `jsonSchema()` makes carries a JSON Schema and perhaps a check.
  if (isObject(schema) && 'jsonSchema' in schema) {
    const json = schema['jsonSchema']
    if (!isObject(json) || 'then' in json) throw invalidInput(`${at}.inputSchema`, 'Expected a JSON Schema that is at hand.')
    const told = toJson(json, `${at}.inputSchema`) as JsonObject
    const { validate } = schema
    return typeof validate === 'function' ? { input: checkedBy(validate as Validate), inputSchema: told } : { input: told }
  }
  if (isStandardSchema(schema)) return { input: schema, inputSchema: toldOf(schema) }
  throw invalidInput(`${at}.inputSchema`, 'Expected a Standard Schema or jsonSchema(…).')
}

type Validate = (value: unknown) => Checked | PromiseLike<Checked>
type Checked = { readonly success: true; readonly value: unknown } | { readonly success: false; readonly error: Error }

const checkedBy = (validate: Validate): StandardSchema => ({
  '~standard': {
    version: 1,
    vendor: 'ai-sdk',
    validate: async value => {
      const checked = await validate(value)
      return checked.success ? { value: checked.value } : { issues: [{ message: checked.error.message }] }
    },
  },
})

/** The JSON Schema that a validator gives of itself, by the Standard JSON Schema or zod's own words; else any object. */
function toldOf(schema: StandardSchema): JsonObject {
  const standard = schema['~standard'] as { readonly jsonSchema?: { readonly input?: (given: JsonObject) => unknown } }
  const own = (schema as { readonly toJSONSchema?: (given: JsonObject) => unknown }).toJSONSchema
  for (const tell of [
    () => standard.jsonSchema?.input?.({ target: 'draft-2020-12' }),
    () => own?.call(schema, { io: 'input' }),
  ]) {
    try {
      const told = tell()
      if (isObject(told)) return toJson(told) as JsonObject
    } catch {
      // A schema with a transform has no JSON Schema; the check still runs.
    }
  }
  return { type: 'object' }
}

/** What `toModelOutput` made: text, JSON, an error, or content. */
function replyOf(told: unknown, output: unknown): ToolReply {
  if (!isObject(told)) return { content: output }
  const { type, value } = told
  switch (type) {
    case 'text':
    case 'json':
      return { content: value }
    case 'error-text':
    case 'error-json':
      return { content: value, isError: true }
    case 'content':
      return { content: Array.isArray(value) ? value.map(contentPart) : (value as Json) }
    default:
      return { content: output }
  }
}

function contentPart(part: unknown): TextPart | FileInput {
  if (isObject(part)) {
    const { type, text, data, mediaType } = part
    if (type === 'text' && typeof text === 'string') return { type: 'text', text }
    if (typeof data === 'string' && typeof mediaType === 'string')
      return { type: 'file', mediaType, data: Buffer.from(data, 'base64') }
  }
  return { type: 'text', text: JSON.stringify(part) }
}
