import { given, type Json, type SkeinError, wait } from '#kernel'
import { type Message, noUsage, type ToolDescription } from '#journal'
import { decideRetry, type RequestMessage, type ThinkingLevel } from '#models'
import {
  compactSession,
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
  settingsOf,
} from '#session'
import { refOf, type RunRecord } from './run-record.ts'
import { type StepOutcome, streamStep } from './stream-step.ts'

/** Tokens that an answer may take at most, whatever the model could say. */
const maxAnswer = 32_000

/**
 * The model request of a step with its retries. The answer and its usage are durable when it returns, but for those of the
 * last step.
 */
export async function askModel(record: RunRecord, step: number): Promise<StepOutcome> {
  const { core, options, marks } = record
  for (let attempt = 1; ; attempt++) {
    const { outcome, plan } = await askOnce(record, step, attempt)
    const { parts, error } = outcome
    const hadOutput = parts.length > 0
    if (error?.code === 'provider.overflow' && !hadOutput) {
      await record.write(plan)
      await makeRoom(record, error)
      continue
    }
    const failed = { retries: attempt - 1, hadOutput, retriesAfterOutput: record.retriesAfterOutput }
    const decision = error && decideRetry({ error, ...failed }, core.runtime.random)
    if (decision?.retry !== true) {
      if (plan.blobs?.length || parts.some(part => part.type === 'tool_call')) await record.write(plan)
      else record.writeLast(plan)
      return outcome
    }
    if (hadOutput) record.retriesAfterOutput++
    const { waitMs } = decision
    const retried = draft('step_retried', { step, attempt, code: error?.code ?? 'provider.unavailable', waitMs }, marks)
    await record.write({ ...plan, drafts: [...plan.drafts, retried] })
    await wait(core.runtime.timers, waitMs, options.signal)
    if (options.signal.aborted) return { parts: [], finishReason: 'aborted', usage: null }
  }
}

/** One attempt, and what is to be written of it. */
async function askOnce(record: RunRecord, step: number, attempt: number): Promise<{ outcome: StepOutcome; plan: Plan }> {
  const { core, marks } = record
  const { model, run, signal } = record.options
  const options = requestFor(record)
  const { system, messages, tools, state, prefix, repairs } = await readContext(core, options, { run })
  let reported: number | null = null
  record.ask({ state, prefix, repairs: repairs.length, reported: () => reported })
  const { maxTokens } = options
  const thinking = ((await settingsOf(core, state.row)).thinking ?? undefined) as ThinkingLevel | undefined
  const asked = core.runtime.clock.now()
  const requestId = core.runtime.ids('req')
  core.live.emit({ type: 'step_requested', run, step, attempt, model: refOf(model) })
  const request = { system, messages: await withFiles(core, messages), tools, maxTokens, ...given({ thinking }) }
  const outcome = await streamStep(
    model,
    request,
    signal,
    event => core.live.emit({ ...event, run, step }),
    () => core.runtime.ids('evt').replace('evt', 'call'),
  )
  const isDemo = model.info.demo === true
  const { parts, finishReason, rawFinishReason, usage, error } = outcome
  const cost = usage === null && !isDemo ? null : model.cost(usage ?? noUsage, asked).total
  record.count(outcome, cost)
  const answer = { role: 'assistant', parts, model: refOf(model), finishReason, ...given({ rawFinishReason }) } as const
  const stowed = messageDrafts(core, parts.length > 0 ? [answer] : [], marks)
  const said = stowed.drafts.map(item => ({ ...item, id: core.runtime.ids('ent') }))
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
  const plan: Plan = {
    ...stowed,
    drafts: [...said, ...loops.map(loop => draft('doom_loop_detected', { ...loop }, marks)), used],
    head: { merge: { request: mark as unknown as Json } },
    ...(sample === undefined ? {} : { alongside: [sample] }),
  }
  return { outcome, plan }
}

interface RunRequest {
  readonly facts: ModelFacts
  readonly maxTokens: number
  readonly offered: readonly ToolDescription[]
}

/** A run asks for as much as the model may say, within reason. */
function requestFor({ options: { model, offered } }: RunRecord): RunRequest {
  const maxTokens = Math.min(model.info.maxOutput, maxAnswer, Math.floor(model.info.contextWindow / 4))
  return { facts: { ...model.info, ref: refOf(model) }, maxTokens, offered }
}

/** After a provider has refused a request as too long: once for a run. Throws `context.exhausted` the second time. Law C62. */
async function makeRoom(record: RunRecord, error: SkeinError): Promise<void> {
  const { core, options } = record
  const request = requestFor(record)
  const reported = typeof error.details['tokens'] === 'number' ? error.details['tokens'] : null
  if (!record.overflowed) {
    record.overflowed = true
    const { status } = await compactSession(core, {}, { trigger: 'overflow', request, run: options.run, reported })
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
