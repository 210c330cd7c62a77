import { isType, type TurnSnapshot } from '#journal'
import type { SessionCore } from './core.ts'

export interface TurnsOptions {
  /** Only turns with a greater index. */
  readonly after?: number
  /** 1–1,000; default: all. */
  readonly limit?: number
}

const pageSize = 500

/** One per ended turn, over branches and restarts, in the order of their indexes. Law C85. */
export async function readTurns(core: SessionCore, { after = -1, limit = Infinity }: TurnsOptions = {}): Promise<TurnSnapshot[]> {
  await core.row()
  const found: TurnSnapshot[] = []
  for (let seq = 0; found.length < limit;) {
    const page = await core.store.entries(core.id, { after: seq, types: ['snapshot_taken'], limit: pageSize })
    for (const entry of page) if (isType(entry, 'snapshot_taken') && entry.data.index > after) found.push(entry.data)
    if (page.length < pageSize) break
    seq = page.at(-1)?.seq ?? 0
  }
  return found.slice(0, limit)
}
