import { DatabaseSync, type StatementSync } from 'node:sqlite'

/** The limit that the rows compare with: one bare table, a write-ahead log, FULL, nothing else. */
export interface Raw {
  readonly database: DatabaseSync
  /** One message in one synced transaction. */
  append(session: string, message: unknown): void
  /** Several messages in one synced transaction. */
  appendAll(messages: readonly { readonly session: string; readonly message: unknown }[]): void
  /** The newest messages of a session, oldest first, parsed. */
  tail(session: string, limit: number): unknown[]
  close(): void
}

export function openRaw(file: string): Raw {
  const database = new DatabaseSync(file)
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
  database.exec(
    `CREATE TABLE IF NOT EXISTS message (id INTEGER PRIMARY KEY, session TEXT NOT NULL, body TEXT NOT NULL);
    CREATE INDEX IF NOT EXISTS message_session ON message (session, id)`,
  )
  const insert: StatementSync = database.prepare('INSERT INTO message (session, body) VALUES (?, ?)')
  const tail = database.prepare('SELECT body FROM message WHERE session = ? ORDER BY id DESC LIMIT ?')
  return {
    database,
    append(session, message) {
      insert.run(session, JSON.stringify(message))
    },
    appendAll(messages) {
      database.exec('BEGIN IMMEDIATE')
      for (const { session, message } of messages) insert.run(session, JSON.stringify(message))
      database.exec('COMMIT')
    },
    tail: (session, limit) =>
      tail
        .all(session, limit)
        .map(row => JSON.parse(row['body'] as string) as unknown)
        .reverse(),
    close: () => database.close(),
  }
}
