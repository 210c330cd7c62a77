export { type SqliteOptions, type SqliteStore, sqliteStore } from './sqlite-store.ts'
export { ownerIsDead, processOwner } from './owner.ts'
export { applicationId, formatVersion } from './schema.ts'
export type { Migration } from './migrate.ts'
