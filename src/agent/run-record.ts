import { type EntryId, given, type RunId, type SkeinError, type TurnId } from '#kernel'
import {
  addUsage,
  type Entry,
  type FinishReason,
  noUsage,
  type PrefixChange,
  type SessionRow,
  type ToolCallPart,
  type TurnEnded,
  type Usage,
  type ToolDescription,
} from '#journal'
import type { ConnectedModel } from '#models'
import {
  CallStreak,
  type ContextState,
  type DoomLoop,
  draft,
  type Plan,
  readContextState,
  type SessionCore,
  turnEnding,
} from '#session'
import type { StepOutcome } from './stream-step.ts'
import type { Tool } from './tool.ts'

export type RunStatus = TurnEnded['status']

export interface TurnResult {
  readonly status: RunStatus
  readonly reason: string
  /** The answer's text; of several steps the last one's. */
  readonly text: string
  readonly turn: TurnId
  readonly entries: readonly EntryId[]
  readonly finishReason: FinishReason | null
  readonly steps: number
  readonly usage: Usage
  /** Nano-dollars; `null` if a price is unknown. */
  readonly cost: number | null
  readonly demo?: true
  readonly error?: { readonly code: string; readonly message: string }
}

export interface RunOptions {
  readonly run: RunId
  readonly turn: TurnId
  readonly index: number
  readonly model: ConnectedModel
  readonly tools: readonly Tool[]
  /** Told to the model beside those that the session was given. */
  readonly offered: readonly ToolDescription[]
  readonly maxSteps: number
  readonly signal: AbortSignal
  readonly traceId?: string
}

/** How a model is named in the journal. */
export const refOf = ({ info }: Pick<ConnectedModel, 'info'>): string => `${info.provider}/${info.id}`

/** The last request of a run. */
export interface Asked {
  readonly state: ContextState
  readonly prefix: PrefixChange
  readonly repairs: number
  /** What the provider has said that it took, once it has. */
  reported(): number | null
}

const tokensOf = ({ drafts }: Plan): number => drafts.reduce((sum, { tokens = 0 }) => sum + tokens, 0)

/** Both in one commit. */
export function joinPlans(first: Plan, second: Plan): Plan {
  const head = { ...first.head, ...second.head, merge: { ...first.head?.merge, ...second.head?.merge } }
  return {
    drafts: [...first.drafts, ...second.drafts],
    blobs: [...(first.blobs ?? []), ...(second.blobs ?? [])],
    blobRefs: [...(first.blobRefs ?? []), ...(second.blobRefs ?? [])],
    ...given({ alongside: listOrNone([...(first.alongside ?? []), ...(second.alongside ?? [])]) }),
    ...(Object.keys(head.merge).length === 0 && first.head === undefined && second.head === undefined ? {} : { head }),
  }
}

const listOrNone = <T>(list: readonly T[]): readonly T[] | undefined => (list.length === 0 ? undefined : list)

/** What a run writes, and what it came to so far. */
export class RunRecord {
  readonly core: SessionCore
  readonly options: RunOptions
  /** Stands on every entry of the run. */
  readonly marks: { readonly run: RunId; readonly turn: TurnId }
  readonly entries: EntryId[] = []
  steps = 0
  retriesAfterOutput = 0
  /** A provider has said once that the request is too long. */
  overflowed = false
  #usage = noUsage
  #cost: number | null = 0
  #text = ''
  #finishReason: FinishReason | null = null
  #last: Plan = { drafts: [] }
  readonly #startedAt: number
  #asked: Asked | undefined
  /** Estimated tokens of what was written since the last request. */
  #since = 0
  #streak: CallStreak | undefined
  #looped = false

  constructor(core: SessionCore, options: RunOptions) {
    this.core = core
    this.options = options
    this.#startedAt = core.runtime.clock.now()
    this.marks = { run: options.run, turn: options.turn }
  }

  /** Sums an attempt up. */
  count({ usage, finishReason, parts }: StepOutcome, cost: number | null): void {
    this.#usage = addUsage(this.#usage, usage ?? noUsage)
    this.#cost = this.#cost === null || cost === null ? null : this.#cost + cost
    this.#finishReason = finishReason
    this.#text = parts.flatMap(part => (part.type === 'text' ? [part.text] : [])).join('') || this.#text
  }

  /** A request goes out; what is written from now on came after it. */
  ask(asked: Asked): void {
    this.#asked = asked
    this.#since = 0
  }

  /** Counts the calls of the turn; gives the loops that these make. */
  loopsOf(calls: readonly ToolCallPart[], limit: number): DoomLoop[] {
    this.#streak ??= new CallStreak(limit)
    const loops = calls.flatMap(call => this.#streak?.add(call) ?? [])
    this.#looped ||= loops.length > 0
    return loops
  }

  async write(plan: Plan): Promise<readonly Entry[]> {
    const { run, traceId } = this.options
    this.#since += tokensOf(plan)
    const { entries } = await this.core.path(() => plan, { run, ...given({ traceId }) })
    return entries
  }

  /** Leaves what the last step wrote to the commit that ends the run, so a plain turn costs two syncs. */
  writeLast(plan: Plan): void {
    this.#last = joinPlans(this.#last, plan)
  }

  /** Writes that the run has ended. */
  async end(ending: TurnResult): Promise<void> {
    const { status, reason, steps, error } = ending
    const finishReason = ending.finishReason ?? undefined
    const ended = [
      draft('turn_ended', { index: this.options.index, status, reason, ...given({ finishReason }) }, this.marks),
      draft('run_ended', { status, reason, steps, ...given({ error }) }, this.marks),
    ]
    const last = this.#last
    this.#last = { drafts: [] }
    const { run, traceId } = this.options
    await this.core.path(
      async row => joinPlans(joinPlans(last, await this.#ending(row, ending, this.#since + tokensOf(last))), { drafts: ended }),
      { run, ...given({ traceId }) },
    )
  }

  /** The turn's snapshot, and what is to be prepared for the next one. */
  async #ending(row: SessionRow, { steps, usage, cost, finishReason, reason }: TurnResult, answered: number): Promise<Plan> {
    const { turn, index, model } = this.options
    const state = this.#asked?.state ?? (await readContextState(this.core, row))
    const { compaction: _compaction, ...plan } = await turnEnding(this.core, row, {
      turn,
      run: this.options.run,
      index,
      startedAt: this.#startedAt,
      state,
      ...given({ prefix: this.#asked?.prefix, repairs: this.#asked?.repairs }),
      model: refOf({ info: model.info }),
      steps,
      usage,
      cost,
      finishReason: finishReason ?? reason,
      doomLoop: this.#looped,
      reported: this.#asked?.reported() ?? null,
      asked: { messages: 0, toolResults: 0 },
      answered,
    })
    return plan
  }

  result(status: RunStatus, reason: string, error?: SkeinError): TurnResult {
    return {
      status,
      reason,
      text: this.#text,
      turn: this.options.turn,
      entries: this.entries,
      finishReason: this.#finishReason,
      steps: this.steps,
      usage: this.#usage,
      cost: this.#cost,
      ...(this.options.model.info.demo === true ? { demo: true } : {}),
      ...(error === undefined ? {} : { error: { code: error.code, message: error.message } }),
    }
  }
}
