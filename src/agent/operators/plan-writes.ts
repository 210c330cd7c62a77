import type { Json } from '#kernel'
import type { PutRecord } from '#journal'
import { type Draft, draft } from '#session'
import { itemKey, mapCollection, type MapHeader, type MapId, type MapItem, unended } from './map-rows.ts'

/** A hold on one item's record, by the version that it was last written with. */
export interface Hold {
  readonly index: number
  version: number
}

/** Something to be written of a map. */
export type MapWrite =
  | {
      readonly type: 'item'
      readonly hold: Hold
      readonly item: MapItem
      /** Told to the parent in the same commit. */
      readonly drafts?: readonly Draft[]
    }
  /** Inputs from place `at` on; those that are stored by now are left out. */
  | { readonly type: 'inputs'; readonly at: number; readonly inputs: readonly Json[] }
  | { readonly type: 'last'; readonly total: number }

export interface WritePlan {
  readonly changes: readonly PutRecord[]
  /** By change: whose it is; `header`: the map's own record. */
  readonly owners: readonly (MapWrite | 'header')[]
  readonly header: MapHeader
  readonly drafts: readonly Draft[]
}

const isOver = (item: MapItem): boolean => item.state === 'done' || item.state === 'failed'

/**
 * What one commit does: items in their order, each that ended with its place in the order of ending, then the map's record,
 * which ends with its last item. Pure.
 */
export function planWrites(
  map: MapId,
  { header, version }: { readonly header: MapHeader; readonly version: number },
  writes: readonly MapWrite[],
  now: number,
): WritePlan {
  const changes: PutRecord[] = []
  const owners: (MapWrite | 'header')[] = []
  const drafts: Draft[] = []
  let { read, total, succeeded, failed, state } = header
  const put = (owner: MapWrite, item: MapItem, expectVersion: number, sort: number): void => {
    const value = item as unknown as Json
    changes.push({ type: 'put_record', collection: mapCollection, key: itemKey(map, item.index), value, sort, expectVersion })
    owners.push(owner)
  }
  for (const write of writes) {
    if (write.type === 'item') {
      if (write.item.state === 'done') succeeded++
      if (write.item.state === 'failed') failed++
      put(write, write.item, write.hold.version, isOver(write.item) ? succeeded + failed : unended)
      drafts.push(...(write.drafts ?? []))
    } else if (write.type === 'inputs') {
      for (const input of write.inputs.slice(Math.max(0, read - write.at)))
        put(write, { index: read++, input, state: 'pending' }, 0, unended)
    } else total ??= write.total
  }
  if (total !== null && succeeded + failed === total && state === 'running') {
    state = 'ended'
    drafts.push(draft('map_ended', { map, total, succeeded, failed }))
  }
  const after: MapHeader = {
    ...header,
    read,
    total,
    succeeded,
    failed,
    state,
    endedAt: state === 'ended' ? (header.endedAt ?? now) : null,
  }
  const isChanged = (Object.keys(after) as (keyof MapHeader)[]).some(key => after[key] !== header[key])
  if (isChanged) {
    changes.push({
      type: 'put_record',
      collection: mapCollection,
      key: map,
      value: after as unknown as Json,
      expectVersion: version,
    })
    owners.push('header')
  }
  return { changes, owners, header: after, drafts }
}
