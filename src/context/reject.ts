import type { Anchor, RejectReason } from '#journal'
import { findAnchors } from './anchors.ts'

export interface Proposal {
  readonly text: string
  /** Of the text alone. */
  readonly tokens: number
  /** As the whole node would be rendered. */
  readonly renderedTokens: number
  readonly targetTokens: number
  readonly sourceTokens: number
  /** All that the summarizer could have read an identifier in. */
  readonly known: string
}

/** Why a proposal is not taken, or `undefined`. Source: spec/context.md 6, laws C52 and C72. */
export function rejectReason(proposal: Proposal): RejectReason | undefined {
  if (!/[\p{L}\p{N}\p{So}]/u.test(proposal.text)) return 'empty'
  if (proposal.tokens > proposal.targetTokens * 1.5) return 'too_long'
  if (inventedAnchors(proposal.text, proposal.known).length > 0) return 'invented_anchor'
  if (proposal.renderedTokens > proposal.sourceTokens * 0.8) return 'no_gain'
  return undefined
}

/** Paths, URLs, hashes and ids that `known` does not contain; a part of a known one is known. */
export function inventedAnchors(text: string, known: string): Anchor[] {
  const lower = known.toLowerCase()
  return findAnchors(text, 'ent_').filter(anchor => isId(anchor) && !spellings(anchor).some(one => lower.includes(one)))
}

/** Names that a model cannot have worded itself; dates, amounts and versions it may write its own way. */
function isId({ text, kind }: Anchor): boolean {
  if (kind === 'identifier') return text.length >= 12 && !text.includes('.') && text.replace(/\D/g, '').length >= 3
  return kind === 'path' || kind === 'url' || kind === 'hash' || kind === 'uuid'
}

/** As it is, without `./` and a last slash, and as JSON writes it. */
function spellings({ text }: Anchor): string[] {
  const bare = text.toLowerCase().replace(/^\.\//, '').replace(/\/$/, '')
  return [bare, JSON.stringify(bare).slice(1, -1), bare.replaceAll('\\\\', '\\')]
}
