import { type EntryId, given, isSkeinError, type RunId, type SkeinError, type TurnId } from '#kernel'
import {
  addUsage,
  type Entry,
  type FinishReason,
  isType,
  noUsage,
  type PrefixChange,
  type SessionRow,
  type ToolCallPart,
  type Usage,
} from '#journal'
import {
  CallStreak,
  type ContextState,
  type DoomLoop,
  draft,
  messageDrafts,
  type Plan,
  readContextState,
  type SessionCore,
  turnEnding,
} from '#session'
import { admittedEntries, deliveryOf, droppedInputs, leaveRun, type Waiting, waitingFor } from './input-queue.ts'
import { joinPlans, listOrNone } from './join-plans.ts'
import { refOf, type RunOptions } from './run-options.ts'
import { readRunRow } from './run-row.ts'
import type { RunPlace } from './run-seams.ts'
import type { StepOutcome } from './stream-step.ts'
import type { RunSpan } from './telemetry.ts'
import { goesOn, type RunStatus, type TurnResult } from './turn-result.ts'

/** An input came where the run would have ended; nothing was written. */
export class InputCame extends Error {}

/** The last request of a run. */
export interface Asked {
  readonly state: ContextState
  readonly prefix: PrefixChange
  readonly repairs: number
  /** What the provider has said that it took, once it has. */
  reported(): number | null
}

const tokensOf = ({ drafts }: Plan): number => drafts.reduce((sum, { tokens = 0 }) => sum + tokens, 0)

function heard(signal: AbortSignal, listener: () => void): void {
  if (signal.aborted) listener()
  else signal.addEventListener('abort', listener, { once: true })
}

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
  /** How manieth in a row a call is, from the first that counts as a loop. */
  readonly repeats: Map<string, number> = new Map()
  /** How long in a row is a loop. */
  loopLimit: number = Number.POSITIVE_INFINITY
  continuations = 0
  /** The run, told to whoever watches by OpenTelemetry. */
  span: RunSpan | undefined
  /** What waited for the run when it last wrote. */
  waiting: readonly Waiting[] = []
  readonly #giveUp = new AbortController()

  constructor(core: SessionCore, options: RunOptions) {
    this.core = core
    this.options = options
    const { resumed } = options
    this.#startedAt = resumed?.startedAt ?? core.runtime.clock.now()
    this.entries.push(...(resumed?.entries ?? []))
    this.steps = resumed?.steps ?? 0
    this.retriesAfterOutput = resumed?.retriesAfterOutput ?? 0
    for (const { outcome, cost } of resumed?.outcomes ?? []) this.count(outcome, cost)
    this.marks = { run: options.run, turn: options.turn }
    const giveUp = (): void => this.#giveUp.abort(options.signal.reason)
    heard(options.signal, () => void core.runtime.timers.after(options.cancelGraceMs, giveUp))
    heard(options.aborted, giveUp)
  }

  /** Aborts when tools of a cancelled run are not waited for any more. Law A19. */
  get giveUp(): AbortSignal {
    return this.#giveUp.signal
  }

  /** Whether the model is told of a tool; of those that a host runs itself it always is. */
  offers(name: string): boolean {
    if (this.options.noTools) return false
    const tool = this.options.tools.find(one => one.name === name)
    return tool === undefined || this.options.judge.offers(tool)
  }

  get place(): RunPlace {
    return { core: this.core, ...this.marks, signal: this.options.signal }
  }

  /** Lets a hook have its say. That it fails is a notice. */
  async hook<T>(name: string, call: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await call()
    } catch (error) {
      const message = `The hook ${name} failed: ${error instanceof Error ? error.message : String(error)}`
      this.core.runtime.notice({
        level: 'warn',
        code: 'hook.failed',
        message,
        session: this.core.id,
        tenant: this.core.store.tenant,
      })
      return undefined
    }
  }

  /** Tells readers how long something took. */
  timed(what: string, since: number, more: { readonly [member: string]: unknown } = {}): void {
    const ms = Math.max(0, this.core.runtime.clock.now() - since)
    this.core.live.emit({ type: 'timing_measured', run: this.options.run, what, ms, ...more })
  }

  /** Sums an attempt up. */
  count({ usage, finishReason, parts }: StepOutcome, cost: number | null): void {
    this.#usage = addUsage(this.#usage, usage ?? noUsage)
    this.#cost = this.#cost === null || cost === null ? null : this.#cost + cost
    this.#finishReason = finishReason
    this.#text = parts.flatMap(part => (part.type === 'text' ? [part.text] : [])).join('') || this.#text
  }

  /** Adds what a tool used by itself. */
  spend(usage: Usage, cost: number | null): void {
    this.#usage = addUsage(this.#usage, usage)
    this.#cost = this.#cost === null || cost === null ? null : this.#cost + cost
  }

  /** A request goes out; what is written from now on came after it. */
  ask(asked: Asked): void {
    this.#asked = asked
    this.#since = 0
  }

  /** Counts the calls of the turn; gives the loops that these make. */
  loopsOf(calls: readonly ToolCallPart[], limit: number): DoomLoop[] {
    this.#streak ??= new CallStreak(limit)
    if (this.loopLimit !== limit) {
      this.loopLimit = limit
      for (const call of this.options.resumed?.calls ?? []) this.#streak.add(call)
    }
    const repeatable = new Set(this.options.tools.flatMap(tool => (tool.repeatable === true ? [tool.name] : [])))
    const loops = calls.flatMap(call => this.#streak?.add(call) ?? []).filter(({ tool }) => !repeatable.has(tool))
    for (const { callId, count } of loops) this.repeats.set(callId, count)
    this.#looped ||= loops.length > 0
    return loops
  }

  async write(
    plan: Plan | ((row: SessionRow) => Plan | Promise<Plan>),
    durability: 'full' | 'relaxed' = 'full',
  ): Promise<readonly Entry[]> {
    const { run, traceId } = this.options
    let tokens = 0
    const { entries } = await this.core.path(
      async row => {
        this.waiting = waitingFor(row, run)
        const decided = typeof plan === 'function' ? await plan(row) : plan
        tokens = tokensOf(decided)
        return decided
      },
      { run, durability, ...given({ traceId }) },
    )
    this.#since += tokens
    return entries
  }

  /** True if a steer takes back what has not begun. */
  get steered(): boolean {
    return this.options.steering === 'now' && this.waiting.some(({ delivery }) => delivery === 'steer')
  }

  /** What delivers the steers that wait; none to a run that is cancelled. Law A9. */
  async steers(): Promise<Plan> {
    return await this.#delivery(this.waiting.filter(({ delivery }) => delivery === 'steer'))
  }

  /** Looks for steers and delivers them, before a request goes out. */
  async deliverSteers(): Promise<void> {
    this.waiting = waitingFor(await this.core.row(), this.options.run)
    if (this.waiting.some(({ delivery }) => delivery === 'steer')) await this.write(() => this.steers())
  }

  /** Delivers what waits where the run would end: all steers, else one follow-up. False if nothing waits. Law A11. */
  async deliverAtEnd(): Promise<boolean> {
    this.waiting = waitingFor(await this.core.row(), this.options.run)
    if (this.waiting.length === 0 || this.options.signal.aborted) return false
    const last = this.#takeLast()
    let delivered = false
    await this.write(async () => {
      const steers = this.waiting.filter(({ delivery }) => delivery === 'steer')
      const admitted = steers.length > 0 ? undefined : await admittedEntries(this.core, this.waiting)
      const first = this.waiting.filter(({ entry }) => entry === admitted?.[0]?.id)
      const plan = await this.#delivery(steers.length > 0 ? steers : first)
      delivered = plan.drafts.length > 0
      return joinPlans(last, plan)
    })
    return delivered
  }

  async #delivery(inputs: readonly Waiting[]): Promise<Plan> {
    if (inputs.length === 0 || this.options.signal.aborted) return { drafts: [] }
    const admitted = await admittedEntries(this.core, inputs)
    for (const entry of admitted)
      this.options.judge.heard((isType(entry, 'input_admitted') ? entry.data.trust : undefined) ?? 'user-instruction')
    return deliveryOf(this.core, admitted, this.marks)
  }

  #takeLast(): Plan {
    const last = this.#last
    this.#last = { drafts: [] }
    return last
  }

  /** What a hook has to say stands as the user's. */
  async goOnWith(text: string): Promise<void> {
    const last = this.#takeLast()
    const said = messageDrafts(this.core, [{ role: 'user', parts: [{ type: 'text', text }], source: 'hook' }], this.marks)
    await this.write(joinPlans(last, said))
  }

  forgetLast(): void {
    this.#last = { drafts: [] }
  }

  /** Leaves what the last step wrote to the commit that ends the run, so a plain turn costs two syncs. */
  writeLast(plan: Plan): void {
    this.#last = joinPlans(this.#last, plan)
  }

  /**
   * Writes that the run has ended. What waits is dropped with its reason, but for a run that is done: that one goes on, so
   * `InputCame` is thrown. An input that comes in between fails the commit, which is then decided anew. Law A12.
   */
  async end(ending: TurnResult): Promise<void> {
    const { status, reason, steps, error } = ending
    const { run, traceId, atEnd } = this.options
    const finishReason = ending.finishReason ?? undefined
    const turnEnded = draft('turn_ended', { index: this.options.index, status, reason, ...given({ finishReason }) }, this.marks)
    const runEnded = draft('run_ended', { status, reason, steps, ...given({ error }) }, this.marks)
    for (let tries = 1; ; tries++) {
      try {
        await this.core.path(
          async row => {
            const waiting = waitingFor(row, run)
            if (waiting.length > 0 && goesOn(ending)) throw new InputCame()
            const { version } = await readRunRow(this.core)
            const dropped = droppedInputs(waiting, reason)
            const more = await atEnd?.(
              ending,
              waiting.map(({ input }) => input),
            )
            const alongside = [...leaveRun(this.core, row, version), ...(more ?? [])]
            const own: Plan = { drafts: dropped, ...given({ alongside: listOrNone(alongside) }) }
            const answered = this.#since + tokensOf(this.#last)
            const told = joinPlans(joinPlans(this.#last, own), await this.#ending(row, ending, answered))
            // Whoever reads a run reads to this, so nothing of it may come behind. Law A13.
            return joinPlans(told, { drafts: [turnEnded, runEnded] })
          },
          { run, ...given({ traceId }) },
        )
        this.#takeLast()
        return
      } catch (error) {
        if (!isSkeinError(error) || error.code !== 'store.conflict' || tries >= 100) throw error
      }
    }
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
