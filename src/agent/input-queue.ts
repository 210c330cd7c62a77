import {
  type EntryId,
  given,
  type Id,
  isObject,
  isSkeinError,
  type JsonObject,
  type RunId,
  SkeinError,
  type TurnId,
} from '#kernel'
import {
  blobsOf,
  type Change,
  type Delivery,
  type Entry,
  type InputAdmitted,
  type RunCode,
  type SessionRow,
  type WaitingInput,
} from '#journal'
import { type Draft, draft, messageDrafts, type MessageInput, type Plan, type SessionCore } from '#session'
import { type Alongside, changesOf } from './alongside.ts'
import { duplicateOf, keyedInput, type InputReceipt } from './input-receipt.ts'
import { putRun, readRunRow, runCollection } from './run-row.ts'

export type Queued = Exclude<Delivery, 'start'>

/** An input that was admitted and is neither delivered nor dropped. */
export interface Waiting extends WaitingInput {
  readonly input: Id<'inp'>
}

/** What waits in a session, in no order. */
export function waitingInputs({ data }: Pick<SessionRow, 'data'>): Waiting[] {
  const inputs = data['inputs']
  if (!isObject(inputs)) return []
  return Object.entries(inputs).flatMap(([input, waiting]) =>
    isObject(waiting) ? [{ ...(waiting as unknown as WaitingInput), input: input as Id<'inp'> }] : [],
  )
}

/** What waits for a run itself: steers and follow-ups, not the turns that come after it. */
export const waitingFor = (row: Pick<SessionRow, 'data'>, run: RunId): Waiting[] =>
  waitingInputs(row).filter(waiting => waiting.run === run && waiting.delivery !== 'next')

/** The run that a session shows, going on or dead. */
export function runningIn({ data }: Pick<SessionRow, 'data'>): { readonly run: RunId; readonly turn: TurnId | null } | undefined {
  const running = data['running']
  if (!isObject(running) || typeof running['run'] !== 'string') return undefined
  const turn = typeof running['turn'] === 'string' ? (running['turn'] as TurnId) : null
  return { run: running['run'] as RunId, turn }
}

/** The run that goes on in this process or, as its lease shows, in another. */
export function goingOn(core: SessionCore, row: SessionRow): ReturnType<typeof runningIn> {
  const running = runningIn(row)
  const { owner, until } = row.lease
  const isHeld = owner !== null && until > core.runtime.clock.now()
  return running !== undefined && (core.activeRun === running.run || isHeld) ? running : undefined
}

/** What the commit that ends a run does to its row. Fails with `store.conflict` if an input came since `version`. */
export function leaveRun(core: SessionCore, row: Pick<SessionRow, 'data'>, version: number): Change[] {
  if (version === 0) return []
  if (waitingInputs(row).some(({ delivery }) => delivery === 'next')) return [putRun(core, null, { expectVersion: version })]
  return [{ type: 'delete_record', collection: runCollection, key: core.id, expectVersion: version }]
}

interface Asked {
  readonly message: MessageInput
  readonly delivery: Queued
  readonly digest: string
  /** As the record of inputs is named. */
  readonly key: string | undefined
  readonly traceId: string | undefined
  readonly signal: AbortSignal | undefined
  /** The run that it is meant for, if it is not for any. */
  readonly run?: RunId
  readonly trust?: string | undefined
  /** What a `next` one's run is to go by. */
  readonly options?: JsonObject | undefined
  readonly code?: RunCode | undefined
  readonly alongside?: Alongside | undefined
  /** What a `next` one's run will be called. */
  readonly own?: RunId
}

/** Losing a race with the run's own commits is nothing that a caller should hear of. */
const maxTries = 100

/** The last input that this process keeps for a session: each waits for the one before it, since they would all lose but one. */
const lines = new WeakMap<SessionCore, Promise<unknown>>()

/**
 * Keeps an input for the run that goes on, from any process, in the order in which they were said in this one. A `next` one gets
 * the run and turn that it will be. Undefined if no run goes on; then nothing was written.
 */
export async function queueInput(core: SessionCore, asked: Asked): Promise<InputReceipt | undefined> {
  const mine = (lines.get(core) ?? Promise.resolve()).then(() => keepInput(core, asked))
  lines.set(
    core,
    mine.catch(() => undefined),
  )
  return await mine
}

async function keepInput(core: SessionCore, asked: Asked): Promise<InputReceipt | undefined> {
  const input = core.runtime.ids('inp')
  const { delivery, key } = asked
  const own = { run: asked.own ?? core.runtime.ids('run'), turn: core.runtime.ids('trn') }
  const stowed = messageDrafts(core, [asked.message])
  const [said] = stowed.drafts
  for (let tries = 1; ; tries++) {
    let place: { run: RunId; turn: TurnId } | undefined
    try {
      const { entries } = await core.side(
        async row => {
          const running = goingOn(core, row)
          const { run, asked: toEnd, version } = await readRunRow(core)
          if (running === undefined || run !== running.run || run !== (asked.run ?? run)) throw notRunning(core)
          if (row.state === 'ended') throw new SkeinError('session.ended', `Session ${core.id} has ended.`)
          place = delivery === 'next' ? own : { run: running.run, turn: running.turn ?? own.turn }
          const { data, tokens, counter } = said as Draft
          const admitted: InputAdmitted = {
            ...(data as Partial<InputAdmitted>),
            input,
            delivery,
            ...given({ trust: asked.trust, options: asked.options, code: asked.code }),
          }
          const item = draft('input_admitted', admitted, {
            ...place,
            by: 'user',
            ...(tokens === undefined ? {} : { tokens }),
            ...(counter === undefined ? {} : { counter }),
          })
          const receipts = key === undefined ? [] : [keyedInput(core, key, { digest: asked.digest, ...place, input })]
          return {
            ...stowed,
            drafts: [item],
            alongside: [
              putRun(core, running.run, { expectVersion: version, asked: toEnd }),
              ...receipts,
              ...changesOf(asked.alongside, core, row, { ...place, input }),
            ],
          }
        },
        {
          ...(asked.traceId === undefined ? {} : { traceId: asked.traceId }),
          ...(asked.signal === undefined ? {} : { signal: asked.signal }),
        },
      )
      if (place === undefined) return undefined
      const { run, turn } = place
      return { inputId: input, runId: run, turnId: turn, session: core.id, disposition: 'queued', seq: entries[0]?.seq ?? 0 }
    } catch (error) {
      if (isSkeinError(error) && error.code === 'run.not_running') return undefined
      if (!isSkeinError(error) || error.code !== 'store.conflict' || tries >= maxTries) throw error
      const known = key === undefined ? undefined : await duplicateOf(core, key, asked.digest)
      if (known !== undefined) return known
    }
  }
}

export const notRunning = (core: SessionCore): SkeinError =>
  new SkeinError('run.not_running', `No run is going on in session ${core.id}. Say it with send.`, {
    details: { session: core.id },
  })

/** The entries of inputs, in the order in which they were admitted. */
export async function admittedEntries(core: SessionCore, inputs: readonly Waiting[]): Promise<Entry[]> {
  const found = await Promise.all(inputs.map(({ entry }) => core.store.entry(core.id, entry)))
  return found.flatMap(entry => entry ?? []).sort((a, b) => a.seq - b.seq)
}

/** One message each, as they were kept: counted once and their large parts set aside. */
export function deliveryOf(
  core: SessionCore,
  admitted: readonly Entry[],
  marks: { readonly run: RunId; readonly turn: TurnId },
): Plan {
  const drafts = admitted.flatMap((entry): Draft[] => {
    const {
      input,
      delivery: _delivery,
      options: _options,
      code: _code,
      parts = [],
      ...message
    } = entry.data as unknown as InputAdmitted
    const id: EntryId = core.runtime.ids('ent')
    const said = draft(
      'message_added',
      { role: 'user', ...message, parts },
      {
        ...marks,
        id,
        by: 'user',
        ...(entry.tokens === undefined ? {} : { tokens: entry.tokens }),
        ...counterOf(entry),
      },
    )
    return [draft('input_delivered', { input, entry: id }, marks), said]
  })
  return { drafts, blobRefs: [...new Set(admitted.flatMap(entry => blobsOf(entry)))] }
}

const counterOf = (entry: Entry): { readonly counter?: string } =>
  'counter' in entry && typeof entry.counter === 'string' ? { counter: entry.counter } : {}

export const droppedInputs = (inputs: readonly Waiting[], reason: string): Draft[] =>
  inputs.map(({ input, run, turn }) => draft('input_dropped', { input, reason }, { run, turn }))
