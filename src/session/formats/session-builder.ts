import { type EntryId, given, type JsonObject, type SessionId, type TurnId } from '#kernel'
import { entryTypes, type KnownEntryType, type Message, type NewBlob, type NewEntry, type TurnEnded, type Usage } from '#journal'
import { seededId } from './seeded-ids.ts'

/** What a file of another program says of its session. `alias` is its own id there, where it can be one. */
export interface ForeignSession {
  readonly id: SessionId
  readonly alias: string | null
  readonly createdAt: number
  readonly cwd: string | null
  readonly model: string | null
  readonly thinking: string | null
}

/** `unknown`: lines of a type or role that the format does not have. `dangling`: calls without a result. */
export interface ImportReport {
  readonly entries: number
  readonly messages: number
  readonly badLines: number
  readonly unknown: number
  readonly dangling: number
}

/**
 * What a file becomes, in order: its session, its entries (the first is `session_created`), the end. Entries come with
 * their large parts inline and without tokens and totals; `blobs` are those of their files. `title` is the last name.
 */
export type ForeignItem<S extends ForeignSession = ForeignSession> =
  | { readonly type: 'session'; readonly session: S }
  | { readonly type: 'entry'; readonly entry: NewEntry; readonly blobs: readonly NewBlob[] }
  | { readonly type: 'end'; readonly report: ImportReport; readonly title: string | null }

/** What one line becomes, or several that are one. */
export interface ForeignLine {
  readonly type: string
  readonly place: 'path' | 'side'
  readonly data: JsonObject
  readonly blobs: readonly NewBlob[]
  /** False for a type or role that the format does not have. */
  readonly known: boolean
}

/** A request as a file tells of it. */
export interface ForeignUsage {
  readonly usage: Usage
  /** Nano-dollars, `null` if none is said. */
  readonly cost: number | null
  readonly purpose: string
  readonly model: string | null
}

/** A line in its place. */
export interface Placed {
  readonly line: ForeignLine
  readonly at: number
  /** What other lines call it. */
  readonly ids: readonly string[]
  /** The line that it hangs on; `null`: none, `undefined`: the line before. */
  readonly parent: string | null | undefined
  readonly usage?: ForeignUsage | undefined
  /** Why a turn that ends with it did. */
  readonly reason?: string | undefined
  /** A line beside the conversation, which does not end where this one stands. */
  readonly aside?: boolean
}

interface OpenTurn {
  readonly id: TurnId
  readonly index: number
  /** The outcome, if the last message could be its last. */
  outcome: Pick<TurnEnded, 'status' | 'reason' | 'finishReason'> | undefined
  last: Message['role'] | undefined
  at: number
}

/**
 * Makes a session of another program's lines: turns, usage and moves of the leaf are added between them. Ids follow from the
 * first line and from each line's place and bytes, so the same bytes give the same ids. Pure; what is kept is an id per line.
 * Law A57.
 */
export class SessionBuilder<S extends ForeignSession = ForeignSession> {
  readonly #format: string
  #out: ForeignItem<S>[] = []
  #seed = ''
  #line = 0
  #hash = ''
  #at = 0
  #leaf: EntryId | null = null
  #root: EntryId | null = null
  #turn: OpenTurn | undefined
  #turns = 0
  /** Foreign ids of path entries; of other lines, the entry that they hang on. */
  #nodes = new Map<string, EntryId>()
  #sides = new Map<string, EntryId>()
  /** What stands behind a message that ended a turn. */
  #ends = new Map<EntryId, EntryId>()
  /** Where the last line stands. */
  #position: EntryId | null = null
  #calls = new Set<string>()
  #sum = { entries: 0, messages: 0, badLines: 0, unknown: 0 }
  #title: string | null = null

  constructor(format: string) {
    this.#format = format
  }

  get begun(): boolean {
    return this.#root !== null
  }

  /** Of the last line that told one. */
  get at(): number {
    return this.#at
  }

  /** The entry that a foreign id names, or `undefined`. */
  readonly entryOf = (id: string): EntryId | undefined => this.#nodes.get(id)

  /** The line that what comes now was made of. */
  mark(line: number, hash: string): void {
    this.#line = line
    this.#hash = hash
  }

  /** Begins the session with the line that is marked. `createdOf` gives the data of `session_created`. */
  begin(
    at: number,
    told: Omit<S, 'id' | 'createdAt'>,
    createdOf: (created: JsonObject) => JsonObject = created => created,
  ): void {
    this.#seed = this.#hash
    this.#at = at
    const id = seededId('ses', at, `${this.#format} session ${this.#seed}`)
    const session = { ...told, id, createdAt: at } as unknown as S
    this.#out.push({ type: 'session', session })
    const created = {
      title: null,
      user: null,
      agent: 'main',
      cwd: session.cwd,
      parent: null,
      platform: null,
      tags: [],
      metadata: {},
      model: session.model,
      thinking: session.thinking,
      system: null,
    }
    this.#root = this.#path('session_created', 'created', at, createdOf(created))
    this.#position = this.#root
  }

  /** A line that is none, kept as it is. */
  bad(bytes: Uint8Array, text: string | undefined, place: JsonObject = {}): void {
    this.#sum.badLines++
    const kept = text === undefined ? { base64: Buffer.from(bytes).toString('base64') } : { text }
    const data = { line: this.#line, ...place, ...kept }
    const size = JSON.stringify(data).length
    const name = `${this.#format}/bad-line`
    this.#side(
      'custom',
      'entry',
      this.#at,
      size < 2 ** 18 ? { name, data } : { name, data: null, parts: [{ type: 'custom', name, data }] },
    )
  }

  add({ line, at, ids, parent, usage, reason, aside = false }: Placed): EntryId | undefined {
    this.#at = at
    if (!line.known) this.#sum.unknown++
    const message = line.type === 'message_added' ? (line.data as unknown as Message) : undefined
    if (this.#turn !== undefined && this.#endsBefore(message)) this.#endTurn()
    if (line.place === 'path') this.#branch(parent)
    if (message !== undefined && this.#turn === undefined) this.#startTurn(at)
    if (line.place === 'side') {
      const place = this.#parentOf(parent)
      if (!aside) this.#position = place
      if (place !== null) for (const id of ids) this.#sides.set(id, place)
      this.#side(line.type, 'entry', at, line.data)
      if (line.type === 'session_titled') this.#title = (line.data['title'] ?? null) as string | null
      return undefined
    }
    const entry = this.#path(line.type, 'entry', at, line.data, line.blobs)
    this.#position = entry
    for (const id of ids) this.#nodes.set(id, entry)
    if (message !== undefined) this.#follow(message, reason, at)
    if (usage !== undefined) this.use(usage, message === undefined ? null : entry, at)
    return entry
  }

  /** One request. `what` tells several of one line apart. */
  use(used: ForeignUsage, entry: EntryId | null, at: number, what: string = ''): void {
    const { usage, cost, purpose, model } = used
    this.#side(
      'usage_recorded',
      `usage${what}`,
      at,
      { requestId: this.#id('req', `request${what}`, at), purpose, model, entry, usage, cost } as unknown as JsonObject, // prettier-ignore
    )
  }

  /** Closes what is open and reports. */
  end(): void {
    this.#endTurn()
    this.#moveTo(this.#tail(this.#position))
    const { entries, messages, badLines, unknown } = this.#sum
    this.#out.push({
      type: 'end',
      report: { entries, messages, badLines, unknown, dangling: this.#calls.size },
      title: this.#title,
    })
  }

  drain(): ForeignItem<S>[] {
    const out = this.#out
    this.#out = []
    return out
  }

  #id<P extends 'ent' | 'trn' | 'req'>(prefix: P, what: string, at: number): `${P}_${string}` {
    return seededId(prefix, at, `${this.#seed} ${this.#line} ${what} ${this.#hash}`)
  }

  /** A turn ends before anything but an answer or result once its last message could be its last, and before a user who got no result. */
  #endsBefore(message: Message | undefined): boolean {
    if (message?.role === 'assistant' || message?.role === 'tool') return false
    return this.#turn?.outcome !== undefined || (message?.role === 'user' && this.#turn?.last === 'assistant')
  }

  #startTurn(at: number): void {
    this.#turn = { id: this.#id('trn', 'turn', at), index: this.#turns++, outcome: undefined, last: undefined, at }
    this.#path('turn_started', 'started', at, { index: this.#turn.index })
  }

  #endTurn(): void {
    const turn = this.#turn
    if (turn === undefined) return
    const message = this.#leaf
    const { status, reason, finishReason } = turn.outcome ?? { status: 'failed' as const, reason: 'interrupted' }
    const ended = {
      index: turn.index,
      status,
      ...given({ reason, finishReason }),
    }
    // From the turn alone, so that it keeps its id when the file has grown behind it.
    const id = seededId('ent', turn.at, `${this.#seed} ended ${turn.id} ${message ?? ''}`)
    const entry = this.#path('turn_ended', '', turn.at, ended, [], id)
    if (message !== null) this.#ends.set(message, entry)
    this.#turn = undefined
  }

  #follow(message: Message, reason: string | undefined, at: number): void {
    const turn = this.#turn
    if (turn === undefined) return
    this.#sum.messages++
    turn.at = at
    turn.last = message.role
    turn.outcome = message.role === 'assistant' ? outcomeOf(message, reason) : undefined
    for (const part of message.parts) {
      if (part.type === 'tool_call') this.#calls.add(part.callId)
      if (part.type === 'tool_result') this.#calls.delete(part.callId)
    }
  }

  /** Where a line hangs: what it says, else behind the line before. */
  #parentOf(parent: Placed['parent']): EntryId | null {
    if (parent === null) return this.#root
    if (parent === undefined) return this.#leaf
    return this.#tail(this.#nodes.get(parent) ?? this.#sides.get(parent) ?? this.#leaf)
  }

  /** The end of the turn that a message closed, if it did. */
  #tail(entry: EntryId | null): EntryId | null {
    return entry === null ? null : (this.#ends.get(entry) ?? entry)
  }

  /** Goes to a line's parent, leaving an open turn behind. */
  #branch(parent: Placed['parent']): void {
    if (this.#parentOf(parent) === this.#leaf) return
    this.#endTurn()
    this.#moveTo(this.#parentOf(parent))
  }

  #moveTo(to: EntryId | null): void {
    if (to === null || to === this.#leaf) return
    this.#side('leaf_moved', 'moved', this.#at, { to, reason: 'import' })
    this.#leaf = to
  }

  #path(
    type: string,
    what: string,
    at: number,
    data: JsonObject,
    blobs: readonly NewBlob[] = [],
    id: EntryId = this.#id('ent', what, at),
  ): EntryId {
    this.#push(type, id, this.#leaf, at, data, blobs)
    this.#leaf = id
    return id
  }

  #side(type: string, what: string, at: number, data: JsonObject): void {
    this.#push(type, this.#id('ent', what, at), null, at, data, [])
  }

  #push(type: string, id: EntryId, parentId: EntryId | null, at: number, data: JsonObject, blobs: readonly NewBlob[]): void {
    this.#sum.entries++
    const v = Object.hasOwn(entryTypes, type) ? entryTypes[type as KnownEntryType].v : 1
    const turn = this.#turn !== undefined && inTurn.includes(type) ? { turn: this.#turn.id } : {}
    this.#out.push({ type: 'entry', entry: { id, parentId, type, v, at, by: 'import', ...turn, data }, blobs })
  }
}

const inTurn: readonly string[] = ['turn_started', 'message_added', 'turn_ended', 'usage_recorded']

/** How a turn ended, if this answer was its end. */
function outcomeOf(message: Message, reason: string | undefined): OpenTurn['outcome'] {
  const { finishReason } = message
  const said = given({ reason })
  if (finishReason === 'tool_calls') return undefined
  if (finishReason === undefined && message.parts.some(part => part.type === 'tool_call')) return undefined
  const finish = given({ finishReason })
  if (finishReason === 'error') return { status: 'failed', ...said, ...finish }
  return finishReason === 'aborted' ? { status: 'cancelled', ...said, ...finish } : { status: 'done', ...finish }
}
