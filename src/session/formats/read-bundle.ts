import {
  type BlobId,
  blobId,
  isAlias,
  isBlobId,
  isId,
  isObject,
  type Json,
  latestTime,
  SkeinError,
  toJson,
  sha256,
} from '#kernel'
import { blobsOf, counters, isKnown, entryTypes, type Entry, type NewBlob } from '#journal'
import { BundleChain, type BundleEntry, bundleEnd, type BundleSession, bundleVersion } from './bundle.ts'
import { faultOfEntry } from './entry-fault.ts'
import { badLine, type FormatInput, linesOf, textOfLine } from './lines.ts'

/** What a bundle holds, in its order. A blob comes before the first entry that names it. Exactly one `end` closes it. */
export type BundleItem =
  | { readonly type: 'session'; readonly session: BundleSession }
  | { readonly type: 'blob'; readonly blob: NewBlob }
  | { readonly type: 'lost'; readonly blob: BlobId }
  | { readonly type: 'entry'; readonly entry: BundleEntry }
  | { readonly type: 'end'; readonly entries: number; readonly sha256: string }

/**
 * Reads a bundle in one pass, holding one line and the ids seen so far. Every item but `end` is provisional: only once
 * `end` has come is the whole bundle known to be good, so store nothing visible before it.
 * Throws `input.invalid` with `details.line`, the first line known to be bad (one past the last for a bundle that is
 * cut off), and `input.unsupported` for a newer version. Law S14.
 */
export async function* readBundle(input: FormatInput): AsyncGenerator<BundleItem> {
  const check = new BundleCheck()
  for await (const line of linesOf(input)) {
    const text = textOfLine(line)
    if (text === undefined) throw badLine(line.number, 'Not UTF-8.')
    if (!line.ended) throw badLine(line.number, 'Cut off: no line feed at its end.')
    if (text.includes('\r')) throw badLine(line.number, 'Carriage return: lines end in a line feed alone.')
    yield check.take(text, line.number)
  }
  check.close()
}

const seal = /,"h":"([0-9a-f]{16})"\}$/

/** The state of one reading. */
class BundleCheck {
  #line = 0
  #session: BundleSession | undefined
  #chain = new BundleChain()
  #ended = false
  #count = 0
  #leaf: string | null = null
  /** Entries seen, and whether each stands on a path. */
  #entries = new Map<string, boolean>()
  #blobs = new Set<string>()
  /** Blobs that came since the last entry, to be named by the next. */
  #fresh = new Set<string>()

  take(text: string, number: number): BundleItem {
    this.#line = number
    if (this.#ended) throw this.#bad('Nothing may follow the end.')
    if (this.#session === undefined) return { type: 'session', session: this.#header(text) }
    if (text.startsWith('{"end"')) return this.#end(text)
    const value = this.#open(text, this.#chain)
    if ('blob' in value) return this.#blob(value['blob'])
    if ('entry' in value) return { type: 'entry', entry: this.#entry(value['entry']) }
    throw this.#bad('Expected an entry, a blob or the end.')
  }

  close(): void {
    this.#line++
    if (!this.#ended) throw this.#bad(this.#session === undefined ? 'Not a bundle: empty.' : 'Cut off: the end is missing.')
  }

  /** A line's value, its checksum proved. */
  #open(text: string, chain: BundleChain): Record<string, unknown> {
    const found = seal.exec(text)
    if (found === null) throw this.#bad('Not a line of a bundle, or one without its checksum.')
    if (chain.take(text.slice(0, found.index)) !== found[1])
      throw this.#bad('Altered, doubled, or the line before it is missing.')
    try {
      const value: unknown = JSON.parse(text)
      if (isObject(value) && Object.keys(value).length <= 3) return value
    } catch {}
    throw this.#bad('Not a JSON object of this format.')
  }

  #header(text: string): BundleSession {
    const version = /^\{"skein":(\d{1,6}),/.exec(text)?.[1]
    if (version === undefined)
      throw this.#bad('Not the header of a bundle. What another program wrote takes its own format, such as pi.')
    if (Number(version) > bundleVersion) {
      throw new SkeinError('input.unsupported', `Line 1: version ${version} of the bundle is newer than ${bundleVersion}.`, {
        details: { line: 1 },
      })
    }
    const { session } = this.#open(text, new BundleChain())
    const problem = faultOfSession(session)
    if (problem !== undefined) throw this.#bad(problem)
    this.#session = session as unknown as BundleSession
    return this.#session
  }

  #blob(value: unknown): BundleItem {
    if (!isObject(value) || !isBlobId(value['id'])) throw this.#bad('A blob needs an id.')
    const { id, hash, bytes, data, lost } = value
    if (this.#blobs.has(id)) throw this.#bad(`Blob ${id} comes twice.`)
    this.#blobs.add(id)
    this.#fresh.add(id)
    if (lost === true) return { type: 'lost', blob: id }
    if (typeof hash !== 'string' || typeof data !== 'string') throw this.#bad('A blob needs a hash and data.')
    const content = Buffer.from(data, 'base64')
    if (content.toString('base64') !== data) throw this.#bad(`The data of blob ${id} is not base64.`)
    if (content.length !== bytes || sha256(content) !== hash || blobId(hash) !== id)
      throw this.#bad(`Blob ${id} does not match its hash.`)
    return { type: 'blob', blob: { id, hash, bytes: content } }
  }

  #entry(value: unknown): BundleEntry {
    const entry = this.#shape(value)
    const { id, type, parentId } = entry
    if (this.#entries.has(id)) throw this.#bad(`Entry ${id} comes twice.`)
    this.#count++
    if (entry.seq !== this.#count) throw this.#bad(`Entry ${id} has seq ${entry.seq}; ${this.#count} was expected.`)
    if ((this.#count === 1) !== (type === 'session_created'))
      throw this.#bad('session_created is the first entry, and no other is.')
    const place = isKnown(entry as Entry) ? entryTypes[type as keyof typeof entryTypes].place : 'either'
    if (this.#count > 1 && place === 'path' && parentId === null) throw this.#bad(`A ${type} has a parent.`)
    if ((this.#count === 1 || place === 'side') && parentId !== null) throw this.#bad(`A ${type} has no parent.`)
    if (parentId !== null && this.#entries.get(parentId) !== true)
      throw this.#bad(`Entry ${id} has no earlier path entry ${parentId} as its parent.`)
    const onPath = parentId !== null || this.#count === 1
    this.#entries.set(id, onPath)
    if (onPath) this.#leaf = id
    if (type === 'leaf_moved') this.#leaf = this.#target(entry.data)
    const named = blobsOf(entry).filter(isBlobId)
    for (const blob of named) {
      if (!this.#blobs.has(blob)) throw this.#bad(`Blob ${blob} is named before it comes.`)
      this.#fresh.delete(blob)
    }
    if (this.#fresh.size > 0)
      throw this.#bad(`Entry ${id} does not name blob ${[...this.#fresh][0] ?? ''}, which stands before it.`)
    return entry
  }

  #shape(value: unknown): BundleEntry {
    if (!isObject(value)) throw this.#bad('Expected an entry.')
    const { id, parentId, type, v, at, seq, session } = value
    const whole = (number: unknown, least: number): boolean => Number.isSafeInteger(number) && (number as number) >= least
    if (!isId('ent', id)) throw this.#bad('An entry needs an id.')
    if (parentId !== null && !isId('ent', parentId)) throw this.#bad(`Entry ${id} needs a parentId or null.`)
    if (typeof type !== 'string' || type === '') throw this.#bad(`Entry ${id} needs a type.`)
    if (!whole(seq, 1) || !whole(v, 1) || !whole(at, 0) || (at as number) > latestTime)
      throw this.#bad(`Entry ${id} needs seq, v and at as whole numbers.`)
    if (session !== undefined || !('data' in value)) throw this.#bad(`Entry ${id} needs data, and names no session.`)
    const fault = faultOfEntry(value as unknown as Entry)
    if (fault !== undefined) throw this.#bad(`The ${fault} of entry ${id}, a ${type}, is missing or not as it should be.`)
    try {
      toJson(value)
    } catch (error) {
      throw badLine(this.#line, `Entry ${id} is nested too deep.`, error)
    }
    return value as unknown as BundleEntry
  }

  #target(data: unknown): string {
    const to = isObject(data) ? data['to'] : undefined
    if (typeof to === 'string' && this.#entries.get(to) === true) return to
    throw this.#bad('The leaf moves to an entry that is not there.')
  }

  #end(text: string): BundleItem {
    if (text !== bundleEnd(this.#count, this.#chain.sum))
      throw this.#bad(`Not the end of these ${this.#count} entries: altered, or the line before it is missing.`)
    if (this.#fresh.size > 0) throw this.#bad(`No entry names blob ${[...this.#fresh][0] ?? ''}.`)
    const { seq, leafId } = this.#session as BundleSession
    if (seq !== this.#count || leafId !== this.#leaf)
      throw badLine(1, `The header says seq ${seq} and leaf ${leafId}; the entries end at ${this.#count} and ${this.#leaf}.`)
    this.#ended = true
    return { type: 'end', entries: this.#count, sha256: this.#chain.sum }
  }

  #bad(problem: string): SkeinError {
    return badLine(this.#line, problem)
  }
}

/** What is wrong with a header's session, or `undefined`. */
function faultOfSession(value: unknown): string | undefined {
  if (!isObject(value)) return 'The header needs a session.'
  const text = (...names: string[]): string | undefined =>
    names.find(name => value[name] !== null && typeof value[name] !== 'string')
  const time = (...names: string[]): string | undefined =>
    names.find(name => !Number.isSafeInteger(value[name]) || (value[name] as number) < 0)
  if (!isId('ses', value['id'])) return 'The header needs a session id.'
  if (value['alias'] !== null && !isAlias(value['alias'])) return 'The alias is not one.'
  if (value['parent'] !== null && !isId('ses', value['parent'])) return 'The parent is not a session id.'
  if (!['active', 'ended', 'deleted'].includes(value['state'] as string)) return 'The state is not one.'
  const wrong =
    text('title', 'preview', 'user', 'platform', 'cwd', 'model', 'leafId') ??
    time('createdAt', 'updatedAt', 'lastAccessedAt', 'seq') ??
    (value['lastMessageAt'] === null ? undefined : time('lastMessageAt')) ??
    (typeof value['agent'] === 'string' ? undefined : 'agent') ??
    (Array.isArray(value['tags']) && value['tags'].every(tag => typeof tag === 'string') ? undefined : 'tags') ??
    (isObject(value['data']) ? undefined : 'data') ??
    (areNumbers(value['totals'], ['messages', 'turns', 'tokens']) ? undefined : 'totals') ??
    (areNumbers(value['counters'], counters) ? undefined : 'counters')
  return wrong === undefined ? undefined : `The header's ${wrong} is missing or of the wrong type.`
}

const areNumbers = (value: unknown, names: readonly string[]): boolean =>
  isObject(value) && names.every(name => Number.isFinite((value as Record<string, Json>)[name]))
