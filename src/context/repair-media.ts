import { isObject, type Json, type JsonObject } from '#kernel'
import type { FilePart, Part, Role, ToolResultPart } from '#journal'
import { outputText } from './count-tokens.ts'
import { familyRules } from './families.ts'
import type { Asked } from './repair-item.ts'

/** Whether the model may be sent a file where it stands. What is shown by its outline goes as that. */
export function isTaken(file: FilePart, role: Role, { family, media }: Asked): boolean {
  if (file.outline !== undefined) return true
  const { user, assistant, system } = familyRules[family].media
  const byRole = { user, tool: user, assistant, system } as const satisfies Record<Role, readonly string[]>
  // Inside an answer, only content goes back: no provider reads a URL there.
  if (role === 'assistant' && file.url !== undefined) return false
  // A file that already lies with the provider is of whatever type it was taken for there.
  if (file.url?.startsWith('file_id:') === true && family !== 'google' && role !== 'system')
    return media === undefined || media.length > 0
  if (file.url !== undefined && !URL.canParse(file.url)) return false
  if (role !== 'system' && role !== 'assistant' && media?.includes(file.mediaType) === true) return true
  // Chat Completions fetches pictures alone.
  if (family === 'openai' && file.url !== undefined && !file.mediaType.startsWith('image/')) return false
  return matches(file.mediaType, byRole[role]) && (media === undefined || isText(file) || matches(file.mediaType, media))
}

const isText = ({ mediaType }: FilePart): boolean => mediaType.startsWith('text/')

/** A type is one of the patterns, or of a kind that one names; of `image/*`, where no more is known, any image will do. */
function matches(mediaType: string, patterns: readonly string[]): boolean {
  const type = mediaType.toLowerCase().split(';')[0]?.trim() ?? ''
  const kind = type.split('/')[0] ?? ''
  return patterns.some(
    pattern => pattern === type || pattern === `${kind}/*` || (type === `${kind}/*` && pattern.startsWith(`${kind}/`)),
  )
}

/** What a model is told of a file that it cannot be sent. */
export function fileWords({ name, mediaType, bytes, url }: FilePart): string {
  const size = bytes > 0 ? `${bytes} bytes` : undefined
  const place = url !== undefined && /^https?:/.test(url) ? url : undefined
  return `[file ${[name, mediaType, size, place].filter(told => told !== undefined).join(', ')}: not shown to this model]`
}

/** A result with a line of text behind its output: no other text may stand among results. */
export function withWords(result: ToolResultPart, words: string): ToolResultPart {
  const { output } = result
  if (isBlocks(output)) return { ...result, output: [...output, { type: 'text', text: words }] }
  return { ...result, output: output === '' ? words : `${outputText(output)}\n${words}` }
}

/** A result whose content blocks say something; blocks of blank text are refused by who reads blocks. */
export function withoutBlankBlocks<P extends Part>(part: P): P {
  if (part.type !== 'tool_result' || !isBlocks(part.output)) return part
  const kept = part.output.filter(block => block['type'] !== 'text' || !isBlank(block['text']))
  if (kept.length === part.output.length) return part
  return { ...part, output: kept.length === 0 ? '' : kept }
}

const isBlank = (text: Json | undefined): boolean => typeof text === 'string' && text.trim() === ''

const isBlocks = (output: Json): output is readonly JsonObject[] =>
  Array.isArray(output) && output.length > 0 && output.every(block => isObject(block) && typeof block['type'] === 'string')
