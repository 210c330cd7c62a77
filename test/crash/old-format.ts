import { DatabaseSync } from 'node:sqlite'
import type { Migration } from '#stores/sqlite'

/**
 * An older format, made up for these tests: an entry's body stood in a column called `text`, and the store had no mark of
 * having been brought up to date. The way to this release's format takes several statements, with a point between each.
 */
export function migrationFrom0(point: (name: string) => void): Migration {
  return {
    from: 0,
    entries: entriesBy('text'),
    run(connection) {
      const steps = [
        'CREATE TABLE was (id INTEGER PRIMARY KEY, text TEXT)',
        'INSERT INTO was SELECT id, text FROM entry',
        'ALTER TABLE entry RENAME COLUMN text TO body',
        "UPDATE entry SET body = ''",
        'UPDATE entry SET body = (SELECT text FROM was WHERE was.id = entry.id)',
        'DROP TABLE was',
        "INSERT OR REPLACE INTO meta VALUES ('migrated', 1)",
      ]
      for (const [index, step] of steps.entries()) {
        point(`step ${index}:before`)
        connection.exec(step)
        point(`step ${index}:after`)
      }
    },
  }
}

/** Every entry of a file, in order, by the column that holds its body. */
export const entriesBy = (column: 'text' | 'body'): string =>
  `SELECT s.uid, e.seq, e.uid, e.parent, e.type, e.at, e.${column}
  FROM entry e JOIN session s ON s.id = e.session ORDER BY s.uid, e.seq`

/** Turns a closed store of this release's format into one of the older, with a log or with a rollback journal. */
export function age(file: string, mode: 'wal' | 'delete'): void {
  const database = new DatabaseSync(file)
  database.exec('ALTER TABLE entry RENAME COLUMN body TO text; PRAGMA user_version = 0')
  database.prepare(`PRAGMA journal_mode = ${mode}`).get()
  database.close()
}

/** What a file says that it is, and all of its entries as one text. */
export function readFormat(file: string): { format: number; entries: string } {
  const database = new DatabaseSync(file)
  try {
    const { user_version: format } = database.prepare('PRAGMA user_version').get() as { user_version: number }
    const rows = database.prepare(entriesBy(format === 0 ? 'text' : 'body')).all()
    return { format, entries: rows.map(row => JSON.stringify(Object.values(row))).join('\n') }
  } finally {
    database.close()
  }
}
