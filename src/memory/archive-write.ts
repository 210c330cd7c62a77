import { asSkeinError, type Json, SkeinError, unlessAborted, type Timers, within } from '#kernel'
import { headWithin, type TokenCounter } from '#context'
import type { Entry, Message, Usage } from '#journal'
import { anchorText, archivedMessages, spokenMessages } from './archive-messages.ts'
import { mended } from './archive-mend.ts'
import { abstractLine, cutOverview, oneSpaced } from './archive-text.ts'
import type { ArchivedMessage, Archiver, ArchiveTexts } from './archiver.ts'
import { headingsIn, overviewHeadings } from './archiver.ts'
import { fallbackTexts } from './archiver-fallback.ts'

/** How long an archiver may take for one part of a range. */
export const archiverMs = 60_000
const defaultInputTokens = 24_000

export interface Written extends ArchiveTexts {
  readonly by: 'model' | 'fallback'
  /** The overview before anything was added to it: what is measured. */
  readonly asWritten: string
  /** Why the archiver's own answer was not taken. */
  readonly why?: string
  /** What was paid for, also for an answer that was not taken. */
  readonly paid: readonly Paid[]
}
export interface Paid {
  readonly usage: Partial<Usage>
  readonly cost: number | null
  readonly model: string | null
}

/** Keeps a paid answer for a later attempt. */
export type Step = <T extends Json>(name: string, work: () => Promise<T>) => Promise<T>

/**
 * What stands for a range: by the archiver, or in the same attempt by the fallback. Overviews are cut at a line's end and
 * abstracts made one line, whoever wrote them. Laws M20, M21, M23.
 */
export async function writeArchive(
  archiver: Archiver | undefined,
  range: readonly Entry<string, Message>[],
  previous: ArchiveTexts,
  { counter, timers, signal, step }: { counter: TokenCounter; timers: Timers; signal: AbortSignal; step: Step },
): Promise<Written> {
  const fallback = (): ArchiveTexts => tidy(fallbackTexts(spokenMessages(range), previous))
  if (archiver === undefined) {
    const texts = fallback()
    return { ...texts, asWritten: texts.overview, by: 'fallback', paid: [] }
  }
  const paid: Paid[] = []
  try {
    let texts = previous
    const parts = partsWithin(archivedMessages(range), archiver.maxInputTokens ?? defaultInputTokens, counter)
    for (const [index, messages] of parts.entries()) {
      const answer = await step(
        `part-${index}`,
        async () => await askArchiver(archiver, { messages, previous: texts }, timers, signal),
      )
      if (answer.usage !== null) paid.push(answer.usage as unknown as Paid)
      if (answer.problem !== null) throw new SkeinError('provider.rejected', answer.problem)
      texts = tidy({ overview: answer.overview, abstract: answer.abstract })
    }
    return {
      ...texts,
      overview: mended(texts.overview, anchorText(range), previous.overview),
      asWritten: texts.overview,
      by: 'model',
      paid,
    }
  } catch (error) {
    // A worker that stops gives the job back; that is no fault of the archiver.
    if (signal.aborted) throw error
    const texts = fallback()
    return { ...texts, asWritten: texts.overview, by: 'fallback', why: whyOf(error), paid }
  }
}

const tidy = ({ overview, abstract }: ArchiveTexts): ArchiveTexts => ({
  overview: cutOverview(overview),
  abstract: abstractLine(abstract),
})

interface Answer extends ArchiveTexts {
  readonly usage: Json
  readonly problem: string | null
}

async function askArchiver(
  archiver: Archiver,
  input: Parameters<Archiver['write']>[0],
  timers: Timers,
  signal: AbortSignal,
): Promise<Answer & Record<string, Json>> {
  const late = new AbortController()
  const both = AbortSignal.any([signal, late.signal])
  const call = async (): Promise<Awaited<ReturnType<Archiver['write']>>> => await archiver.write(input, both)
  const answer = await within(timers, archiverMs, unlessAborted(call(), both), () => {
    const error = new SkeinError('provider.unavailable', `The archiver took longer than ${archiverMs} ms.`)
    late.abort(error)
    throw error
  })
  const { overview, abstract, usage, cost = null, model = archiver.id } = answer
  const isText = typeof overview === 'string' && typeof abstract === 'string'
  return {
    overview: isText ? overview : '',
    abstract: isText ? abstract : '',
    usage: usage === undefined ? null : { usage: { ...usage }, cost, model },
    problem: isText ? problemOf({ overview, abstract }) : 'answered with something else than texts',
  }
}

function problemOf({ overview, abstract }: ArchiveTexts): string | null {
  const there = headingsIn(overview)
  const missing = overviewHeadings.filter(heading => !there.includes(heading))
  if (missing.length > 0) return `left out ${missing.join(', ')}`
  return oneSpaced(abstract) === '' ? 'gave no abstract' : null
}

/** Named, without any text of a message. */
function whyOf(error: unknown): string {
  const known = asSkeinError(error)
  if (known.code === 'provider.rejected') return `invalid answer: ${known.message}`
  return known.code === 'skein.bug'
    ? `archiver failed: ${error instanceof Error ? error.name : typeof error}`
    : `archiver failed: ${known.code}`
}

/** Runs of messages, each within so many tokens; a message that is too long by itself is told in pieces. */
function partsWithin(messages: readonly ArchivedMessage[], most: number, counter: TokenCounter): ArchivedMessage[][] {
  const parts: ArchivedMessage[][] = [[]]
  let tokens = 0
  for (const message of messages.flatMap(one => piecesOf(one, most, counter))) {
    const own = counter.count(message.text)
    const last = parts.at(-1)
    if (last === undefined || (last.length > 0 && tokens + own > most)) {
      parts.push([message])
      tokens = own
    } else {
      last.push(message)
      tokens += own
    }
  }
  return parts
}

function piecesOf(message: ArchivedMessage, most: number, counter: TokenCounter): ArchivedMessage[] {
  const pieces: ArchivedMessage[] = []
  let rest = message.text
  while (counter.count(rest) > most) {
    const head = headWithin(rest, most, counter) || [...rest].slice(0, 1).join('')
    pieces.push({ ...message, text: head })
    rest = rest.slice(head.length)
  }
  return rest === '' && pieces.length > 0 ? pieces : [...pieces, { ...message, text: rest }]
}
