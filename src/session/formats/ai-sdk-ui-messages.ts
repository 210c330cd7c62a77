import { given, invalidInput, isObject, type Json, type JsonObject, toJson } from '#kernel'
import type { PartInput } from '#journal'
import { each, type Fields, fileFromUrl, type FormatMessage, name, others, remember, text, textIn } from './message-shape.ts'

const format = 'ai-sdk'

/** A message of the SDK's user interface: `parts` instead of `content`. */
export const isUiMessage = (message: Fields): boolean => Array.isArray(message['parts']) && message['content'] === undefined

/**
 * Reads a UIMessage. An assistant's becomes one assistant message per step and a tool message behind each step that has
 * results; `id` and `metadata` stay with the first. Throws `input.invalid` with the path.
 */
export function readUiMessage(message: Fields, path: string): FormatMessage[] {
  const { role } = message
  if (role !== 'system' && role !== 'user' && role !== 'assistant')
    throw invalidInput(`${path}.role`, 'Expected system, user or assistant.')
  const steps: { said: PartInput[]; results: PartInput[] }[] = [{ said: [], results: [] }]
  each(message['parts'], `${path}.parts`, (part, at) => {
    const type = name(part, 'type', at)
    if (type === 'step-start') return void steps.push({ said: [], results: [] })
    const { said, results } = readPart(part, type, at)
    const open = steps.at(-1)
    open?.said.push(...said)
    open?.results.push(...results)
  })
  const memo = remember(format, { fields: others(message, ['role', 'parts'], path) })
  const messages = steps.flatMap(({ said, results }): FormatMessage[] => [
    ...(said.length === 0 ? [] : [{ role: role as FormatMessage['role'], parts: said }]),
    ...(results.length === 0 ? [] : [{ role: 'tool' as const, parts: results }]),
  ])
  return messages.map((read, index) => (index === 0 ? { ...read, ...memo } : read))
}

function readPart(part: Fields, type: string, path: string): { said: PartInput[]; results: PartInput[] } {
  const said = (...parts: PartInput[]): { said: PartInput[]; results: PartInput[] } => ({ said: parts, results: [] })
  const metadata = isObject(part['providerMetadata'])
    ? (toJson(part['providerMetadata'], `${path}.providerMetadata`) as JsonObject)
    : undefined
  const data = given({ providerData: metadata })
  if (type === 'dynamic-tool' || type.startsWith('tool-')) return readTool(part, type, path)
  switch (type) {
    case 'text':
      return said({ type: 'text', text: text(part, 'text', path), ...data })
    case 'reasoning': {
      const own = isObject(metadata?.['anthropic']) ? (metadata['anthropic'] as JsonObject) : {}
      const { signature, redactedData } = own
      const signed = given({ signature: textIn(signature), redacted: textIn(redactedData) })
      return said({ type: 'reasoning', text: text(part, 'text', path), ...signed, ...data })
    }
    case 'file':
      return said({ ...fileFromUrl(name(part, 'url', path), name(part, 'mediaType', path), part['filename']), ...data })
    case 'source-url':
      return said({ type: 'source', url: name(part, 'url', path), ...given({ title: textIn(part['title']) }), ...data })
    default:
      return said({ type: 'custom', name: `${format}/ui-${type}`, data: toJson(part, path) })
  }
}

/** A call, and its result if it has one by now. */
function readTool(part: Fields, type: string, path: string): { said: PartInput[]; results: PartInput[] } {
  const tool = type === 'dynamic-tool' ? name(part, 'toolName', path) : type.slice(5)
  if (tool === '') throw invalidInput(`${path}.type`, 'Expected tool- and a name.')
  const callId = name(part, 'toolCallId', path)
  const metadata = part['callProviderMetadata']
  const data = isObject(metadata) ? { providerData: toJson(metadata, `${path}.callProviderMetadata`) } : {}
  const input = part['input'] === undefined ? {} : toJson(part['input'], `${path}.input`)
  const said: PartInput[] = [{ type: 'tool_call', callId, tool, input, ...data }]
  const result = (status: 'ok' | 'error' | 'denied', output: Json): { said: PartInput[]; results: PartInput[] } => ({
    said,
    results: [{ type: 'tool_result', callId, tool, status, output }],
  })
  switch (part['state']) {
    case 'output-available':
      return result('ok', toJson(part['output'] ?? null, `${path}.output`))
    case 'output-error':
      return result('error', text(part, 'errorText', path))
    case 'output-denied': {
      const approval = isObject(part['approval']) ? part['approval'] : {}
      return result('denied', textIn(approval['reason']) ?? '')
    }
    default:
      return { said, results: [] }
  }
}
