import { isObject, type RunId, type TurnId } from '#kernel'
import { addUsage, type Entry, isType, noUsage } from '#journal'
import { isEntryEvent, type SessionCore, sessionEvents } from '#session'
import type { RunStatus, TurnResult } from './turn-result.ts'

/** True for the entry that keeps an input whose turn is still to come. */
export const admitsNext = (entry: Entry, input: string): boolean =>
  isType(entry, 'input_admitted') && entry.data.input === input && entry.data.delivery === 'next'

/** A run's result as its entries tell it, in any process; waits for its end, or until it is said that it will never begin. */
export async function readResult(core: SessionCore, run: RunId, fromSeq: number, input: string = ''): Promise<TurnResult> {
  const entries: Entry[] = []
  let isNext = false
  for await (const event of sessionEvents(core, { after: `${Math.max(0, fromSeq - 1)}.0` })) {
    if (!isEntryEvent(event) || event.entry.run !== run) continue
    entries.push(event.entry)
    isNext ||= admitsNext(event.entry, input)
    if (event.type === 'run_ended' || (isNext && event.type === 'input_dropped')) break
  }
  return foldResult(entries)
}

/** Pure: the entries of one run, in order. */
export function foldResult(entries: readonly Entry[]): TurnResult {
  let text = ''
  let usage = noUsage
  let cost: number | null = 0
  const messages: Entry['id'][] = []
  let finishReason: TurnResult['finishReason'] = null
  let ended: Record<string, unknown> = {}
  let turn = '' as TurnId
  let demo = false
  for (const entry of entries) {
    turn = entry.turn ?? turn
    if (isType(entry, 'message_added') && entry.data.role !== 'user') {
      messages.push(entry.id)
      const said = entry.data.parts.flatMap(part => (part.type === 'text' ? [part.text] : [])).join('')
      if (entry.data.role === 'assistant' && said !== '') text = said
      finishReason = entry.data.finishReason ?? finishReason
    } else if (isType(entry, 'usage_recorded')) {
      usage = addUsage(usage, entry.data.usage)
      cost = cost === null || entry.data.cost === null ? null : cost + entry.data.cost
      demo ||= entry.data.demo === true
    } else if (isType(entry, 'input_dropped')) {
      ended = { status: 'cancelled', reason: entry.data.reason }
    } else if (entry.type === 'run_ended' && isObject(entry.data)) ended = entry.data
  }
  return {
    status: (ended['status'] as RunStatus | undefined) ?? 'failed',
    reason: typeof ended['reason'] === 'string' ? ended['reason'] : 'abandoned',
    text,
    turn,
    entries: messages,
    finishReason,
    steps: typeof ended['steps'] === 'number' ? ended['steps'] : 0,
    usage,
    cost,
    ...(demo ? { demo: true as const } : {}),
    ...(isObject(ended['error']) ? { error: ended['error'] as { code: string; message: string } } : {}),
  }
}
