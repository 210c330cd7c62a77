export { backoffMs } from './backoff.ts'
export { afterFailure, errorInfo } from './job-outcome.ts'
export { Jobs, type JobsFilter } from './jobs.ts'
export {
  heartbeatMs,
  type JobDone,
  jobLeaseMs,
  type JobWork,
  pollMs,
  startWorker,
  type Worker,
  type WorkerParts,
} from './worker.ts'
