import { isAlias, type JsonObject, sha256 } from '#kernel'
import {
  answerIdOf,
  callsIn,
  claudeCode,
  errorOfClaude,
  isSpoken,
  parentOfClaude,
  readAnswer,
  readRaw,
  readResults,
  readSaid,
  readTitle,
  resultsIn,
  timeOfClaude,
  usageOfAnswer,
  uuidOf,
} from './claude-code-line.ts'
import { badLine, type FormatInput, type Line, linesOf, parseObject, textOfLine } from './lines.ts'
import { type ForeignItem, type ForeignLine, type Placed, SessionBuilder } from './session-builder.ts'

/**
 * Reads a session of Claude Code. The lines of one answer become one message, the results of its calls one behind it, and
 * the answer's usage counts once. Lines of sub-agents are kept raw, their usage under purpose `child`; so is the summary of
 * a compaction whose conversation the file holds. Bad lines and unknown types are kept raw and counted. Throws
 * `input.invalid` with `details.line` for an input that is no such session. Law A57.
 */
export async function* readClaudeCode(input: FormatInput): AsyncGenerator<ForeignItem> {
  const decoder = new ClaudeCodeDecoder()
  for await (const line of linesOf(input)) yield* decoder.take(line)
  yield* decoder.end()
}

interface Read {
  readonly value: JsonObject
  readonly number: number
  readonly hash: string
}

/** An answer whose lines are still coming, the results that have come, and what stood among them. */
interface Answer {
  readonly id: string
  readonly lines: Read[]
  readonly results: Read[]
  readonly held: Read[]
}

const maxHeld = 100

class ClaudeCodeDecoder {
  readonly #builder = new SessionBuilder(claudeCode)
  /** Lines before the first that says which session this is. */
  #before: (Line & { readonly text: string | undefined; readonly value: JsonObject | undefined })[] = []
  #answer: Answer | undefined
  readonly #tools = new Map<string, string>()
  /** Answers of sub-agents, whose usage is told again and again while they come. */
  readonly #aside = new Map<string, { lines: JsonObject[]; at: number }>()
  /** The agent whose session this is: the main one, or a sub-agent in a file of its own. */
  #agent: { readonly isSide: boolean; readonly id: unknown } | undefined
  #hasSpoken = false
  #last = 0

  take(line: Line): ForeignItem[] {
    const text = textOfLine(line)
    if (text?.trim() === '') return []
    const value = text === undefined ? undefined : parseObject(text)
    this.#last = line.number
    if (!this.#builder.begun) {
      if (value === undefined || !isBeginning(value)) {
        this.#before.push({ ...line, text, value })
        if (this.#before.length > maxHeld) throw badLine(this.#before[0]?.number ?? 1, 'Not a session of Claude Code.')
        return []
      }
      this.#begin(value, line.number, sha256(text ?? ''))
    }
    this.#take(line, text, value)
    return this.#builder.drain()
  }

  end(): ForeignItem[] {
    const builder = this.#builder
    if (!builder.begun) throw badLine(this.#before[0]?.number ?? 1, 'Not a session of Claude Code.')
    this.#flush()
    builder.mark(this.#last + 1, sha256(''))
    for (const [id, { lines, at }] of this.#aside) {
      const used = usageOfAnswer(lines, 'child')
      if (used !== undefined) builder.use(used, null, at, ` ${id}`)
    }
    builder.end()
    return builder.drain()
  }

  #begin(value: JsonObject, number: number, hash: string): void {
    const { sessionId, cwd } = value
    this.#builder.mark(number, hash)
    this.#builder.begin(timeOfClaude(value) ?? 0, {
      alias: isAlias(sessionId) ? sessionId : null,
      cwd: typeof cwd === 'string' ? cwd : null,
      model: null,
      thinking: null,
    })
    for (const line of this.#before) this.#take(line, line.text, line.value)
    this.#before = []
  }

  #take(line: Line, text: string | undefined, value: JsonObject | undefined): void {
    const hash = sha256(text ?? line.bytes)
    this.#builder.mark(line.number, hash)
    if (value === undefined) return this.#builder.bad(line.bytes, text)
    const read = { value, number: line.number, hash }
    if (!isSpoken(value)) return this.#beside(read)
    const { isSidechain, agentId } = value
    this.#agent ??= { isSide: isSidechain === true, id: isSidechain === true ? agentId : undefined }
    const isOwn = (isSidechain === true) === this.#agent.isSide && (!this.#agent.isSide || agentId === this.#agent.id)
    if (isOwn) this.#say(read)
    else this.#setAside(read)
  }

  /** What a sub-agent said, which the answer that called it sums up. */
  #setAside(read: Read): void {
    const id = answerIdOf(read.value)
    if (id !== undefined) {
      const known = this.#aside.get(id)
      // The newest line says all that the answer used.
      this.#aside.set(id, { lines: [read.value], at: known?.at ?? timeOfClaude(read.value) ?? this.#builder.at })
    }
    this.#beside(read, true)
  }

  /** A line that is no part of the conversation; among those of an answer it comes behind it. */
  #beside(read: Read, known?: boolean): void {
    if (this.#answer !== undefined) return void this.#answer.held.push(read)
    const line = readTitle(read.value) ?? readRaw(read.value, known)
    this.#place([read], line, known === true ? undefined : parentOfClaude(read.value))
  }

  #say(read: Read): void {
    const { value } = read
    const answer = this.#answer
    const id = answerIdOf(value)
    if (answer !== undefined && id === answer.id) return void answer.lines.push(read)
    const results = resultsIn(value)
    if (answer !== undefined && results !== undefined) {
      const calls = new Set(answer.lines.flatMap(line => callsIn(line.value).map(call => call.id)))
      if (results.every(call => calls.has(call))) return void answer.results.push(read)
    }
    this.#flush()
    if (id !== undefined) this.#answer = { id, lines: [read], results: [], held: [] }
    else this.#sayUser(read)
  }

  #sayUser(read: Read): void {
    const { value } = read
    const parent = parentOfClaude(value)
    // The summary of a compaction stands for what is here anyway, unless that stayed in another file.
    const isRepeated = value['isCompactSummary'] === true && this.#hasSpoken
    const said = isRepeated ? undefined : readSaid(value, call => this.#tools.get(call))
    if (said === undefined) return this.#place([read], readRaw(value, value['isCompactSummary'] === true), parent)
    for (const [index, line] of said.entries()) this.#place([read], line, index === 0 ? parent : undefined, { what: `${index}` })
  }

  /** The answer is whole: it, its results, and what stood among them. */
  #flush(): void {
    const answer = this.#answer
    if (answer === undefined) return
    this.#answer = undefined
    const { lines, results, held } = answer
    const values = lines.map(({ value }) => value)
    const [first] = values
    const calls = values.flatMap(value => callsIn(value))
    for (const { id, tool } of calls) this.#tools.set(id, tool)
    const said = readAnswer(values)
    if (said === undefined) for (const line of lines) this.#place([line], readRaw(line.value, false), parentOfClaude(line.value))
    else
      this.#place(lines, said, parentOfClaude(first ?? {}), {
        usage: usageOfAnswer(values, 'turn'),
        reason: values.map(errorOfClaude).find(reason => reason !== undefined),
      })
    const order = calls.map(({ id }) => id)
    const result = results.length === 0 ? undefined : readResults(results.map(({ value }) => value), order, id => this.#tools.get(id)) // prettier-ignore
    // What hangs on a line of the answer hangs behind its results: they came while it was still told.
    if (result !== undefined) this.#place(results, result, undefined, { ids: uuidsOf(lines) })
    else for (const line of results) this.#place([line], readRaw(line.value, false), undefined)
    for (const line of held) this.#beside(line, line.value['isSidechain'] === true ? true : undefined)
  }

  #place(
    reads: readonly Read[],
    line: ForeignLine,
    parent: Placed['parent'],
    { ids = [], what, usage, reason }: Partial<Pick<Placed, 'usage' | 'reason' | 'ids'>> & { readonly what?: string } = {},
  ): void {
    const [first] = reads
    if (first === undefined) return
    const builder = this.#builder
    const hash = reads.length === 1 ? first.hash : sha256(reads.map(read => read.hash).join(' '))
    builder.mark(first.number, what === undefined ? hash : `${hash} ${what}`)
    const at = timeOfClaude(reads.at(-1)?.value ?? {}) ?? builder.at
    this.#hasSpoken ||= line.type === 'message_added'
    builder.add({ line, at, ids: [...uuidsOf(reads), ...ids], parent, usage, reason, aside: line.place === 'side' })
  }
}

const uuidsOf = (reads: readonly Read[]): readonly string[] => reads.flatMap(({ value }) => uuidOf(value) ?? [])

const isBeginning = (value: JsonObject): boolean =>
  typeof value['sessionId'] === 'string' && timeOfClaude(value) !== undefined && typeof value['type'] === 'string'
