import { overviewHeadings, headingsIn } from './archiver.ts'

/** How well an overview stands for its range. Shares are 0–1, the score 0–100. */
export interface Quality {
  /** Tokens of overview and abstract over those of the range. */
  readonly ratio: number
  readonly anchorRecall: number
  readonly invented: number
  readonly sections: number
  readonly score: number
}

export interface QualityInput {
  readonly range: string
  readonly rangeTokens: number
  readonly overview: string
  readonly textTokens: number
  readonly previousOverview: string
}

const ticked = /`([^`\n]+)`/g
const edges = /^[^\p{L}\p{N}/`]+|[^\p{L}\p{N}/`]+$/gu

/**
 * What is worth keeping to the letter: spans in backticks, and words that hold `://`, a `/` or `_` beside a letter, a letter
 * and a digit in four or more characters, or are numbers of three or more digits. Source: spec/memory.md 4.
 */
export function archiveAnchors(text: string): Set<string> {
  const found = new Set<string>()
  for (const [, span = ''] of text.matchAll(ticked)) if (span.trim() !== '') found.add(span.trim())
  for (const word of text.replace(ticked, ' ').split(/\s+/u)) {
    const bare = word.replace(edges, '').replaceAll('`', '')
    if (isAnchor(bare)) found.add(bare)
  }
  return found
}

function isAnchor(word: string): boolean {
  if (word.includes('://')) return true
  const hasLetter = /\p{L}/u.test(word)
  if (hasLetter && /[/_]/.test(word)) return true
  if (hasLetter && /\p{N}/u.test(word) && [...word].length >= 4) return true
  return /^\p{N}{3,}$/u.test(word)
}

/** As a whole word, not as a piece of a longer one. */
function standsIn(text: string, anchor: string): boolean {
  for (let at = text.indexOf(anchor); at >= 0; at = text.indexOf(anchor, at + 1)) {
    const around = [text.slice(0, at).at(-1) ?? ' ', text.slice(at + anchor.length).at(0) ?? ' ']
    if (!around.some(mark => /[\p{L}\p{N}_]/u.test(mark))) return true
  }
  return false
}

/** Those of a range that an overview doesn't tell. */
export function lostAnchors(wanted: ReadonlySet<string>, overview: string): string[] {
  const told = archiveAnchors(overview)
  return [...wanted].filter(anchor => !told.has(anchor) && !standsIn(overview, anchor))
}

/** Pure. Law M24. */
export function measureQuality({ range, rangeTokens, overview, textTokens, previousOverview }: QualityInput): Quality {
  const wanted = archiveAnchors(range)
  const told = archiveAnchors(overview)
  const before = archiveAnchors(previousOverview)
  const kept = wanted.size - lostAnchors(wanted, overview).length
  const made = [...told].filter(anchor => !wanted.has(anchor) && !before.has(anchor)).length
  const anchorRecall = wanted.size === 0 ? 1 : kept / wanted.size
  const invented = told.size === 0 ? 0 : made / told.size
  const sections = headingsIn(overview).length / overviewHeadings.length
  return {
    ratio: rangeTokens === 0 ? 0 : Math.round((textTokens / rangeTokens) * 10_000) / 10_000,
    anchorRecall,
    invented,
    sections,
    score: Math.round(100 * (0.5 * anchorRecall + 0.3 * (1 - invented) + 0.2 * sections)),
  }
}
