import { canonical, given, type RunId, sha256, toJson } from '#kernel'
import { digestable, isEntryEvent, type SessionCore, sessionEvents, type SessionEvent } from '#session'
import { activeRunOf, type RunControl } from './active-runs.ts'
import { checkAgent, type InputOptions } from './agent-options.ts'
import { endElsewhere } from './ask-to-end.ts'
import { duplicateOf, inputKey, type InputReceipt } from './input-receipt.ts'
import { notRunning, type Queued, queueInput } from './input-queue.ts'
import { takeBack } from './next-runs.ts'
import { admitsNext } from './read-result.ts'
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
    if (disposition === 'started') return await control.over
    const run = activeRunOf(core)
    if (run?.id !== runId) return void ((await takeBack(core, runId, 'user_cancelled')) || (await endElsewhere(core, how, runId)))
    run.control[how]()
    await run.control.over
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

/** Keeps an input for the run that goes on, in whatever process. Rejects with `run.not_running`. Law A7. */
export async function sayTo(
  core: SessionCore,
  delivery: Queued,
  input: unknown,
  options: InputOptions,
  run?: RunId,
): Promise<InputReceipt> {
  checkAgent.input(options)
  const asked = readInput(core, input, options)
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

/** An input as it was checked. */
export interface AskedInput {
  readonly message: ReturnType<typeof readUserInput>
  readonly digest: string
  readonly key: string | undefined
  readonly traceId: string | undefined
  readonly signal: AbortSignal | undefined
  readonly trust: string | undefined
}

/** Throws what is wrong with it, before anything is written. */
export function readInput(core: SessionCore, input: unknown, options: InputOptions): AskedInput {
  const message = readUserInput(input)
  const digest = sha256(canonical(toJson(digestable(message))))
  const { idempotencyKey, traceId, signal, trust } = options
  const told = trust === undefined ? message : { ...message, trust }
  return { message: told, digest, key: inputKey(core, idempotencyKey), traceId, signal, trust }
}
