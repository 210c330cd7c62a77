import { canonical, given, type Json, sha256, type SkeinError, toJson, unlessAborted, wait } from '#kernel'
import {
  type Message,
  noUsage,
  type StepStarted,
  type ToolCallPart,
  type ToolDescription,
  type Usage,
  type UsageEstimate,
  type UsageRecorded,
} from '#journal'
import { type Cost, decideRetry, type RequestMessage } from '#models'
import {
  compactSession,
  contextViewOf,
  type ContextState,
  type Draft,
  draft,
  exhausted,
  messageDrafts,
  type ModelFacts,
  type Plan,
  readContext,
  readContextState,
  requestMark,
  sampleChange,
  type SessionCore,
} from '#session'
import type { ContextMeasured } from './run-seams.ts'
import type { Reached } from './allowance.ts'
import { refOf, type RunOptions } from './run-options.ts'
import type { RunRecord } from './run-record.ts'
import { type StepOutcome, streamStep } from './stream-step.ts'
import { portBelow } from './telemetry-port.ts'
import { replayOf } from './tool.ts'

type RunModel = RunOptions['model']

/** Tokens that an answer may take at most, whatever the model could say. */
const maxAnswer = 32_000

/**
 * The model request of a step with its retries. The answer and its usage are durable when it returns, but for those of the
 * last step.
 */
export async function askModel(record: RunRecord, step: number): Promise<StepOutcome | Refused> {
  const { core, options, marks } = record
  // An attempt that a crash has cut off counts as one.
  const earlier = options.resumed?.steps === step - 1 ? options.resumed.attempts : 0
  for (let attempt = earlier + 1; ; attempt++) {
    const once = await askOnce(record, step, attempt).catch(unlessEnded(options.signal))
    if (once === undefined) return cutOff
    if ('reached' in once) return { ...once, requests: attempt - 1 }
    const { outcome, plan } = once
    const { parts, error } = outcome
    const hadOutput = parts.length > 0
    if (error?.code === 'provider.overflow' && !hadOutput) {
      await record.write(plan)
      await makeRoom(record, error).catch(unlessEnded(options.signal))
      if (options.signal.aborted) return cutOff
      continue
    }
    const failed = { retries: attempt - earlier - 1, hadOutput, retriesAfterOutput: record.retriesAfterOutput }
    const decision = error && decideRetry({ error, ...failed }, core.runtime.random)
    if (decision?.retry !== true) {
      if (plan.blobs?.length || parts.some(part => part.type === 'tool_call')) await record.write(plan)
      else record.writeLast(plan)
      return outcome
    }
    if (hadOutput) record.retriesAfterOutput++
    const { waitMs } = decision
    const retried = draft('step_retried', { step, attempt, code: error?.code ?? 'provider.unavailable', waitMs }, marks)
    if (options.spending.limits.length > 0) {
      await record.write(plan)
      const reached = await options.spending.reached()
      if (reached !== undefined) return { reached, requests: attempt }
      await record.write({ drafts: [retried] })
    } else await record.write({ ...plan, drafts: [...plan.drafts, retried] })
    await wait(core.runtime.timers, waitMs, options.signal)
    if (options.signal.aborted) return { parts: [], finishReason: 'aborted', usage: null }
  }
}

/** An allowance was reached before the request; so many had been made. */
interface Refused {
  readonly reached: Reached
  readonly requests: number
}

const cutOff: StepOutcome = { parts: [], finishReason: 'aborted', usage: null }

/** A run that is cancelled waits for nothing more; what it waited for, a compaction, goes on. */
const unlessEnded =
  (signal: AbortSignal) =>
  (error: unknown): undefined => {
    if (!signal.aborted) throw error
  }

/** One attempt, and what is to be written of it. */
async function askOnce(
  record: RunRecord,
  step: number,
  attempt: number,
): Promise<{ outcome: StepOutcome; plan: Plan } | Pick<Refused, 'reached'>> {
  const { core, marks } = record
  const { model, run, signal, cache, thinking } = record.options
  const options = requestFor(record)
  const { clock } = core.runtime
  const began = clock.now()
  const {
    system,
    messages,
    tools: told,
    state,
    prefix,
    repairs,
  } = await unlessAborted(readContext(core, options, { run }), signal)
  const tools = told.filter(({ name }) => record.offers(name))
  record.timed('context', began, { step })
  // Summaries that were made for it cost something, too.
  const reached = await record.options.spending.reached()
  if (reached !== undefined) return { reached }
  let reported: number | null = null
  record.ask({ state, prefix, repairs: repairs.length, reported: () => reported })
  const { contextMeasured } = record.options.seams.hooks
  if (contextMeasured !== undefined)
    await record.hook('contextMeasured', () => contextMeasured(measured(state, step), record.place))
  const { maxTokens } = options
  const asked = core.runtime.clock.now()
  const requestId = core.runtime.ids('req')
  const hash = (sent: unknown): string => sha256(canonical(toJson(sent)))
  const started: StepStarted = {
    step,
    attempt,
    requestId,
    model: refOf(model),
    route: { ...model.route },
    prompt: system === null || system === undefined ? null : sha256(system),
    tools: tools.length === 0 ? null : hash(tools),
    estimate: estimated(model, noUsage, state.tokens.total, 0, asked),
  }
  // Kept from the process's end, not from the machine's: what is lost is that a request was lost.
  await record.write({ drafts: [draft('step_started', started, marks)] }, 'relaxed')
  core.live.emit({ type: 'step_requested', run, step, attempt, model: refOf(model) })
  const firsts = firstTimes(record, step)
  const request = {
    system,
    messages: await withFiles(core, messages),
    tools,
    maxTokens,
    cache: { ...cache, ...(state.prefill.length === 0 ? {} : { prefill: state.prefill.length }) },
    thinking,
  } as const
  const span = record.span?.request(model.info, request, { step, attempt })
  const outcome = await streamStep(
    span === undefined ? model : portBelow(model, span),
    request,
    signal,
    event => {
      firsts(event.type)
      core.live.emit({ ...event, run, step })
    },
    () => core.runtime.ids('evt').replace('evt', 'call'),
  )
  span?.end(outcome)
  record.timed('request', asked, { step, attempt })
  const isDemo = model.info.demo === true
  const { parts, finishReason, rawFinishReason, usage, error } = outcome
  const priced = usage === null && !isDemo ? undefined : model.cost(usage ?? noUsage, asked)
  const cost = priced?.total ?? null
  record.count(outcome, cost)
  const answer = { role: 'assistant', parts, model: refOf(model), finishReason, ...given({ rawFinishReason }) } as const
  const stowed = messageDrafts(core, parts.length > 0 ? [answer] : [], marks)
  const said = stowed.drafts.map(item => ({ ...item, id: core.runtime.ids('ent') }))
  const outTokens = said.reduce((sum, { tokens = 0 }) => sum + tokens, 0)
  const isTold = usage !== null && usage.inputTokens !== null && usage.outputTokens !== null
  record.entries.push(...said.map(({ id }) => id))
  const used = draft(
    'usage_recorded',
    {
      requestId,
      purpose: 'turn',
      model: refOf(model),
      entry: said[0]?.id ?? null,
      usage: usage ?? noUsage,
      cost,
      ...(isTold ? {} : { estimate: estimated(model, usage ?? noUsage, state.tokens.total, outTokens, asked) }),
      ...pricing(priced),
      step,
      attempt,
      outcome: error?.code ?? finishReason,
      prefix,
      ...(isDemo ? { demo: true } : {}),
    },
    { ...marks, by: 'model' },
  )
  const mark = requestMark(state, usage)
  reported = mark.reported
  const sample = await sampleChange(core, state.model, mark.reported, mark.estimate)
  const calls = parts.filter(part => part.type === 'tool_call')
  const loops = record.loopsOf(calls, state.settings.doomLoopCalls)
  const planned = error === undefined ? calls.map(call => plannedEffect(record, call, step)) : []
  const plan: Plan = {
    ...stowed,
    drafts: [...said, ...loops.map(loop => draft('doom_loop_detected', { ...loop }, marks)), ...planned, used],
    head: { merge: { request: mark as unknown as Json } },
    ...(sample === undefined ? {} : { alongside: [sample] }),
  }
  return { outcome, plan }
}

function measured({ projected, budget: { usable } }: ContextState, step: number): ContextMeasured {
  const tokens = Math.ceil(projected)
  return { step, tokens, usable, ratio: usable > 0 ? projected / usable : 1 }
}

/** Says once for each kind of event when the first of it came. */
function firstTimes(record: RunRecord, step: number): (type: string) => void {
  const since = record.core.runtime.clock.now()
  const told = new Set<string>()
  const tell = (what: string): void => {
    if (told.has(what)) return
    told.add(what)
    record.timed(what, since, { step })
  }
  return type => {
    tell('first_event')
    if (type.startsWith('text_')) tell('first_text')
    else if (type.startsWith('call_')) tell('first_call')
  }
}

const plannedEffect = ({ options, marks }: RunRecord, { callId, tool: name }: ToolCallPart, step: number): Draft => {
  const tool = options.tools.find(one => one.name === name)
  const replay = tool === undefined ? 'never' : replayOf(tool)
  return draft('effect_planned', { callId, tool: name, step, attempt: 1, replay }, marks)
}

/** What a request is taken to use, where its provider does not say. */
function estimated(model: RunModel, told: Usage, prompt: number, answer: number, at: number): UsageEstimate {
  const cached = (told.cacheReadTokens ?? 0) + (told.cacheWrite5mTokens ?? 0) + (told.cacheWrite1hTokens ?? 0)
  const inputTokens = told.inputTokens ?? Math.max(0, prompt - cached)
  const outputTokens = told.outputTokens ?? answer
  return { inputTokens, outputTokens, nano: model.cost({ ...told, inputTokens, outputTokens }, at).total }
}

/** Beside a cost, what it was made of. Law P24. */
function pricing(cost: Cost | undefined): Pick<UsageRecorded, 'costParts' | 'rates' | 'billing' | 'listNano'> {
  if (cost === undefined) return {}
  const { parts, rates, billing, listNano } = cost
  return { costParts: parts, rates, ...given({ billing, listNano }) }
}

interface RunRequest {
  readonly system: string | null
  readonly facts: ModelFacts
  readonly maxTokens: number
  readonly offered: readonly ToolDescription[]
  readonly tools: readonly ToolDescription[]
}

/** A run asks for as much as the model may say, within reason, or as much as it was told to. */
function requestFor({ options: { model, offered, told, prompt, maxTokens } }: RunRecord): RunRequest {
  const { maxOutput, contextWindow } = model.info
  return {
    facts: { ...model.info, ref: refOf(model) },
    maxTokens: Math.min(maxOutput, maxTokens ?? Math.min(maxAnswer, Math.floor(contextWindow / 4))),
    offered,
    tools: told,
    system: prompt,
  }
}

/** After a provider has refused a request as too long: once for a run. Throws `context.exhausted` the second time. Law C62. */
async function makeRoom(record: RunRecord, error: SkeinError): Promise<void> {
  const { core, options } = record
  const request = requestFor(record)
  const reported = typeof error.details['tokens'] === 'number' ? error.details['tokens'] : null
  const view = contextViewOf(core, await core.row())
  const isFirst = !record.overflowed
  record.overflowed = true
  if (view !== undefined && isFirst && (await unlessAborted(view.shrink(), options.signal))) return
  if (view === undefined && isFirst) {
    const compacted = compactSession(core, {}, { trigger: 'overflow', request, run: options.run, reported })
    const { status } = await unlessAborted(compacted, options.signal)
    options.signal.throwIfAborted()
    if (status === 'done' || status === 'pruned') return
  }
  const state = await readContextState(core, await core.row(), request)
  throw exhausted(state, 'The provider refuses the request as too long, and nothing is left to shorten.')
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
