import { DatabaseSync } from 'node:sqlite'
import { sqliteStore } from '#stores/sqlite'
import { verifies } from '#verifies'
import { describe, expect } from 'vitest'
import { sqlitePlace } from './place.ts'

describe('opening a file that somebody holds as a whole', () => {
  // Two writers that came right after a dead one: while the first recovered its log the second was told store.busy.
  verifies('S21 J32', 'waits until it is let go, as after a crash one process does for the other that recovers it', async () => {
    const place = sqlitePlace()
    const { address } = place
    if (address.adapter !== 'sqlite') return
    await (await sqliteStore(address.file, { search: 'off' })).close()
    const holder = new DatabaseSync(address.file)
    holder.exec("PRAGMA locking_mode = EXCLUSIVE; INSERT INTO meta VALUES ('held', 1)")
    let letGo = false
    setTimeout(() => {
      letGo = true
      holder.close()
    }, 50)
    const store = await sqliteStore(address.file, { search: 'off' })
    expect(letGo).toBe(true)
    await store.close()
    await place.remove()
  })
})
