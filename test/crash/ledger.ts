import type { Entry, SessionRow, TenantStore } from '#journal'
import type { JobId, SessionId } from '#kernel'
import { type Seen, seen } from './diary.ts'

/** What was broken: each word stands for one promise. */
export type Breach = 'lost' | 'doubled' | 'reordered' | 'half' | 'altered' | 'answer' | 'fence' | 'search' | 'finding' | 'writer'

export interface Violation {
  readonly breach: Breach
  readonly message: string
}

interface Known {
  /** By seq, from 1. */
  readonly entries: Seen[]
  readonly ids: Set<string>
  token: number
  state: SessionRow['state']
}

/** What has been found in a store so far, and must be there for ever. */
export class Ledger {
  readonly violations: Violation[] = []
  readonly known = new Map<SessionId, Known>()
  readonly erased = new Set<SessionId>()
  readonly jobs = new Set<JobId>()
  /** Entries that were acknowledged to somebody. */
  acknowledged = 0

  breach(breach: Breach, message: string): void {
    this.violations.push({ breach, message })
  }

  /** Reads what is new in a session and takes it down. Undefined if the session isn't there. */
  async catchUp(t: TenantStore, id: SessionId): Promise<{ row: SessionRow; fresh: readonly Entry[] } | undefined> {
    const row = await t.session(id)
    if (row === undefined || row.hidden) return undefined
    const known = this.known.get(id) ?? { entries: [], ids: new Set<string>(), token: 0, state: row.state }
    this.known.set(id, known)
    const fresh = await t.entries(id, { after: known.entries.length, limit: 1_000_000 })
    for (const entry of fresh) {
      if (entry.seq !== known.entries.length + 1)
        this.breach('finding', `${id} has seq ${entry.seq} after ${known.entries.length}`)
      if (known.ids.has(entry.id)) this.breach('doubled', `${id} holds entry ${entry.id} twice`)
      if (entry.parentId !== null && !known.ids.has(entry.parentId))
        this.breach('lost', `${entry.id} of ${id} has lost its parent`)
      known.entries.push(seen(entry))
      known.ids.add(entry.id)
    }
    if (row.seq < known.entries.length)
      this.breach('lost', `${id} ends at ${row.seq}; ${known.entries.length} entries were there`)
    if (row.lease.token < known.token) this.breach('fence', `the token of ${id} fell from ${known.token} to ${row.lease.token}`)
    known.token = row.lease.token
    known.state = row.state
    return { row, fresh }
  }

  /** Forgets what was known of a session that an erase has taken, or may have. */
  forget(id: SessionId): void {
    this.known.delete(id)
  }

  /** Reads everything again: nothing that was ever found may be gone, moved or altered. Law J8. */
  async recount(t: TenantStore): Promise<void> {
    for (const [id, { entries }] of this.known) {
      const now = (await t.entries(id, { limit: 1_000_000 })).map(seen)
      if (now.length < entries.length) this.breach('lost', `${id} has ${now.length} of ${entries.length} entries`)
      for (const [index, before] of entries.entries()) {
        const entry = now[index]
        if (entry !== undefined && (entry.id !== before.id || entry.hash !== before.hash))
          this.breach('altered', `entry ${index + 1} of ${id} was ${before.id} and is ${entry.id}`)
      }
    }
    for (const id of this.erased) if ((await t.entries(id)).length > 0) this.breach('answer', `${id} was erased and has entries`)
  }

  /** After a power cut in `relaxed` mode leases may be older than they were; they only grow from there. */
  forgetTokens(): void {
    for (const known of this.known.values()) known.token = 0
  }
}
