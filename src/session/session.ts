import { type EntryId, invalidInput, type SessionId } from '#kernel'
import type { Entry, SearchResult, ToolDescription } from '#journal'
import { type Appended, appendMessages, type VerbOptions, writeOptions } from './append-messages.ts'
import { changeSetting } from './change-setting.ts'
import { contextMarks } from './context-marks.ts'
import type { SessionCore } from './core.ts'
import { draft } from './draft.ts'
import { exportLines, type ExportFormat, exportMessages, readBlob } from './export-session.ts'
import { type ForkOptions, forkSession } from './fork-session.ts'
import {
  addCustom,
  annotate,
  type CustomInput,
  end,
  hold,
  label,
  readName,
  readToolDescriptions,
  release,
  rename,
  reopen,
} from './marks.ts'
import type { MessageFormat } from './formats/messages.ts'
import { moveLeaf } from './move-leaf.ts'
import { entryOf, type MessagesOptions, type MessagesPage, readMessages, type SessionMessage } from './read-messages.ts'
import { type EntriesOptions, readEntries } from './read-entries.ts'
import { readAppend, readTurn } from './read-input.ts'
import { type Recorded, recordTurn } from './record-turn.ts'
import { searchSession } from './search-session.ts'
import { type EventsOptions, sessionEvents, type SessionEvent } from './session-events.ts'
import { sessionInfo, type SessionInfo } from './session-info.ts'
import { sessionTree, type TreeNode } from './session-tree.ts'
import { sessionUsage, type UsageOptions, type UsageReport } from './session-usage.ts'
import { fullEntries } from './summary-nodes.ts'
import { check } from './verb-options.ts'

/** The verbs of a durable conversation. Each either has happened durably when it resolves, or rejects and has changed nothing. */
export class CoreSession {
  readonly id: SessionId
  readonly #core: SessionCore
  readonly #opened: (id: SessionId) => Promise<CoreSession>

  constructor(core: SessionCore, opened: (id: SessionId) => Promise<CoreSession>) {
    this.id = core.id
    this.#core = core
    this.#opened = opened
  }

  async info(): Promise<SessionInfo> {
    return sessionInfo(this.#core.store.tenant, await this.#core.row())
  }

  /** Adds messages to the branch, each an entry, all in one commit. */
  async append(messages: unknown, options: VerbOptions & { readonly format?: MessageFormat } = {}): Promise<Appended> {
    check.append(options)
    return await this.#core.verb(() => appendMessages(this.#core, readAppend(messages, options.format), options))
  }

  /** Adds a whole turn that your own model made: `{ user, assistant, usage, … }`, or `{ messages, format }`. */
  async record(turn: unknown, options: VerbOptions = {}): Promise<Recorded> {
    check.verb(options)
    const { input, idempotencyKey } = readTurn(turn)
    return await this.#core.verb(() =>
      recordTurn(this.#core, input, { ...(idempotencyKey === undefined ? {} : { idempotencyKey }), ...options }),
    )
  }

  /** The branch, oldest first, with the summaries that the context shows and marks of what it leaves out. */
  messages(options: MessagesOptions & { readonly limit: number }): Promise<MessagesPage>
  messages(options?: Omit<MessagesOptions, 'limit'>): Promise<SessionMessage[]>
  async messages(options: MessagesOptions = {}): Promise<MessagesPage | SessionMessage[]> {
    check.messages(options)
    return await readMessages(this.#core, options, await contextMarks(this.#core, await this.#core.row()))
  }

  /** The branch as it was said. */
  conversation(options: MessagesOptions & { readonly limit: number }): Promise<MessagesPage>
  conversation(options?: Omit<MessagesOptions, 'limit'>): Promise<SessionMessage[]>
  async conversation(options: MessagesOptions = {}): Promise<MessagesPage | SessionMessage[]> {
    check.messages(options)
    return await readMessages(this.#core, options)
  }

  /** The journal by `seq`, entries of every type. */
  async entries(options: EntriesOptions = {}): Promise<readonly Entry[]> {
    check.entries(options)
    return await readEntries(this.#core, options)
  }

  async entry(id: EntryId): Promise<Entry> {
    await this.#core.row()
    const [entry] = await fullEntries(this.#core, [await entryOf(this.#core, id)])
    return entry as Entry
  }

  async tree(): Promise<TreeNode> {
    return await sessionTree(this.#core)
  }

  async moveTo(entryId: EntryId, options: VerbOptions & { readonly reason?: string } = {}): Promise<{ leafId: string }> {
    check.moveTo(options)
    const reason = options.reason === undefined ? 'moved' : readName(options.reason, 'reason')
    return await this.#core.verb(() => moveLeaf(this.#core, entryId, reason, options))
  }

  async fork(options: ForkOptions = {}): Promise<this> {
    check.fork(options)
    return (await this.#opened(await this.#core.verb(() => forkSession(this.#core, options)))) as this
  }

  async label(entryId: EntryId, text: string | null, options: VerbOptions = {}): Promise<{ label: string | null }> {
    check.verb(options)
    return await this.#core.verb(() => label(this.#core, entryId, text, options))
  }

  async rename(title: string | null, options: VerbOptions = {}): Promise<{ title: string | null }> {
    check.verb(options)
    return await rename(this.#core, title, options)
  }

  async annotate(
    input: { readonly tags?: readonly string[]; readonly metadata?: unknown },
    options: VerbOptions = {},
  ): Promise<SessionInfo> {
    check.annotate(input)
    check.verb(options)
    return await this.#core.verb(async () => {
      await annotate(this.#core, input, options)
      return await this.info()
    })
  }

  async addCustom(entry: CustomInput, options: VerbOptions = {}): Promise<{ entry: string; seq: number }> {
    check.addCustom(entry)
    check.verb(options)
    return await addCustom(this.#core, entry, options)
  }

  async hold(reason: string, options: VerbOptions = {}): Promise<{ holds: string[] }> {
    check.verb(options)
    return await hold(this.#core, reason, options)
  }

  async release(reason: string, options: VerbOptions = {}): Promise<{ holds: string[] }> {
    check.verb(options)
    return await release(this.#core, reason, options)
  }

  async end(reason?: string, options: VerbOptions = {}): Promise<SessionInfo> {
    check.verb(options)
    return await this.#core.verb(async () => {
      await end(this.#core, reason, options)
      return await this.info()
    })
  }

  async reopen(options: VerbOptions = {}): Promise<SessionInfo> {
    check.verb(options)
    return await this.#core.verb(async () => {
      await reopen(this.#core, options)
      return await this.info()
    })
  }

  /**
   * Holds from the next run on: one that goes on keeps the model and the prices that it began with. `null`: none of its own. The
   * same goes for the other settings. Law P10.
   */
  async setModel(model: string | null, options: VerbOptions = {}): Promise<void> {
    check.verb(options)
    const named = model === null ? null : readName(model, 'model')
    await changeSetting(this.#core, [draft('model_changed', { model: named })], writeOptions('setModel', options, { model }))
  }

  /** How much the model thinks; `null`: none of its own. */
  async setThinking(thinking: string | null, options: VerbOptions = {}): Promise<void> {
    check.verb(options)
    const level = thinking === null ? null : readName(thinking, 'thinking')
    await changeSetting(this.#core, [draft('thinking_changed', { level })], writeOptions('setThinking', options, { thinking }))
  }

  async setSystem(system: string | null, options: VerbOptions = {}): Promise<void> {
    check.verb(options)
    if (system !== null && typeof system !== 'string') throw invalidInput('system', 'Expected a text or null.')
    await changeSetting(this.#core, [draft('system_changed', { system })], writeOptions('setSystem', options, { system }))
  }

  async setTools(tools: readonly ToolDescription[], options: VerbOptions = {}): Promise<void> {
    check.verb(options)
    const told = readToolDescriptions(tools)
    await changeSetting(this.#core, [draft('tools_changed', { tools: told })], writeOptions('setTools', options, { tools: told }))
  }

  async usage(options: UsageOptions = {}): Promise<UsageReport> {
    check.usage(options)
    return await sessionUsage(this.#core, options)
  }

  /** Entries of this session that hold the words. */
  async search(query: string, options: { readonly match?: 'all' | 'any'; readonly limit?: number } = {}): Promise<SearchResult> {
    if (typeof query !== 'string') throw invalidInput('query', 'Expected a text.')
    check.search(options)
    return await searchSession(this.#core, { ...options, query })
  }

  /** Durable events, one per entry, and between them the live ones of this process; replays after the cursor, then follows. */
  async *events(options: EventsOptions = {}): AsyncGenerator<SessionEvent, void, undefined> {
    check.events(options)
    yield* sessionEvents(this.#core, options)
  }

  /**
   * Calls the handler for each event of the type after the newest that this object has seen; returns the unsubscribe. A
   * failing handler is a notice. Law S23.
   */
  on(type: string, handler: (event: SessionEvent) => unknown): () => void {
    if (typeof type !== 'string') throw invalidInput('type', 'Expected the type of an event.')
    if (typeof handler !== 'function') throw invalidInput('handler', 'Expected a function.')
    const stop = new AbortController()
    const fail = (error: unknown): void =>
      this.#core.runtime.notice({
        level: 'warn',
        code: 'handler.failed',
        message: `A handler of ${type} failed: ${error instanceof Error ? error.name : typeof error}.`,
        // A failing handler of notices is not told to itself again, and again.
        ...(type === 'notice' ? {} : { session: this.id, tenant: this.#core.store.tenant }),
      })
    // The place is taken now and not read: an append that is on its way comes after it.
    const { seq, n } = this.#core.live.now
    const follow = async (): Promise<void> => {
      const after = n === 0 ? seq : `${seq}.${n}`
      for await (const event of sessionEvents(this.#core, { after, types: [type], signal: stop.signal })) {
        if (stop.signal.aborted) return
        try {
          Promise.resolve(handler(event)).catch(fail)
        } catch (error) {
          fail(error)
        }
      }
    }
    follow().catch(fail)
    return () => stop.abort()
  }

  /** The session in a format: the lossless bundle `skein`, `pi` or `markdown` as one text; `messages` as a list. */
  export(format: 'messages'): Promise<readonly unknown[]>
  export(format: Exclude<ExportFormat, 'messages'>): Promise<string>
  async export(format: ExportFormat): Promise<string | readonly unknown[]> {
    if (format === 'messages') return await exportMessages(this.#core)
    const lines: string[] = []
    for await (const line of exportLines(this.#core, format)) lines.push(line)
    return lines.join('')
  }

  /** The same text in pieces, for sessions too large to hold. */
  exportLines(format: Exclude<ExportFormat, 'messages'>): AsyncGenerator<string, void, undefined> {
    return exportLines(this.#core, format)
  }

  /** A blob that an entry of this session names. */
  async blob(id: string): Promise<Uint8Array> {
    return await readBlob(this.#core, id)
  }

  /** Ends what goes on here by itself, after `graceMs`; the session stays open. Rooms above that start such things do it. */
  async settle(_options: { readonly graceMs: number }): Promise<void> {}

  /** Waits for open verbs, gives the lease up. Again: nothing. Later verbs reject `session.closed`. */
  async close(options: { readonly graceMs?: number } = {}): Promise<unknown> {
    check.close(options)
    await this.#core.close()
    return undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
