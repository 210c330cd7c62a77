import type { Row } from '../row.ts'
import { append } from './append.ts'
import { context } from './context.ts'
import { evidence } from './evidence.ts'
import { gatewayResolve } from './gateway-resolve.ts'
import { growth } from './growth.ts'
import { jobTakeover } from './job-takeover.ts'
import { memoryCommit } from './memory-commit.ts'
import { memoryRecall } from './memory-recall.ts'
import { needle } from './needle.ts'
import { postgres } from './postgres.ts'
import { processes } from './processes.ts'
import { resume } from './resume.ts'
import { route } from './route.ts'
import { search } from './search.ts'
import { hundredSessions } from './sessions.ts'

/** By the names that `--rows` takes; several share a store that the first of them fills. */
export const rows = {
  append,
  sessions: hundredSessions,
  processes,
  postgres,
  route,
  'gateway-resolve': gatewayResolve,
  growth,
  resume,
  context,
  search,
  needle,
  evidence,
  'memory-commit': memoryCommit,
  'memory-recall': memoryRecall,
  'job-takeover': jobTakeover,
} as const satisfies Record<string, Row>
