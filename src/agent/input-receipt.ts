import { type Id, isObject, type RunId, type SessionId, SkeinError, type TurnId } from '#kernel'
import type { Change } from '#journal'
import type { SessionCore } from '#session'

export interface InputReceipt {
  readonly inputId: string
  /** The run that the input began, that it waits for, or, of a `next` one, that it will begin. */
  readonly runId: RunId
  readonly turnId: TurnId
  readonly session: SessionId
  readonly disposition: 'started' | 'queued' | 'duplicate'
  /** Of the entry that it was admitted with. */
  readonly seq: number
}

/** What a key stands for, as long as the session does. */
interface Keyed {
  readonly digest: string
  readonly run: RunId
  readonly turn: TurnId
  readonly input: Id<'inp'>
}

const inputCollection = 'input'

export const inputKey = (core: SessionCore, key: string | undefined): string | undefined =>
  key === undefined ? undefined : `${core.id} ${key}`

/** Rides in the commit that admits the input, which fails if the key was taken meanwhile. */
export const keyedInput = (core: SessionCore, key: string, value: Keyed): Change => ({
  type: 'put_record',
  collection: inputCollection,
  key,
  value: { ...value },
  tags: [core.id],
  expectVersion: 0,
})

/** The receipt of an earlier call with this key. Throws `idempotency.mismatch` if that one said something else. Law A5. */
export async function duplicateOf(core: SessionCore, key: string, digest: string): Promise<InputReceipt | undefined> {
  const record = await core.store.record(inputCollection, key)
  if (record === undefined || !isObject(record.value)) return undefined
  const { digest: before, run, turn, input } = record.value as unknown as Keyed
  if (before !== digest) throw new SkeinError('idempotency.mismatch', 'This idempotency key was used for another input.')
  const found = await core.store.entries(core.id, { types: ['input_admitted'], order: 'desc', limit: 100_000 })
  const admitted = found.find(({ data }) => isObject(data) && data['input'] === input)
  // What begins a run stands right behind its beginning.
  const seq = (admitted?.seq ?? 1) - (isObject(admitted?.data) && admitted.data['delivery'] === 'start' ? 1 : 0)
  return { inputId: input, runId: run, turnId: turn, session: core.id, disposition: 'duplicate', seq }
}
