export { type PostgresOptions, postgresStore } from './open.ts'
export type { PostgresConfig } from './driver.ts'
