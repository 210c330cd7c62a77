import type { SQLInputValue } from 'node:sqlite'

/** What a statement takes, and a row as it gives it. */
export type Value = SQLInputValue
export type Row = readonly (null | number | string | Uint8Array)[]
