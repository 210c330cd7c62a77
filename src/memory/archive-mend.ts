import { cutOverview } from './archive-text.ts'
import { overviewHeadings } from './archiver.ts'
import { archiveAnchors, lostAnchors } from './quality.ts'

/** Of a range's anchors at least this share is kept, or the lost ones are listed. */
const keptShare = 0.7
/** Of an item's words this share has to be found again. */
const sameShare = 0.6

const anchorsHeading = '## Anchors'
const [, , , itemsHeading] = overviewHeadings

/**
 * A model's overview with what it must not lose: action items of the one before that vanished come back as `[restored]`, and
 * where too few of the range's anchors are left the others are listed. Pure. Law M28.
 */
export function mended(overview: string, range: string, previousOverview: string): string {
  const items = vanished(previousOverview, overview)
  const restored = items.length === 0 ? overview : withItems(overview, items)
  const wanted = archiveAnchors(range)
  const lost = lostAnchors(wanted, restored)
  if (wanted.size === 0 || 1 - lost.length / wanted.size >= keptShare) return cutOverview(restored)
  return cutOverview([restored.trimEnd(), '', anchorsHeading, ...lost.map(anchor => `- ${anchor}`)].join('\n'))
}

/** Items of before that nothing of the new overview speaks of, neither as open nor as done. */
function vanished(before: string, now: string): string[] {
  const told = now.split('\n').map(wordsOf)
  return itemsIn(before).filter(item => {
    const words = wordsOf(item)
    return words.size > 0 && !told.some(line => [...words].filter(word => line.has(word)).length / words.size >= sameShare)
  })
}

function itemsIn(overview: string): string[] {
  const lines = overview.split('\n')
  const from = lines.indexOf(itemsHeading) + 1
  if (from === 0) return []
  const to = lines.findIndex((line, at) => at >= from && line.startsWith('## '))
  return lines.slice(from, to < 0 ? undefined : to).flatMap(line => {
    const item = /^\s*[-*]\s+(?:\[ \]\s*)?(.+?)(?:\s*\[restored\])?\s*$/.exec(line)?.[1]
    return item === undefined || /^(?:none|n\/a|-)\.?$/i.test(item) || line.includes('[x]') ? [] : [item]
  })
}

function withItems(overview: string, items: readonly string[]): string {
  const lines = overview.split('\n')
  const at = lines.indexOf(itemsHeading)
  const next = lines.findIndex((line, index) => index > at && line.startsWith('## '))
  const end = next < 0 ? lines.length : next
  const back = items.map(item => `- ${item} [restored]`)
  return [...lines.slice(0, end), ...back, ...lines.slice(end)].join('\n')
}

const wordsOf = (text: string): Set<string> => new Set(text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [])
