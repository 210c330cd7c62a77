import { given, type Json } from '#kernel'
import type { MessageInput } from '#session'
import type { InboxRow } from './inbox-row.ts'
import { encodeSource, type Source } from './source.ts'

/** A sender's name as it stands in a prefix: one short line without brackets. Law G72. */
export function senderName(name: string): string {
  const bare = name
    .toWellFormed()
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ')
    .replaceAll(/[[\]]/g, '')
    .replaceAll(/\s+/g, ' ')
    .trim()
  return [...bare].slice(0, 64).join('').trimEnd()
}

/** What the model reads of a message: who speaks, where many may, and what was said before. Law G71. */
export function wordsOf({ text, context, internal, speaker }: InboxRow): string {
  const said = speaker === undefined || internal === true ? text : `[${speaker}] ${text}`
  return context === undefined || context === '' ? said : `${context}\n[New message]\n${said}`
}

/** What a turn is asked: one message, or several of one sender, a part each. */
export function turnInput(rows: readonly InboxRow[]): MessageInput {
  const parts = rows.flatMap(row => {
    const text = wordsOf(row)
    return [...(text.trim() === '' ? [] : [{ type: 'text', text } as const]), ...(row.parts ?? [])]
  })
  const [first] = rows
  return { role: 'user', parts, ...given({ source: first && sourceMark(first) }) }
}

/** Where a message came from and who said it, as it is kept with the message. */
function sourceMark({ source, sender, internal }: InboxRow): Json {
  const { isBot, ...place } = encodeSource(source as Source)
  return { ...place, ...(isBot ? { isBot } : {}), ...given({ userId: sender ?? place.userId, internal }) } as Json
}
