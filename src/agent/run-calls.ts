import { stringify } from '#kernel'
import type { EffectSettled, FileInput, PartInput, ToolCallPart, ToolResultPart } from '#journal'
import { type Draft, draft, messageDrafts, type Plan } from '#session'
import { cutResult } from './cut-result.ts'
import type { CallsBefore } from './effects.ts'
import type { Ruling } from './judge.ts'
import { guarded } from './guardrail-checks.ts'
import { joinPlans } from './join-plans.ts'
import type { RunRecord } from './run-record.ts'
import { resultOf } from './run-seams.ts'
import { type CallContext, type CallOutcome, carryOut } from './tool.ts'
import { Spent } from './tool-spending.ts'
import { CallCheckpoint } from './tools/call-checkpoint.ts'
import type { TurnResult } from './turn-result.ts'
import { uiFor } from './ui.ts'
import { watchSteers } from './watch-steers.ts'
import { writtenFiles } from './written-files.ts'

const sideBySide = 8

type Ends = Pick<TurnResult, 'status' | 'reason'>

/** What one call came to. */
interface Settled {
  readonly call: ToolCallPart
  readonly state: EffectSettled['state']
  readonly result: ToolResultPart
  /** Stand behind the result. */
  readonly files?: readonly FileInput[]
  /** All of a result that was cut. */
  readonly whole?: FileInput
  readonly drafts?: readonly Draft[]
  readonly ends?: Ends | undefined
}

/** What the calls of an answer came to, and what is still to be written of it beside the results. */
export interface CallsOutcome {
  readonly plan: Plan
  partsOf(call: ToolCallPart): readonly PartInput[]
  readonly ends?: Ends
}

const firstTime: CallsBefore = { results: new Map(), attempts: new Map() }

/**
 * Which calls go on side by side, and in which order. `readsFirst`: read-only calls, 8 at a time, then the others one by one;
 * `callOrder`: each of those also waits for the reads before it. Pure. Law A23.
 */
export function groupCalls(
  calls: readonly ToolCallPart[],
  isRead: (call: ToolCallPart) => boolean,
  order: 'readsFirst' | 'callOrder',
): ToolCallPart[][] {
  const sorted = order === 'callOrder' ? calls : [...calls.filter(isRead), ...calls.filter(call => !isRead(call))]
  const groups: ToolCallPart[][] = []
  for (const call of sorted) {
    const last = groups.at(-1)
    const joins = last !== undefined && isRead(call) && last.every(isRead) && last.length < sideBySide
    if (joins) last.push(call)
    else groups.push([call])
  }
  return groups
}

/**
 * Judges and runs the calls of an answer, each with its effect: that it begins is durable before its tool is entered, its
 * result before the next group begins. What a cancel or a steer finds not begun never is. Laws A9, A17, A19, A23.
 */
export async function runCalls(
  record: RunRecord,
  step: number,
  calls: readonly ToolCallPart[],
  before: CallsBefore = firstTime,
): Promise<CallsOutcome> {
  const { options } = record
  const tools = new Map(options.tools.map(tool => [tool.name, tool]))
  const attemptOf = ({ callId }: ToolCallPart): number => before.attempts.get(callId) ?? 1
  const settled = new Map<string, Settled>()
  let unwritten: Settled[] = []
  const settle = (...more: Settled[]): void => {
    for (const item of more) settled.set(item.call.callId, item)
    unwritten.push(...more)
  }
  const isPlain = !options.judge.waits
  const open = calls.filter(({ callId }) => !before.results.has(callId))
  const groups = groupCalls(open, call => tools.get(call.tool)?.readOnly === true, options.toolOrder)
  for (const group of groups) {
    if (options.signal.aborted || record.steered) break
    // A person may be asked, and that may take its time.
    if (!isPlain && unwritten.length > 0) {
      await record.write(settledPlan(record, unwritten, attemptOf, true))
      unwritten = []
    }
    const rulings = await judgeGroup(record, group)
    settle(...rulings.flatMap(({ refused }) => refused ?? []))
    const allowed = rulings.filter(({ refused }) => refused === undefined)
    if (allowed.length === 0) continue
    const saves = await beginCheckpoints(record, allowed)
    let begun = allowed
    const due = unwritten
    await record.write(() => {
      begun = record.steered || options.signal.aborted ? [] : allowed
      const begins = begun.flatMap(({ call, drafts }) => [
        ...drafts,
        draft('effect_begun', { callId: call.callId, attempt: attemptOf(call) }, record.marks),
      ])
      const kept = begun.flatMap(({ call }) => saves.get(call.callId)?.plan ?? [])
      return [{ drafts: begins }, ...kept].reduce(joinPlans, settledPlan(record, due, attemptOf, true))
    })
    unwritten = []
    settle(...(await Promise.all(begun.map(({ call }) => enter(record, call, step, saves.get(call.callId)?.checkpoint)))))
  }
  const left = open.filter(({ callId }) => !settled.has(callId))
  settle(...left.map(call => skippedCall(record, call)))
  const ends = [...settled.values()].find(item => item.ends !== undefined)?.ends
  return {
    plan: settledPlan(record, unwritten, attemptOf, false),
    partsOf: call => {
      const known = before.results.get(call.callId)
      const item = settled.get(call.callId)
      return known !== undefined ? known : item === undefined ? [] : [item.result, ...(item.files ?? [])]
    },
    ...(ends === undefined ? {} : { ends }),
  }
}

/** None of these begins any more. */
export function skipCalls(record: RunRecord, calls: readonly ToolCallPart[]): CallsOutcome {
  const skipped = calls.map(call => skippedCall(record, call))
  return {
    plan: settledPlan(record, skipped, () => 1, false),
    partsOf: call => skipped.filter(item => item.call === call).map(({ result }) => result),
  }
}

function skippedCall({ options }: RunRecord, call: ToolCallPart): Settled {
  const why = options.signal.aborted
    ? 'Cancelled before this call began.'
    : 'Skipped: new user input arrived before this call began.'
  return { call, state: 'skipped', result: resultOf(call, 'skipped', why) }
}

interface Judged {
  readonly call: ToolCallPart
  readonly drafts: readonly Draft[]
  readonly refused?: Settled
}

async function judgeGroup(record: RunRecord, group: readonly ToolCallPart[]): Promise<Judged[]> {
  const { options } = record
  const tools = new Map(options.tools.map(tool => [tool.name, tool]))
  const isPlain = !options.judge.waits
  const watch = isPlain ? undefined : watchSteers(record)
  try {
    return await Promise.all(
      group.map(async (call): Promise<Judged> => {
        const count = record.repeats.get(call.callId) ?? 0
        if (count > record.loopLimit) {
          const result = resultOf(call, 'error', `Blocked: identical tool call repeated ${count} times`)
          const ends: Ends = { status: 'blocked', reason: 'repeated_action' }
          return { call, drafts: [], refused: { call, state: 'skipped', result, ends } }
        }
        const signal = watch?.signal ?? options.signal
        const ruling: Ruling = await options.judge.judge({ call, tool: tools.get(call.tool), signal })
        if (ruling.allowed) return { call: { ...call, input: ruling.input }, drafts: ruling.drafts }
        const { result, drafts, ends } = ruling
        return { call, drafts, refused: { call, state: 'skipped', result, drafts, ends } }
      }),
    )
  } finally {
    watch?.stop()
  }
}

interface Begun {
  readonly checkpoint: CallCheckpoint
  /** What is kept in the commit that begins the call. */
  readonly plan: Plan
}

/** How the files that calls say they will write stand now. Source: spec/agent.md 15. */
async function beginCheckpoints(record: RunRecord, judged: readonly Judged[]): Promise<Map<string, Begun>> {
  const { core, options, marks } = record
  const { cwd } = await core.row()
  const begun = judged.map(async ({ call }): Promise<[string, Begun][]> => {
    const tool = options.tools.find(({ name }) => name === call.tool)
    if (tool === undefined) return []
    const checkpoint = new CallCheckpoint(core, tool, call.callId, cwd, marks)
    return [[call.callId, { checkpoint, plan: await checkpoint.begin(call.input) }]]
  })
  return new Map((await Promise.all(begun)).flat())
}

/** Enters the tool of a call that has begun. Never throws. */
async function enter(record: RunRecord, call: ToolCallPart, step: number, checkpoint?: CallCheckpoint): Promise<Settled> {
  const { core, options } = record
  const { run, signal } = options
  const tool = options.tools.find(({ name }) => name === call.tool)
  const about = { run, callId: call.callId, tool: call.tool }
  const since = core.runtime.clock.now()
  core.live.emit({ type: 'tool_started', ...about, input: call.input })
  const span = record.span?.call(call)
  const spent = new Spent(record, step)
  // Nobody is asked any more for a run that was cancelled.
  const ui = uiFor(core, options.ui, signal)
  const context: CallContext = {
    signal,
    timers: core.runtime.timers,
    ui,
    usage: spending => spent.add(spending),
    giveUp: record.giveUp,
    idempotencyKey: `${run}.${call.callId}`,
    progress: text => void core.live.emit({ type: 'tool_delta', ...about, text }),
    ...(checkpoint === undefined ? {} : { cwd: checkpoint.cwd, checkpoint: paths => checkpoint.save(paths) }),
  }
  const carry = (): Promise<CallOutcome> => carryOut(tool, call, context)
  const outcome = await (span === undefined ? carry() : span.inside(carry))
  span?.end(outcome.result)
  const kept = [...((await checkpoint?.settled()) ?? []), ...spent.settle()]
  const { hooks, guardrails } = options.seams
  const { afterCall } = hooks
  const heeds = afterCall !== undefined || guardrails !== undefined
  const files = heeds ? await writtenFiles(call, tool, outcome.result, checkpoint) : []
  const paths = files.map(({ path }) => path)
  const hooked = afterCall && (await record.hook('afterCall', () => afterCall(call, outcome.result, record.place, paths)))
  const checked = await guarded(guardrails, { files, told: hooked ?? outcome.result, cwd: checkpoint?.cwd ?? null, signal })
  const isLoop = (record.repeats.get(call.callId) ?? 0) === record.loopLimit
  const warned = withWarning(checked, isLoop ? `identical tool call repeated ${record.loopLimit} times` : '')
  const { result, whole } = cutResult(warned)
  core.live.emit({ type: 'tool_ended', ...about, status: result.status })
  record.timed('tool', since, { step, callId: call.callId })
  return {
    call,
    state: result.status === 'interrupted' ? 'unknown' : 'ready',
    result,
    files: outcome.files,
    drafts: kept,
    ...(whole === undefined ? {} : { whole }),
    ends: endOf(outcome.terminate),
  }
}

function endOf(terminate: 'terminated' | 'question_open' | undefined): Ends | undefined {
  if (terminate === undefined) return undefined
  return terminate === 'terminated'
    ? { status: 'done', reason: 'terminated' }
    : { status: 'needs_user_input', reason: 'question_open' }
}

function withWarning(result: ToolResultPart, warning: string): ToolResultPart {
  if (warning === '') return result
  const text = typeof result.output === 'string' ? result.output : stringify(result.output)
  return { ...result, output: text === '' ? warning : `${text}\n\n${warning}` }
}

/** Effects that are settled. With `alone` their results stand with them, since no message holds them yet. Law A35. */
function settledPlan(
  { core, marks }: RunRecord,
  items: readonly Settled[],
  attemptOf: (call: ToolCallPart) => number,
  alone: boolean,
): Plan {
  return items.reduce<Plan>(
    (plan, { call, state, result, files = [], whole, drafts = [] }) => {
      const parts = [...(alone ? [result, ...files] : []), ...(whole === undefined ? [] : [whole])]
      const stowed = parts.length === 0 ? undefined : messageDrafts(core, [{ role: 'tool', parts }])
      const kept = (stowed?.drafts[0]?.data as { parts?: EffectSettled['parts'] } | undefined)?.parts
      const { callId } = call
      const { status, trust } = result
      const data: EffectSettled = {
        callId,
        attempt: attemptOf(call),
        state,
        status,
        ...(trust === undefined ? {} : { trust }),
        ...(kept === undefined ? {} : { parts: kept }),
      }
      const item = draft('effect_settled', data, marks)
      return joinPlans(plan, { ...stowed, drafts: [...drafts, item] })
    },
    { drafts: [] },
  )
}
