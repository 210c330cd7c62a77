import type { SessionId } from '#kernel'
import type { Finding } from '#journal'
import type { Link } from './link.ts'

/** What only the tables show: watermarks within their journals, leases with sound tokens, entries of no session. */
export async function checkFences(link: Link, tenants: readonly string[]): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const tenant of tenants) {
    const report = (
      rows: readonly Record<string, unknown>[],
      kind: Finding['kind'],
      message: (row: Record<string, unknown>) => string,
    ): void => {
      for (const row of rows)
        findings.push({
          tenant,
          session: row['session'] as SessionId,
          kind,
          ref: row['session'] as string,
          message: message(row),
        })
    }
    const select = (text: string): Promise<Record<string, unknown>[]> => link.read({ text, values: [tenant] })
    report(
      await select(`SELECT w.session, w.reader, w.seq, coalesce(s.seq, 0) AS last FROM skein.watermarks w
        LEFT JOIN skein.sessions s ON s.tenant = w.tenant AND s.id = w.session WHERE w.tenant = $1 AND w.seq > coalesce(s.seq, 0)`),
      'watermark',
      row => `Reader ${String(row['reader'])} stands at ${String(row['seq'])}; the journal ends at ${String(row['last'])}.`,
    )
    report(
      await select(`SELECT s.id AS session, s.lease_token FROM skein.sessions s WHERE s.tenant = $1
        AND (s.lease_token < 0 OR (s.lease_owner IS NOT NULL AND s.lease_token = 0))`),
      'fence',
      row => `The lease has an owner and token ${String(row['lease_token'])}.`,
    )
    report(
      await select(`SELECT e.session, count(*) AS entries FROM skein.entries e WHERE e.tenant = $1
        AND NOT EXISTS (SELECT 1 FROM skein.sessions s WHERE s.tenant = $1 AND s.id = e.session) GROUP BY e.session`),
      'root',
      row => `${String(row['entries'])} entries belong to no session.`,
    )
  }
  return findings
}
