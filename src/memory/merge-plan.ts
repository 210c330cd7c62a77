import { given, type NewId, type SessionId } from '#kernel'
import type { Change } from '#journal'
import { type ArchiveData, archiveData, type ArchiveId, type StoredArchive } from './archive-row.ts'
import { abstractLine, cutGraphemes, oneSpaced } from './archive-text.ts'
import { maxOverview } from './archiver.ts'
import type { Memory } from './settings.ts'

export const mergeKind = 'archive.merge'

type Limits = Pick<Memory, 'maxArchives' | 'mergeAt'>

/** One merge of a session waits at a time. */
export function mergeLater(ids: NewId, session: SessionId, traceId?: string): Change {
  return {
    type: 'enqueue',
    job: { id: ids('job'), kind: mergeKind, key: session, session, payload: { session }, maxAttempts: 5, ...given({ traceId }) },
    uniqueKey: session,
  }
}

/** Those that stand in the list: not merged, oldest first. */
export const listedOf = (all: readonly StoredArchive[]): StoredArchive[] =>
  all.filter(({ data }) => data.state !== 'merged').sort((a, b) => a.toSeq - b.toSeq)

/** Whether a merge is due once `made` is ready, too. */
export function readyAfter(all: readonly StoredArchive[], made: ArchiveId, limits: Limits): boolean {
  const ready = listedOf(all).filter(({ id, data }) => data.state === 'ready' || id === made).length
  return isDue(ready, limits)
}

const isDue = (ready: number, { maxArchives, mergeAt }: Limits): boolean => ready >= mergeAt && ready > maxArchives

export type MergePlan =
  | { readonly merge: false; readonly reason: 'not_due' | 'source_unready' }
  | { readonly merge: true; readonly sources: readonly StoredArchive[]; readonly parent: Omit<ParentRow, 'id'> }

interface ParentRow {
  readonly id: ArchiveId
  readonly fromSeq: number
  readonly toSeq: number
  readonly data: ArchiveData
}

/**
 * With n ready, unmerged archives, n ≥ mergeAt and n > maxArchives, the oldest n − maxArchives + 1 become one. A source that
 * isn't ready among them stops it. Pure. Source: spec/memory.md 5, laws M29, M32.
 */
export function planMerge(all: readonly StoredArchive[], limits: Limits, now: number): MergePlan {
  const listed = listedOf(all)
  const ready = listed.filter(({ data }) => data.state === 'ready')
  if (!isDue(ready.length, limits)) return { merge: false, reason: 'not_due' }
  const sources = ready.slice(0, ready.length - limits.maxArchives + 1)
  const [first, last] = [sources[0], sources.at(-1)]
  if (first === undefined || last === undefined || sources.length < 2) return { merge: false, reason: 'not_due' }
  // A parent covers all between its first and its last.
  if (listed.some(({ data, toSeq }) => data.state !== 'ready' && toSeq < last.toSeq))
    return { merge: false, reason: 'source_unready' }
  const lines = sources.flatMap(source => linesOf(source, all))
  const sum = (pick: (source: StoredArchive) => number): number => sources.reduce((total, source) => total + pick(source), 0)
  const messages = sum(({ data }) => data.messages)
  return {
    merge: true,
    sources,
    parent: {
      fromSeq: first.fromSeq,
      toSeq: last.toSeq,
      data: {
        state: 'ready',
        overview: mergedOverview(lines, messages),
        abstract: mergedAbstract(first.data.abstract, last.data.abstract),
        by: 'fallback',
        counts: {
          user: sum(({ data }) => data.counts.user),
          assistant: sum(({ data }) => data.counts.assistant),
          tool: sum(({ data }) => data.counts.tool),
          tokens: sum(({ data }) => data.counts.tokens),
        },
        messages,
        endEntry: last.data.endEntry,
        before: first.data.before,
        chained: isChain(sources),
        cause: 'manual',
        job: null,
        startedAt: first.data.startedAt,
        endedAt: last.data.endedAt,
        createdAt: now,
      },
    },
  }
}

/** The parent's row and its sources marked, to be committed at once. Law M31. */
export function mergeChanges(
  session: SessionId,
  id: ArchiveId,
  { sources, parent }: Extract<MergePlan, { merge: true }>,
): readonly Change[] {
  const children = sources.map(source => source.id)
  const marks = sources.map((source): Change => {
    const { fromSeq, toSeq, version, data } = source
    const merged: ArchiveData = { ...data, state: 'merged', mergedInto: id }
    return {
      type: 'put_archive',
      id: source.id,
      session,
      fromSeq,
      toSeq,
      children: source.children,
      data: archiveData(merged),
      expectVersion: version,
    }
  })
  const { fromSeq, toSeq, data } = parent
  return [{ type: 'put_archive', id, session, fromSeq, toSeq, children, data: archiveData(data), expectVersion: 0 }, ...marks]
}

/** What stands for a parent, made of its sources anew. */
export function mergedTexts(parent: StoredArchive, all: readonly StoredArchive[]): Pick<ArchiveData, 'overview' | 'abstract'> {
  const sources = all.filter(({ id }) => parent.children.includes(id as ArchiveId)).sort((a, b) => a.toSeq - b.toSeq)
  return {
    overview: mergedOverview(linesOf(parent, all), parent.data.messages),
    abstract: mergedAbstract(sources[0]?.data.abstract ?? '', sources.at(-1)?.data.abstract ?? ''),
  }
}

const isChain = (sources: readonly StoredArchive[]): boolean =>
  sources.every(({ data }, index) => data.chained && (index === 0 || data.before === sources[index - 1]?.data.endEntry))

/** A source's own line, or those of the sources that it was made of. */
function linesOf(source: StoredArchive, all: readonly StoredArchive[]): string[] {
  const children = source.children.flatMap(id => all.find(one => one.id === id) ?? [])
  if (children.length > 0) return children.toSorted((a, b) => a.toSeq - b.toSeq).flatMap(child => linesOf(child, all))
  return [`- ${dayOf(source.data.endedAt)}: ${oneSpaced(source.data.abstract)}`]
}

const dayOf = (at: number): string => (Number.isNaN(new Date(at).getTime()) ? 'unknown' : new Date(at).toISOString().slice(0, 10))

const lengthOf = (text: string): number => [...text].length

function mergedOverview(lines: readonly string[], messages: number): string {
  const head = `Merged from ${lines.length} archives (${messages} messages).`
  const whole = [head, '', ...lines].join('\n')
  if (lengthOf(whole) <= maxOverview) return whole
  for (let between = 1; between <= lines.length; between++) {
    const from = Math.ceil((lines.length - between) / 2)
    const text = [head, '', ...lines.slice(0, from), `- … ${between} archives between`, ...lines.slice(from + between)].join('\n')
    if (lengthOf(text) <= maxOverview) return text
  }
  return head
}

function mergedAbstract(first: string, last: string): string {
  return abstractLine(`${cutGraphemes(oneSpaced(first), 48)} … ${cutGraphemes(oneSpaced(last), 49)}`)
}
