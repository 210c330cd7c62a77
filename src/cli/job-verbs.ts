import { type Job, type JobsFilter, unknownJob } from '#jobs'
import { given, type JobId, type SessionId } from '#kernel'
import type { Skein } from '#skein'
import { answer, type Server } from './http.ts'

export interface JobsQuery extends JobsFilter {
  readonly session?: SessionId
}

export interface IdleQuery {
  readonly kind?: string
  readonly session?: SessionId
  readonly waitMs?: number
}

export interface JobsPage {
  readonly items: readonly Job[]
  readonly next?: JobId
}

/** What `skein jobs` stands on. */
export interface JobVerbs {
  list(query: JobsQuery): Promise<JobsPage>
  get(id: string): Promise<Job>
  idle(query: IdleQuery): Promise<{ readonly idle: true }>
  retry(id: string): Promise<Job>
  skip(id: string, reason?: string): Promise<Job>
}

export function localJobs({ jobs }: Skein): JobVerbs {
  return {
    list: async query => {
      const { limit = 50 } = query
      const items = await jobs.list({ ...query, limit })
      const last = items.at(-1)
      return { items, ...(last === undefined || items.length < limit ? {} : { next: last.id }) }
    },
    get: async id => {
      const job = await jobs.get(id)
      if (job === null) throw unknownJob(id)
      return job
    },
    idle: async ({ waitMs, ...scope }) => {
      await jobs.idle(scope, given({ waitMs }))
      return { idle: true }
    },
    retry: id => jobs.retry(id),
    skip: (id, reason) => jobs.skip(id, reason),
  }
}

export function remoteJobs(server: Server): JobVerbs {
  const path = (id: string, verb = ''): string => `v1/jobs/${encodeURIComponent(id)}${verb}`
  return {
    list: query => answer(server, 'v1/jobs', { query: { ...query } }),
    get: id => answer(server, path(id)),
    idle: query => answer(server, 'v1/jobs/idle', { query: { ...query } }),
    retry: id => answer(server, path(id, '/retry'), { method: 'POST', body: {} }),
    skip: (id, reason) => answer(server, path(id, '/skip'), { method: 'POST', body: given({ reason }) }),
  }
}
