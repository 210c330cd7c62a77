import { given, type Json, toJson } from '#kernel'
import type { Change, JobRow, TenantStore } from '#journal'

/** Answers that jobs have paid for, by `JOB/NAME`, until the job is done, skipped or erased. */
export const stepCollection = 'job.step'

/**
 * Does a part of a job once: what it gave is stored, under the job's claim, before it is handed on, so that a later attempt
 * gets it without doing it again. Throws `store.conflict` when the job has another owner by then, and stores nothing.
 */
export type JobStep = <T extends Json>(name: string, work: () => Promise<T>) => Promise<T>

export interface JobSteps {
  readonly step: JobStep
  /** What forgets the answers that this attempt has used; goes with the commit that completes the job. */
  forget(): Change[]
}

export function jobSteps(store: TenantStore, job: Pick<JobRow, 'id' | 'fence' | 'session'>): JobSteps {
  const used = new Set<string>()
  return {
    async step<T extends Json>(name: string, work: () => Promise<T>): Promise<T> {
      const key = `${job.id}/${name}`
      used.add(key)
      const known = await store.record(stepCollection, key)
      if (known !== undefined) return known.value as T
      const value = toJson(await work()) as T
      await store.commit([
        { type: 'require', that: { claim: { job: job.id, fence: job.fence } } },
        {
          type: 'put_record',
          collection: stepCollection,
          key,
          value,
          ...given({ tags: job.session === null ? undefined : [job.session] }),
        },
      ])
      return value
    },
    forget: () => [...used].map(forgotten),
  }
}

const forgotten = (key: string): Change => ({ type: 'delete_record', collection: stepCollection, key })

/** What forgets the stored answers of one job, or of all jobs of a session. */
export async function forgetSteps(
  store: Pick<TenantStore, 'records'>,
  of: { readonly job: JobRow['id'] } | { readonly session: string },
): Promise<Change[]> {
  const query = 'job' in of ? { keyPrefix: `${of.job}/` } : { tag: of.session }
  const found: Change[] = []
  for (let cursor: string | undefined; ;) {
    const page = await store.records(stepCollection, { ...query, limit: 200, ...given({ cursor }) })
    found.push(...page.items.map(({ key }) => forgotten(key)))
    if (page.next === undefined) return found
    cursor = page.next
  }
}
