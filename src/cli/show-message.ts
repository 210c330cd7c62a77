import type { Message, Part } from '#journal'

/** A message as a person reads it. */
export function messageText(message: Pick<Message, 'parts'>): string {
  return message.parts.map(partText).join('\n')
}

function partText(part: Part): string {
  switch (part.type) {
    case 'text':
      return part.text
    case 'reasoning':
      return `(thinking) ${part.text}`
    case 'tool_call':
      return `→ ${part.tool} ${JSON.stringify(part.input)}`
    case 'tool_result':
      return `← ${part.tool} ${part.status}: ${typeof part.output === 'string' ? part.output : JSON.stringify(part.output)}`
    case 'file':
      return `[file ${part.name ?? part.mediaType}]`
    case 'source':
      return `[source ${part.url}]`
    case 'custom':
      return `[${part.name}]`
    case 'lost':
      return '[lost: its blob is missing or altered]'
    default:
      part satisfies never
      return ''
  }
}
