import { isObject } from '#kernel'
import type { Message, Part, Role } from '#journal'
import { familyRules } from './families.ts'
import { type Asked, holds, type Item, partRef, placeOf, tell } from './repair-item.ts'
import { fileWords, isTaken, withoutBlankBlocks, withWords } from './repair-media.ts'
import { whyForeign } from './repair-reasoning.ts'
import { wellFormed } from './well-formed.ts'

/**
 * One message by the rules that need no other: bad_unicode, empty_part, reasoning_foreign, media_unsupported, system_inside
 * and empty_message. `undefined`: nothing of it is shown.
 */
export function repairParts(item: Item, asked: Asked): Item | undefined {
  const parts: Part[] = []
  const places: number[] = []
  const { message } = item
  let lastResult: number | undefined
  // What is to be told of files that stand before the first result.
  let before: string[] = []
  for (const [index, part] of message.parts.entries()) {
    const shown = repairPart(part, index, item, asked)
    if (shown === undefined) continue
    if (typeof shown === 'string') {
      const result = lastResult === undefined ? undefined : parts[lastResult]
      if (lastResult === undefined || result?.type !== 'tool_result') before.push(shown)
      else parts[lastResult] = withWords(result, shown)
      continue
    }
    if (shown.type === 'tool_result') {
      lastResult = parts.length
      parts.push(before.reduce(withWords, shown))
      before = []
    } else parts.push(shown)
    places.push(placeOf(item, index))
  }
  dropLastReasoning(item, parts, places, asked)
  if (holds('empty_message', asked) && !saysSomething(parts, asked)) {
    tell(asked, 'empty_message', item.ref, `a ${message.role} message with nothing to show`)
    return undefined
  }
  const whole = withRole(wholeOf(message, item.ref, asked), item.ref, asked)
  const isSame = parts.length === message.parts.length && parts.every((part, at) => part === message.parts[at])
  if (isSame) return whole === message ? item : { ...item, message: whole }
  return { message: { ...whole, parts }, ref: item.ref, places }
}

/** The part as it may be shown, or words for the result that it belongs to; nothing if it is left out. */
function repairPart(part: Part, index: number, item: Item, asked: Asked): Part | string | undefined {
  const { message } = item
  const ref = partRef(item, index)
  if (holds('reasoning_foreign', asked) && part.type === 'reasoning') {
    const why = whyForeign(part, message, asked)
    if (why !== undefined) return void tell(asked, 'reasoning_foreign', ref, why)
  }
  if (holds('empty_part', asked)) {
    const why = whyEmpty(part, message.role, asked)
    if (why !== undefined) return void tell(asked, 'empty_part', ref, why)
  }
  let shown = part
  if (holds('bad_unicode', asked)) {
    shown = wellFormedPart(part)
    if (shown !== part) tell(asked, 'bad_unicode', ref, 'lone surrogates')
  }
  if (holds('empty_part', asked) && familyRules[asked.family].refusesBlank) {
    const filled = withoutBlankBlocks(shown)
    if (filled !== shown) tell(asked, 'empty_part', ref, 'blank text in a result')
    shown = filled
  }
  if (holds('media_unsupported', asked) && shown.type === 'file' && !isTaken(shown, message.role, asked)) {
    const text = fileWords(shown)
    tell(asked, 'media_unsupported', ref, text)
    return message.role === 'tool' ? text : { type: 'text', text }
  }
  return shown
}

/** A call's id is no text: it is renamed where it cannot be sent, together with its result's. */
function wellFormedPart(part: Part): Part {
  const now = wellFormed(part)
  if (now === part || (part.type !== 'tool_call' && part.type !== 'tool_result')) return now
  const mended = { ...now, callId: part.callId } as Part
  return JSON.stringify(mended) === JSON.stringify(part) ? part : mended
}

const placeable = {
  user: ['text', 'file', 'source', 'custom', 'lost', 'tool_result'],
  system: ['text', 'file', 'source', 'custom', 'lost', 'tool_result'],
  assistant: ['text', 'reasoning', 'tool_call', 'file', 'source', 'custom', 'lost', 'tool_result'],
  tool: ['tool_result', 'file', 'custom'],
} as const satisfies Record<Role, readonly Part['type'][]>

function whyEmpty(part: Part, role: Role, { family }: Asked): string | undefined {
  if (!(placeable[role] as readonly string[]).includes(part.type)) return `a ${part.type} part has no place in a ${role} message`
  if (part.type === 'text') {
    const isEmpty = familyRules[family].refusesBlank ? part.text.trim() === '' : part.text === ''
    return isEmpty && !(family === 'google' && carriesThought(part)) ? 'empty text' : undefined
  }
  if (part.type !== 'reasoning' || part.text !== '') return undefined
  const carries = part.signature !== undefined || part.redacted !== undefined || part.providerData !== undefined
  return carries ? undefined : 'empty reasoning'
}

/** Google hangs the signature of a thought on a text without words, and wants it back. */
function carriesThought({ providerData }: Part & { readonly type: 'text' }): boolean {
  if (!isObject(providerData)) return false
  return familyRules.google.proof.names.some(name => {
    const own = providerData[name]
    return isObject(own) && typeof own['thoughtSignature'] === 'string'
  })
}

function dropLastReasoning(item: Item, parts: Part[], places: number[], asked: Asked): void {
  if (!holds('empty_part', asked) || familyRules[asked.family].takesLastReasoning) return
  // Results do not stay in an answer.
  const isLast = (part: Part): boolean => part.type !== 'tool_result' && saysSomething([part], asked)
  const last = parts.findLastIndex(isLast)
  // Where there is nothing else, the message as a whole is empty.
  if (last === -1) return
  for (let at = parts.length - 1; at > last; at--) {
    if (parts[at]?.type !== 'reasoning') continue
    const [place] = places.splice(at, 1)
    parts.splice(at, 1)
    tell(asked, 'empty_part', item.ref === '' ? '' : `${item.ref}#${place ?? at}`, 'reasoning that nothing follows')
  }
}

/** True if anything of the parts reaches the model by itself. */
export function saysSomething(parts: readonly Part[], { family }: Asked): boolean {
  return parts.some(part => {
    switch (part.type) {
      case 'reasoning':
      case 'source':
        return false
      case 'custom':
        return familyRules[family].customs.some(prefix => part.name.startsWith(prefix))
      default:
        return true
    }
  })
}

function wholeOf(message: Message, ref: string, asked: Asked): Message {
  if (!holds('bad_unicode', asked) || message.providerData === undefined) return message
  const providerData = wellFormed(message.providerData)
  if (providerData === message.providerData) return message
  tell(asked, 'bad_unicode', ref, 'lone surrogates')
  return { ...message, providerData }
}

function withRole(message: Message, ref: string, asked: Asked): Message {
  if (message.role !== 'system' || !holds('system_inside', asked)) return message
  tell(asked, 'system_inside', ref, 'shown as a user message')
  return { ...message, role: 'user' }
}
