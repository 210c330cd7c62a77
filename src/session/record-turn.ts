import { type EntryId, given, invalidInput, isObject, type Json, type TurnId } from '#kernel'
import {
  type Durability,
  type Entry,
  type FinishReason,
  fullUsage,
  isType,
  type Message,
  noUsage,
  type TurnEnded,
  type Usage,
  usageFields,
} from '#journal'
import { digestable, messageDrafts, namedContents, type VerbOptions, writeOptions } from './append-messages.ts'
import { readContextState } from './context-state.ts'
import { changedNotes, noteDrafts } from './notes.ts'
import type { Plan, SessionCore } from './core.ts'
import { doomLoopsIn } from './doom-loop.ts'
import { type Draft, draft } from './draft.ts'
import { askedByHost, turnEnding } from './end-turn.ts'
import type { MessageInput } from './message-input.ts'
import { servedState } from './read-context.ts'

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
  /** Whether this turn brought the next request near the budget, so that summaries are being prepared. */
  readonly compaction: 'none' | 'queued' | 'running'
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
  let compaction: Recorded['compaction'] = 'none'
  const { committed, entries } = await core.path(
    async row => {
      const index = row.counters.turnCount
      const placed = messages.map(message => ({
        ...times,
        ...(message.role === 'assistant' ? given({ model: input.model, finishReason: failed(input) }) : {}),
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
      const state = await readContextState(core, row, given({ model: input.model }))
      const asked = askedOf(named)
      const request = await askedByHost(core, servedState(core, state), usage ?? null, asked.messages, asked.newest)
      const loops = doomLoopsIn(messages as Message[], state.settings.doomLoopCalls)
      const ending = await turnEnding(core, row, {
        turn,
        index,
        startedAt: input.at ?? core.runtime.clock.now(),
        state,
        model: input.model ?? row.model,
        steps: messages.filter(({ role }) => role === 'assistant').length,
        usage: usage ?? noUsage,
        cost: usage === undefined ? null : (input.cost ?? null),
        finishReason: input.finishReason ?? 'stop',
        doomLoop: loops.length > 0,
        reported: request.reported,
        asked,
        answered: asked.answered,
      })
      compaction = ending.compaction
      const plan: Plan = {
        ...stowed,
        drafts: [
          draft('turn_started', { index }, { turn, ...times }),
          ...noteDrafts(core, await changedNotes(core, state, messages as Message[]), { turn, ...times }),
          ...named,
          ...loops.map(loop => draft('doom_loop_detected', { ...loop }, { turn })),
          ...used,
          ...ending.drafts,
          draft('turn_ended', ended, { turn, ...times }),
        ],
        head: { merge: { ...request.head?.merge, ...ending.head?.merge } },
        alongside: [...(request.alongside ?? []), ...(ending.alongside ?? [])],
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
    compaction,
  }
}

/** An answer that failed is kept and never shown to a model again. Law C84. */
const failed = ({ finishReason }: TurnInput): 'error' | undefined => (finishReason === 'error' ? 'error' : undefined)

/** What the host's last request showed of this turn, and what came after: everything from its last answer on. */
function askedOf(named: readonly Draft[]): {
  readonly messages: number
  readonly toolResults: number
  readonly newest: EntryId | null
  readonly answered: number
} {
  const roleOf = ({ data }: Draft): unknown => (data as Partial<Message>).role
  const last = named.findLastIndex(item => roleOf(item) === 'assistant')
  const asked = last < 0 ? named : named.slice(0, last)
  const sum = (items: readonly Draft[]): number => items.reduce((total, { tokens = 0 }) => total + tokens, 0)
  return {
    messages: sum(asked),
    toolResults: sum(asked.filter(item => roleOf(item) === 'tool')),
    newest: asked.at(-1)?.id ?? null,
    answered: last < 0 ? 0 : sum(named.slice(last)),
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
