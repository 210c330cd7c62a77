import type { SessionId } from '#kernel'
import { fetchParts, searchText, type TenantStore } from '#journal'
import type { Link } from './link.ts'
import { entryOf, entrySelect } from './rows-from.ts'
import { indexWords, sessionLexeme, tenantLexeme } from './search-terms.ts'
import { toText } from './text-column.ts'

const batchSize = 100
/** How long commits gather before the index reads them, and how often what other nodes left behind is looked for. Milliseconds. */
const restMs = 100
const sweepMs = 10_000

/**
 * Fills the search index behind the acknowledgement, in this node, a batch at a time. A batch and the session's watermark
 * are one statement: two nodes never index an entry twice, and a killed one leaves nothing half done. Law J46.
 */
export class Indexer {
  readonly #link: Link
  readonly #storeOf: (tenant: string) => TenantStore
  readonly #behind = new Map<string, Set<SessionId>>()
  readonly #sweep: NodeJS.Timeout
  #timer: NodeJS.Timeout | undefined
  #work: Promise<void> = Promise.resolve()
  #closed = false

  constructor(link: Link, storeOf: (tenant: string) => TenantStore) {
    this.#link = link
    this.#storeOf = storeOf
    this.#sweep = setInterval(() => this.#start(() => this.#findBehind()), sweepMs)
    this.#sweep.unref()
    this.#start(() => this.#findBehind())
  }

  grown(tenant: string, session: SessionId): void {
    const sessions = this.#behind.get(tenant) ?? new Set<SessionId>()
    this.#behind.set(tenant, sessions.add(session))
    if (this.#timer !== undefined || this.#closed) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#start(() => this.#catchUp())
    }, restMs)
    this.#timer.unref()
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#sweep)
    clearTimeout(this.#timer)
    await this.#work
  }

  /** One thing at a time. What fails is found again by the next sweep. */
  #start(work: () => Promise<void>): void {
    this.#work = this.#work.then(async () => (this.#closed ? undefined : work())).catch(() => undefined)
  }

  /** What no node has indexed, because it stopped before it could. */
  async #findBehind(): Promise<void> {
    const tenants = await this.#link.background({ text: 'SELECT tenant FROM skein.tenants' })
    for (const { tenant } of tenants) {
      if (this.#closed) return
      const rows = await this.#link.background({
        text: 'SELECT id FROM skein.sessions WHERE tenant = $1 AND unindexed ORDER BY id LIMIT 1000',
        values: [tenant],
      })
      for (const row of rows) this.grown(tenant as string, row['id'] as SessionId)
    }
  }

  async #catchUp(): Promise<void> {
    // What comes meanwhile waits for the next time, so that many small commits make few batches.
    const behind = [...this.#behind]
    this.#behind.clear()
    for (const [tenant, sessions] of behind) await this.#indexSessions(tenant, [...sessions])
  }

  async #indexSessions(tenant: string, sessions: readonly SessionId[]): Promise<void> {
    let left = [...sessions]
    while (left.length > 0 && !this.#closed) {
      const round = left.slice(0, batchSize)
      const done = await this.#indexBatch(tenant, round)
      left = [...left.slice(batchSize), ...round.filter(session => !done.has(session))]
    }
  }

  /** Up to a batch of entries of these sessions. Answers which of them need nothing more. */
  async #indexBatch(tenant: string, sessions: readonly SessionId[]): Promise<ReadonlySet<SessionId>> {
    const heads = await this.#link.background({
      name: 'index_heads',
      text: 'SELECT id, seq, indexed_seq, erasures FROM skein.sessions WHERE tenant = $1 AND id = ANY($2) AND unindexed ORDER BY id',
      values: [tenant, sessions],
    })
    const done = new Set(sessions)
    if (heads.length === 0) return done
    const rows = await this.#link.background({
      name: 'index_entries',
      text: `SELECT ${entrySelect} FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS n(session, done, seq)
        JOIN skein.entries e ON e.tenant = $1 AND e.session = n.session AND e.seq > n.done AND e.seq <= n.seq ORDER BY e.session, e.seq LIMIT $5`,
      values: [
        tenant,
        heads.map(head => head['id']),
        heads.map(head => head['indexed_seq']),
        heads.map(head => head['seq']),
        batchSize,
      ],
    })
    const { entries } = await fetchParts(this.#storeOf(tenant), rows.map(entryOf))
    const texts = entries.flatMap(entry => {
      const found = searchText(entry)
      if (found === undefined) return []
      const words = indexWords(found.text)
      return [
        {
          entry,
          role: found.role,
          words: words === undefined ? null : [tenantLexeme(tenant), sessionLexeme(entry.session), ...words].join(' '),
        },
      ]
    })
    const last = new Map(entries.map(entry => [entry.session, entry.seq]))
    const reached = heads.flatMap(head => {
      const session = head['id'] as SessionId
      const full = rows.length < batchSize ? (head['seq'] as number) : last.get(session)
      // A session that the batch did not get to stays as it is.
      if (full !== head['seq']) done.delete(session)
      return full === undefined ? [] : [{ head, to: full }]
    })
    await this.#link.background({
      name: 'index_words',
      text: `WITH h AS (
          UPDATE skein.sessions s SET indexed_seq = n.reached, unindexed = s.seq > n.reached
          FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[]) AS n(session, done, reached, erasures)
          WHERE s.tenant = $1 AND s.id = n.session AND s.indexed_seq = n.done AND s.erasures = n.erasures RETURNING s.id)
        INSERT INTO skein.search (tenant, session, seq, role, at, words)
        SELECT $1, n.session, n.seq, n.role, n.at, array_to_tsvector(string_to_array(n.words, ' '))
        FROM unnest($6::text[], $7::bigint[], $8::text[], $9::bigint[], $10::text[]) AS n(session, seq, role, at, words) JOIN h ON h.id = n.session
        ON CONFLICT DO NOTHING`,
      values: [
        tenant,
        reached.map(({ head }) => head['id']),
        reached.map(({ head }) => head['indexed_seq']),
        reached.map(({ to }) => to),
        reached.map(({ head }) => head['erasures']),
        texts.map(({ entry }) => entry.session),
        texts.map(({ entry }) => entry.seq),
        texts.map(({ role }) => toText(role)),
        texts.map(({ entry }) => entry.at),
        texts.map(({ words }) => words),
      ],
    })
    return done
  }
}
