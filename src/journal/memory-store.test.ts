import { manualClock } from '#kernel'
import { describe, it } from 'vitest'
import { memoryStore } from '#journal'
import { storeContract } from './store.contract.ts'

storeContract(
  'memory',
  async () => {
    const clock = manualClock()
    const store = memoryStore({ clock })
    return { store, advance: ms => void clock.advance(ms), close: () => store.close() }
  },
  { describe, it },
)
