import { cutCodePoints } from '#kernel'
import { searchWords } from '#journal'

/** Of one range: more than that are not a list any more, and the newest count. */
export const maxOpenItems = 100
const maxItemLength = 300
/** What share of an item's words has to come back for it to be the same item. Source: spec/context.md 6. */
const sameFrom = 0.6

interface ListedItem {
  readonly text: string
  readonly words: ReadonlySet<string>
  readonly state: 'open' | 'done' | 'closed'
}

const itemLine = /^[ \t]{0,40}[-*+][ \t]{1,8}\[([ xX])\][ \t]+(\S.*)$/gm
const boxes = ['[ ] ', '[x] ', '[X] ', '[ ]\t', '[x]\t', '[X]\t']
const endsWithReason = /\([^()]*[^()\s][^()]*\)[\s.]*$/

/** Lines `- [ ] …` (open), `- [x] …` (done) and `- [x] … (reason)` (closed). */
function listedItems(text: string): ListedItem[] {
  if (!boxes.some(box => text.includes(box))) return []
  return Array.from(text.matchAll(itemLine), ([, mark, line = '']): ListedItem => {
    const words = cutCodePoints(line.trim(), maxItemLength)
    const state = mark === ' ' ? 'open' : endsWithReason.test(line.slice(-maxItemLength)) ? 'closed' : 'done'
    return { text: words, words: new Set(searchWords(words)), state }
  })
}

/** How much of `a` is said again in `b`, 0..1. Without any word only the very same text counts. */
function overlap(a: ListedItem, b: ListedItem): number {
  if (a.words.size === 0) return a.text === b.text ? 1 : 0
  let common = 0
  for (const word of a.words) if (b.words.has(word)) common++
  return common / a.words.size
}

const isSame = (a: ListedItem, b: ListedItem): boolean => a.text === b.text || overlap(a, b) >= sameFrom

/**
 * What is open after these texts, oldest text first: `- [ ] …` lines, each once, without those that a later line ticks off.
 * In what happened a tick is a fact, with or without a reason. The newest `maxOpenItems`.
 */
export function openItemsOf(texts: readonly string[]): string[] {
  const open = new Map<string, ListedItem>()
  for (const text of texts) {
    for (const item of listedItems(text).slice(-10 * maxOpenItems)) {
      if (item.state === 'open') {
        open.delete(item.text)
        open.set(item.text, item)
        if (open.size > maxOpenItems) open.delete(open.keys().next().value ?? '')
      } else if (!open.delete(item.text)) {
        for (const other of open.values()) if (isSame(other, item)) open.delete(other.text)
      }
    }
  }
  return Array.from(open.values(), item => `- [ ] ${item.text}`)
}

/**
 * The items that a proposal neither repeats as open (word overlap of at least 0.6) nor closes with a reason. A tick without a
 * reason drops nothing: a summary may not decide that something is done. Law C73.
 */
export function carriedOver(items: readonly string[], text: string): string[] {
  const said = listedItems(text).filter(item => item.state !== 'done')
  return items.filter(line => {
    const [item] = listedItems(line)
    return item !== undefined && !said.some(other => isSame(item, other))
  })
}
