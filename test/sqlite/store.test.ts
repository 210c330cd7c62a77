import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { manualClock } from '#kernel'
import { sqliteStore } from '#stores/sqlite'
import { storeContract } from '#testing'
import { describe, it } from 'vitest'

for (const search of ['worker', 'off'] as const) {
  storeContract(
    search === 'off' ? 'SQLite without an indexer' : 'SQLite',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'skein-'))
      const file = join(folder, 'store.db')
      const clock = manualClock()
      const store = await sqliteStore(file, { clock, search })
      return {
        store,
        advance: ms => void clock.advance(ms),
        another: () => sqliteStore(file, { clock, search }),
        close: async () => {
          await store.close()
          rmSync(folder, { recursive: true })
        },
      }
    },
    { describe, it },
  )
}
