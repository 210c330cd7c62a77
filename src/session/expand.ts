import { showOptions } from './context-state.ts'
import { type BlobId, type EntryId, invalidInput, isBlobId, isId, sha256, SkeinError } from '#kernel'
import {
  type ContentPage,
  contentPage,
  isFailed,
  type PageAsk,
  partContent,
  readableEntry,
  readableText,
  type ShowOptions,
} from '#context'
import type { Entry, Message, SummaryId } from '#journal'
import { isContent } from './branch-spans.ts'
import type { SessionCore } from './core.ts'
import { contextEntries } from './frontier.ts'
import { toMessages } from './read-messages.ts'
import { readRange } from './read-range.ts'
import { readSummary } from './summary-nodes.ts'

export type ExpandOptions = PageAsk

/** A page of what stands behind a ref. */
export interface Expanded extends ContentPage {
  readonly ref: string
  readonly kind: 'summary' | 'entry' | 'part' | 'blob' | 'archive' | 'map'
}

/** Who reads: a page's tokens, and whether what failed is left out, as it is for models. */
export interface ExpandView {
  readonly maxTokens?: number
  readonly forModel?: boolean
}

/** Of a page that nobody gave a limit. */
export const pageTokens = 4_000

interface Opened {
  readonly kind: Expanded['kind']
  readonly content: string | Uint8Array
}
type Noun = 'entry' | 'summary' | 'blob' | 'archive' | 'map'
type Reader = (core: SessionCore, ref: string, view: ExpandView) => Promise<Opened>

/** What each prefix of a ref names, and who reads it. Those of rooms above are handed in with the runtime. */
const readers: Readonly<
  Record<string, { readonly noun: Noun; readonly isRef: (ref: string) => boolean; readonly read: Reader }>
> = {
  ent: { noun: 'entry', isRef: isEntryRef, read: readEntryRef },
  sum: { noun: 'summary', isRef: ref => isId('sum', ref), read: readSummaryRef },
  blb: { noun: 'blob', isRef: isBlobId, read: readBlobRef },
  arc: { noun: 'archive', isRef: ref => isId('arc', ref), read: readAbove('archive') },
  map: { noun: 'map', isRef: ref => isId('map', ref), read: readAbove('map') },
}

/** The newest text that was read of a session, for the pages that follow. */
const opened = new WeakMap<SessionCore['memory'], { readonly key: string; readonly opened: Opened }>()
/** A longer one is read again for each page. UTF-16 units. */
const keptLength = 8 * 2 ** 20

/**
 * A page of what a ref names: a summary's entries, an entry, its part to the letter, a blob. Without a limit a page takes at
 * most 4,000 tokens. Unknown and foreign refs are alike `NOUN.not_found`. Laws C45–C48, C78.
 */
export async function expand(core: SessionCore, ref: unknown, ask: ExpandOptions = {}, view: ExpandView = {}): Promise<Expanded> {
  await core.row()
  const { read } = readerOf(ref)
  const asked = ref as string
  const key = `${asked} ${String(view.forModel === true)}`
  const { memory } = core
  const last = opened.get(memory)
  const { kind, content } = last?.key === key ? last.opened : await read(core, asked, view)
  if (typeof content === 'string' && content.length <= keptLength) opened.set(memory, { key, opened: { kind, content } })
  if (typeof content !== 'string' && ask.unit !== undefined && ask.unit !== 'bytes')
    throw invalidInput('unit', `${asked} is no text; it is read by bytes.`)
  const maxTokens = view.maxTokens ?? (ask.limit === undefined ? pageTokens : Infinity)
  return { ref: asked, kind, ...contentPage(content, ask, { counter: core.keeping.counter, maxTokens }) }
}

/** Throws `input.invalid` for what is no ref at all. */
export function readerOf(ref: unknown): { readonly noun: Noun; readonly read: Reader } {
  const reader = typeof ref === 'string' ? readers[ref.slice(0, 3)] : undefined
  if (reader?.isRef(ref as string) !== true)
    throw invalidInput('ref', 'Expected a ref: ent_… or a part of it (ent_…#0), sum_…, blb_…, arc_… or map_….')
  return reader
}

/** A ref that the session has nothing for: unknown and foreign ones read alike. Law C78. */
export function notFound(core: SessionCore, noun: Noun, ref: string): SkeinError {
  const message = `Session ${core.id} has no ${noun} ${ref}.`
  const details = { session: core.id }
  switch (noun) {
    case 'entry':
      return new SkeinError('entry.not_found', message, { details: { ...details, ref } })
    case 'summary':
      return new SkeinError('summary.not_found', message, { details: { ...details, ref } })
    case 'blob':
      return new SkeinError('blob.not_found', message, { details: { ...details, ref } })
    case 'archive':
      return new SkeinError('archive.not_found', message, { details: { ...details, ref } })
    case 'map':
      return new SkeinError('map.not_found', message, { details: { ...details, ref } })
    default:
      return noun satisfies never
  }
}

export const splitRef = (ref: string): { readonly entry: EntryId; readonly part: number | undefined } => {
  const [entry, part] = ref.split('#') as [EntryId, string | undefined]
  return { entry, part: part === undefined ? undefined : Number(part) }
}

function isEntryRef(ref: string): boolean {
  const [entry, part, ...more] = ref.split('#')
  return isId('ent', entry) && more.length === 0 && (part === undefined || /^\d{1,6}$/.test(part))
}

function readAbove(noun: 'archive' | 'map'): Reader {
  return async (core, ref, { forModel = false }) => {
    const content = await core.runtime.refReaders[noun]?.(core.store, core.id, ref, { forModel })
    if (content === undefined) throw notFound(core, noun, ref)
    return { kind: noun, content }
  }
}

async function readEntryRef(core: SessionCore, ref: string, { forModel = false }: ExpandView): Promise<Opened> {
  const { entry: id, part: index } = splitRef(ref)
  const entry = await core.store.entry(core.id, id)
  if (entry === undefined) throw notFound(core, 'entry', ref)
  if (index === undefined) {
    if (!isContent(entry)) return { kind: 'entry', content: `${JSON.stringify(entry.data, null, 2)}\n` }
    const [shown] = await contextEntries(core, [entry])
    if (shown === undefined) throw notFound(core, 'entry', ref)
    return { kind: 'entry', content: readableEntry(shown, showOf(core), { hidesFailed: forModel }) }
  }
  const [message] = isContent(entry) ? await toMessages(core, onlyPart(entry, index)) : []
  const part = message?.parts[0]
  if (message === undefined || part === undefined) throw notFound(core, 'entry', ref)
  if (forModel && isFailed({ message })) return { kind: 'part', content: '[a failed attempt, not shown]' }
  const content = partContent(part)
  if (content === undefined) throw notFound(core, 'blob', part.type === 'lost' ? part.blob : ref)
  return { kind: 'part', content: typeof content === 'string' ? content : await readBytes(core, content.blob) }
}

/** The entry with nothing but one of its parts, so that no other's payload is read; none if it has no such part. */
function onlyPart(entry: Entry, index: number): Entry[] {
  const { parts } = entry.data as Partial<Pick<Message, 'parts'>>
  if (parts === undefined) return index === 0 ? [entry] : []
  return index < parts.length ? [{ ...entry, data: { ...(entry.data as object), parts: [parts[index]] } }] : []
}

async function readSummaryRef(core: SessionCore, ref: string, { forModel = false }: ExpandView): Promise<Opened> {
  const summary = await readSummary(core, ref as SummaryId)
  if (summary === undefined) throw notFound(core, 'summary', ref)
  const entries = await contextEntries(core, (await readRange(core, summary.covers)).filter(isContent))
  const texts = entries.map(entry => readableEntry(entry, showOf(core), { hidesFailed: forModel }))
  return { kind: 'summary', content: texts.map(text => `${text}\n`).join('\n') }
}

async function readBlobRef(core: SessionCore, ref: string): Promise<Opened> {
  const id = ref as BlobId
  if (!(await core.store.hasBlob(core.id, id))) throw notFound(core, 'blob', ref)
  return { kind: 'blob', content: await readBytes(core, id) }
}

async function readBytes(core: SessionCore, id: BlobId): Promise<string | Uint8Array> {
  const [row] = await core.store.blobs([id])
  if (row === undefined || sha256(row.bytes) !== row.hash) throw notFound(core, 'blob', id)
  return readableText(row.bytes) ?? row.bytes
}

const showOf = (core: SessionCore): ShowOptions => showOptions(core, core.keeping.context.recall ?? true)
