import { given, isObject, isSkeinError, type Json } from '#kernel'
import type { Change, RecordRow, TenantStore } from '#journal'
import { summaryCollection } from './extraction-apply.ts'
import type { Forgotten } from './erase-receipt.ts'
import { rangeCollection } from './ranges.ts'
import { receiptCollection } from './undo.ts'

const tries = 20

/**
 * A memory's uri has its key, which is made of what it says: where ranges, summaries and receipts name one that is gone, it is
 * taken out.
 */
export async function forgetUris(store: TenantStore, gone: readonly Forgotten[], claim: readonly Change[] = []): Promise<void> {
  if (gone.length === 0) return
  const uris = new Set(gone.map(({ uri }) => uri))
  const sessions = new Set(gone.flatMap(one => one.sessions))
  for (const session of sessions) {
    await rewrite(store, rangeCollection, session, claim, value => withoutUris(value, uris))
    await rewrite(store, summaryCollection, session, claim, value => withoutLines(value, uris))
  }
  await rewrite(store, receiptCollection, undefined, claim, value => withoutTouched(value, uris))
}

async function rewrite(
  store: TenantStore,
  collection: string,
  tag: string | undefined,
  claim: readonly Change[],
  change: (value: Json) => Json,
): Promise<void> {
  for (let cursor: string | undefined; ;) {
    const page = await store.records(collection, { limit: 200, ...given({ tag, cursor }) })
    for (const record of page.items) await rewriteOne(store, record, claim, change)
    if (page.next === undefined) return
    cursor = page.next
  }
}

async function rewriteOne(
  store: TenantStore,
  first: RecordRow,
  claim: readonly Change[],
  change: (value: Json) => Json,
): Promise<void> {
  const { collection, key } = first
  let record: RecordRow | undefined = first
  for (let round = 1; record !== undefined; round++) {
    const value = change(record.value)
    if (JSON.stringify(value) === JSON.stringify(record.value)) return
    const { tags, sort, expiresAt, version } = record
    const put: Change = {
      type: 'put_record',
      collection,
      key,
      value,
      tags,
      sort,
      expectVersion: version,
      ...(expiresAt === null ? {} : { expiresAt }),
    }
    try {
      await store.commit([...claim, put])
      return
    } catch (error) {
      if (!isSkeinError(error) || error.code !== 'store.conflict' || error.details['change'] !== claim.length || round >= tries)
        throw error
      record = await store.record(collection, key)
    }
  }
}

const names = (value: Json | undefined, uris: ReadonlySet<string>): boolean =>
  isObject(value) && typeof value['uri'] === 'string' && uris.has(value['uri'])

function withoutUris(range: Json, uris: ReadonlySet<string>): Json {
  const outcome = isObject(range) ? range['outcome'] : undefined
  if (!isObject(range) || !isObject(outcome) || !Array.isArray(outcome['applied'])) return range
  const applied = (outcome['applied'] as readonly Json[]).map(one => (names(one, uris) ? { ...(one as object), uri: '' } : one))
  return { ...range, outcome: { ...outcome, applied } } as Json
}

function withoutLines(summary: Json, uris: ReadonlySet<string>): Json {
  if (!isObject(summary) || typeof summary['text'] !== 'string') return summary
  const lines = summary['text'].split('\n').filter(line => !uris.has(line.replace(/^- \[\w+\] /, '')))
  return { ...summary, text: lines.join('\n') }
}

function withoutTouched(receipt: Json, uris: ReadonlySet<string>): Json {
  if (!isObject(receipt) || receipt['of'] !== 'undo') return receipt
  const left = ['retired', 'reopened', 'kept'].map(name => {
    const touched = receipt[name]
    return [name, Array.isArray(touched) ? (touched as readonly Json[]).filter(one => !names(one, uris)) : []]
  })
  return { ...receipt, ...(Object.fromEntries(left) as object) } as Json
}
