import { type EntryId, isObject, type JsonObject, sha256 } from '#kernel'
import { errorOfImp, impFormat, isImpBeginning, readImpLine, timeOfImp, usageOfImpMessage, usageRecordOfImp } from './imp-line.ts'
import { badLine, type FormatInput, type Line, linesOf, parseObject, textOfLine } from './lines.ts'
import { type ForeignItem, type ForeignUsage, SessionBuilder } from './session-builder.ts'

/**
 * Reads a session file of imp, version 1. Each line becomes one entry. imp stores the results of a turn's calls before the
 * answer that made them: they come behind it here. Where a usage record tells what an answer used and cost, it counts instead
 * of the answer's own. Bad lines and unknown types are kept raw and counted. Throws `input.invalid` with `details.line` for an
 * input that is no session of imp. Law A57.
 */
export async function* readImp(input: FormatInput): AsyncGenerator<ForeignItem> {
  const decoder = new ImpDecoder()
  for await (const line of linesOf(input)) yield* decoder.take(line)
  yield* decoder.end()
}

interface Read {
  readonly value: JsonObject
  readonly number: number
  readonly hash: string
}

const maxHeld = 100

class ImpDecoder {
  readonly #builder = new SessionBuilder(impFormat)
  /** Bad lines before the session begins. */
  #bad: Line[] = []
  /** Results whose calls have not been seen yet. */
  #early: Read[] = []
  readonly #calls = new Set<string>()
  /** Messages by imp's ids. */
  readonly #messages = new Map<string, EntryId>()
  /** What answers say of themselves, until a record says more. */
  readonly #usages = new Map<string, { readonly used: ForeignUsage; readonly at: number; readonly entry: EntryId }>()
  readonly #requests = new Set<string>()
  #last = 0

  take(line: Line): ForeignItem[] {
    const text = textOfLine(line)
    if (text?.trim() === '') return []
    const value = text === undefined ? undefined : parseObject(text)
    const builder = this.#builder
    this.#last = line.number
    if (!builder.begun && (value === undefined || !isImpBeginning(value))) {
      this.#bad.push(line)
      if (value !== undefined || this.#bad.length > maxHeld)
        throw badLine(line.number, 'Not a session of imp: expected its header.')
      return []
    }
    const hash = sha256(text ?? line.bytes)
    builder.mark(line.number, hash)
    if (value === undefined) builder.bad(line.bytes, text)
    else {
      if (!builder.begun) this.#begin(value, line.number, hash)
      if (value['type'] !== 'header') this.#add({ value, number: line.number, hash })
    }
    return builder.drain()
  }

  end(): ForeignItem[] {
    const builder = this.#builder
    if (!builder.begun) throw badLine(this.#bad[0]?.number ?? 1, 'Not a session of imp.')
    this.#flush()
    builder.mark(this.#last + 1, sha256(''))
    for (const [id, { used, at, entry }] of this.#usages) builder.use(used, entry, at, ` ${id}`)
    builder.end()
    return builder.drain()
  }

  #begin(value: JsonObject, number: number, hash: string): void {
    const { cwd } = value
    this.#builder.begin(
      timeOfImp(value) ?? 0,
      { alias: null, cwd: typeof cwd === 'string' ? cwd : null, model: null, thinking: null },
      created => ({ ...created, ...(value['type'] === 'header' ? { providerData: { [impFormat]: { header: value } } } : {}) }),
    )
    for (const line of this.#bad) {
      const text = textOfLine(line)
      this.#builder.mark(line.number, sha256(text ?? line.bytes))
      this.#builder.bad(line.bytes, text, { beforeHeader: true })
    }
    this.#bad = []
    this.#builder.mark(number, hash)
  }

  #add(read: Read): void {
    const { value } = read
    const callId = resultOf(value)
    if (callId !== undefined && !this.#calls.has(callId)) return void this.#early.push(read)
    const calls = callsOf(value)
    const isAnswered = this.#early.some(early => calls.includes(resultOf(early.value) ?? ''))
    // Whatever else comes shows that no answer is coming for them.
    if (this.#early.length > 0 && !isAnswered && value['type'] === 'message') this.#flush()
    for (const id of calls) this.#calls.add(id)
    this.#place(read, this.#parentOf(value))
    if (isAnswered) this.#flush(idOf(value))
  }

  /** What a line hangs on; of those that still wait, what they hang on. */
  #parentOf(value: JsonObject): string | null | undefined {
    const early = new Map(this.#early.map(read => [idOf(read.value), read.value]))
    let parent = parentIn(value)
    for (const seen = new Set<unknown>(); typeof parent === 'string' && !seen.has(parent);) {
      seen.add(parent)
      const waiting = early.get(parent)
      if (waiting === undefined) break
      parent = parentIn(waiting)
    }
    return parent
  }

  /** Places what waits: behind the answer that it belongs to, which is then found where its results end. */
  #flush(answer?: string): void {
    const early = this.#early
    this.#early = []
    for (const [index, read] of early.entries()) {
      const isLast = index === early.length - 1
      const parent = answer === undefined ? parentIn(read.value) : undefined
      this.#place(read, parent, isLast && answer !== undefined ? [answer] : [])
    }
  }

  #place({ value, number, hash }: Read, parent: string | null | undefined, more: readonly string[] = []): void {
    const builder = this.#builder
    builder.mark(number, hash)
    const at = timeOfImp(value) ?? builder.at
    const id = idOf(value)
    const used = usageRecordOfImp(value)
    const entry = builder.add({
      line: readImpLine(value, known => this.#messages.get(known)),
      at,
      ids: [...(id === undefined ? [] : [id]), ...more],
      parent,
      reason: errorOfImp(value),
    })
    if (id !== undefined && entry !== undefined) this.#messages.set(id, entry)
    const own = usageOfImpMessage(value)
    if (own !== undefined && id !== undefined && entry !== undefined)
      this.#usages.set(id, { used: { ...own, cost: null, purpose: 'turn', model: null }, at, entry })
    if (used === undefined || (used.request !== null && this.#requests.has(used.request))) return
    if (used.request !== null) this.#requests.add(used.request)
    const about = used.message === null ? null : (this.#messages.get(used.message) ?? null)
    if (used.message !== null) this.#usages.delete(used.message)
    builder.use({ usage: used.usage, cost: used.cost, purpose: 'turn', model: used.model }, about, at)
  }
}

const idOf = ({ id }: JsonObject): string | undefined => (typeof id === 'string' && id !== '' ? id : undefined)

function parentIn(value: JsonObject): string | null | undefined {
  const { parent_id: parent } = value
  return typeof parent === 'string' ? parent : parent === null && idOf(value) !== undefined ? null : undefined
}

/** The call that a line is the result of. */
function resultOf({ type, message }: JsonObject): string | undefined {
  if (type !== 'message' || !isObject(message) || message['role'] !== 'tool_result') return undefined
  return typeof message['tool_call_id'] === 'string' ? message['tool_call_id'] : undefined
}

/** The calls that an answer makes. */
function callsOf({ type, message }: JsonObject): readonly string[] {
  const content: unknown = type === 'message' && isObject(message) && message['role'] === 'assistant' ? message['content'] : []
  return (Array.isArray(content) ? content : []).flatMap((block: unknown) =>
    isObject(block) && block['type'] === 'tool_call' && typeof block['id'] === 'string' ? [block['id']] : [],
  )
}
