import type { EntryId } from '#kernel'
import type { EntryPiece } from './ranges.ts'

/** One message of the branch, as an extractor would read it. */
export interface Heard {
  readonly id: EntryId
  readonly seq: number
  readonly role: string
  readonly turn: string | null
  readonly text: string
  readonly tokens: number
}

export interface PlannedRange {
  readonly fromSeq: number
  readonly toSeq: number
  readonly piece: EntryPiece | null
  /** Whether a user says anything in it. */
  readonly heard: boolean
}

/**
 * Cuts `fromSeq…toSeq` into dense ranges of at most `maxTokens`: between turns, else between entries, else inside one.
 * `messages` are those of the branch, oldest first. Pure.
 */
export function planRanges(
  messages: readonly Heard[],
  fromSeq: number,
  toSeq: number,
  maxTokens: number,
  count: (text: string) => number,
): PlannedRange[] {
  const groups: { readonly messages: readonly Heard[]; readonly piece: EntryPiece | null }[] = []
  let open: Heard[] = []
  let size = 0
  const close = (): void => {
    if (open.length > 0) groups.push({ messages: open, piece: null })
    open = []
    size = 0
  }
  const take = (unit: readonly Heard[]): void => {
    const more = sum(unit)
    if (size + more > maxTokens) close()
    open.push(...unit)
    size += more
  }
  for (const turn of turnsIn(messages)) {
    if (sum(turn) <= maxTokens) take(turn)
    else
      for (const message of turn) {
        if (message.tokens <= maxTokens) take([message])
        else {
          close()
          for (const piece of piecesOf(message.text, maxTokens, count)) groups.push({ messages: [message], piece })
        }
      }
  }
  close()
  if (groups.length === 0) return [{ fromSeq, toSeq, piece: null, heard: false }]
  return groups.map(({ messages: held, piece }, index) => {
    const before = groups[index - 1]
    const after = groups[index + 1]
    const first = held[0]?.seq ?? fromSeq
    const start =
      before === undefined ? fromSeq : piece !== null && piece.from > 0 ? first : (before.messages.at(-1)?.seq ?? 0) + 1
    const end = after === undefined ? toSeq : (held.at(-1)?.seq ?? toSeq)
    const said = (message: Heard): string => (piece === null ? message.text : message.text.slice(piece.from, piece.to))
    return {
      fromSeq: start,
      toSeq: end,
      piece,
      heard: held.some(message => message.role === 'user' && said(message).trim() !== ''),
    }
  })
}

const sum = (messages: readonly Heard[]): number => messages.reduce((total, { tokens }) => total + tokens, 0)

function turnsIn(messages: readonly Heard[]): Heard[][] {
  const turns: Heard[][] = []
  for (const message of messages) {
    const before = turns.at(-1)?.at(-1)
    const begins =
      before === undefined ||
      (message.turn === null || before.turn === null
        ? message.role === 'user' && before.role !== 'user'
        : message.turn !== before.turn)
    if (begins) turns.push([message])
    else turns.at(-1)?.push(message)
  }
  return turns
}

/** Pieces of at most `maxTokens`, cut at a line, a sentence or a space where one is near. */
function piecesOf(text: string, maxTokens: number, count: (text: string) => number): EntryPiece[] {
  const pieces: EntryPiece[] = []
  for (let from = 0; from < text.length;) {
    let to = Math.min(text.length, from + Math.max(1, maxTokens * 4))
    for (let tokens = count(text.slice(from, to)); tokens > maxTokens && to - from > 1; tokens = count(text.slice(from, to)))
      to = from + Math.max(1, Math.floor(((to - from) * maxTokens * 0.98) / tokens))
    if (to < text.length) to = from + niceEnd(text.slice(from, to))
    pieces.push({ from, to, last: to >= text.length })
    from = to
  }
  return pieces
}

function niceEnd(text: string): number {
  const least = Math.floor(text.length * 0.7)
  for (const pattern of ['\n', '. ', '。', ' ']) {
    const at = text.lastIndexOf(pattern)
    if (at >= least) return at + pattern.length
  }
  const code = text.charCodeAt(text.length - 1)
  // Not between the halves of a surrogate pair.
  return code >= 0xd800 && code <= 0xdbff && text.length > 1 ? text.length - 1 : text.length
}
