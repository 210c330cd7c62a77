import type { EntryId, SessionId } from '#kernel'
import { isSkeinError, SkeinError } from '#kernel'
import type { Committed, Waiting } from '#journal'
import type { Statement } from './driver.ts'
import { ConnectionLost, sqlState } from './faults.ts'
import { answerOf, type Chain, type Outline, outlinesOf } from './hot-plan.ts'
import { keySelect, replayOf } from './keys.ts'
import type { Lent, Link } from './link.ts'
import { pause } from './pause.ts'
import { sessionFrom, sessionSelect } from './session-row.ts'

/**
 * Finds out whether a chain of appends whose connection broke was carried out: by key, else by session and first entry
 * id, on another connection. Nothing means: not so far; running it again is safe, since an entry's id is taken only once.
 * Throws `store.uncertain` when nobody answers for `uncertainMs`. Law J35.
 */
export async function settleAppend(
  link: Link,
  tenant: string,
  chain: Chain,
  relaxed: boolean,
  uncertainMs: number,
): Promise<readonly Committed[] | undefined> {
  return await persist(uncertainMs, () => link.lend(lent => findAppend(lent, tenant, chain, relaxed)))
}

async function findAppend(
  lent: Lent,
  tenant: string,
  { session, members }: Chain,
  relaxed: boolean,
): Promise<readonly Committed[] | undefined> {
  const keys = members.flatMap(({ waiting }) => waiting.options.key ?? [])
  const { rows: keyRows } = await lent.query({
    text: `SELECT ${keySelect} FROM skein.keys WHERE tenant = $1 AND key = ANY($2)`,
    values: [tenant, keys],
  })
  const byKey = new Map(keyRows.map(row => [row['key'] as string, row]))
  const firsts = members.flatMap(({ append }) => append?.entries[0]?.id ?? [])
  const { rows } = await lent.query({
    text: `SELECT ${sessionSelect}, e.id AS entry, e.seq AS place FROM skein.sessions s
      JOIN skein.entries e ON e.tenant = s.tenant AND e.session = s.id WHERE s.tenant = $1 AND s.id = $2 AND e.id = ANY($3)`,
    values: [tenant, session, firsts],
  })
  const places = new Map(rows.map(row => [row['entry'] as EntryId, row['place'] as number]))
  const [row] = rows
  if (row === undefined) return undefined
  const head = sessionFrom({ ...row, id: row['id'] as SessionId })
  const outlines = outlinesOf({ members })
  const answers: Committed[] = []
  for (const [
    index,
    {
      append,
      waiting: { options },
    },
  ] of members.entries()) {
    const keyRow = options.key === undefined ? undefined : byKey.get(options.key)
    const seq = places.get(append?.entries[0]?.id as EntryId)
    if (append === undefined || seq === undefined) return undefined
    if (keyRow !== undefined) {
      answers.push({ ...replayOf(keyRow, options.digest), replayed: false })
      continue
    }
    const outline: Outline = { ...(outlines[index] as Outline), later: { entries: 0, add: {} } }
    const results = answerOf(outline, {
      seq: seq + append.entries.length - 1,
      token: head.lease.token,
      until: head.lease.until,
      leaf: head.leafId,
      counters: head.counters,
    })
    answers.push({
      at: head.updatedAt,
      durability: relaxed ? 'relaxed' : 'full',
      replayed: false,
      results,
      ...(options.memo === undefined ? {} : { memo: options.memo }),
    })
  }
  return answers
}

/** A transaction as it can be asked for once its connection has broken. */
export interface Sent {
  /** The server's id of it. */
  readonly id: string
  /** The server's `epochSql` at that time. */
  readonly epoch: string
  /** Finds a row if it was carried out, and could not otherwise; undefined if it wrote nothing with a name of its own. */
  readonly evidence: Statement | undefined
}

/**
 * Where the log stood at the last checkpoint, and its timeline. A server that recovers from a crash, or takes over from one
 * that is gone, changes one of them; while both stay, an id means the same transaction.
 */
export const epochSql =
  "(SELECT checkpoint_lsn FROM pg_control_checkpoint())::text || ' ' || left(pg_walfile_name(pg_current_wal_lsn()), 8)"

/**
 * Whether a transaction whose COMMIT was sent was committed. Asks until it has ended one way or the other. After a crash
 * ids of transactions that had not reached the disk are given again, so what it wrote is looked for. Law J35.
 */
export async function settleTransaction(link: Link, sent: Sent, uncertainMs: number): Promise<boolean> {
  const happened = await persist(uncertainMs, () =>
    link.lend(async lent => {
      const { status, epoch } = await statusOf(lent, sent.id)
      if (status === 'in progress') throw new ConnectionLost('The transaction is still under way.')
      if (status !== 'committed') return false
      if (epoch === sent.epoch) return true
      return sent.evidence === undefined ? undefined : (await lent.query(sent.evidence)).rows.length > 0
    }),
  )
  if (happened !== undefined) return happened
  throw uncertain('The server was restarted before the answer came')
}

/** A server that crashed calls ids that nothing on its disk knows future ones: what they stood for did nothing. */
async function statusOf(lent: Lent, id: string): Promise<{ status: unknown; epoch?: unknown }> {
  try {
    const { rows } = await lent.query({
      text: `SELECT pg_xact_status($1::text::xid8) AS status, ${epochSql} AS epoch`,
      values: [id],
    })
    return { status: rows[0]?.['status'], epoch: rows[0]?.['epoch'] }
  } catch (error) {
    if (sqlState(error) === '22023') return { status: 'forgotten' }
    throw error
  }
}

/** What a commit of that time left that nobody else can have: a session or the first entry that it made, or its key. */
export function evidenceOf(tenant: string, now: number, members: readonly Waiting[]): Statement | undefined {
  for (const { changes, options } of members) {
    for (const change of changes) {
      if (change.type === 'create_session')
        return { text: 'SELECT 1 FROM skein.sessions WHERE tenant = $1 AND id = $2', values: [tenant, change.session] }
      if (change.type === 'append' && change.entries[0] !== undefined)
        return {
          text: 'SELECT 1 FROM skein.entries WHERE tenant = $1 AND session = $2 AND id = $3',
          values: [tenant, change.session, change.entries[0].id],
        }
    }
    // One that has run out may still stand there.
    if (options.key !== undefined)
      return {
        text: 'SELECT 1 FROM skein.keys WHERE tenant = $1 AND key = $2 AND until > $3',
        values: [tenant, options.key, now],
      }
  }
  return undefined
}

const uncertain = (what: string, cause?: unknown): SkeinError =>
  new SkeinError('store.uncertain', `${what}: whether this was stored is unknown. Retry with the same key.`, { cause })

async function persist<T>(uncertainMs: number, ask: () => Promise<T>): Promise<T> {
  const start = performance.now()
  for (let attempt = 1; ; attempt++) {
    try {
      return await ask()
    } catch (error) {
      const unreachable = error instanceof ConnectionLost || (isSkeinError(error) && error.category === 'unavailable')
      if (!unreachable) throw error
      if (performance.now() - start >= uncertainMs) {
        throw uncertain('The connection broke before the answer came', error)
      }
      await pause(attempt)
    }
  }
}
