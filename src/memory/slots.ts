import { aText, given, invalidInput, isObject, listOf, type Members, sha256, shape, wholeNumber } from '#kernel'
import type { SessionCore } from '#session'
import { readName } from '#session'
import { ownerMark } from './memory-shelf.ts'

/** What a host keeps at hand of one topic. */
export interface Slot {
  readonly content: string
  readonly uris?: readonly string[]
  readonly tokens?: number
}

const members: Members<Slot> = { content: aText, uris: listOf(aText, 'uris'), tokens: wholeNumber() }
const checkSlot = shape<Slot>(members, 'slot')

interface Kept {
  readonly slot: Slot
  readonly cursor: string | undefined
}

/**
 * `session.slots`: topics kept in this process's memory, dropped whenever the object of the session is. Those of Skein's own
 * names hold as long as what they were made from stands as it did; names of a host's own hold until they are dropped.
 */
export class Slots {
  readonly #core: SessionCore
  readonly #kept = new Map<string, Kept>()

  constructor(core: SessionCore) {
    this.#core = core
  }

  /** `null` if it was never set, was dropped, or is stale. Law M69. */
  async get(name: string): Promise<Slot | null> {
    const kept = this.#kept.get(readName(name, 'name'))
    if (kept === undefined) return null
    if ((await this.#cursor(name)) === kept.cursor) return structuredClone(kept.slot)
    if (this.#kept.get(name) === kept) this.#kept.delete(name)
    return null
  }

  async set(name: string, slot: Slot): Promise<void> {
    readName(name, 'name')
    if (!isObject(slot)) throw invalidInput('slot', 'Expected { content, uris, tokens }.')
    checkSlot(slot)
    if (typeof slot.content !== 'string') throw invalidInput('slot.content', 'Expected a text.')
    const own = structuredClone(given({ ...slot })) as Slot
    this.#kept.set(name, { slot: own, cursor: await this.#cursor(name) })
  }

  /** Drops one, or all. */
  async invalidate(name?: string): Promise<void> {
    if (name === undefined) this.#kept.clear()
    else this.#kept.delete(readName(name, 'name'))
  }

  /** How that stands which the slots of these names are made from. */
  async #cursor(name: string): Promise<string | undefined> {
    if (name === 'archives') return await archivesCursor(this.#core)
    if (name !== 'identity' && name !== 'skills') return undefined
    const { user, agent } = await this.#core.row()
    return await memoriesCursor(this.#core, name === 'identity' ? user : agent)
  }
}

async function archivesCursor({ id, store }: SessionCore): Promise<string> {
  const archives = await store.archives(id)
  return sha256(JSON.stringify(archives.map(archive => [archive.id, archive.version])))
}

/** Of a user's memories, or of an agent's: how often they have changed. */
async function memoriesCursor({ store }: SessionCore, owner: string | null): Promise<string> {
  return String(owner === null ? 0 : (await ownerMark(store, owner)).version)
}
