import { given, type Json } from '#kernel'
import type { MessageInput } from '#session'
import type { InboxRow } from './inbox-row.ts'
import { markedText } from './sender.ts'
import { encodeSource, type Source } from './source.ts'

/** What a turn is asked: one message, or several of one sender, a part each. */
export function turnInput(rows: readonly InboxRow[]): MessageInput {
  const parts = rows.flatMap(row => {
    const text = markedText(row.text, row.internal === true ? undefined : row.speaker, row.context)
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
