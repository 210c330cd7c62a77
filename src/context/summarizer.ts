import { type EntryId, isObject } from '#kernel'
import { type Anchor, fullUsage, type Message, type Summary, type SummaryId, type Usage, usageFields } from '#journal'

/** What a summarizer is shown of one entry, or of one node beneath a condensed one. Data, never instructions. */
export interface Source {
  readonly ref: EntryId | SummaryId
  readonly role: Message['role'] | 'summary'
  /** Epoch milliseconds. */
  readonly at: number
  readonly text: string
  /** The message itself, where the source is an entry: for what is read from its calls and results. */
  readonly message?: Message
}

export interface SummaryRequest {
  readonly purpose: 'summary'
  /** 1: as asked; 2: terse bullets, half the size. */
  readonly level: 1 | 2
  readonly kind: Summary['kind']
  readonly sources: readonly Source[]
  /** The text of the summary right before this range, for reading on. */
  readonly previous: string | null
  readonly targetTokens: number
  readonly mustKeep: readonly Anchor[]
  /** Lines of the form `- [ ] …` that are open in the sources. */
  readonly openItems: readonly string[]
  readonly instructions?: string
  readonly signal: AbortSignal
}

/** What a summarizer says: the text, what that used, and its price in nano-dollars, `null` where it is unknown. */
export interface SummaryAnswer {
  readonly text: string
  readonly usage?: Usage
  readonly cost?: number | null
}

/** An answer as it may be used, whatever came: what is no text is an empty one, and what is no count or price is unknown. */
export function readAnswer(given: unknown): SummaryAnswer {
  const { text, usage, cost } = isObject(given) ? given : {}
  const used = isObject(usage) && usageFields.every(field => usage[field] == null || isCount(usage[field]))
  return {
    text: typeof text === 'string' ? text : '',
    ...(used ? { usage: fullUsage(usage as Partial<Usage>) } : {}),
    ...(cost === undefined ? {} : { cost: isCount(cost) ? cost : null }),
  }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/** Proposes a summary; the engine checks it and adds what must not be lost. A rejection is an error of the attempt. */
export interface Summarizer {
  readonly id: string
  /** Tokens that its sources may take together. */
  readonly maxInputTokens: number
  summarize(request: SummaryRequest): Promise<SummaryAnswer>
}
