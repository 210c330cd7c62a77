import { asSkeinError, type EntryId, type RunId, type SessionId, type SkeinError, type TurnId } from '#kernel'
import {
  type Entry,
  type FinishReason,
  isType,
  type Message,
  type ToolCallPart,
  type ToolResultPart,
  type TurnEnded,
  type Usage,
} from '#journal'
import { type ConnectedModel, decideRetry, noUsage, type RequestMessage, type ThinkingLevel } from '#models'
import { type Draft, draft, messageDrafts, type MessageInput, readContext, type SessionCore, settingsOf } from '#session'
import { type StepOutcome, streamStep } from './stream-step.ts'
import { runCall, type Tool } from './tool.ts'

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

export interface InputReceipt {
  readonly inputId: string
  readonly runId: RunId
  readonly turnId: TurnId
  readonly session: SessionId
  readonly disposition: 'started' | 'duplicate'
  readonly seq: number
}

export interface RunOptions {
  readonly run: RunId
  readonly turn: TurnId
  readonly index: number
  readonly model: ConnectedModel
  readonly tools: readonly Tool<never>[]
  readonly maxSteps: number
  readonly signal: AbortSignal
  readonly traceId?: string
}

export const maxStepsDefault = 100

interface Progress {
  steps: number
  usage: Usage
  cost: number | null
  text: string
  finishReason: FinishReason | null
  readonly entries: EntryId[]
  retriesAfterOutput: number
  /** Of the step that is going on; written with whatever the next commit writes. */
  pending: Draft[]
}

/**
 * Executes an admitted turn: ask, run the calls, go on until an answer without calls. Everything that a step produced is
 * durable before the next step begins. Always resolves; how it ended is in the status.
 */
export async function executeRun(core: SessionCore, options: RunOptions): Promise<TurnResult> {
  const progress: Progress = {
    steps: 0,
    usage: noUsage,
    cost: 0,
    text: '',
    finishReason: null,
    entries: [],
    retriesAfterOutput: 0,
    pending: [],
  }
  const result = (status: RunStatus, reason: string, error?: SkeinError): TurnResult => ({
    status,
    reason,
    text: progress.text,
    turn: options.turn,
    entries: progress.entries,
    finishReason: progress.finishReason,
    steps: progress.steps,
    usage: progress.usage,
    cost: progress.cost,
    ...(options.model.info.demo === true ? { demo: true as const } : {}),
    ...(error === undefined ? {} : { error: { code: error.code, message: error.message } }),
  })
  const stopRenewing = keepLease(core)
  let ending: TurnResult
  try {
    ending = await steps(core, options, progress, result)
  } catch (error) {
    const known = asSkeinError(error)
    if (known.code === 'skein.bug')
      core.runtime.notice({
        level: 'error',
        code: known.code,
        message: `Run ${options.run} broke off: ${known.message}`,
        session: core.id,
      })
    ending = result('failed', reasonOf(known), known)
  } finally {
    stopRenewing()
  }
  try {
    await write(core, options, [...progress.pending, ...endingDrafts(options, ending)])
    return ending
  } catch (error) {
    const known = asSkeinError(error)
    const failed = result('failed', known.code === 'store.fenced' ? 'lease_lost' : 'store_error', known)
    // What the last step left can't be stored; that the run has ended is told all the same, unless the store is why.
    if (!known.code.startsWith('store.')) await write(core, options, endingDrafts(options, failed)).catch(() => undefined)
    return failed
  }
}

function reasonOf(error: SkeinError): string {
  if (error.code === 'store.fenced') return 'lease_lost'
  if (error.code.startsWith('store.')) return 'store_error'
  if (error.code.startsWith('auth.')) return 'auth_failed'
  return error.code === 'provider.truncated' ? 'truncated' : 'provider_error'
}

type Result = (status: RunStatus, reason: string, error?: SkeinError) => TurnResult

async function steps(core: SessionCore, options: RunOptions, progress: Progress, result: Result): Promise<TurnResult> {
  const { signal } = options
  for (;;) {
    if (signal.aborted) return result('cancelled', 'user_cancelled')
    if (progress.steps >= options.maxSteps) return result('blocked', 'step_limit')
    const step = ++progress.steps
    const outcome = await ask(core, options, progress, step)
    const calls = outcome.parts.flatMap(part => (part.type === 'tool_call' ? [part] : []))
    if (outcome.error !== undefined) return result('failed', reasonOf(outcome.error), outcome.error)
    if (outcome.finishReason === 'aborted') {
      if (calls.length > 0)
        await writeResults(
          core,
          options,
          progress,
          step,
          calls.map(call => skipped(call)),
        )
      return result('cancelled', 'user_cancelled')
    }
    if (calls.length === 0) {
      progress.pending.push(draft('step_ended', { step, finishReason: outcome.finishReason }, marks(options)))
      return outcome.finishReason === 'length'
        ? result('done_with_concerns', 'output_limit')
        : outcome.finishReason === 'content_filter'
          ? result('blocked', 'refused')
          : result('done', 'answered')
    }
    await writeResults(core, options, progress, step, await runCalls(core, options, calls))
  }
}

/** One model request with its retries; the answer and its usage are durable when it returns, but for those of the last step. */
async function ask(core: SessionCore, options: RunOptions, progress: Progress, step: number): Promise<StepOutcome> {
  const { model, run, signal } = options
  for (let attempt = 1; ; attempt++) {
    const row = await core.row()
    const maxTokens = Math.min(model.info.maxOutput, 32_000, Math.floor(model.info.contextWindow / 4))
    const context = await readContext(core, row, { facts: { ...model.info }, maxTokens })
    const { thinking } = await settingsOf(core, row)
    const asked = core.runtime.clock.now()
    const requestId = core.runtime.ids('req')
    core.live.emit({ type: 'step_requested', run, step, attempt, model: refOf(model) })
    const messages = await withFiles(core, context.messages)
    const request = {
      system: context.system,
      messages,
      tools: context.tools,
      maxTokens,
      ...(thinking === null ? {} : { thinking: thinking as ThinkingLevel }),
    }
    const outcome = await streamStep(
      model,
      request,
      signal,
      event => core.live.emit({ ...event, run, step }),
      () => core.runtime.ids('evt').replace('evt', 'call'),
    )
    const hadOutput = outcome.parts.length > 0
    const decision =
      outcome.error === undefined
        ? undefined
        : decideRetry(
            { error: outcome.error, retries: attempt - 1, hadOutput, retriesAfterOutput: progress.retriesAfterOutput },
            core.runtime.random,
          )
    const drafts = answerDrafts(core, options, progress, outcome, { step, attempt, requestId, asked })
    if (decision?.retry !== true) {
      if (outcome.parts.some(part => part.type === 'tool_call')) await write(core, options, drafts.drafts, drafts)
      else await settle(core, options, progress, drafts)
      return outcome
    }
    const { waitMs } = decision
    if (hadOutput) progress.retriesAfterOutput++
    await write(
      core,
      options,
      [
        ...drafts.drafts,
        draft('step_retried', { step, attempt, code: outcome.error?.code ?? 'provider.unavailable', waitMs }, marks(options)),
      ],
      drafts,
    )
    await waited(core, waitMs, signal)
    if (signal.aborted) return { parts: [], finishReason: 'aborted', usage: null }
  }
}

type Stowed = ReturnType<typeof messageDrafts>

/** The answer and its usage. A last step without large parts waits for the run's last commit, so a plain turn costs two syncs. */
async function settle(core: SessionCore, options: RunOptions, progress: Progress, stowed: Stowed): Promise<void> {
  if (stowed.blobs.length > 0) await write(core, options, stowed.drafts, stowed)
  else progress.pending.push(...stowed.drafts)
}

function answerDrafts(
  core: SessionCore,
  options: RunOptions,
  progress: Progress,
  outcome: StepOutcome,
  at: { step: number; attempt: number; requestId: `req_${string}`; asked: number },
): Stowed {
  const { model } = options
  const message: MessageInput = {
    role: 'assistant',
    parts: outcome.parts,
    model: refOf(model),
    finishReason: outcome.finishReason,
    ...(outcome.rawFinishReason === undefined ? {} : { rawFinishReason: outcome.rawFinishReason }),
  }
  const stowed =
    outcome.parts.length === 0 ? { drafts: [], blobs: [], blobRefs: [] } : messageDrafts(core, [message], marks(options))
  const id = core.runtime.ids('ent')
  const answer = stowed.drafts.map(item => ({ ...item, id }))
  const usage = outcome.usage ?? noUsage
  const cost = outcome.usage === null && model.info.demo !== true ? null : model.cost(usage, at.asked).total
  progress.usage = addUsage(progress.usage, usage)
  progress.cost = progress.cost === null || cost === null ? null : progress.cost + cost
  progress.finishReason = outcome.finishReason
  if (answer.length > 0) progress.entries.push(id)
  const text = outcome.parts.flatMap(part => (part.type === 'text' ? [part.text] : [])).join('')
  if (text !== '') progress.text = text
  const used = draft(
    'usage_recorded',
    {
      requestId: at.requestId,
      purpose: 'turn',
      model: refOf(model),
      entry: answer.length > 0 ? id : null,
      usage,
      cost,
      step: at.step,
      attempt: at.attempt,
      outcome: outcome.error?.code ?? outcome.finishReason,
      ...(model.info.demo === true ? { demo: true } : {}),
    },
    { ...marks(options), by: 'model' },
  )
  return { ...stowed, drafts: [...answer, used] }
}

async function writeResults(
  core: SessionCore,
  options: RunOptions,
  progress: Progress,
  step: number,
  results: readonly ToolResultPart[],
): Promise<void> {
  const message: MessageInput = { role: 'tool', parts: results }
  const stowed = messageDrafts(core, [message], marks(options))
  const entries = await write(
    core,
    options,
    [...stowed.drafts, draft('step_ended', { step, finishReason: 'tool_calls' }, marks(options))],
    stowed,
  )
  progress.entries.push(...entries.filter(entry => isType(entry, 'message_added')).map(entry => entry.id))
}

/** Read-only calls run side by side, then the others one by one in the order of the answer; results keep that order. */
async function runCalls(core: SessionCore, options: RunOptions, calls: readonly ToolCallPart[]): Promise<ToolResultPart[]> {
  const tools = new Map(options.tools.map(tool => [tool.name, tool]))
  const results = new Map<string, ToolResultPart>()
  const one = async (call: ToolCallPart): Promise<void> => {
    if (options.signal.aborted) return void results.set(call.callId, skipped(call))
    const about = { run: options.run, callId: call.callId, tool: call.tool }
    core.live.emit({ type: 'tool_started', ...about, input: call.input })
    const result = await runCall(tools.get(call.tool), call, {
      signal: options.signal,
      progress: text => void core.live.emit({ type: 'tool_delta', ...about, text }),
    })
    core.live.emit({ type: 'tool_ended', ...about, status: result.status })
    results.set(call.callId, result)
  }
  const reads = calls.filter(call => tools.get(call.tool)?.readOnly === true)
  for (let at = 0; at < reads.length; at += 8) await Promise.all(reads.slice(at, at + 8).map(one))
  for (const call of calls) if (!reads.includes(call)) await one(call)
  return calls.map(call => results.get(call.callId) ?? skipped(call))
}

const skipped = (call: ToolCallPart): ToolResultPart => ({
  type: 'tool_result',
  callId: call.callId,
  tool: call.tool,
  status: 'skipped',
  output: 'Cancelled before this call began.',
})

function endingDrafts(options: RunOptions, ending: TurnResult): Draft[] {
  const { status, reason, finishReason } = ending
  return [
    draft(
      'turn_ended',
      { index: options.index, status, reason, ...(finishReason === null ? {} : { finishReason }) },
      marks(options),
    ),
    draft(
      'run_ended',
      { status, reason, steps: ending.steps, ...(ending.error === undefined ? {} : { error: ending.error }) },
      marks(options),
    ),
  ]
}

/** How a model is named in the journal. */
export const refOf = ({ info }: Pick<ConnectedModel, 'info'>): string => `${info.provider}/${info.id}`

const marks = ({ run, turn }: RunOptions): { run: RunId; turn: TurnId } => ({ run, turn })

async function write(
  core: SessionCore,
  options: RunOptions,
  drafts: readonly Draft[],
  stowed?: Stowed,
): Promise<readonly Entry[]> {
  const blobs = stowed === undefined ? {} : { blobs: stowed.blobs, blobRefs: stowed.blobRefs }
  const { entries } = await core.path(() => ({ drafts, ...blobs }), {
    run: options.run,
    ...(options.traceId === undefined ? {} : { traceId: options.traceId }),
  })
  return entries
}

/** Renews the lease at a third of its time while a model or a tool takes long. */
function keepLease(core: SessionCore): () => void {
  let stopped = false
  let cancel = (): void => undefined
  const again = (): void => {
    cancel = core.runtime.timers.after(core.runtime.leaseMs / 3, () => {
      if (stopped) return
      // A lease that was lost shows in the next write, which is refused.
      void core.renewLease().catch(() => undefined)
      again()
    })
  }
  again()
  return () => {
    stopped = true
    cancel()
  }
}

function waited(core: SessionCore, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const cancel = core.runtime.timers.after(ms, done)
    signal.addEventListener('abort', done, { once: true })
  })
}

/** Files with their content, as a model gets them. */
async function withFiles(core: SessionCore, messages: readonly Message[]): Promise<RequestMessage[]> {
  const wanted = messages.flatMap(message =>
    message.parts.flatMap(part => (part.type === 'file' && part.blob !== undefined ? [part.blob] : [])),
  )
  if (wanted.length === 0) return [...messages]
  const contents = new Map((await core.store.blobs(wanted)).map(row => [row.id, row.bytes]))
  return messages.map(message => ({
    ...message,
    parts: message.parts.map(part => {
      const data = part.type === 'file' && part.blob !== undefined ? contents.get(part.blob) : undefined
      return data === undefined ? part : { ...part, data }
    }),
  })) as RequestMessage[]
}

function addUsage(a: Usage, b: Usage): Usage {
  const sum = (x: number | null, y: number | null): number | null => (x === null && y === null ? null : (x ?? 0) + (y ?? 0))
  return Object.fromEntries(
    Object.keys(a).map(field => [field, sum(a[field as keyof Usage], b[field as keyof Usage])]),
  ) as unknown as Usage
}
