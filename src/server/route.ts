import { z } from '@hono/zod-openapi'
import type { Clock, Json, Timers } from '#kernel'
import type { Store } from '#journal'
import type { VerbOptions } from '#session'
import type { Skein } from '#skein'
import type { Caller } from './access.ts'
import type { Scope } from './access-tokens.ts'
import type { Answer } from './answer.ts'
import type { AnsweredKeys } from './answered-keys.ts'
import type { Metrics } from './metrics.ts'
import type { Settings } from './options.ts'
import type { RateBuckets } from './rate-bucket.ts'
import type { Streams } from './streams.ts'

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete'

/** What all requests of one server share. */
export interface Shared {
  readonly store: Store
  readonly settings: Settings
  readonly clock: Clock
  readonly timers: Timers
  readonly streams: Streams
  /** How often hooks may be asked, by their names. */
  readonly hookRates: RateBuckets
  readonly answered: AnsweredKeys
  readonly metrics: Metrics
  /** Aborted when the server begins to stop. */
  readonly stopping: AbortSignal
  /** The document of every route. */
  document(): unknown
}

/** One request, read and checked. `skein` is the caller's tenant. */
export interface Call<Q = unknown, B = unknown> {
  readonly skein: Skein
  readonly caller: Caller
  readonly params: Readonly<Record<string, string>>
  readonly query: Q
  readonly body: B
  readonly request: Request
  /** What writing verbs take: the idempotency key, the request id as trace id, and a signal for when the time is up. */
  readonly verb: VerbOptions
  readonly shared: Shared
}

interface Told {
  readonly description: string
  /** `application/json` unless said otherwise. */
  readonly mediaTypes?: readonly string[]
  readonly schema?: z.ZodType
}

export interface Route {
  readonly method: Method
  /** With parameters as `{name}`. */
  readonly path: string
  readonly operation: string
  readonly summary: string
  /** What a token must allow; `none`: no token is needed. */
  readonly scope: Scope | 'none'
  readonly query: z.ZodObject
  /** Absent: no body is read, but by a route that streams it. */
  readonly body?: z.ZodType
  /** An absent body counts as `{}`. */
  readonly bodyOptional: boolean
  /** The media types of a body that the route reads by itself. */
  readonly streamedBody?: readonly string[]
  /** Not bound by the time of a request. */
  readonly streams: boolean
  /** Who answers a repeated key: `answer` (what was answered is kept) or `verb` (its answer can be read from the journal). */
  readonly replays: 'answer' | 'verb' | 'none'
  readonly answers: Readonly<Record<number, Told>>
  run(call: Call): Promise<Answer | Response>
}

interface Given<Q extends z.ZodObject, B extends z.ZodType> {
  readonly method: Method
  readonly path: string
  readonly operation: string
  readonly summary: string
  readonly scope?: Scope | 'none'
  readonly query?: Q
  readonly body?: B
  readonly bodyOptional?: boolean
  readonly streamedBody?: readonly string[]
  readonly streams?: boolean
  readonly replays?: Route['replays']
  readonly answers: Readonly<Record<number, Told | z.ZodType>>
  run(call: Call<z.output<Q>, z.output<B>>): Promise<Answer | Response>
}

const noQuery: z.ZodObject = z.strictObject({})

/** Reads are `GET` with the scope `read`; all else writes and takes an idempotency key, unless the route says otherwise. */
export function route<Q extends z.ZodObject = typeof noQuery, B extends z.ZodType = z.ZodType<Json>>(given: Given<Q, B>): Route {
  const reads = given.method === 'get' || given.scope === 'read'
  const answers = Object.entries(given.answers).map(([status, told]) => [
    status,
    'description' in told && !('safeParse' in told) ? told : { description: 'What the verb answers.', schema: told },
  ])
  return {
    bodyOptional: false,
    streams: false,
    replays: reads ? 'none' : 'answer',
    scope: reads ? 'read' : 'write',
    ...given,
    query: given.query ?? noQuery,
    answers: Object.fromEntries(answers) as Route['answers'],
    run: call => given.run(call as Call<z.output<Q>, z.output<B>>),
  }
}
