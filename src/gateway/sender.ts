import { cutCodePoints } from '#kernel'
import type { Source } from './source.ts'

const mostName = 64

/** The name that a message is marked with: no brackets, no controls, one line, at most 64 code points. Law G72. */
export function senderName({ userName, userId, userIdAlt }: Source, maskedId?: string): string | undefined {
  const clean = (text: string): string =>
    cutCodePoints(
      text
        .toWellFormed()
        .replace(/[[\]\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ')
        .replace(/\s+/gu, ' ')
        .trim(),
      mostName,
    ).trim()
  const named = userName === undefined ? '' : clean(userName)
  if (named !== '') return named
  const id = maskedId ?? userIdAlt ?? userId
  const shown = id === undefined ? '' : clean(id)
  return shown === '' ? undefined : shown
}

/** What the model is shown of a message in a shared session: who said it, and what was said before it came. Law G71. */
export function markedText(text: string, sender: string | undefined, context?: string): string {
  const said = sender === undefined ? text : `[${sender}] ${text}`
  return context === undefined || context === '' ? said : `${context}\n[New message]\n${said}`
}
