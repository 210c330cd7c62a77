import { isSkeinError, messageOf, SkeinError, unlessAborted } from '#kernel'
import { isType, type Message } from '#journal'
import type { MemorySession } from '#memory'
import type { ModelEvent, ModelPort } from '#models'
import type { Answer, AnswerReply, AnswerTurn } from './answer-turn.ts'
import type { Front } from './desk.ts'
import { routeAt } from './find-route.ts'
import type { Source } from './source.ts'

/** Where a host answers. */
export interface Place {
  readonly session: MemorySession
  readonly key: string | null
  readonly schedule?: string
  turnOf(): string | undefined
}

const lately = 100

/** The host as a model: its runs are claimed, steered, cancelled and recovered as all are. What it throws fails the turn. */
export function hostAnswers(front: Front, answer: Answer, place: Place): ModelPort {
  return {
    provider: 'host',
    modelId: 'answer',
    info: { capabilities: { tools: false } },
    async *stream(_request, signal): AsyncGenerator<ModelEvent> {
      signal.throwIfAborted()
      yield { type: 'request_started' }
      let reply: AnswerReply
      try {
        const turn = await readTurn(front, place, signal)
        reply = await unlessAborted((async () => await answer(turn))(), signal)
      } catch (error) {
        signal.throwIfAborted()
        yield { type: 'failed', error: isSkeinError(error) ? error : new SkeinError('provider.rejected', messageOf(error)) }
        return
      }
      const text = typeof reply === 'string' ? reply : (reply?.text ?? '')
      if (text !== '') yield { type: 'text_delta', id: 'text', text }
      yield { type: 'ended', reason: 'stop' }
    },
  }
}

async function readTurn({ store }: Front, { session, key, schedule, turnOf }: Place, signal: AbortSignal): Promise<AnswerTurn> {
  const turnId = turnOf() ?? ''
  const said = await store.entries(session.id, { types: ['message_added'], order: 'desc', limit: lately })
  const answered = said.findIndex(
    entry => entry.turn !== turnId || (isType(entry, 'message_added') && entry.data.role !== 'user'),
  )
  const asked = (answered < 0 ? said : said.slice(0, answered)).toReversed()
  const messages = await Promise.all(asked.map(async ({ id }) => (await session.entry(id)).data as Message))
  const found = key === null ? undefined : await routeAt(store, key)
  const fresh = found?.route.sessionId === session.id ? found.route.fresh : undefined
  return {
    key,
    sessionId: session.id,
    turnId,
    text: messages.map(({ parts }) => parts.flatMap(part => (part.type === 'text' ? [part.text] : [])).join('\n')).join('\n'),
    messages,
    source: (messages.at(-1)?.source ?? null) as Partial<Source> | null,
    fresh: fresh ?? null,
    schedule: schedule ?? null,
    session,
    signal,
  }
}
