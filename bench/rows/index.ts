import type { Row } from '../row.ts'
import { append } from './append.ts'
import { context } from './context.ts'
import { evidence } from './evidence.ts'
import { growth } from './growth.ts'
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
  growth,
  resume,
  context,
  search,
  needle,
  evidence,
} as const satisfies Record<string, Row>
