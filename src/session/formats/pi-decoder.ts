import {
  type EntryId,
  given,
  isAlias,
  isObject,
  type Json,
  type JsonObject,
  type SessionId,
  sha256,
  toJson,
  type TurnId,
} from '#kernel'
import { entryTypes, type KnownEntryType, type Message, type NewBlob, type NewEntry, type TurnEnded } from '#journal'
import { badLine, type Line, textOfLine } from './lines.ts'
import { isPiType, keepPiHeader, type PiLine, readPiLine, timeOfLine } from './pi-line.ts'
import { piFormat, readPiUsage } from './pi-message.ts'
import { seededId } from './seeded-ids.ts'

/** What a file says of its session. `alias` is pi's own id, where it can be one. */
export interface PiSession {
  readonly id: SessionId
  readonly alias: string | null
  readonly createdAt: number
  readonly cwd: string | null
  readonly model: string | null
  readonly thinking: string | null
  readonly version: number
}

/** `unknown`: lines of a type or role that pi's format does not have. `dangling`: calls without a result. */
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
export type PiItem =
  | { readonly type: 'session'; readonly session: PiSession }
  | { readonly type: 'entry'; readonly entry: NewEntry; readonly blobs: readonly NewBlob[] }
  | { readonly type: 'end'; readonly report: ImportReport; readonly title: string | null }

interface OpenTurn {
  readonly id: TurnId
  readonly index: number
  /** The outcome, if the last message could be its last. */
  outcome: Pick<TurnEnded, 'status' | 'reason' | 'finishReason'> | undefined
  last: Message['role'] | undefined
  at: number
}

const maxHeld = 100

/** Decodes lines one by one. Pure; the same lines give the same items. What is kept is an id per line of a tree. */
export class PiDecoder {
  #out: PiItem[] = []
  #seed = ''
  /** Bad lines before the header. */
  #held: Line[] = []
  #begun = false
  #line = 0
  #hash = ''
  #at = 0
  #leaf: EntryId | null = null
  #root: EntryId | null = null
  #turn: OpenTurn | undefined
  #turns = 0
  /** pi's ids of path entries; of other lines, the entry that they hang on. */
  #nodes = new Map<string, EntryId>()
  #sides = new Map<string, EntryId>()
  /** What stands behind a message that ended a turn. */
  #ends = new Map<EntryId, EntryId>()
  /** Where pi's last line stands. */
  #position: EntryId | null = null
  #calls = new Set<string>()
  #sum = { entries: 0, messages: 0, badLines: 0, unknown: 0 }
  #title: string | null = null

  take(line: Line): PiItem[] {
    const text = textOfLine(line)
    if (text?.trim() === '') return []
    const value = text === undefined ? undefined : parseLine(text)
    if (!this.#begun && value === undefined) {
      this.#held.push(line)
      if (this.#held.length > maxHeld) throw badLine(this.#held[0]?.number ?? 1, 'Not a pi session.')
      return []
    }
    this.#mark(line, text)
    if (!this.#begun && value !== undefined) this.#begin(value, line.number)
    else if (value === undefined) this.#bad(line, text)
    else this.#add(value)
    return this.#drain()
  }

  /** Closes what is open and reports. Throws `input.invalid` for an input that is no pi session. */
  end(): PiItem[] {
    if (!this.#begun) throw badLine(this.#held[0]?.number ?? 1, 'Not a pi session.')
    this.#mark({ number: this.#line + 1, bytes: new Uint8Array(), ended: true }, '')
    this.#endTurn()
    this.#moveTo(this.#tail(this.#position))
    const { entries, messages, badLines, unknown } = this.#sum
    this.#out.push({
      type: 'end',
      report: { entries, messages, badLines, unknown, dangling: this.#calls.size },
      title: this.#title,
    })
    return this.#drain()
  }

  #drain(): PiItem[] {
    const out = this.#out
    this.#out = []
    return out
  }

  #mark(line: Line, text: string | undefined): void {
    this.#line = line.number
    this.#hash = sha256(text ?? line.bytes)
  }

  #id<P extends 'ent' | 'trn' | 'req'>(prefix: P, what: string, at: number): `${P}_${string}` {
    return seededId(prefix, at, `${this.#seed} ${this.#line} ${what} ${this.#hash}`)
  }

  #begin(value: JsonObject, number: number): void {
    if (!isPiType(value['type'])) throw badLine(number, 'Not a pi session: expected its header.')
    this.#seed = this.#hash
    this.#begun = true
    const header = value['type'] === 'session' ? value : {}
    const { id, cwd, provider, modelId, thinkingLevel, version } = header
    this.#at = timeOfLine(value) ?? 0
    const text = (field: Json | undefined): string | null => (typeof field === 'string' ? field : null)
    const session: PiSession = {
      id: seededId('ses', this.#at, `pi session ${this.#seed}`),
      alias: isAlias(id) ? id : null,
      createdAt: this.#at,
      cwd: text(cwd),
      model: typeof provider === 'string' && typeof modelId === 'string' ? `${provider}/${modelId}` : null,
      thinking: text(thinkingLevel),
      version: typeof version === 'number' ? version : 1,
    }
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
    const data = value['type'] === 'session' ? keepPiHeader(value, created, this.#at) : created
    this.#root = this.#path('session_created', 'created', this.#at, data)
    this.#position = this.#root
    for (const line of this.#held) {
      const bad = textOfLine(line)
      this.#mark(line, bad)
      this.#bad(line, bad, { beforeHeader: true })
    }
    this.#held = []
    if (value['type'] === 'session') return
    this.#line = number
    this.#hash = this.#seed
    this.#add(value)
  }

  #bad(line: Line, text: string | undefined, place: JsonObject = {}): void {
    this.#sum.badLines++
    const kept = text === undefined ? { base64: Buffer.from(line.bytes).toString('base64') } : { text }
    const data = { line: line.number, ...place, ...kept }
    const size = JSON.stringify(data).length
    const name = `${piFormat}/bad-line`
    this.#side(
      'custom',
      'entry',
      this.#at,
      size < 2 ** 18 ? { name, data } : { name, data: null, parts: [{ type: 'custom', name, data }] },
    )
  }

  #add(line: JsonObject): void {
    const at = timeOfLine(line) ?? this.#at
    this.#at = at
    const read = readPiLine(line, at, id => this.#nodes.get(id))
    if (!read.known) this.#sum.unknown++
    const message = read.type === 'message_added' ? (read.data as unknown as Message) : undefined
    if (this.#turn !== undefined && this.#endsBefore(message)) this.#endTurn()
    if (read.place === 'path') this.#branch(line)
    if (message !== undefined && this.#turn === undefined) this.#startTurn(at)
    const piId = typeof line['id'] === 'string' ? line['id'] : undefined
    if (read.place === 'side') {
      this.#position = this.#parentOf(line)
      if (piId !== undefined && this.#position !== null) this.#sides.set(piId, this.#position)
      this.#side(read.type, 'entry', at, read.data)
      if (read.type === 'session_titled') this.#title = (read.data['title'] ?? null) as string | null
      return
    }
    const entry = this.#path(read.type, 'entry', at, read.data, read.blobs)
    this.#position = entry
    if (piId !== undefined) this.#nodes.set(piId, entry)
    if (message !== undefined) this.#follow(message, line, at)
    this.#usage(read, line, message === undefined ? null : entry, at)
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

  #follow(message: Message, line: JsonObject, at: number): void {
    const turn = this.#turn
    if (turn === undefined) return
    this.#sum.messages++
    turn.at = at
    turn.last = message.role
    turn.outcome = message.role === 'assistant' ? outcomeOf(message, line) : undefined
    for (const part of message.parts) {
      if (part.type === 'tool_call') this.#calls.add(part.callId)
      if (part.type === 'tool_result') this.#calls.delete(part.callId)
    }
  }

  #usage(read: PiLine, line: JsonObject, entry: EntryId | null, at: number): void {
    const source = isObject(line['message']) ? (line['message'] as JsonObject) : line
    const found = readPiUsage(source['usage'])
    if (found === undefined) return
    const model = (read.data['model'] ?? null) as string | null
    const purpose = line['type'] === 'compaction' || line['type'] === 'branch_summary' ? 'compaction' : 'turn'
    this.#side('usage_recorded', 'usage', at, {
      requestId: this.#id('req', 'request', at),
      purpose,
      model,
      entry,
      ...found,
    } as unknown as JsonObject)
  }

  /** Where a line hangs: what pi says, else behind the line before. */
  #parentOf(line: JsonObject): EntryId | null {
    const { parentId } = line
    if (parentId === null && 'id' in line) return this.#root
    if (typeof parentId !== 'string') return this.#leaf
    return this.#tail(this.#nodes.get(parentId) ?? this.#sides.get(parentId) ?? this.#leaf)
  }

  /** The end of the turn that a message closed, if it did. */
  #tail(entry: EntryId | null): EntryId | null {
    return entry === null ? null : (this.#ends.get(entry) ?? entry)
  }

  /** Goes to a line's parent, leaving an open turn behind. */
  #branch(line: JsonObject): void {
    if (this.#parentOf(line) === this.#leaf) return
    this.#endTurn()
    this.#moveTo(this.#parentOf(line))
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
function outcomeOf(message: Message, line: JsonObject): OpenTurn['outcome'] {
  const { finishReason } = message
  const source = isObject(line['message']) ? line['message'] : {}
  const said = typeof source['errorMessage'] === 'string' ? { reason: source['errorMessage'] } : {}
  if (finishReason === 'tool_calls') return undefined
  if (finishReason === undefined && message.parts.some(part => part.type === 'tool_call')) return undefined
  const finish = given({ finishReason })
  if (finishReason === 'error') return { status: 'failed', ...said, ...finish }
  return finishReason === 'aborted' ? { status: 'cancelled', ...said, ...finish } : { status: 'done', ...finish }
}

function parseLine(text: string): JsonObject | undefined {
  try {
    const value = toJson(JSON.parse(text))
    return isObject(value) && typeof value['type'] === 'string' ? (value as JsonObject) : undefined
  } catch {
    return undefined
  }
}
