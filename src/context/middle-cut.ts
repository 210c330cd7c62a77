import type { TokenCounter } from './count-tokens.ts'

/** What stands in place of `leftOut` tokens. */
export type CutMarker = (leftOut: number) => string

/**
 * The text within `tokens`: as it is if it fits, else its head and its end, 2:1, round the marker; a marker that does not fit
 * itself gives way to the head alone. Never over `tokens`, never splits a surrogate pair.
 */
export function middleCut(text: string, tokens: number, counter: TokenCounter, marker: CutMarker): string {
  return cutMiddle(text, tokens, counter, marker).text
}

/** The same, and how many tokens are not shown. */
export function cutMiddle(
  text: string,
  tokens: number,
  counter: TokenCounter,
  marker: CutMarker,
): { readonly text: string; readonly leftOut: number } {
  const total = counter.count(text)
  if (total <= tokens) return { text, leftOut: 0 }
  // A counter that merges over borders may count the whole higher than its parts: then there is less room than it seemed.
  for (let room = tokens - counter.count(marker(total)); room > 0;) {
    const head = headWithin(text, Math.ceil((room * 2) / 3), counter)
    const end = endWithin(text.slice(head.length), room - counter.count(head), counter)
    const leftOut = Math.max(0, total - counter.count(head) - counter.count(end))
    const cut = `${head}${marker(leftOut)}${end}`
    const over = counter.count(cut) - tokens
    if (over <= 0) return { text: cut, leftOut }
    room -= over
  }
  const head = headWithin(text, tokens, counter)
  return { text: head, leftOut: total - counter.count(head) }
}

/** The longest beginning that takes at most `tokens`; costs what it keeps, not what there is. */
export function headWithin(text: string, tokens: number, counter: TokenCounter): string {
  const head = (length: number): string => text.slice(0, splitsPair(text, length) ? length - 1 : length)
  return head(longest(text.length, length => counter.count(head(length)) <= tokens))
}

/** The longest end that takes at most `tokens`. */
export function endWithin(text: string, tokens: number, counter: TokenCounter): string {
  const end = (length: number): string => {
    const from = text.length - length
    return text.slice(splitsPair(text, from) ? from + 1 : from)
  }
  return end(longest(text.length, length => counter.count(end(length)) <= tokens))
}

/** The greatest length up to `most` that fits, where what is shorter fits, too: doubling, then halving. */
function longest(most: number, fits: (length: number) => boolean): number {
  let low = 0
  let high = 64
  while (high < most && fits(high)) {
    low = high
    high *= 2
  }
  if (high >= most) {
    if (fits(most)) return most
    high = most
  }
  while (high - low > 1) {
    const middle = (low + high) >>> 1
    if (fits(middle)) low = middle
    else high = middle
  }
  return low
}

function splitsPair(text: string, at: number): boolean {
  return (text.charCodeAt(at - 1) & 0xfc00) === 0xd800 && (text.charCodeAt(at) & 0xfc00) === 0xdc00
}
