import {
  canonical,
  every,
  given,
  type Id,
  invalidInput,
  isObject,
  isSkeinError,
  type RunId,
  type SessionId,
  sha256,
  SkeinError,
  toJson,
  type TurnId,
} from '#kernel'
import { noUsage, type SessionRow, type TurnEnded } from '#journal'
import {
  changedNotes,
  digestable,
  type Draft,
  draft,
  holdsOf,
  isEntryEvent,
  messageDrafts,
  type MessageInput,
  noteDrafts,
  readMessage,
  readContextState,
  readParts,
  type SessionCore,
  sessionEvents,
  type SessionEvent,
  turnEnding,
} from '#session'
import { executeRun, maxStepsDefault } from './run.ts'
import { refOf, type TurnResult } from './run-record.ts'
import type { AiSdkModel, ConnectedModel, ModelPort } from '#models'
import { readResult } from './read-result.ts'
import { recallDescriptions, recallTools } from './recall-tools.ts'
import { describeTool, readTools, type Tool } from './tool.ts'
import { checkAgent, type SendOptions } from './agent-options.ts'

/** What the agent needs from outside: models, and the tools that a session was given in this process. */
export interface AgentPorts {
  /** Throws `model.unknown`, `auth.missing`, `model.provider_missing` before anything is written. */
  connect(model: string | ModelPort | AiSdkModel | null): Promise<ConnectedModel>
  readonly tools: readonly Tool[]
}

export interface InputReceipt {
  readonly inputId: string
  readonly runId: RunId
  readonly turnId: TurnId
  readonly session: SessionId
  readonly disposition: 'started' | 'duplicate'
  readonly seq: number
}

/**
 * A turn being executed. Iterate it for its events; `result()` resolves whatever happens after admission.
 * `receipt` rejects when the input was refused: then nothing was written.
 */
export interface Run extends AsyncIterable<SessionEvent>, AsyncDisposable {
  readonly id: RunId
  readonly receipt: Promise<InputReceipt>
  result(): Promise<TurnResult>
  /** Ends the run: the provider and running tools are told, what came so far is kept. Resolves when it has ended. */
  cancel(): Promise<void>
  abort(): Promise<void>
}

const maxInputBytes = 4 * 2 ** 20
const inputCollection = 'input'

/** Reads what a person says: text, parts, or a user message. Blank without a file is `input.invalid`. */
export function readUserInput(input: unknown): MessageInput {
  const message =
    isObject(input) && !Array.isArray(input)
      ? readMessage({ role: 'user', ...input }, 'input')
      : readMessage({ role: 'user', parts: readParts(input, 'input') }, 'input')
  if (message.role !== 'user') throw invalidInput('input.role', 'Expected a user message.')
  const hasText = message.parts.some(part => part.type === 'text' && part.text.trim() !== '')
  if (!hasText && !message.parts.some(part => part.type === 'file')) throw invalidInput('input', 'Say something, or send a file.')
  const bytes = message.parts.reduce(
    (sum, part) =>
      sum +
      (part.type === 'text'
        ? Buffer.byteLength(part.text)
        : 'data' in part && part.data instanceof Uint8Array
          ? part.data.length
          : 0),
    0,
  )
  if (bytes > maxInputBytes)
    throw new SkeinError('input.too_large', `An input takes at most ${maxInputBytes} bytes.`, {
      details: { bytes, max: maxInputBytes },
    })
  return message
}

/**
 * Admits an input durably and runs its turn. Refused while another run goes on (`session.busy`) or a hold stands
 * (`session.held`). `defaults` hold where the options say nothing.
 */
export function startRun(
  core: SessionCore,
  ports: AgentPorts,
  input: unknown,
  options: SendOptions = {},
  defaults: Pick<SendOptions, 'model' | 'maxSteps'> = {},
): Run {
  const id = core.runtime.ids('run')
  const stop = new AbortController()
  let done: () => void = () => undefined
  const over = new Promise<void>(resolve => (done = resolve))
  const admitted = admit(core, ports, input, options, defaults, id)
  const outcome = admitted
    .then(async ({ receipt, begin }) => {
      if (begin === undefined) return await resultOf(core, receipt)
      return await begin(options.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, options.signal]))
    })
    .finally(done)
  const receipt = admitted.then(admission => admission.receipt)
  // Whoever asks for neither still learns of a refusal from iterating; nobody listening is no crash.
  receipt.catch(() => undefined)
  outcome.catch(() => undefined)
  const cancel = async (): Promise<void> => {
    stop.abort(new SkeinError('session.closed', 'The run was cancelled.'))
    await over
  }
  return {
    id,
    receipt,
    result: () => outcome,
    cancel,
    abort: cancel,
    [Symbol.asyncIterator]: () => runEvents(core, receipt),
    [Symbol.asyncDispose]: cancel,
  }
}

/** The events of one run, from its admission to its `run_ended`, whenever one begins to read. */
async function* runEvents(core: SessionCore, receipt: Promise<InputReceipt>): AsyncGenerator<SessionEvent, void, undefined> {
  const { runId, seq } = await receipt
  for await (const event of sessionEvents(core, { after: `${seq - 1}.0` })) {
    const mine = isEntryEvent(event) ? event.entry.run === runId : event['run'] === runId
    if (mine) yield event
    if (isEntryEvent(event) && event.type === 'run_ended' && mine) return
  }
}

/** What an earlier call's run came to. A run that died with its process, before or while this waits, is ended here. */
async function resultOf(core: SessionCore, { runId, seq }: InputReceipt): Promise<TurnResult> {
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
    return await Promise.race([readResult(core, runId, seq), failed])
  } finally {
    stopLooking()
  }
}

/** Ends a run that nobody carries on: it shows as running, and its lease is free. */
async function endIfDead(core: SessionCore, run: RunId): Promise<void> {
  const isDead = (running: unknown): boolean => isObject(running) && running['run'] === run && core.activeRun !== run
  if (!isDead((await core.row()).data['running'])) return
  await core
    .path(now => ({ drafts: isDead(now.data['running']) ? abandoned(now.data['running'], core) : [] }), { run })
    .catch((error: unknown) => {
      // Another process has the lease, so it may be running there.
      if (!(isSkeinError(error) && error.code === 'session.busy')) throw error
    })
}

interface Admitted {
  readonly receipt: InputReceipt
  /** Absent for a duplicate: its run belongs to an earlier call. */
  readonly begin?: (signal: AbortSignal) => Promise<TurnResult>
}

async function admit(
  core: SessionCore,
  ports: AgentPorts,
  input: unknown,
  options: SendOptions,
  defaults: Pick<SendOptions, 'model' | 'maxSteps'>,
  run: RunId,
): Promise<Admitted> {
  checkAgent.send(options)
  const message = readUserInput(input)
  const { traceId, maxSteps = defaults.maxSteps ?? maxStepsDefault, model: asked = defaults.model } = options
  const digest = sha256(canonical(toJson(digestable(message))))
  const key = options.idempotencyKey === undefined ? undefined : `${core.id} ${options.idempotencyKey}`
  const known = key === undefined ? undefined : await duplicateOf(core, key, digest)
  if (known !== undefined) return { receipt: known }

  const row = await core.row()
  const recalls = core.keeping.context.recall ?? true
  const tools = [...ports.tools, ...readTools(options.tools ?? []), ...(recalls ? recallTools(core) : [])]
  checkTools(tools)
  const model = await ports.connect(asked ?? row.model)
  const turn: TurnId = core.runtime.ids('trn')
  const inputId = core.runtime.ids('inp')
  let index = 0
  core.activeRun ??= run
  try {
    const { entries } = await core.path(
      async now => {
        const held = holdsOf(now.data)
        if (held.length > 0) throw new SkeinError('session.held', `Held by ${held.join(', ')}.`, { details: { holds: held } })
        index = now.counters.turnCount
        const mark = { run, turn }
        const stowed = messageDrafts(core, [message], mark)
        const drafts: Draft[] = [
          ...(await abandonedTurn(core, now)),
          draft(
            'run_started',
            { model: refOf(model), input: inputId, maxSteps, ...(model.info.demo === true ? { demo: true } : {}) },
            mark,
          ),
          draft('input_admitted', { input: inputId, delivery: 'start' }, mark),
          draft('turn_started', { index }, mark),
          ...(await notesFor(core, now, model, mark)),
          ...stowed.drafts,
        ]
        const receiptRow =
          key === undefined
            ? []
            : [
                {
                  type: 'put_record',
                  collection: inputCollection,
                  key,
                  value: { digest, run, turn, input: inputId },
                  tags: [core.id],
                  expectVersion: 0,
                } as const,
              ]
        return { ...stowed, drafts, ...(receiptRow.length === 0 ? {} : { alongside: receiptRow }) }
      },
      {
        run,
        ...given({ traceId, signal: options.signal }),
      },
    )
    const seq = entries.find(entry => entry.type === 'run_started')?.seq ?? entries[0]?.seq ?? 0
    const receipt: InputReceipt = { inputId, runId: run, turnId: turn, session: core.id, disposition: 'started', seq }
    core.live.beginRun()
    const unpin = core.pin()
    const begin = async (signal: AbortSignal): Promise<TurnResult> => {
      try {
        return await executeRun(core, {
          run,
          turn,
          index,
          model,
          tools,
          offered: recalls ? recallDescriptions : [],
          maxSteps,
          signal,
          ...given({ traceId }),
        })
      } finally {
        core.activeRun = undefined
        unpin()
      }
    }
    return { receipt, begin }
  } catch (error) {
    if (core.activeRun === run) core.activeRun = undefined
    const raced =
      key !== undefined && isSkeinError(error) && (error.code === 'store.conflict' || error.code === 'session.busy')
        ? await duplicateOf(core, key, digest)
        : undefined
    if (raced !== undefined) return { receipt: raced }
    throw error
  }
}

async function duplicateOf(core: SessionCore, key: string, digest: string): Promise<InputReceipt | undefined> {
  const record = await core.store.record(inputCollection, key)
  if (record === undefined || !isObject(record.value)) return undefined
  const { digest: before, run, turn, input } = record.value as { digest: string; run: RunId; turn: TurnId; input: Id<'inp'> }
  if (before !== digest) throw new SkeinError('idempotency.mismatch', 'This idempotency key was used for another input.')
  const [started] = (await core.store.entries(core.id, { types: ['run_started'], order: 'desc', limit: 100_000 })).filter(
    entry => entry.run === run,
  )
  return { inputId: input, runId: run, turnId: turn, session: core.id, disposition: 'duplicate', seq: started?.seq ?? 1 }
}

/** What hooks have to say beside the new user message. */
async function notesFor(core: SessionCore, row: SessionRow, model: ConnectedModel, mark: Partial<Draft>): Promise<Draft[]> {
  if (core.runtime.hooks.length === 0) return []
  const state = await readContextState(core, row, { facts: { ...model.info, ref: refOf(model) } })
  return noteDrafts(core, await changedNotes(core, state), mark)
}

/** The same with the turn's snapshot, so that each turn has one. */
async function abandonedTurn(core: SessionCore, row: SessionRow): Promise<readonly Draft[]> {
  const drafts = abandoned(row.data['running'], core)
  const ended = drafts.find(({ type }) => type === 'turn_ended')
  if (ended?.turn === undefined) return drafts
  const { index } = ended.data as TurnEnded
  const now = core.runtime.clock.now()
  const ending = await turnEnding(core, row, {
    turn: ended.turn,
    index,
    startedAt: now,
    state: await readContextState(core, row),
    model: row.model,
    steps: 0,
    usage: noUsage,
    cost: null,
    finishReason: 'abandoned',
    doomLoop: false,
    reported: null,
    asked: { messages: 0, toolResults: 0 },
    answered: 0,
  })
  return [...drafts, ...ending.drafts]
}

/** A run that died with its process: it ended, and its turn with it, before the next one begins. */
function abandoned(running: unknown, core: SessionCore): Draft[] {
  if (!isObject(running) || typeof running['run'] !== 'string' || running['run'] === core.activeRun) return []
  const mark = {
    run: running['run'] as RunId,
    ...(typeof running['turn'] === 'string' ? { turn: running['turn'] as TurnId } : {}),
  }
  const ended = { status: 'failed', reason: 'abandoned' } as const
  const index = typeof running['index'] === 'number' ? running['index'] : 0
  return [draft('turn_ended', { index, ...ended }, mark), draft('run_ended', { ...ended, steps: 0 }, mark)]
}

export function checkTools(tools: readonly Tool[]): void {
  const names = new Set<string>()
  for (const tool of tools) {
    describeTool(tool)
    if (names.has(tool.name))
      throw new SkeinError('tool.duplicate', `Two tools are named ${tool.name}.`, { details: { tool: tool.name } })
    names.add(tool.name)
  }
}
