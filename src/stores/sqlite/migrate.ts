import type { Connection } from './connection.ts'
import { formatVersion } from './schema.ts'

/** Takes a file from format `from` to `from + 1`, inside a transaction that is open. */
export interface Migration {
  readonly from: number
  readonly run: (connection: Connection) => void
}

export function migrate(
  connection: Connection,
  _file: string,
  _options: { readonly migrations?: readonly Migration[] | undefined },
): void {
  if (connection.pragma('user_version') === formatVersion) return
}
