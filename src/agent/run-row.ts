import { given, isObject, type JsonObject, type RunId } from '#kernel'
import type { Change } from '#journal'
import type { SessionCore } from '#session'

/** What somebody asked of a run that is not in his process. */
export interface AskedEnd {
  readonly how: 'cancel' | 'abort'
  readonly reason: 'user_cancelled' | 'parent_cancelled'
}

/** A session's row among the runs, as it stands. */
export interface RunRow {
  /** `null`: none goes on, but turns wait. Undefined: there is no row. */
  readonly run: RunId | null | undefined
  readonly asked: AskedEnd | undefined
  /** 0 without a row. */
  readonly version: number
}

/**
 * One row per session whose run goes on: its version tells the run's last commit what came in between, so no input is admitted
 * to a run that has ended, and no wish to end it is overlooked. Without a run it says that turns are waiting. Law A12.
 */
export const runCollection = 'run'

/** Stands on the rows of runs that somebody wants to end. */
export const askedTag = 'asked_to_end'

/** Without `expectVersion` whatever stood there is replaced. */
export const putRun = (
  core: SessionCore,
  run: RunId | null,
  { expectVersion, asked }: { readonly expectVersion?: number; readonly asked?: AskedEnd | undefined } = {},
): Change => ({
  type: 'put_record',
  collection: runCollection,
  key: core.id,
  value: { run, ...(asked === undefined ? {} : { asked: { ...asked } }) },
  tags: asked === undefined ? [core.id] : [core.id, askedTag],
  ...given({ expectVersion }),
})

export async function readRunRow({ store, id }: Pick<SessionCore, 'store' | 'id'>): Promise<RunRow> {
  const record = await store.record(runCollection, id)
  const value = isObject(record?.value) ? (record.value as JsonObject) : {}
  return { run: value['run'] as RunRow['run'], asked: askedIn(value), version: record?.version ?? 0 }
}

/** What is asked of the run that a row names. */
export function askedIn({ asked }: JsonObject): AskedEnd | undefined {
  if (!isObject(asked)) return undefined
  const how = asked['how'] === 'abort' ? 'abort' : 'cancel'
  return { how, reason: asked['reason'] === 'parent_cancelled' ? 'parent_cancelled' : 'user_cancelled' }
}
