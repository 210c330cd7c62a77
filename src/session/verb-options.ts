import {
  aFlag,
  anObject,
  anything,
  aSignal,
  aText,
  type Check,
  either,
  isId,
  invalidInput,
  type JsonObject,
  listOf,
  type Members,
  oneOf,
  orNull,
  shape,
  wholeNumber,
} from '#kernel'
import { pageUnits, readContextSettings } from '#context'
import { checkKey, type SearchQuery } from '#journal'
import type { VerbOptions } from './append-messages.ts'
import type { CreateOptions } from './create-session.ts'
import type { ExpandOptions } from './expand.ts'
import type { EntriesOptions } from './read-entries.ts'
import type { ForkOptions } from './fork-session.ts'
import type { MessageFormat } from './formats/messages.ts'
import type { ImportOptions } from './import-session.ts'
import type { ListFilter } from './list-filter.ts'
import type { CustomInput } from './marks.ts'
import type { CompactOptions } from './compaction-cause.ts'
import type { ContextOptions } from './read-context.ts'
import type { MessagesOptions } from './read-messages.ts'
import type { RecallOptions } from './recall.ts'
import type { TurnsOptions } from './read-turns.ts'
import type { EventsOptions } from './session-events.ts'
import type { UsageOptions } from './session-usage.ts'

const key: Check = (value, path) => void checkKey(value, path)
const entry: Check = (value, path) => {
  if (!isId('ent', value)) throw invalidInput(path, 'Expected the id of an entry.')
}
const words = listOf(aText, 'texts')
const parts = oneOf('full', 'stub')

/** What every writing verb takes. */
export const writing: Members<VerbOptions> = { idempotencyKey: key, traceId: key, signal: aSignal }

/** What a session is created with; rooms above add theirs. */
export const creating: Members<CreateOptions> = {
  ...writing,
  id: aText,
  title: orNull(aText),
  user: orNull(aText),
  agent: aText,
  cwd: orNull(aText),
  parent: orNull(aText),
  platform: orNull(aText),
  tags: words,
  metadata: anObject,
  model: orNull(aText),
  thinking: orNull(aText),
  system: orNull(aText),
  tools: listOf(anObject, 'tools'),
  context: (value, path) => void readContextSettings(value, path),
  view: oneOf('archives'),
  memory: anObject,
  durable: aFlag,
  more: anObject,
}

const { sort, limit, cursor, ...filtering }: Members<ListFilter> = {
  query: aText,
  state: oneOf('active', 'ended', 'deleted'),
  open: aFlag,
  user: aText,
  agent: aText,
  platform: aText,
  cwd: aText,
  tag: aText,
  parent: aText,
  activeWithinMs: wholeNumber(),
  since: wholeNumber(),
  until: wholeNumber(),
  sort: oneOf('-updatedAt', 'updatedAt', '-lastAccessedAt', '-createdAt', 'createdAt', 'title'),
  limit: wholeNumber(1, 200),
  cursor: aText,
}

const searching: Members<Pick<SearchQuery, 'match' | 'limit'>> = { match: oneOf('all', 'any'), limit: wholeNumber(1, 100) }

/** The verbs that take options of their own; all other writing verbs take `verb`'s. */
export type Verb =
  | 'verb'
  | 'create'
  | 'open'
  | 'list'
  | 'latest'
  | 'searchAll'
  | 'delete'
  | 'evict'
  | 'import'
  | 'append'
  | 'context'
  | 'compact'
  | 'expand'
  | 'recall'
  | 'turns'
  | 'messages'
  | 'entries'
  | 'moveTo'
  | 'fork'
  | 'annotate'
  | 'addCustom'
  | 'usage'
  | 'search'
  | 'events'
  | 'close'

/**
 * What each verb takes, member by member. Whatever else comes is refused with its path before any effect, as a server
 * refuses unknown fields. What a member's value means is read where it is used. Law H2.
 */
export const check: Readonly<Record<Verb, (value: unknown, path?: string) => void>> = {
  verb: shape<VerbOptions>(writing),
  create: shape<CreateOptions>(creating),
  open: shape<{ orCreate?: CreateOptions }>({ orCreate: shape<CreateOptions>(creating) }),
  list: shape<ListFilter>({ ...filtering, sort, limit, cursor }, 'filter'),
  latest: shape<Omit<ListFilter, 'sort' | 'limit' | 'cursor'>>(filtering, 'filter'),
  searchAll: shape<Omit<SearchQuery, 'query' | 'session'>>({ ...searching, roles: words }),
  delete: shape<VerbOptions & { erase?: boolean }>({ ...writing, erase: aFlag }),
  evict: shape<{ idleMs?: number; id?: string }>({ idleMs: wholeNumber(-Number.MAX_SAFE_INTEGER), id: aText }, 'filter'),
  import: shape<ImportOptions>({ ...writing, as: oneOf('new') }),

  append: shape<VerbOptions & { format?: MessageFormat }>({ ...writing, format: anything }),
  context: shape<ContextOptions>({
    system: orNull(aText),
    input: anything,
    model: aText,
    facts: anObject,
    format: aText,
    tools: listOf(anObject, 'tools'),
    maxTokens: wholeNumber(1),
    compact: aFlag,
    explain: aFlag,
    view: oneOf('archives', 'default'),
    query: aText,
  }),
  expand: shape<ExpandOptions>({ offset: wholeNumber(), limit: wholeNumber(1), unit: oneOf(...pageUnits) }),
  recall: shape<RecallOptions>({
    mode: oneOf('words', 'literal'),
    role: oneOf('user', 'assistant', 'tool', 'system'),
    after: wholeNumber(),
    before: wholeNumber(),
    limit: wholeNumber(1, 20),
    cursor: aText,
    scope: oneOf('branch', 'lineage'),
  }),
  compact: shape<CompactOptions>({
    dryRun: aFlag,
    targetTokens: wholeNumber(),
    instructions: aText,
    only: oneOf('prune'),
    signal: aSignal,
  }),
  turns: shape<TurnsOptions>({ after: wholeNumber(), limit: wholeNumber(1, 1_000) }),
  messages: shape<MessagesOptions>({ before: entry, limit: wholeNumber(1, 1_000), parts }),
  entries: shape<EntriesOptions>({
    after: wholeNumber(),
    before: wholeNumber(),
    limit: wholeNumber(1, 1_000),
    types: words,
    branch: aFlag,
    parts,
  }),
  moveTo: shape<VerbOptions & { reason?: string }>({ ...writing, reason: aText }),
  fork: shape<ForkOptions>({ ...writing, at: entry, title: orNull(aText) }),
  annotate: shape<{ tags?: readonly string[]; metadata?: JsonObject }>({ tags: words, metadata: anObject }, 'marks'),
  addCustom: shape<CustomInput>({ name: aText, data: anything, text: aText }, 'entry'),
  usage: shape<UsageOptions>({ by: oneOf('model', 'purpose', 'turn', 'step', 'tool'), tree: aFlag }),
  search: shape<Pick<SearchQuery, 'match' | 'limit'>>(searching),
  events: shape<EventsOptions>({
    after: either(aText, wholeNumber(), 'Expected seq or seq.n, as in the id of an event.'),
    types: words,
    signal: aSignal,
  }),
  close: shape<{ graceMs?: number }>({ graceMs: wholeNumber() }),
}
