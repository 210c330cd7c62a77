import type { EntryId } from '#kernel'
import type { Usage } from '#journal'

/** A message as an archiver reads it. `at` in epoch milliseconds. */
export interface ArchivedMessage {
  readonly role: 'user' | 'assistant' | 'tool'
  readonly text: string
  readonly id: EntryId
  readonly at: number
}

/** What stands for a range. */
export interface ArchiveTexts {
  /** Several lines, at most 8,000 characters. */
  readonly overview: string
  /** One line, at most 100 code points. */
  readonly abstract: string
}

/** Writes what stands for a range. A throw, and an answer that lacks a heading or an abstract, give way to the fallback. */
export interface Archiver {
  readonly id: string
  /** Estimated tokens that it takes at once. A longer range is read in parts, each with what was written of the one before. */
  readonly maxInputTokens?: number
  write(
    input: { readonly messages: readonly ArchivedMessage[]; readonly previous: ArchiveTexts },
    signal: AbortSignal,
  ): Promise<ArchiveTexts & { readonly usage?: Partial<Usage>; readonly cost?: number | null; readonly model?: string }>
}

/** What an overview of a model has, in this order. */
export const overviewHeadings = ['## Main Topics', '## Decisions Made', '## Outcomes & Progress', '## Action Items'] as const

/** Of these headings, those that stand on lines of their own. */
export function headingsIn(overview: string): readonly string[] {
  const lines = new Set(overview.split(/\r?\n/).map(line => line.trimEnd()))
  return overviewHeadings.filter(heading => lines.has(heading))
}

export const maxOverview = 8_000
export const maxAbstract = 100
