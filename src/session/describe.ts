import { type BlobId, type EntryId, isObject } from '#kernel'
import { outlineOf } from '#context'
import type { Anchor, Entry, Part, SummaryId } from '#journal'
import { isContent } from './branch-spans.ts'
import type { SessionCore } from './core.ts'
import { notFound, readerOf, splitRef } from './expand.ts'
import { readSummary, wholeSummaries } from './summary-nodes.ts'
import { roleOf } from './recall-source.ts'

/** What a ref names, and what that is made of. Times in epoch milliseconds. */
export type Described =
  | {
      readonly ref: string
      readonly kind: 'summary'
      readonly depth: number
      readonly first: EntryId
      readonly last: EntryId
      readonly fromAt: number
      readonly toAt: number
      readonly entries: number
      /** Of what is covered. */
      readonly tokens: number
      readonly children: readonly SummaryId[]
      readonly openItems: readonly string[]
      /** At most 50, of `anchorCount`. */
      readonly anchors: readonly Pick<Anchor, 'text' | 'entry'>[]
      readonly anchorCount: number
    }
  | {
      readonly ref: string
      readonly kind: 'entry'
      readonly type: string
      readonly role: string
      readonly at: number
      readonly tokens: number | null
      readonly parts: readonly DescribedPart[]
    }
  | { readonly ref: string; readonly kind: 'blob' | 'archive' | 'map'; readonly bytes: number; readonly outline: string }

export interface DescribedPart {
  readonly ref: string
  readonly type: string
  readonly tool?: string
  readonly name?: string
  /** Of what is kept apart. */
  readonly bytes?: number
  readonly outline?: string
}

const mostAnchors = 50

/** Throws `NOUN.not_found` for unknown and foreign refs alike. */
export async function describe(core: SessionCore, ref: unknown): Promise<Described> {
  await core.row()
  const { noun } = readerOf(ref)
  const named = ref as string
  switch (noun) {
    case 'summary':
      return await describeSummary(core, named)
    case 'entry':
      return await describeEntry(core, named)
    case 'blob':
      return await describeBlob(core, named)
    default: {
      const content = await core.runtime.refReaders[noun]?.(core.store, core.id, named, {})
      if (content === undefined) throw notFound(core, noun, named)
      const bytes = Buffer.from(content)
      return { ref: named, kind: noun, bytes: bytes.length, outline: outlineOf(bytes, {}, core.keeping.counter) }
    }
  }
}

async function describeSummary(core: SessionCore, ref: string): Promise<Described> {
  const stored = await readSummary(core, ref as SummaryId)
  const [summary] = stored === undefined ? [] : await wholeSummaries(core, [stored])
  if (summary === undefined) throw notFound(core, 'summary', ref)
  const { covers, depth, children, openItems, anchors } = summary
  return {
    ref,
    kind: 'summary',
    depth,
    ...covers,
    children,
    openItems,
    anchors: anchors.slice(0, mostAnchors).map(({ text, entry }) => ({ text, entry })),
    anchorCount: anchors.length,
  }
}

async function describeEntry(core: SessionCore, ref: string): Promise<Described> {
  const { entry: id, part: index } = splitRef(ref)
  const entry = await core.store.entry(core.id, id)
  if (entry === undefined) throw notFound(core, 'entry', ref)
  const all = isContent(entry) ? partsOf(entry) : []
  const parts = index === undefined ? all : all.slice(index, index + 1)
  if (index !== undefined && parts.length === 0) throw notFound(core, 'entry', ref)
  const { type, at, tokens = null } = entry
  return { ref, kind: 'entry', type, role: roleOf(entry), at, tokens, parts }
}

function partsOf({ id, data }: Entry): DescribedPart[] {
  const parts = isObject(data) && Array.isArray(data['parts']) ? (data['parts'] as readonly Part[]) : [{ type: 'text' } as Part]
  return parts.map((part, index) => ({
    ref: `${id}#${index}`,
    type: part.type,
    ...('tool' in part ? { tool: part.tool } : {}),
    ...('name' in part && part.name !== undefined ? { name: part.name } : {}),
    ...('bytes' in part ? { bytes: part.bytes } : {}),
    ...('outline' in part && part.outline !== undefined ? { outline: part.outline } : {}),
  }))
}

async function describeBlob(core: SessionCore, ref: string): Promise<Described> {
  const id = ref as BlobId
  const [row] = (await core.store.hasBlob(core.id, id)) ? await core.store.blobs([id]) : []
  if (row === undefined) throw notFound(core, 'blob', ref)
  return { ref, kind: 'blob', bytes: row.bytes.length, outline: outlineOf(row.bytes, {}, core.keeping.counter) }
}
