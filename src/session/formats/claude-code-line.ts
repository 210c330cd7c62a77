import { blobId, cleanLine, given, isObject, type Json, type JsonObject, sha256 } from '#kernel'
import type { FileInput, FinishReason, Message, NewBlob, Part, PartInput, Usage } from '#journal'
import { readAnthropic } from './anthropic-messages.ts'
import type { FormatMessage } from './message-shape.ts'
import { nanoDollars } from './nano-dollars.ts'
import { isIdTime } from './seeded-ids.ts'
import type { ForeignLine, ForeignUsage } from './session-builder.ts'

/** Where Claude Code's own members are kept, and how its raw lines are named. */
export const claudeCode = 'claude-code'

/** Types that are no message. Whatever else comes is kept raw, too, and counted as unknown. */
const sideTypes: readonly string[] = [
  'summary',
  'system',
  'attachment',
  'progress',
  'file-history-snapshot',
  'queue-operation',
  'last-prompt',
  'custom-title',
  'ai-title',
  'task-summary',
  'tag',
  'agent-name',
  'agent-color',
  'agent-setting',
  'mode',
  'permission-mode',
  'pr-link',
  'worktree-state',
  'content-replacement',
  'attribution-snapshot',
  'bridge-session',
  'turn_end',
]

export const isSpoken = ({ type, message }: JsonObject): boolean =>
  (type === 'user' || type === 'assistant') && isObject(message) && 'content' in message

/** When a line was written, or `undefined` where it does not say. */
export function timeOfClaude({ timestamp }: JsonObject): number | undefined {
  const at = typeof timestamp === 'string' ? Date.parse(timestamp) : timestamp
  return isIdTime(at) ? at : undefined
}

export const uuidOf = ({ uuid }: JsonObject): string | undefined => (typeof uuid === 'string' && uuid !== '' ? uuid : undefined)

/** What a line hangs on. Where a conversation was compacted the line says apart what came before. */
export function parentOfClaude({ parentUuid, logicalParentUuid, subtype }: JsonObject): string | null | undefined {
  if (typeof parentUuid === 'string') return parentUuid
  if (typeof logicalParentUuid === 'string') return logicalParentUuid
  return parentUuid === null && subtype !== 'compact_boundary' ? null : undefined
}

/** Several lines tell one answer, a block each; its id is theirs. */
export function answerIdOf(line: JsonObject): string | undefined {
  const { type, message } = line
  if (type !== 'assistant' || !isObject(message)) return undefined
  return typeof message['id'] === 'string' ? message['id'] : uuidOf(line)
}

/** The calls that a line is the results of, if it says nothing else. */
export function resultsIn({ type, message }: JsonObject): readonly string[] | undefined {
  const content: unknown = type === 'user' && isObject(message) ? message['content'] : undefined
  if (!Array.isArray(content) || content.length === 0) return undefined
  const calls = content.map(
    (block: unknown) =>
    isObject(block) && block['type'] === 'tool_result' && typeof block['tool_use_id'] === 'string' ? block['tool_use_id'] : undefined, // prettier-ignore
  )
  return calls.every(call => call !== undefined) ? calls : undefined
}

export function callsIn({ message }: JsonObject): readonly { readonly id: string; readonly tool: string }[] {
  const content: unknown = isObject(message) ? message['content'] : undefined
  return (Array.isArray(content) ? content : []).flatMap((block: unknown) =>
    isObject(block) && block['type'] === 'tool_use' && typeof block['id'] === 'string' && typeof block['name'] === 'string'
      ? [{ id: block['id'], tool: block['name'] }]
      : [],
  )
}

const isFileData = (part: PartInput): part is FileInput & { readonly data: Uint8Array } => part.type === 'file' && 'data' in part

/** Parts as a journal holds them; the content of files stands apart. */
function settled(parts: readonly PartInput[], blobs: NewBlob[]): Part[] {
  return parts.map((part): Part => {
    if (!isFileData(part)) return part as Part
    const { data, ...file } = part
    const hash = sha256(data)
    blobs.push({ id: blobId(hash), hash, bytes: data })
    return { ...file, bytes: data.length, blob: blobId(hash) } as Part
  })
}

const heavy = 2 ** 16
const isHeavy = (value: Json): boolean => JSON.stringify(value).length > heavy

/** A line without what its message holds. */
function about(line: JsonObject): JsonObject {
  const { message, toolUseResult: _result, ...rest } = line
  if (!isObject(message)) return rest
  const { content: _content, usage: _usage, role: _role, ...own } = message as JsonObject
  return { ...rest, ...(Object.keys(own).length === 0 ? {} : { message: own }) }
}

/** Lines stay beside their message; ones that are too large for that become a part that is stowed. */
function kept(lines: readonly JsonObject[]): { readonly providerData?: Json; readonly part?: Part } {
  const told = lines.map(about)
  if (!isHeavy(told)) return { providerData: { [claudeCode]: { lines: told } } }
  return { part: { type: 'custom', name: `${claudeCode}/lines`, data: told } }
}

function message(lines: readonly JsonObject[], data: object, parts: readonly Part[], blobs: readonly NewBlob[]): ForeignLine {
  const { providerData, part } = kept(lines)
  const all = part === undefined ? parts : [...parts, part]
  return {
    type: 'message_added',
    place: 'path',
    data: { ...data, parts: all, ...given({ providerData }) } as unknown as JsonObject,
    blobs,
    known: true,
  }
}

/** One answer of all its lines; `undefined` if they are not of the shape. */
export function readAnswer(lines: readonly JsonObject[]): ForeignLine | undefined {
  const messages = lines.map(({ message }) => message as JsonObject)
  const content = messages.flatMap(({ content: said }) =>
    typeof said === 'string' ? [{ type: 'text', text: said }] : Array.isArray(said) ? (said as Json[]) : [],
  )
  const raw = messages.map(({ stop_reason: reason }) => reason).findLast(reason => typeof reason === 'string')
  const read = attempt([{ role: 'assistant', content, ...given({ stop_reason: raw }) }])
  if (read === undefined) return undefined
  const blobs: NewBlob[] = []
  const parts = settled(
    read.flatMap(said => said.parts),
    blobs,
  )
  const isError = lines.some(line => line['isApiErrorMessage'] === true)
  const finish: Finish = isError ? { finishReason: 'error' } : finishOf(read[0], parts)
  const model = modelOf(lines.at(-1) ?? {})
  return message(lines, { role: 'assistant', ...given({ model: model ?? undefined }), ...finish }, parts, blobs)
}

type Finish = Pick<Partial<Message>, 'finishReason' | 'rawFinishReason'>

function finishOf(read: FormatMessage | undefined, parts: readonly Part[]): Finish {
  const { finishReason, rawFinishReason } = read ?? {}
  if (finishReason !== undefined) return given({ finishReason, rawFinishReason })
  const called: FinishReason | undefined = parts.some(({ type }) => type === 'tool_call') ? 'tool_calls' : undefined
  return given({ finishReason: called })
}

/** Results in the order of their calls, as one message; what the program knew of each beside stands in its details. */
export function readResults(
  lines: readonly JsonObject[],
  order: readonly string[],
  toolOf: (call: string) => string | undefined,
): ForeignLine | undefined {
  const blobs: NewBlob[] = []
  const groups: { call: string; parts: Part[] }[] = []
  const extra: Part[] = []
  for (const line of lines) {
    const read = attempt([{ role: 'user', content: (line['message'] as JsonObject)['content'] ?? null }])
    if (read === undefined) return undefined
    for (const part of settled(
      read.flatMap(said => said.parts),
      blobs,
    )) {
      if (part.type === 'tool_result') {
        const details = detailsOf(line, extra)
        groups.push({ call: part.callId, parts: [{ ...part, tool: toolOf(part.callId) ?? part.tool, ...details }] })
      } else groups.at(-1)?.parts.push(part)
    }
  }
  const place = (call: string): number => (order.includes(call) ? order.indexOf(call) : order.length)
  const parts = groups.sort((a, b) => place(a.call) - place(b.call)).flatMap(group => group.parts)
  return message(lines, { role: 'tool' }, [...parts, ...extra], blobs)
}

function detailsOf({ toolUseResult: result }: JsonObject, extra: Part[]): { readonly details?: Json } {
  if (result === undefined || result === null) return {}
  if (!isHeavy(result)) return { details: result }
  extra.push({ type: 'custom', name: `${claudeCode}/tool-use-result`, data: result })
  return {}
}

/** What a user said. One line may hold results, too; they come first. */
export function readSaid(line: JsonObject, toolOf: (call: string) => string | undefined): ForeignLine[] | undefined {
  const read = attempt([{ role: 'user', content: (line['message'] as JsonObject)['content'] ?? null }])
  if (read === undefined) return undefined
  return read.map(({ role, parts }) => {
    const blobs: NewBlob[] = []
    const named = settled(parts, blobs).map(part =>
      part.type === 'tool_result' ? { ...part, tool: toolOf(part.callId) ?? part.tool } : part,
    )
    return message([line], { role }, named, blobs)
  })
}

/** `undefined` for what the Messages API would not take. */
function attempt(messages: readonly Json[]): ReturnType<typeof readAnthropic> | undefined {
  try {
    return readAnthropic(messages, 'message')
  } catch {
    return undefined
  }
}

/** A line as it stands, beside the conversation. */
export function readRaw(line: JsonObject, known: boolean = sideTypes.includes(line['type'] as string)): ForeignLine {
  const type = typeof line['type'] === 'string' ? line['type'] : 'line'
  const name = `${claudeCode}/${type}`.slice(0, 128)
  const whole = { type: 'custom', name, data: line }
  const data = isHeavy(line) ? { name, data: null, parts: [whole] } : { name, data: line }
  return { type: 'custom', place: 'side', data, blobs: [], known }
}

/** The title that a line gives the session, if it does. */
export function readTitle(line: JsonObject): ForeignLine | undefined {
  const { type, customTitle, aiTitle } = line
  const said = type === 'custom-title' ? customTitle : type === 'ai-title' ? aiTitle : undefined
  if (typeof said !== 'string') return undefined
  const data = { title: cleanLine(said, 100), providerData: { [claudeCode]: { line } } }
  return { type: 'session_titled', place: 'side', data, blobs: [], known: true }
}

/** Answers that the program made up itself have no model. */
function modelOf({ message: said }: JsonObject): string | null {
  const model = isObject(said) ? said['model'] : undefined
  return typeof model !== 'string' || model.startsWith('<') ? null : model.includes('/') ? model : `anthropic/${model}`
}

/** What an answer used: of its lines the last says all of it. `undefined` where none was asked for. */
export function usageOfAnswer(lines: readonly JsonObject[], purpose: string): ForeignUsage | undefined {
  const told = lines.findLast(({ message: said }) => isObject(said) && isObject(said['usage']))
  const model = modelOf(told ?? {})
  if (told === undefined || model === null) return undefined
  const usage = (told['message'] as JsonObject)['usage'] as JsonObject
  const cost = lines.map(({ costUSD }) => costUSD).findLast(value => value !== undefined && value !== null)
  return { usage: readUsage(usage), cost: cost === undefined ? null : nanoDollars(cost), purpose, model }
}

function readUsage(told: JsonObject): Usage {
  const count = (value: unknown): number | null =>
    Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : null
  const written = count(told['cache_creation_input_tokens'])
  const parts = isObject(told['cache_creation']) ? told['cache_creation'] : {}
  const hour = count(parts['ephemeral_1h_input_tokens'])
  const short = count(parts['ephemeral_5m_input_tokens'])
  return {
    inputTokens: count(told['input_tokens']),
    cacheReadTokens: count(told['cache_read_input_tokens']),
    cacheWrite5mTokens: short ?? (written === null ? null : Math.max(0, written - (hour ?? 0))),
    cacheWrite1hTokens: hour ?? (written === null ? null : 0),
    outputTokens: count(told['output_tokens']),
    reasoningTokens: null,
  }
}

/** What an answer that the API refused says. */
export function errorOfClaude(line: JsonObject): string | undefined {
  const { error, isApiErrorMessage } = line
  return isApiErrorMessage === true ? (typeof error === 'string' ? error : 'provider_error') : undefined
}
