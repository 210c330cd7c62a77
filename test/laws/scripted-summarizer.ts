import type { Summarizer, SummaryRequest } from '#context'
import { fullUsage } from '#journal'
import { SkeinError } from '#kernel'

/** What a summarizer does when it is asked. */
export type Behaviour = 'extracts' | 'empty' | 'long' | 'invents' | 'echoes' | 'throws' | 'refuses' | 'hangs' | (() => unknown)

export interface ScriptedSummarizer extends Summarizer {
  readonly asked: SummaryRequest[]
  /** The next answers; the last one is for ever. */
  answers: Behaviour[]
}

const words = (text: string, count: number): string => text.split(/\s+/).slice(0, count).join(' ')

/** How each of its sources begins, within the target. */
export function extract({ sources, targetTokens }: SummaryRequest): string {
  const each = Math.max(3, Math.floor(targetTokens / 4 / Math.max(1, sources.length)))
  return (
    sources
      .map(source => `${source.role}: ${words(source.text, Math.min(each, 12))}`)
      .join('\n')
      .slice(0, targetTokens * 3) || '-'
  )
}

/** Summarizes as it is told, and tells each time that it used 100 and 10 tokens. */
export function scriptedSummarizer(answers: Behaviour[] = ['extracts'], maxInputTokens: number = 100_000): ScriptedSummarizer {
  const asked: SummaryRequest[] = []
  const self: ScriptedSummarizer = {
    id: 'scripted',
    maxInputTokens,
    asked,
    answers,
    summarize: async request => {
      asked.push(request)
      const behaviour = (self.answers.length > 1 ? self.answers.shift() : self.answers[0]) ?? 'extracts'
      return { text: await textOf(behaviour, request), usage: fullUsage({ inputTokens: 100, outputTokens: 10 }), cost: 7 }
    },
  }
  return self
}

async function textOf(behaviour: Behaviour, request: SummaryRequest): Promise<string> {
  if (typeof behaviour === 'function') {
    const said = await behaviour()
    return typeof said === 'string' ? said : extract(request)
  }
  switch (behaviour) {
    case 'extracts':
      return extract(request)
    case 'empty':
      return ' \n'
    case 'long':
      return 'word '.repeat(request.targetTokens * 3)
    case 'invents':
      return `See /made/up/file-${request.targetTokens}.ts for it.`
    case 'echoes':
      return request.sources.map(source => source.text).join('\n')
    case 'throws':
      throw new SkeinError('provider.unavailable', 'Later.')
    case 'refuses':
      throw new SkeinError('auth.rejected', 'No.')
    case 'hangs':
      return await new Promise<never>((_, reject) =>
        request.signal.addEventListener('abort', () => reject(request.signal.reason as Error), { once: true }),
      )
    default:
      return (behaviour satisfies never, '')
  }
}
