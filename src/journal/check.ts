import { given, sha256 } from '#kernel'
import type { Entry, Totals } from './entry.ts'
import { noTotals } from './entry.ts'
import { isPath } from './entry-types.ts'
import type { SessionRow } from './head.ts'
import { blobsOf } from './parts.ts'
import type { CheckResult, Finding, Store, TenantStore } from './store.ts'

/**
 * Proves what the journal promises, entry by entry, through the port alone: seq dense and rooted, parents present and
 * earlier, head, leaf and totals equal their recount, blobs there and true (`deep`), watermarks within, archives disjoint.
 * Adapters add what only they can see. Law J48.
 */
export async function checkStore(store: Store, { deep = false }: { readonly deep?: boolean } = {}): Promise<CheckResult> {
  const findings: Finding[] = []
  const sum = { sessions: 0, entries: 0, blobs: 0 }
  for (const tenant of await store.tenants()) {
    const inTenant = store.in(tenant)
    for (let cursor: string | undefined, more = true; more;) {
      const page = await inTenant.sessions({
        states: ['active', 'ended', 'deleted'],
        sort: 'createdAt',
        limit: 200,
        ...given({ cursor }),
      })
      for (const row of page.items) {
        const counted = await checkSession(inTenant, row, deep, findings)
        sum.sessions++
        sum.entries += counted.entries
        sum.blobs += counted.blobs
      }
      cursor = page.next
      more = cursor !== undefined
    }
  }
  return { ...sum, findings }
}

async function checkSession(
  store: TenantStore,
  row: SessionRow,
  deep: boolean,
  findings: Finding[],
): Promise<{ entries: number; blobs: number }> {
  const report = (kind: Finding['kind'], ref: string | null, message: string): void =>
    void findings.push({ tenant: store.tenant, session: row.id, kind, ref, message })
  const seen = new Map<string, Totals>()
  const blobs = new Set<ReturnType<typeof blobsOf>[number]>()
  let seq = 0
  // Undefined: unknown, since an erased move says no more where it went.
  let leaf: string | null | undefined = null
  let turnCount = 0
  for (
    let page = await store.entries(row.id, { limit: 500 });
    page.length > 0;
    page = await store.entries(row.id, { after: seq, limit: 500 })
  ) {
    for (const entry of page) {
      if (entry.seq !== seq + 1) report('gap', entry.id, `Entry ${entry.id} has seq ${entry.seq}; ${seq + 1} was expected.`)
      seq = entry.seq
      const erased = entry.type === 'erased'
      if (seq === 1 && entry.type !== 'session_created' && !erased)
        report('root', entry.id, `The first entry is ${entry.type}, not session_created.`)
      if (entry.parentId !== null && !seen.has(entry.parentId))
        report('orphan', entry.id, `Entry ${entry.id} has no earlier parent ${entry.parentId}.`)
      const before = seen.get(entry.parentId ?? '') ?? noTotals
      const totals = erased
        ? (entry.totals ?? before)
        : entry.type === 'leaf_moved'
          ? (seen.get(movedTo(entry)) ?? noTotals)
          : totalsAfter(entry, before)
      if (entry.totals !== undefined && !sameTotals(entry.totals, totals))
        report(
          'totals',
          entry.id,
          `Entry ${entry.id} says ${JSON.stringify(entry.totals)}; ${JSON.stringify(totals)} was counted.`,
        )
      if (isPath(entry) || (erased && seq === 1)) {
        seen.set(entry.id, totals)
        leaf = entry.id
        turnCount += totals.turns - before.turns
      } else if (entry.type === 'leaf_moved') leaf = movedTo(entry)
      else if (erased && entry.totals !== undefined) leaf = undefined
      for (const blob of blobsOf(entry)) blobs.add(blob)
    }
  }
  if (row.seq !== seq) report('count', row.id, `The head says seq ${row.seq}; ${seq} entries were counted.`)
  if (leaf !== undefined && row.leafId !== leaf)
    report('leaf', row.id, `The head says leaf ${row.leafId ?? 'none'}; the journal ends at ${leaf ?? 'none'}.`)
  const totals = seen.get(row.leafId ?? '') ?? noTotals
  if (!sameTotals(row.totals, totals))
    report('totals', row.id, `The head says ${JSON.stringify(row.totals)}; ${JSON.stringify(totals)} was counted.`)
  if (row.counters.turnCount !== turnCount && seq > 0)
    report('count', row.id, `The head says ${row.counters.turnCount} turns; ${turnCount} were counted.`)
  await checkBlobs(store, [...blobs], deep, report)
  await checkArchives(store, row, report)
  return { entries: seq, blobs: blobs.size }
}

/** A moved leaf carries the counts of where it went. */
const movedTo = (entry: Entry): string => (entry.data as { readonly to: string }).to

type Report = (kind: Finding['kind'], ref: string | null, message: string) => void

/** What an entry adds to the running counts of its branch; the one definition, for writing and for proving. */
export function totalsAfter(entry: Pick<Entry, 'type' | 'tokens'>, before: Totals = noTotals): Totals {
  return {
    messages: before.messages + (entry.type === 'message_added' ? 1 : 0),
    turns: before.turns + (entry.type === 'turn_started' ? 1 : 0),
    tokens: before.tokens + (entry.tokens ?? 0),
  }
}

const sameTotals = (a: Totals, b: Totals): boolean => a.messages === b.messages && a.turns === b.turns && a.tokens === b.tokens

async function checkBlobs(
  store: TenantStore,
  ids: readonly ReturnType<typeof blobsOf>[number][],
  deep: boolean,
  report: Report,
): Promise<void> {
  for (const id of ids) {
    const [row] = await store.blobs([id])
    if (row === undefined) report('blob', id, `Blob ${id} is missing.`)
    else if (deep && sha256(row.bytes) !== row.hash) report('blob', id, `Blob ${id} was altered.`)
  }
}

async function checkArchives(store: TenantStore, row: SessionRow, report: Report): Promise<void> {
  const archives = await store.archives(row.id)
  const children = new Set(archives.flatMap(archive => archive.children))
  let end = 0
  for (const archive of archives.filter(candidate => !children.has(candidate.id))) {
    if (archive.fromSeq <= end)
      report('overlap', archive.id, `Archive ${archive.id} begins at ${archive.fromSeq}, within the one before.`)
    if (archive.toSeq > row.seq)
      report('watermark', archive.id, `Archive ${archive.id} ends at ${archive.toSeq}, beyond the journal.`)
    end = Math.max(end, archive.toSeq)
  }
}
