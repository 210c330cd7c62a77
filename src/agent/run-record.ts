import { type EntryId, given, type RunId, type SkeinError, type TurnId } from '#kernel'
import { addUsage, type Entry, type FinishReason, noUsage, type TurnEnded, type Usage } from '#journal'
import type { ConnectedModel } from '#models'
import { draft, type Plan, type SessionCore } from '#session'
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
  readonly maxSteps: number
  readonly signal: AbortSignal
  readonly traceId?: string
}

/** How a model is named in the journal. */
export const refOf = ({ info }: Pick<ConnectedModel, 'info'>): string => `${info.provider}/${info.id}`

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

  constructor(core: SessionCore, options: RunOptions) {
    this.core = core
    this.options = options
    this.marks = { run: options.run, turn: options.turn }
  }

  /** Sums an attempt up. */
  count({ usage, finishReason, parts }: StepOutcome, cost: number | null): void {
    this.#usage = addUsage(this.#usage, usage ?? noUsage)
    this.#cost = this.#cost === null || cost === null ? null : this.#cost + cost
    this.#finishReason = finishReason
    this.#text = parts.flatMap(part => (part.type === 'text' ? [part.text] : [])).join('') || this.#text
  }

  async write(plan: Plan): Promise<readonly Entry[]> {
    const { run, traceId } = this.options
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
    await this.write(joinPlans(last, { drafts: ended }))
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
