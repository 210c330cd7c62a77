import {
  aFlag,
  aSignal,
  aText,
  type Check,
  either,
  type EntryId,
  invalidInput,
  isId,
  type JobId,
  type Members,
  shape,
  wholeNumber,
} from '#kernel'
import { checkKey } from '#journal'
import type { ArchiveId, CommitCause } from './archive-row.ts'
import { aTime } from './iso-time.ts'

export interface CommitOptions {
  /** Seals up to this entry. Default: all that is live. */
  readonly through?: EntryId
  /** The newest so many turns stay live. */
  readonly keepTurns?: number
  /** Until the archive is ready: `true` is 30,000 ms. Default: returns once it is sealed. */
  readonly wait?: boolean | { readonly ms: number }
  /** `false`: nothing is learnt from the range. */
  readonly extract?: boolean
  /** ISO 8601 with zone: what relative dates in the range are relative to. */
  readonly sessionTime?: string
  readonly idempotencyKey?: string
  /** Of `prepareCommit`. */
  readonly token?: string
  /** Of the overview in the answer. Default 2,000. */
  readonly maxOverviewChars?: number
  readonly signal?: AbortSignal
  readonly traceId?: string
}

export interface Sealed {
  readonly archived: true
  readonly status: 'sealed' | 'ready'
  readonly archive: ArchiveId
  readonly uri: string
  readonly fromSeq: number
  readonly toSeq: number
  readonly messages: number
  /** Estimated tokens of what is live. */
  readonly tokensBefore: number
  readonly tokensAfter: number
  readonly overview?: string
  readonly jobs: readonly JobId[]
  readonly extraction: 'queued' | 'skipped' | 'none'
  readonly cause: CommitCause
  /** Why the archive isn't ready. */
  readonly error?: { readonly code: string; readonly message: string }
}
export type CommitResult = { readonly archived: false; readonly reason: 'empty' } | Sealed

const key: Check = (value, path) => void checkKey(value, path)
const entry: Check = (value, path) => {
  if (!isId('ent', value)) throw invalidInput(path, 'Expected the id of an entry.')
}
const waiting = either(aFlag, shape<{ ms: number }>({ ms: wholeNumber() }), 'Expected true, false or { ms }.')
const committing: Members<CommitOptions> = {
  through: entry,
  keepTurns: wholeNumber(),
  wait: waiting,
  extract: aFlag,
  sessionTime: aTime,
  idempotencyKey: key,
  token: aText,
  maxOverviewChars: wholeNumber(),
  signal: aSignal,
  traceId: key,
}

export interface PrepareOptions {
  /** How long the token works, 1–3,600,000. Default 300,000. */
  readonly ttlMs?: number
  readonly sessionTime?: string
  readonly signal?: AbortSignal
  readonly traceId?: string
}

export interface AfterTurn {
  /** All messages of the conversation, or those that are new. */
  readonly messages: unknown
  /** How many of them were appended before. Default 0. */
  readonly already?: number
  readonly format?: string
}

export interface ArchivesOptions {
  /** 1–200, default 50. */
  readonly limit?: number
  readonly cursor?: string
  /** Merged sources, too. */
  readonly all?: boolean
}

/** What the verbs of archives take; whatever else comes is refused with its path before any effect. */
export const checkMemory: Readonly<
  Record<'commit' | 'prepare' | 'archives' | 'afterTurn' | 'close', (value: unknown, path?: string) => void>
> = {
  commit: shape<CommitOptions>(committing),
  prepare: shape<PrepareOptions>({
    ttlMs: wholeNumber(1, 3_600_000),
    sessionTime: aTime,
    signal: aSignal,
    traceId: key,
  }),
  archives: shape<ArchivesOptions>({ limit: wholeNumber(1, 200), cursor: aText, all: aFlag }),
  afterTurn: shape<AfterTurn>({ messages: () => undefined, already: wholeNumber(), format: aText }, 'turn'),
  close: shape<{ commit?: boolean; graceMs?: number }>({ commit: aFlag, graceMs: wholeNumber() }),
}
