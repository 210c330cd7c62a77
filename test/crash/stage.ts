import type { Store } from '#journal'
import { createIds, manualClock } from '#kernel'
import { openSkein } from '#skein'
import { processOwner } from '#stores/sqlite'
import type { Stage } from './deeds.ts'
import { type Address, openAt } from './place.ts'

/** Time for a generation. On SQLite it stands still for good: whatever lets a new writer in, it is not the clock. Law S21. */
export function timeOf(address: Address, generation: number): number {
  const begin = 1_795_000_000_000
  return address.adapter === 'sqlite' ? begin : begin + generation * 120_000
}

export interface OpenStage extends Stage {
  close(): Promise<void>
}

/** Two openings of the face over one store, as two owners. */
export async function openStage(address: Address, now: number, probe?: (name: string) => void): Promise<OpenStage> {
  const clock = manualClock(now)
  const store: Store = await openAt(address, clock, probe)
  const face = () => openSkein({ store, clock, worker: false })
  const faces = [await face(), await face()] as const
  return {
    store,
    faces,
    clock,
    ids: createIds({ clock }),
    owner: processOwner,
    async close() {
      for (const skein of faces) await skein.close()
      await store.close()
    },
  }
}
