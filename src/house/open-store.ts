import { memoryStore, type Store } from '#journal'
import { type Clock, SkeinError } from '#kernel'

/** The store of an address, or the one that was given. Rejects with what is wrong with it. */
export async function openStore(given: string | Store, clock: Clock): Promise<Store> {
  if (typeof given !== 'string') return given
  if (given === 'memory:') return memoryStore({ clock })
  if (given.startsWith('sqlite:')) return await (await import('#stores/sqlite')).sqliteStore(given.slice(7), { clock })
  if (/^postgres(ql)?:/.test(given)) return await (await import('#stores/postgres')).postgresStore(given, { clock })
  throw new SkeinError('config.invalid', 'store: expected memory:, sqlite:FILE or postgres://…', { details: { key: 'store' } })
}
