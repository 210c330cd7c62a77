import { type Append, type Change, ownBlob, sealEntry } from '#journal'

/** Changes as they are now, so that callers may go on changing what they handed in. Entries are kept as the text they become. */
export function ownChanges(changes: readonly Change[]): Change[] {
  return changes.map(change => (change.type === 'append' ? ownAppend(change) : structuredClone(change)))
}

function ownAppend({ entries, head, fence, blobs, blobRefs, ...rest }: Append): Append {
  return {
    ...rest,
    entries: entries.map(sealEntry),
    ...(head === undefined ? {} : { head: isFlat(head) ? ownHead(head) : structuredClone(head) }),
    ...(fence === undefined ? {} : { fence: { ...fence } }),
    ...(blobs === undefined ? {} : { blobs: blobs.map(ownBlob) }),
    ...(blobRefs === undefined ? {} : { blobRefs: [...blobRefs] }),
  }
}

type Head = NonNullable<Append['head']>

/** Whether nothing of it lies deeper than one level below. */
const isFlat = ({ set, merge }: Head): boolean =>
  merge === undefined && (set === undefined || Object.values(set).every(value => typeof value !== 'object' || value === null))

function ownHead(head: Head): Head {
  const { set, add, totals } = head
  return {
    ...head,
    ...(set === undefined ? {} : { set: { ...set } }),
    ...(add === undefined ? {} : { add: { ...add } }),
    ...(totals === undefined ? {} : { totals: { ...totals } }),
  }
}
