import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { openSkein, type Skein } from '#skein'
import { sqliteStore, type SqliteOptions, type SqliteStore } from '#stores/sqlite'
import { openRaw, type Raw } from './raw.ts'
import { openPeer, type Peer, type PeerName } from './peers.ts'
import type { Setting } from './row.ts'

export interface OpenSkein {
  readonly skein: Skein
  readonly store: SqliteStore
  close(): Promise<void>
}

/** Skein on a SQLite file as anybody opens it, and its store, for counting. */
export async function openSqlite(file: string, options: SqliteOptions = {}): Promise<OpenSkein> {
  const store = await sqliteStore(file, options)
  const skein = await openSkein({ store })
  return {
    skein,
    store,
    async close() {
      await skein.close()
      await store.close()
    },
  }
}

let folders = 0

/** A fresh folder within the row's. */
export function folderIn({ folder }: Setting): string {
  const made = join(folder, String((folders += 1)))
  mkdirSync(made, { recursive: true })
  return made
}

export const rawIn = (folder: string): Raw => openRaw(join(folder, 'raw.db'))

/** Those of the peers that are installed. */
export async function peersIn(setting: Setting, names: readonly PeerName[]): Promise<Peer[]> {
  const opened = await Promise.all(names.map(name => openPeer(name, folderIn(setting))))
  return opened.filter(peer => peer !== undefined)
}
