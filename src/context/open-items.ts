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
    // Why something was closed is not what it is.
    return { text: words, words: new Set(searchWords(state === 'closed' ? words.replace(endsWithReason, '') : words)), state }
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

/** The same words. Lists word their items alike, so that different ones may share most. */
const isEqual = (a: ListedItem, b: ListedItem): boolean =>
  a.text === b.text || (a.words.size === b.words.size && overlap(a, b) === 1)

/** Of what was ticked off and stood open before, so many are told on. */
const maxTicks = 20

/** What became of the items of a list of texts. */
export interface ItemsLeft {
  readonly open: readonly string[]
  /** Ticked off what one of the texts had opened. */
  readonly closed: readonly string[]
  /** Ticked off what none of them has opened: it stands open in what was before them. */
  readonly ticked: readonly string[]
}

/**
 * What is open after these texts, oldest text first: `- [ ] …` lines, each once, without those that a later line ticks off.
 * In what happened a tick is a fact, with or without a reason. The newest `maxOpenItems`.
 */
export function itemsLeftBy(texts: readonly string[]): ItemsLeft {
  const open = new Map<string, ListedItem>()
  const closed = new Map<string, ListedItem>()
  const ticked = new Map<string, ListedItem>()
  for (const text of texts) {
    for (const item of listedItems(text).slice(-10 * maxOpenItems)) {
      if (item.state === 'open') {
        for (const items of [closed, ticked]) for (const other of equalsIn(items, item)) items.delete(other.text)
        renew(open, item, maxOpenItems)
        continue
      }
      const equal = equalsIn(open, item)
      for (const other of equal.length > 0 ? equal : nearestIn(open, item)) open.delete(other.text)
      if (equal.length > 0) renew(closed, item, maxOpenItems)
      // A list that is told again ticks off what it has ticked off before.
      else if (equalsIn(closed, item).length === 0) {
        for (const other of equalsIn(ticked, item)) ticked.delete(other.text)
        renew(ticked, item, maxTicks)
      }
    }
  }
  return {
    open: Array.from(open.values(), item => `- [ ] ${item.text}`),
    closed: Array.from(closed.values(), tickOf),
    ticked: Array.from(ticked.values(), tickOf),
  }
}

export const openItemsOf = (texts: readonly string[]): readonly string[] => itemsLeftBy(texts).open

const tickOf = ({ text }: ListedItem): string => `- [x] ${text}`

const equalsIn = (items: ReadonlyMap<string, ListedItem>, item: ListedItem): ListedItem[] =>
  [...items.values()].filter(other => isEqual(other, item))

/** Those that share most of their words with an item, if that is enough to be the same. */
function nearestIn(items: ReadonlyMap<string, ListedItem>, item: ListedItem): ListedItem[] {
  const alike = [...items.values()].filter(other => isSame(other, item))
  const most = alike.reduce((best, other) => Math.max(best, overlap(other, item)), 0)
  return alike.filter(other => overlap(other, item) === most)
}

function renew(items: Map<string, ListedItem>, item: ListedItem, most: number): void {
  items.delete(item.text)
  items.set(item.text, item)
  if (items.size > most) items.delete(items.keys().next().value ?? '')
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

/**
 * The ticks that must stand beside a proposal: those of what was open before, and those of what it lists as open itself, unless it
 * tells that they are done.
 */
export function untoldTicks({ ticked, closed }: Pick<ItemsLeft, 'ticked' | 'closed'>, text: string): string[] {
  const said = listedItems(text)
  const ticks = (lines: readonly string[]): ListedItem[] => lines.flatMap(listedItems)
  const contradicted = ticks(closed).filter(item => said.some(other => other.state === 'open' && isEqual(item, other)))
  const untold = [...contradicted, ...ticks(ticked)].filter(
    item => !said.some(other => other.state !== 'open' && isEqual(item, other)),
  )
  return untold.map(tickOf)
}
