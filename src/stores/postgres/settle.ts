import type { EntryId, SessionId } from '#kernel'
import { isSkeinError, SkeinError } from '#kernel'
import type { Committed } from '#journal'
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

/** Whether a transaction whose COMMIT was sent was committed. Asks until it has ended one way or the other. */
export async function settleTransaction(link: Link, transaction: string, uncertainMs: number): Promise<boolean> {
  return await persist(uncertainMs, async () => {
    const status = await link.lend(lent => statusOf(lent, transaction))
    if (status === 'in progress') throw new ConnectionLost('The transaction is still under way.')
    return status === 'committed'
  })
}

/** A server that crashed has forgotten transactions of which nothing had reached its disk, and calls their ids future ones. */
async function statusOf(lent: Lent, transaction: string): Promise<unknown> {
  try {
    const { rows } = await lent.query({ text: 'SELECT pg_xact_status($1::text::xid8) AS status', values: [transaction] })
    return rows[0]?.['status']
  } catch (error) {
    if (sqlState(error) === '22023') return 'forgotten'
    throw error
  }
}

async function persist<T>(uncertainMs: number, ask: () => Promise<T>): Promise<T> {
  const start = performance.now()
  for (let attempt = 1; ; attempt++) {
    try {
      return await ask()
    } catch (error) {
      const unreachable = error instanceof ConnectionLost || (isSkeinError(error) && error.category === 'unavailable')
      if (!unreachable) throw error
      if (performance.now() - start >= uncertainMs) {
        throw new SkeinError(
          'store.uncertain',
          'The connection broke before the answer came: whether this was stored is unknown. Retry with the same key.',
          {
            cause: error,
          },
        )
      }
      await pause(attempt)
    }
  }
}
