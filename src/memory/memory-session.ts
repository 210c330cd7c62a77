import { type AgentPorts, closeGraceMs, type Run, type SendOptions } from '#agent'
import { given, invalidInput, type JsonObject } from '#kernel'
import type { SessionRow } from '#journal'
import {
  type Appended,
  check,
  type ContextOptions,
  type CoreSession,
  type Recorded,
  type SessionCore,
  type SessionInfo,
  setContextView,
  type VerbOptions,
} from '#session'
import { type ArchivesPage, listArchives, oneArchive, readArchives } from './archive-list.ts'
import type { Archive } from './archive-row.ts'
import { type ArchivesContext, archivesView, sessionArchivesContext, showsArchives } from './archives-context.ts'
import { afterAppend, type AfterTurned } from './commit-after-turn.ts'
import { cursorOf } from './commit-cursor.ts'
import { commitIfDue, policyOf } from './commit-triggers.ts'
import {
  type AfterTurn,
  type ArchivesOptions,
  checkMemory,
  type CommitOptions,
  type CommitResult,
  type PrepareOptions,
} from './commit-types.ts'
import { commitSession } from './commit.ts'
import { baseOf, liveCounts, liveTurns } from './live-counts.ts'
import type { MemoryParts } from './memory-parts.ts'
import { discardPrepared, prepareCommit, type Prepared, preparedOf } from './prepared.ts'
import { StateSession } from './state-session.ts'

/** What is live, what is sealed, and how far others have read. */
export interface MemoryInfo {
  /** On the branch, behind the newest archive. */
  readonly liveMessages: number
  readonly liveTurns: number
  readonly liveTokens: number
  /** End of the newest archive; 0 before the first. */
  readonly archivedTo: number
  readonly commits: number
  readonly lastCommitAt: number | null
  /** That stand in the list. */
  readonly archives: number
  readonly extraction: JsonObject
}

/** The session of the face: one that never has to end, since what is old is sealed into archives. */
export class MemorySession extends StateSession {
  readonly #core: SessionCore
  readonly #parts: MemoryParts

  constructor(core: SessionCore, opened: (id: CoreSession['id']) => Promise<CoreSession>, ports: AgentPorts, parts: MemoryParts) {
    super(core, opened, ports, parts.refresh)
    this.#core = core
    this.#parts = parts
    setContextView(core, archivesView(core, parts))
  }

  override async info(): Promise<Awaited<ReturnType<StateSession['info']>> & SessionInfo & MemoryInfo> {
    const row = await this.#core.row()
    const [info, live, turns, archives, extraction] = await Promise.all([
      super.info(),
      liveCounts(this.#core, row),
      liveTurns(this.#core, row),
      readArchives(this.#core),
      this.#parts.extraction.extractionInfo(this.#core, row),
    ])
    const { archivedTo, commits, lastCommitAt } = cursorOf(row)
    const listed = archives.filter(({ data }) => data.state !== 'merged').length
    return { ...info, ...live, liveTurns: turns, archivedTo, commits, lastCommitAt, archives: listed, extraction }
  }

  /**
   * Seals what is live into an archive, durably, beside whatever runs; what stands for it is written in the background. With
   * `wait` it is ready. Throws `entry.not_found`, `commit.token_invalid`, `commit.token_expired`, `store.conflict`.
   */
  async commit(options: CommitOptions = {}): Promise<CommitResult> {
    checkMemory.commit(options)
    return await commitSession(this.#core, this.#parts, options)
  }

  /** Learns from what is live, then gives a token: what `commit({ token })` seals is just that, or it is refused. */
  async prepareCommit(options: PrepareOptions = {}): Promise<Awaited<ReturnType<typeof prepareCommit>>> {
    checkMemory.prepare(options)
    return await prepareCommit(this.#core, this.#parts, options)
  }

  /** What was prepared, as long as its token works; else null. */
  async prepared(): Promise<Prepared | null> {
    return await preparedOf(this.#core, this.#parts)
  }

  /** Withdraws what was prepared. Again: nothing. */
  async discardPrepared(): Promise<{ readonly discarded: boolean }> {
    return await discardPrepared(this.#core)
  }

  /** Archives, newest first; what is merged only with `all`. */
  async archives(options: ArchivesOptions = {}): Promise<ArchivesPage> {
    checkMemory.archives(options)
    return await listArchives(this.#core, options)
  }

  /** One archive of this session, merged or not. Throws `archive.not_found`. */
  async archive(id: string): Promise<Archive> {
    return await oneArchive(this.#core, id)
  }

  /** For hosts that tell of whole conversations: appends what is new, and seals what is due by the policy. */
  async afterTurn(turn: AfterTurn, options: VerbOptions = {}): Promise<AfterTurned> {
    checkMemory.afterTurn(turn)
    const { messages, already = 0, format } = turn
    const list = Array.isArray(messages) ? (messages as readonly unknown[]) : undefined
    if (list === undefined) throw invalidInput('messages', 'Expected a list of messages.')
    const added = list.slice(already)
    if (added.length === 0) {
      await this.#core.row()
      return { status: 'no_new_messages' }
    }
    await super.append(added, { ...options, ...given({ format: format as never }) })
    return await afterAppend(this.#core, this.#parts, options.traceId)
  }

  /**
   * What a model has to see next. With the view of archives these stand for what is sealed, and `maxTokens` bounds the whole
   * request.
   */
  override async context(options: ContextOptions & { readonly view: 'archives' }): Promise<ArchivesContext>
  override async context(options?: ContextOptions): ReturnType<StateSession['context']>
  override async context(options: ContextOptions = {}): ReturnType<StateSession['context']> {
    check.context(options)
    if (showsArchives(await this.#core.row(), options)) return await sessionArchivesContext(this.#core, this.#parts, options)
    const { view: _view, query: _query, ...rest } = options
    return await super.context(rest)
  }

  override async append(...given: Parameters<StateSession['append']>): Promise<Appended> {
    return await this.#core.verb(async () => {
      const appended = await super.append(...given)
      const live = await this.#looked(async row => {
        const { tokens } = await baseOf(this.#core, row)
        // A run looks by itself as its turn ends.
        const traceId = given[1]?.traceId
        if (row.data['running'] === undefined && this.#isDue(row)) await commitIfDue(this.#core, this.#parts, traceId)
        return Math.max(0, appended.liveTokens - tokens)
      })
      return live === undefined ? appended : { ...appended, liveTokens: live }
    })
  }

  override async record(...given: Parameters<StateSession['record']>): Promise<Recorded> {
    return await this.#core.verb(async () => {
      const recorded = await super.record(...given)
      await this.#looked(async row => {
        if (this.#isDue(row)) await commitIfDue(this.#core, this.#parts, given[1]?.traceId)
      })
      return recorded
    })
  }

  /** Whether there is anything to look for. */
  #isDue(row: SessionRow): boolean {
    return policyOf(this.#parts, row) !== 'manual'
  }

  /** What is looked at once something is durable; that this can't be done takes nothing of it back. */
  async #looked<T>(look: (row: SessionRow) => Promise<T>): Promise<T | undefined> {
    try {
      return this.#core.seen === undefined ? undefined : await look(this.#core.seen)
    } catch {
      return undefined
    }
  }

  override send(input: unknown, options: SendOptions = {}): Run {
    const run = super.send(input, options)
    // A turn that ended is looked at, whatever became of it, before its result is told.
    const outcome = run.result().then(async result => {
      await commitIfDue(this.#core, this.#parts, options.traceId)
      return result
    })
    outcome.catch(() => undefined)
    return Object.create(run, { result: { value: () => outcome } }) as Run
  }

  /** With `commit` all that is live is sealed first; if that fails the session stays open. */
  override async close(
    options: { readonly commit?: boolean; readonly graceMs?: number } = {},
  ): Promise<CommitResult | undefined> {
    checkMemory.close(options)
    const { commit = false, ...rest } = options
    if (!commit || this.#core.closed) {
      await super.close(rest)
      return undefined
    }
    await this.settle({ graceMs: rest.graceMs ?? closeGraceMs })
    const result = await commitSession(this.#core, this.#parts, { cause: 'close' })
    await super.close(rest)
    return result
  }
}
