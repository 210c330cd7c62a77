import { isObject, type SessionId } from '#kernel'
import type { Change, TenantStore } from '#journal'
import { ofExtractor, type RangeRow, rangesOf } from './ranges.ts'

/** Up to where a session was rewound, by extractor. */
const rewoundCollection = 'memory_rewound'

/** What is learnt from up to here was learnt from before. */
export function rewoundTo(session: SessionId, extractor: string, toSeq: number): Change {
  const key = ofExtractor(session, extractor)
  return { type: 'put_record', collection: rewoundCollection, key, value: { toSeq }, tags: [session] }
}

/** Uris of what a range has taught already, however it was cut then; none unless it was rewound. */
export async function taughtBefore(store: TenantStore, range: RangeRow): Promise<Set<string>> {
  const { session, extractor, fromSeq, toSeq } = range
  const record = await store.record(rewoundCollection, ofExtractor(session, extractor))
  const end = isObject(record?.value) ? record.value['toSeq'] : undefined
  if (typeof end !== 'number' || fromSeq > end) return new Set()
  const before = (await rangesOf(store, session)).filter(
    ({ row }) => row.extractor === extractor && row.fromSeq <= toSeq && (row.wasTo ?? row.toSeq) >= fromSeq,
  )
  return new Set(before.flatMap(({ row }) => row.outcome?.applied.map(({ uri }) => uri) ?? []))
}
