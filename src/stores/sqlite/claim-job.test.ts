import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { nextJobSql } from './claim-job.ts'
import { schema } from './schema.ts'
import { statements } from './statements.ts'

describe('looking for the next job', () => {
  it('goes by the indexes of what is open, whatever is over or waits', () => {
    const database = new DatabaseSync(':memory:')
    database.exec(schema)
    const plan = (sql: string, ...values: (string | number)[]): string[] =>
      database
        .prepare(`EXPLAIN QUERY PLAN ${sql}`)
        .all(...values)
        .map(row => String(row['detail']))
        .filter(detail => /\b(job|j|e) USING|SCAN job|SCAN j$/.test(detail))
    const reads = plan(nextJobSql, 1, 1, '[]', '[]')
    expect(reads.toSorted()).toEqual([
      'SEARCH e USING INDEX job_key (tenant=? AND kind=? AND key=? AND id<?)',
      'SEARCH e USING INDEX job_key (tenant=? AND kind=? AND key=? AND id<?)',
      'SEARCH j USING INDEX job_due (tenant=? AND state=? AND runAfter<?)',
      'SEARCH j USING INDEX job_due (tenant=? AND state=?)',
      'SEARCH job USING INTEGER PRIMARY KEY (rowid=?)',
    ])
    expect(plan(statements.runningOwners, 1)).toEqual(['SEARCH job USING INDEX job_due (tenant=? AND state=?)'])
    database.close()
  })
})
