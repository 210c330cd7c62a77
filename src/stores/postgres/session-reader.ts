import type { SessionId } from '#kernel'
import type { SessionRow } from '#journal'
import type { Link } from './link.ts'
import { sessionFrom, sessionSelect } from './session-row.ts'

type Found = ReadonlyMap<string, Record<string, unknown>>

/** Sessions of one tenant that the next statement asks for. */
interface Gathering {
  readonly ids: Set<SessionId>
  readonly found: Promise<Found>
}

/** Reads sessions by id: what one turn of the event loop asks of a tenant is one statement, sent after the last asked. */
export class SessionReader {
  readonly #link: Link
  readonly #gathering = new Map<string, Gathering>()

  constructor(link: Link) {
    this.#link = link
  }

  async read(tenant: string, id: SessionId): Promise<SessionRow | undefined> {
    const gathering = this.#gathering.get(tenant) ?? this.#gather(tenant)
    gathering.ids.add(id)
    const row = (await gathering.found).get(id)
    return row === undefined ? undefined : sessionFrom(row)
  }

  #gather(tenant: string): Gathering {
    const ids = new Set<SessionId>()
    // Once everybody who can go on without the outside has gone on.
    const gathered = new Promise<void>(resolve => process.nextTick(resolve))
    const found = gathered.then(async () => {
      this.#gathering.delete(tenant)
      return await this.#find(tenant, [...ids])
    })
    const gathering = { ids, found }
    this.#gathering.set(tenant, gathering)
    return gathering
  }

  async #find(tenant: string, ids: readonly SessionId[]): Promise<Found> {
    const [name, which] = ids.length === 1 ? ['session_id', '= $2'] : ['sessions_id', '= ANY($2)']
    const rows = await this.#link.read({
      name,
      text: `SELECT ${sessionSelect} FROM skein.sessions s WHERE s.tenant = $1 AND s.id ${which}`,
      values: [tenant, ids.length === 1 ? ids[0] : ids],
    })
    return new Map(rows.map(row => [row['id'] as string, row]))
  }
}
