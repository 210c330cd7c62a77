import { canonical, every, given, isSkeinError, type RunId, sha256, SkeinError, toJson } from '#kernel'
import { digestable, draft, isEntryEvent, messageDrafts, type SessionCore, sessionEvents, type SessionEvent } from '#session'
import { endIfDead } from './abandon.ts'
import { activeRunOf, RunControl } from './active-runs.ts'
import { checkAgent, type InputOptions, type SendOptions } from './agent-options.ts'
import { type AgentPorts, beginRun, readGear, type RunDefaults } from './begin-run.ts'
import { duplicateOf, inputKey, type InputReceipt, keyedInput } from './input-receipt.ts'
import { keepRunOptions } from './kept-options.ts'
import { notRunning, type Queued, queueInput, runningIn } from './input-queue.ts'
import { type Coming, expectNext, followUpRuns, forgetNext } from './next-runs.ts'
import { admitsNext, readResult } from './read-result.ts'
import { readUserInput } from './read-user-input.ts'
import type { TurnResult } from './turn-result.ts'

/**
 * A turn being executed. Iterate it for its events; `result()` resolves whatever happens after admission.
 * `receipt` rejects when the input was refused: then nothing was written.
 */
export interface Run extends AsyncIterable<SessionEvent>, AsyncDisposable {
  /** Of the run that the input belongs to; final once there is a receipt. */
  readonly id: RunId
  readonly receipt: Promise<InputReceipt>
  result(): Promise<TurnResult>
  /** Says something that the run heeds before its next request. Rejects with `run.not_running` once it has ended. */
  steer(input: unknown, options?: InputOptions): Promise<InputReceipt>
  /** Says something that the run goes on with where it would end. Rejects with `run.not_running` once it has ended. */
  followUp(input: unknown, options?: InputOptions): Promise<InputReceipt>
  /** Ends the run: the provider and running tools are told, what came so far is kept. Resolves when it has ended. */
  cancel(): Promise<void>
  /** The same, without waiting for tools that are deaf. */
  abort(): Promise<void>
}

/**
 * Admits an input durably and runs its turn. While another run goes on it is refused (`session.busy`) or waits, as
 * `delivery` says; a hold refuses it (`session.held`). `defaults` hold where the options say nothing.
 */
export function startRun(
  core: SessionCore,
  ports: AgentPorts,
  input: unknown,
  options: SendOptions = {},
  defaults: RunDefaults = {},
): Run {
  let id = core.runtime.ids('run')
  const control = new RunControl()
  const admitted = admit(core, ports, input, options, defaults, { id, control })
  const outcome = admitted
    .then(async ({ receipt, execute }) => await (execute?.() ?? resultOf(core, receipt)))
    .finally(() => control.end())
  const receipt = admitted.then(admission => {
    id = admission.receipt.runId
    return admission.receipt
  })
  // Whoever asks for neither still learns of a refusal from iterating; nobody listening is no crash.
  receipt.catch(() => undefined)
  outcome.catch(() => undefined)
  heardOnce(receipt, options, control)
  return runFace(core, control, () => id, receipt, outcome)
}

/** Options are looked at once they were checked: there is a receipt. */
function heardOnce(receipt: Promise<unknown>, options: SendOptions, control: RunControl): void {
  void receipt.then(
    () => options.signal !== undefined && listen(options.signal, () => control.cancel()),
    () => undefined,
  )
}

/** What a caller holds of a run, wherever it came from. */
export function runFace(
  core: SessionCore,
  control: RunControl,
  idOf: () => RunId,
  receipt: Promise<InputReceipt>,
  outcome: Promise<TurnResult>,
): Run {
  const end = async (how: 'cancel' | 'abort'): Promise<void> => {
    control[how]()
    const known = await receipt.catch(() => undefined)
    if (known === undefined) return
    const { runId, disposition } = known
    if (disposition !== 'started') {
      const run = activeRunOf(core)
      if (run?.id !== runId) return
      run.control[how]()
      return await run.control.over
    }
    await control.over
  }
  const cancel = (): Promise<void> => end('cancel')
  const say = async (delivery: Queued, more: unknown, moreOptions: InputOptions = {}): Promise<InputReceipt> => {
    const { runId } = await receipt
    return await sayTo(core, delivery, more, moreOptions, runId)
  }
  return {
    get id() {
      return idOf()
    },
    receipt,
    result: () => outcome,
    steer: (more, moreOptions) => say('steer', more, moreOptions),
    followUp: (more, moreOptions) => say('followUp', more, moreOptions),
    cancel,
    abort: () => end('abort'),
    [Symbol.asyncIterator]: () => runEvents(core, receipt),
    [Symbol.asyncDispose]: cancel,
  }
}

function listen(signal: AbortSignal, heard: () => void): void {
  if (signal.aborted) heard()
  else signal.addEventListener('abort', heard, { once: true })
}

/** Keeps an input for the run that goes on, in whatever process. Rejects with `run.not_running`. Law A7. */
export async function sayTo(
  core: SessionCore,
  delivery: Queued,
  input: unknown,
  options: InputOptions,
  run?: RunId,
): Promise<InputReceipt> {
  checkAgent.input(options)
  const asked = read(core, input, options)
  const known = asked.key === undefined ? undefined : await duplicateOf(core, asked.key, asked.digest)
  if (known !== undefined) return known
  const { alongside } = options
  const receipt = await queueInput(core, { ...asked, delivery, ...given({ run, alongside }) })
  if (receipt === undefined) throw notRunning(core)
  return receipt
}

/** The events of one run, from its admission to its `run_ended`, whenever one begins to read. Law A60. */
async function* runEvents(core: SessionCore, receipt: Promise<InputReceipt>): AsyncGenerator<SessionEvent, void, undefined> {
  const { runId, seq, inputId } = await receipt
  let isNext = false
  for await (const event of sessionEvents(core, { after: `${seq - 1}.0` })) {
    const mine = isEntryEvent(event) ? event.entry.run === runId : event['run'] === runId
    if (!mine) continue
    yield event
    if (!isEntryEvent(event)) continue
    if (event.type === 'run_ended') return
    isNext ||= admitsNext(event.entry, inputId)
    if (isNext && event.type === 'input_dropped') return
  }
}

/** What a run comes to that another call began. A run that died with its process, before or while this waits, is ended here. */
async function resultOf(core: SessionCore, { runId, seq, inputId }: InputReceipt): Promise<TurnResult> {
  await endIfDead(core, runId)
  let fail = (_error: unknown): void => undefined
  const failed = new Promise<never>((_, reject) => (fail = reject))
  const stopLooking = every(core.runtime.timers, core.runtime.leaseMs, () => {
    endIfDead(core, runId).catch((error: unknown) => {
      // A store that is away for a moment is asked again.
      if (!isSkeinError(error) || !error.retryable) fail(error)
    })
  })
  try {
    return await Promise.race([readResult(core, runId, seq, inputId), failed])
  } finally {
    stopLooking()
  }
}

interface Admitted {
  readonly receipt: InputReceipt
  /** Absent where another call's run is what becomes of the input. */
  readonly execute?: () => Promise<TurnResult>
}

interface AskedInput {
  readonly message: ReturnType<typeof readUserInput>
  readonly digest: string
  readonly key: string | undefined
  readonly traceId: string | undefined
  readonly signal: AbortSignal | undefined
  readonly trust: string | undefined
}

function read(core: SessionCore, input: unknown, options: InputOptions): AskedInput {
  const message = readUserInput(input)
  const digest = sha256(canonical(toJson(digestable(message))))
  const { idempotencyKey, traceId, signal, trust } = options
  const told = trust === undefined ? message : { ...message, trust }
  return { message: told, digest, key: inputKey(core, idempotencyKey), traceId, signal, trust }
}

async function admit(
  core: SessionCore,
  ports: AgentPorts,
  input: unknown,
  options: SendOptions,
  defaults: RunDefaults,
  own: { readonly id: RunId; readonly control: RunControl },
): Promise<Admitted> {
  checkAgent.send(options)
  const asked = read(core, input, options)
  const { delivery = 'reject' } = options
  const { key, digest } = asked
  const known = key === undefined ? undefined : await duplicateOf(core, key, digest)
  if (known !== undefined) return { receipt: known }
  // A run may begin or end between the look and the write; then the other way is tried.
  for (let tries = 1; ; tries++) {
    try {
      const queued = delivery === 'reject' ? undefined : await queue(core, ports, { ...asked, delivery }, options, defaults, own)
      if (queued !== undefined) return { receipt: queued }
      return await begin(core, ports, asked, options, defaults, own)
    } catch (error) {
      if (!isSkeinError(error)) throw error
      const lost = error.code === 'store.conflict' || error.code === 'session.busy'
      const raced = key !== undefined && lost ? await duplicateOf(core, key, digest) : undefined
      if (raced !== undefined) return { receipt: raced }
      if (delivery === 'reject' || error.code !== 'session.busy' || tries >= 10) throw await withRun(core, error)
    }
  }
}

/** Whoever has the lease may have a run going on, which is then what is in the way. Law A6. */
async function withRun(core: SessionCore, error: SkeinError): Promise<SkeinError> {
  const isHeld = error.code === 'session.busy' && error.details['by'] === 'lease'
  const running = isHeld ? runningIn(await core.row()) : undefined
  if (running === undefined) return error
  const { run } = running
  const message = `Run ${run} is going on in session ${core.id}.`
  return new SkeinError('session.busy', message, { details: { ...error.details, by: 'run', run }, cause: error })
}

async function queue(
  core: SessionCore,
  ports: AgentPorts,
  asked: AskedInput & { readonly delivery: Queued },
  options: SendOptions,
  defaults: RunDefaults,
  { id, control }: { readonly id: RunId; readonly control: RunControl },
): Promise<InputReceipt | undefined> {
  if (asked.delivery !== 'next') return await queueInput(core, asked)
  const coming: Coming = { ports, options, defaults, control }
  expectNext(core, id, coming)
  const receipt = await queueInput(core, { ...asked, own: id, options: keepRunOptions(options) }).catch((error: unknown) => {
    forgetNext(core, id)
    throw error
  })
  if (receipt === undefined) forgetNext(core, id)
  return receipt
}

async function begin(
  core: SessionCore,
  ports: AgentPorts,
  { message, digest, key, signal, trust }: AskedInput,
  options: SendOptions,
  defaults: RunDefaults,
  { id: run, control }: { readonly id: RunId; readonly control: RunControl },
): Promise<Admitted> {
  const gear = await readGear(core, ports, options, defaults)
  const turn = core.runtime.ids('trn')
  const input = core.runtime.ids('inp')
  const { seq, execute } = await beginRun(core, {
    run,
    turn,
    input,
    gear,
    control,
    signal,
    said: () => {
      const mark = { run, turn }
      const stowed = messageDrafts(core, [message], mark)
      return {
        ...stowed,
        drafts: [draft('input_admitted', { input, delivery: 'start', ...given({ trust }) }, mark), ...stowed.drafts],
        ...given({ alongside: key === undefined ? undefined : [keyedInput(core, key, { digest, run, turn, input })] }),
      }
    },
  })
  const receipt: InputReceipt = { inputId: input, runId: run, turnId: turn, session: core.id, disposition: 'started', seq }
  return {
    receipt,
    execute: () =>
      execute().finally(() => {
        control.end()
        void followUpRuns(core, ports, defaults)
      }),
  }
}

export { type AgentPorts, checkTools } from './begin-run.ts'
export type { InputReceipt } from './input-receipt.ts'
export { readUserInput } from './read-user-input.ts'
