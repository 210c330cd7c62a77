import type { ArchivedMessage, ArchiveTexts } from './archiver.ts'
import { cutGraphemes, cutOverview, oneSpaced } from './archive-text.ts'

/**
 * What stands for a range when no model writes it: how many messages of whom, and how it began and ended. Pure; the same
 * messages give the same bytes. Source: spec/memory.md 4, law M22.
 */
export function fallbackTexts(
  messages: readonly Pick<ArchivedMessage, 'role' | 'text'>[],
  previous: Pick<ArchiveTexts, 'abstract'>,
): ArchiveTexts {
  if (messages.length === 0) return { overview: '', abstract: 'Empty session' }
  const before = oneSpaced(previous.abstract)
  const users = messages.filter(({ role }) => role === 'user')
  const assistants = messages.filter(({ role }) => role === 'assistant')
  const firstUser = users.map(({ text }) => oneSpaced(text)).find(text => text !== '')
  const lastAnswer = assistants.map(({ text }) => oneSpaced(text)).findLast(text => text !== '')
  const counts = `Session with ${messages.length} messages (${users.length} from user, ${assistants.length} from assistant).`
  const paragraphs = [
    ...(before === '' ? [] : [`Previous context:\nPrevious abstract: ${before}`]),
    counts,
    ...(firstUser === undefined ? [] : [`Started with: ${cutWith(firstUser, 100, '...')}`]),
  ]
  const own = ownAbstract(messages.length, firstUser, lastAnswer)
  const abstract = before === '' ? own : `${cutGraphemes(before, 45)} | ${cutGraphemes(own, 52)}`
  return { overview: cutOverview(paragraphs.join('\n\n')), abstract }
}

function ownAbstract(count: number, firstUser: string | undefined, lastAnswer: string | undefined): string {
  if (firstUser === undefined) return `Session with ${count} messages`
  if (lastAnswer === undefined) return `${cutGraphemes(firstUser, 97)}...`
  return `${cutGraphemes(firstUser, 50)}... → ${cutGraphemes(lastAnswer, 30)}`
}

function cutWith(text: string, max: number, mark: string): string {
  const cut = cutGraphemes(text, max)
  return cut === text ? text : `${cut}${mark}`
}
