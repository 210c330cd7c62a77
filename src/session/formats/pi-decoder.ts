import { isAlias, isObject, type Json, type JsonObject, sha256 } from '#kernel'
import { badLine, type Line, parseObject, textOfLine } from './lines.ts'
import { isPiType, keepPiHeader, type PiLine, readPiLine, timeOfLine } from './pi-line.ts'
import { piFormat, readPiUsage } from './pi-message.ts'
import { type ForeignItem, type ForeignSession, type ForeignUsage, SessionBuilder } from './session-builder.ts'

export { type ImportReport } from './session-builder.ts'

/** What a file says of its session. `alias` is pi's own id, where it can be one. */
export interface PiSession extends ForeignSession {
  readonly version: number
}
export type PiItem = ForeignItem<PiSession>

const maxHeld = 100

/** Decodes lines one by one. Pure; the same lines give the same items. What is kept is an id per line of a tree. */
export class PiDecoder {
  readonly #builder = new SessionBuilder<PiSession>(piFormat)
  /** Bad lines before the header. */
  #held: Line[] = []
  #line = 0

  take(line: Line): PiItem[] {
    const text = textOfLine(line)
    if (text?.trim() === '') return []
    const value = text === undefined ? undefined : parseObject(text)
    const builder = this.#builder
    if (!builder.begun && value === undefined) {
      this.#held.push(line)
      if (this.#held.length > maxHeld) throw badLine(this.#held[0]?.number ?? 1, 'Not a pi session.')
      return []
    }
    const hash = this.#mark(line, text)
    if (!builder.begun && value !== undefined) this.#begin(value, line.number, hash)
    else if (value === undefined) builder.bad(line.bytes, text)
    else this.#add(value)
    return builder.drain()
  }

  /** Closes what is open and reports. Throws `input.invalid` for an input that is no pi session. */
  end(): PiItem[] {
    if (!this.#builder.begun) throw badLine(this.#held[0]?.number ?? 1, 'Not a pi session.')
    this.#builder.mark(this.#line + 1, sha256(''))
    this.#builder.end()
    return this.#builder.drain()
  }

  #mark(line: Line, text: string | undefined): string {
    this.#line = line.number
    const hash = sha256(text ?? line.bytes)
    this.#builder.mark(line.number, hash)
    return hash
  }

  #begin(value: JsonObject, number: number, hash: string): void {
    if (!isPiType(value['type'])) throw badLine(number, 'Not a pi session: expected its header.')
    const isHeader = value['type'] === 'session'
    const { id, cwd, provider, modelId, thinkingLevel, version }: JsonObject = isHeader ? value : {}
    const at = timeOfLine(value) ?? 0
    const text = (field: Json | undefined): string | null => (typeof field === 'string' ? field : null)
    const session = {
      alias: isAlias(id) ? id : null,
      cwd: text(cwd),
      model: typeof provider === 'string' && typeof modelId === 'string' ? `${provider}/${modelId}` : null,
      thinking: text(thinkingLevel),
      version: typeof version === 'number' ? version : 1,
    }
    this.#builder.begin(at, session, created => (isHeader ? keepPiHeader(value, created, at) : created))
    for (const line of this.#held) {
      const bad = textOfLine(line)
      this.#mark(line, bad)
      this.#builder.bad(line.bytes, bad, { beforeHeader: true })
    }
    this.#held = []
    if (isHeader) return
    this.#line = number
    this.#builder.mark(number, hash)
    this.#add(value)
  }

  #add(line: JsonObject): void {
    const at = timeOfLine(line) ?? this.#builder.at
    const read = readPiLine(line, at, this.#builder.entryOf)
    const { id, parentId } = line
    const source = isObject(line['message']) ? line['message'] : {}
    this.#builder.add({
      line: read,
      at,
      ids: typeof id === 'string' ? [id] : [],
      parent: parentId === null && 'id' in line ? null : typeof parentId === 'string' ? parentId : undefined,
      usage: usageOf(read, line),
      reason: typeof source['errorMessage'] === 'string' ? source['errorMessage'] : undefined,
    })
  }
}

function usageOf(read: PiLine, line: JsonObject): ForeignUsage | undefined {
  const source = isObject(line['message']) ? (line['message'] as JsonObject) : line
  const found = read.place === 'side' ? undefined : readPiUsage(source['usage'])
  if (found === undefined) return undefined
  const purpose = line['type'] === 'compaction' || line['type'] === 'branch_summary' ? 'compaction' : 'turn'
  return { ...found, purpose, model: (read.data['model'] ?? null) as string | null }
}
