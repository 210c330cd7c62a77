import { given, invalidInput, isObject, type Json, type TurnId } from '#kernel'
import {
  type Durability,
  type Entry,
  type FinishReason,
  fullUsage,
  isType,
  noUsage,
  type TurnEnded,
  type Usage,
  usageFields,
} from '#journal'
import { digestable, messageDrafts, namedContents, type VerbOptions, writeOptions } from './append-messages.ts'
import type { Plan, SessionCore } from './core.ts'
import { type Draft, draft } from './draft.ts'
import type { MessageInput } from './message-input.ts'

/** One finished turn that a host's own model made. */
export interface TurnInput {
  readonly messages: readonly MessageInput[]
  readonly usage?: Partial<Usage>
  /** A host's own tools, for statistics. */
  readonly tools?: TurnEnded['tools']
  readonly finishReason?: FinishReason
  readonly model?: string
  readonly at?: number
  /** Nano-dollars; `null` if unknown. */
  readonly cost?: number | null
}

export interface Recorded {
  readonly turn: TurnId
  readonly index: number
  readonly entries: readonly Entry[]
  readonly usage: Usage
  readonly usageSource: 'reported' | 'estimated'
  readonly durability: Durability
  readonly replayed: boolean
}

/** Reads a caller's usage: whole numbers or null. Throws `input.invalid`. */
export function readUsage(value: unknown, path: string = 'usage'): Usage {
  if (!isObject(value)) throw invalidInput(path, 'Expected an object of token counts.')
  for (const [field, tokens] of Object.entries(value)) {
    if (!(usageFields as readonly string[]).includes(field))
      throw invalidInput(`${path}.${field}`, `Unknown field; expected ${usageFields.join(', ')}.`)
    if (tokens != null && !(typeof tokens === 'number' && Number.isSafeInteger(tokens) && tokens >= 0))
      throw invalidInput(`${path}.${field}`, 'Expected a whole number of tokens, or null.')
  }
  return fullUsage(value)
}

/**
 * Writes a whole turn in one commit: its start, its messages, what it used, its end. Without usage it is estimated in the
 * answer, no `usage_recorded` is written and totals stay. Laws S1, S2, S3.
 */
export async function recordTurn(core: SessionCore, input: TurnInput, options: VerbOptions = {}): Promise<Recorded> {
  const { messages } = input
  if (messages.length === 0) throw invalidInput('messages', 'A turn has at least one message.')
  const usage = input.usage === undefined ? undefined : readUsage(input.usage)
  if (input.cost != null && (!Number.isSafeInteger(input.cost) || input.cost < 0))
    throw invalidInput('cost', 'Expected whole nano-dollars, or null.')
  const contents = await namedContents(core, messages)
  const turn = core.runtime.ids('trn')
  const times = given({ at: input.at })
  const { committed, entries } = await core.path(
    row => {
      const index = row.counters.turnCount
      const placed = messages.map(message => ({
        ...times,
        ...(message.role === 'assistant' && input.model !== undefined ? { model: input.model } : {}),
        ...message,
      }))
      const stowed = messageDrafts(core, placed, { turn }, { handedIn: true, contents })
      const named = withEntryIds(core, stowed.drafts)
      const answer = named.findLast(item => item.type === 'message_added' && (item.data as { role?: Json }).role === 'assistant')
      const ended: TurnEnded = {
        index,
        status: input.finishReason === 'error' ? 'failed' : 'done',
        ...given({ finishReason: input.finishReason, tools: input.tools }),
      }
      const used: Draft[] =
        usage === undefined
          ? []
          : [
              draft(
                'usage_recorded',
                {
                  requestId: core.runtime.ids('req'),
                  purpose: 'turn',
                  model: input.model ?? row.model,
                  entry: answer?.id ?? null,
                  usage,
                  cost: input.cost ?? null,
                  outcome: 'done',
                },
                { turn, by: 'model', ...times },
              ),
            ]
      const plan: Plan = {
        ...stowed,
        drafts: [
          draft('turn_started', { index }, { turn, ...times }),
          ...named,
          ...used,
          draft('turn_ended', ended, { turn, ...times }),
        ],
      }
      return plan
    },
    { ...writeOptions('record', options, { ...input, messages: messages.map(digestable) }), retryOnConflict: true },
  )
  const started = entries.find(entry => isType(entry, 'turn_started'))
  return {
    turn: started?.turn ?? turn,
    index: started !== undefined && isType(started, 'turn_started') ? started.data.index : 0,
    entries,
    usage: usage ?? estimateUsage(entries),
    usageSource: usage === undefined ? 'estimated' : 'reported',
    durability: committed.durability,
    replayed: committed.replayed,
  }
}

/** Ids given now, so that entries of one commit can name each other. */
function withEntryIds(core: SessionCore, drafts: readonly Draft[]): Draft[] {
  return drafts.map(item => ({ ...item, id: core.runtime.ids('ent') }))
}

/** What the turn's own messages weigh: everything but assistant messages went in, those came out. */
function estimateUsage(entries: readonly Entry[]): Usage {
  let inputTokens = 0
  let outputTokens = 0
  for (const entry of entries) {
    if (!isType(entry, 'message_added')) continue
    if (entry.data.role === 'assistant') outputTokens += entry.tokens ?? 0
    else inputTokens += entry.tokens ?? 0
  }
  return { ...noUsage, inputTokens, outputTokens }
}
