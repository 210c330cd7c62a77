import { type BlobId, isBlobId, isObject, type Json, type JsonObject, sha256, blobId } from '#kernel'
import { type BlobRow, blobsOf, type Entry, isPath, isType, type SessionRow } from '#journal'
import type { ContentOf } from './message-shape.ts'
import { isPiLine, timestampOf, writePiHeader, writePiLine } from './pi-line.ts'
import { piUsage, type PiMessage, writePiMessage } from './pi-message.ts'

/**
 * Writes a session as a pi file. Of an imported session every line comes back equal in content and in its place; what
 * was added since follows in the same manner (a version 1 file has no tree, so branches of what was added are told one
 * after another there). Any other session becomes version 3: messages, settings, title, labels and custom entries; what
 * pi has no line for is left out. `entries` are 1…n, their large parts fetched; `blobs` reads files' contents.
 */
export async function* writePi(
  session: Pick<SessionRow, 'id' | 'alias' | 'cwd'>,
  entries: AsyncIterable<Entry> | Iterable<Entry>,
  blobs: (ids: readonly BlobId[]) => Promise<readonly BlobRow[]>,
): AsyncGenerator<string> {
  const writer = new PiWriter(session)
  for await (const entry of entries) {
    const ids = [...new Set(blobsOf(entry).filter(isBlobId))]
    const rows = ids.length === 0 ? [] : await blobs(ids)
    const found = new Map(
      rows.filter(row => blobId(row.hash) === row.id && sha256(row.bytes) === row.hash).map(row => [row.id, row.bytes]),
    )
    for (const line of writer.take(entry, id => found.get(id))) yield `${line}\n`
  }
  for (const line of writer.end()) yield `${line}\n`
}

class PiWriter {
  readonly #session: Pick<SessionRow, 'id' | 'alias' | 'cwd'>
  /** pi's id of each path entry, or of the nearest one before it that has a line. */
  #ids = new Map<string, string | null>()
  #leaf: string | null = null
  #linear = false
  /** Lines that wait for the usage of the answer that they begin with. */
  #waiting: { readonly entry: string; readonly message: Record<string, Json>; readonly lines: JsonObject[] } | undefined
  #moved: Entry | undefined
  /** The header, until what stood before it is told. */
  #head: string[] = []

  constructor(session: Pick<SessionRow, 'id' | 'alias' | 'cwd'>) {
    this.#session = session
  }

  take(entry: Entry, contentOf: ContentOf): string[] {
    const above = this.#ids.get(entry.parentId ?? '') ?? null
    if (isPath(entry)) this.#ids.set(entry.id, above)
    const out =
      entry.type === 'session_created'
        ? this.#header(entry)
        : isPiLine(entry)
          ? this.#imported(entry, contentOf)
          : entry.by === 'import'
            ? []
            : this.#added(entry, above, contentOf)
    if (entry.type === 'session_created') this.#head = out.splice(0)
    else if (badLineOf(entry)?.['beforeHeader'] !== true) out.unshift(...this.#head.splice(0))
    if (isPath(entry)) this.#leaf = entry.id
    if (isType(entry, 'leaf_moved')) {
      this.#leaf = entry.data.to
      this.#moved = entry.by === 'import' ? undefined : entry
    } else if (out.length > 0 || isPath(entry)) this.#moved = undefined
    return out
  }

  /** A leaf that moved last of all is told by a line that stands there, since pi goes on behind its last line. */
  end(): string[] {
    const moved = this.#moved
    if (moved !== undefined && !this.#linear)
      this.#say(this.#line('custom', moved, this.#here(), { customType: 'skein/leaf_moved', data: moved.data as Json }))
    return [...this.#head, ...this.#flush()]
  }

  #header(entry: Entry): string[] {
    const imported = writePiHeader(entry)
    if (imported === undefined && entry.by === 'import') {
      this.#linear = true
      return []
    }
    this.#linear = imported !== undefined && !(Number(imported['version'] ?? 1) >= 2)
    const { id, alias, cwd } = this.#session
    return [
      JSON.stringify(
        imported ?? { type: 'session', version: 3, id: alias ?? id, timestamp: timestampOf(entry.at), cwd: cwd ?? '' },
      ),
    ]
  }

  #imported(entry: Entry, contentOf: ContentOf): string[] {
    const bad = badText(entry)
    if (bad !== undefined) return [...this.#flush(), bad]
    const lines = writePiLine(entry, contentOf)
    const id = lines.at(-1)?.['id']
    if (isPath(entry) && typeof id === 'string') this.#ids.set(entry.id, id)
    return [...this.#flush(), ...lines.map(line => JSON.stringify(line))]
  }

  #added(entry: Entry, above: string | null, contentOf: ContentOf): string[] {
    if (isType(entry, 'message_added') && entry.data.role !== 'system') {
      const before = entry.data.role === 'assistant' ? this.#flush() : []
      let parent = above
      for (const [index, message] of writePiMessage(entry.data as PiMessage, entry.at, contentOf).entries()) {
        const line = this.#line('message', entry, parent, { message }, index)
        if (entry.data.role === 'assistant') this.#waiting = { entry: entry.id, message, lines: [] }
        before.push(...this.#say(line))
        parent = typeof line['id'] === 'string' ? line['id'] : null
      }
      this.#ids.set(entry.id, parent)
      return before
    }
    if (isType(entry, 'usage_recorded')) {
      const waiting = this.#waiting
      if (waiting === undefined || waiting.entry !== entry.data.entry) return []
      waiting.message['usage'] = piUsage(entry.data.usage, entry.data.cost)
      return this.#flush()
    }
    const told = this.#tell(entry)
    if (told === undefined) return []
    const line = this.#line(told.type, entry, isPath(entry) ? above : this.#here(), told.more)
    if (isPath(entry) && typeof line['id'] === 'string') this.#ids.set(entry.id, line['id'])
    return this.#say(line)
  }

  #tell(entry: Entry): { type: string; more: JsonObject } | undefined {
    // pi has no word for a setting that is taken back.
    if (isType(entry, 'model_changed') && entry.data.model !== null) {
      const [, provider = 'unknown', modelId = entry.data.model] = /^([^/]*)\/(.*)$/s.exec(entry.data.model) ?? []
      return { type: 'model_change', more: { provider, modelId } }
    }
    if (isType(entry, 'thinking_changed') && entry.data.level !== null)
      return { type: 'thinking_level_change', more: { thinkingLevel: entry.data.level } }
    if (isType(entry, 'session_titled'))
      return { type: 'session_info', more: entry.data.title === null ? {} : { name: entry.data.title } }
    if (isType(entry, 'entry_labelled')) {
      const target = this.#ids.get(entry.data.entry)
      if (target == null) return undefined
      return { type: 'label', more: { targetId: target, ...(entry.data.label === null ? {} : { label: entry.data.label }) } }
    }
    if (isType(entry, 'message_added'))
      return { type: 'custom', more: { customType: 'skein/system', data: entry.data as unknown as Json } }
    if (!isType(entry, 'custom')) return undefined
    const { name, data, text } = entry.data
    if (text === undefined) return { type: 'custom', more: { customType: name, data } }
    return { type: 'custom_message', more: { customType: name, content: text, display: true, details: data } }
  }

  #here(): string | null {
    return this.#ids.get(this.#leaf ?? '') ?? null
  }

  #line(type: string, entry: Entry, parentId: string | null, more: JsonObject, index = 0): JsonObject {
    const place = this.#linear ? {} : { id: index === 0 ? entry.id : `${entry.id}-${index + 1}`, parentId }
    return { type, ...place, timestamp: timestampOf(entry.at), ...more }
  }

  /** A line, at once or behind one that waits. */
  #say(line: JsonObject): string[] {
    if (this.#waiting === undefined) return [JSON.stringify(line)]
    this.#waiting.lines.push(line)
    return []
  }

  #flush(): string[] {
    const lines = this.#waiting?.lines ?? []
    this.#waiting = undefined
    return lines.map(line => JSON.stringify(line))
  }
}

/** What was kept of a line that could not be read. */
function badLineOf({ type, data }: Entry): Record<string, unknown> | undefined {
  if (type !== 'custom' || !isObject(data) || data['name'] !== 'pi/bad-line') return undefined
  const [part] = Array.isArray(data['parts']) ? (data['parts'] as readonly Json[]) : []
  return isObject(data['data']) ? data['data'] : isObject(part) && isObject(part['data']) ? part['data'] : {}
}

function badText(entry: Entry): string | undefined {
  const kept = badLineOf(entry)
  if (kept === undefined || typeof kept['text'] === 'string') return kept?.['text'] as string | undefined
  return typeof kept['base64'] === 'string' ? Buffer.from(kept['base64'], 'base64').toString('utf8') : ''
}
