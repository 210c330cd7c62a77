import { SkeinError } from '#kernel'

/** How to reach the server: a `postgres://` url or the fields of one. `host` may be a folder: its unix socket. */
export type PostgresConfig =
  | string
  | {
      readonly host?: string
      readonly port?: number
      readonly user?: string
      readonly password?: string | (() => string | Promise<string>)
      readonly database?: string
      readonly ssl?: boolean | object
      readonly connectionString?: string
    }

/** A statement. With a name it is prepared once per connection. */
export interface Statement {
  readonly name?: string
  readonly text: string
  readonly values?: readonly unknown[]
}

export interface Answer {
  readonly rows: Record<string, unknown>[]
  readonly rowCount: number | null
}

/** What this adapter uses of a `pg` client. */
export interface Connection {
  query(statement: Statement): Promise<Answer>
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'end', listener: () => void): unknown
  on(event: 'notification', listener: (message: { readonly payload?: string }) => void): unknown
}
export interface PooledConnection extends Connection {
  release(broken?: boolean): void
}
export interface SingleConnection extends Connection {
  connect(): Promise<unknown>
  end(): Promise<void>
}

export interface Driver {
  pool(max: number, waitMs: number): Pool
  single(waitMs: number): SingleConnection
}
export interface Pool {
  connect(): Promise<PooledConnection>
  end(): Promise<void>
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'connect', listener: (connection: Connection) => void): unknown
}

const bigintType = 20

/** Loads `pg`, which people install themselves. Throws `store.driver_missing` with the command. Law H21. */
export async function loadDriver(config: PostgresConfig, load: () => Promise<unknown> = () => import('pg')): Promise<Driver> {
  const pg = await loadModule(load)
  const types = {
    getTypeParser: (type: number, encoding: string): unknown =>
      type === bigintType && encoding !== 'binary' ? Number : pg.types.getTypeParser(type, encoding),
  }
  const reach = typeof config === 'string' ? { connectionString: config } : config
  return {
    pool: (max, waitMs) => new pg.Pool({ ...reach, types, max, connectionTimeoutMillis: waitMs, application_name: 'skein' }),
    single: waitMs => new pg.Client({ ...reach, types, connectionTimeoutMillis: waitMs, application_name: 'skein' }),
  }
}

interface Module {
  readonly types: { getTypeParser(type: number, encoding: string): unknown }
  readonly Pool: new (options: object) => Pool
  readonly Client: new (options: object) => SingleConnection
}

async function loadModule(load: () => Promise<unknown>): Promise<Module> {
  try {
    const loaded = (await load()) as { readonly default?: Module }
    return loaded.default ?? (loaded as unknown as Module)
  } catch (cause) {
    throw new SkeinError('store.driver_missing', 'Postgres needs its driver: npm install pg@8.23.1', {
      details: { package: 'pg', install: 'npm install pg@8.23.1' },
      cause,
    })
  }
}
