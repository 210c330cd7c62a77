import { every, given, isSkeinError, type RunId, SkeinError } from '#kernel'
import type { RunCode } from '#journal'
import { draft, messageDrafts, type SessionCore } from '#session'
import { endIfDead } from './abandon.ts'
import { RunControl } from './active-runs.ts'
import { checkAgent, type SendOptions } from './agent-options.ts'
import { beginRun } from './begin-run.ts'
import type { AgentPorts, RunDefaults } from './ports.ts'
import { readGear } from './run-gear.ts'
import { duplicateOf, type InputReceipt, keyedInput } from './input-receipt.ts'
import { keepRunOptions } from './kept-options.ts'
import { type Queued, queueInput, runningIn } from './input-queue.ts'
import { type Coming, expectNext, followUpRuns, forgetNext } from './next-runs.ts'
import { readResult } from './read-result.ts'
import { codeAmong } from './run-code.ts'
import { type AskedInput, readInput, type Run, runFace } from './run-face.ts'
import type { TurnResult } from './turn-result.ts'

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

function listen(signal: AbortSignal, heard: () => void): void {
  if (signal.aborted) heard()
  else signal.addEventListener('abort', heard, { once: true })
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

async function admit(
  core: SessionCore,
  ports: AgentPorts,
  input: unknown,
  options: SendOptions,
  defaults: RunDefaults,
  own: { readonly id: RunId; readonly control: RunControl },
): Promise<Admitted> {
  checkAgent.send(options)
  const asked = readInput(core, input, options)
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
  const receipt = await queueInput(core, { ...asked, own: id, options: keepRunOptions(options), code: codeOf(options) }).catch(
    (error: unknown) => {
      forgetNext(core, id)
      throw error
    },
  )
  if (receipt === undefined) forgetNext(core, id)
  return receipt
}

/** What a turn that waits was given beside what its session has. */
const codeOf = ({ tools, gates, hooks }: SendOptions): RunCode | undefined => codeAmong(tools, gates ?? [], hooks ?? [])

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
