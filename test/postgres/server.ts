import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { postgresBinaries } from './binaries.ts'

/** How to reach a database. With `host` a folder, its unix socket. */
export interface DatabaseConfig {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password?: string
  readonly database: string
}

export interface PostgresServer {
  readonly config: DatabaseConfig
  /** An empty database of its own. */
  freshDatabase(): Promise<DatabaseConfig>
  query(sql: string, database?: DatabaseConfig): Promise<readonly Record<string, unknown>[]>
  /** As a power cut would: no goodbye to anyone. `restart` recovers. Only for servers started here. */
  kill(): Promise<void>
  restart(): Promise<void>
  /** Ends it and removes what it left. */
  stop(): Promise<void>
}

export interface ServerOptions {
  /** Whether commits are synced to disk, which tests don't need and benchmarks do. Default false. */
  readonly fsync?: boolean
  /** Further server settings. */
  readonly settings?: Readonly<Record<string, string>>
}

const run = promisify(execFile)
const nobody = 65_534
const asUser = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {}

/** Starts a server of its own, on a unix socket in a fresh folder; it ends with this process, however that ends. */
export async function startPostgres(options: ServerOptions = {}): Promise<PostgresServer> {
  const binaries = postgresBinaries()
  if (binaries === undefined) throw new Error('No Postgres: npm install, or set SKEIN_TEST_POSTGRES to a url.')
  const folder = await mkdtemp(join(tmpdir(), 'skein-pg-'))
  if ('uid' in asUser) await chown(folder, nobody, nobody)
  const cluster = join(folder, 'data')
  const reaper = reap(folder)
  const base = ['-D', cluster, '-U', 'skein', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync', '--no-instructions']
  await run(join(binaries, 'initdb'), base, { ...asUser, cwd: folder })
  const settings = {
    listen_addresses: '',
    unix_socket_directories: folder,
    fsync: options.fsync === true ? 'on' : 'off',
    max_connections: '200',
    // After a checkpoint it can't always be told whether an answer that was lost was a yes, so none comes by itself.
    checkpoint_timeout: '1d',
    max_wal_size: '16GB',
    ...options.settings,
  }
  const start = (): Promise<ChildProcess> => launch(join(binaries, 'postgres'), folder, cluster, settings)
  let server = await start()
  const config: DatabaseConfig = { host: folder, port: 5432, user: 'skein', database: 'postgres' }
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null) return
    const gone = new Promise(resolve => server.once('exit', resolve))
    server.ref()
    server.kill(signal)
    await gone
  }
  return {
    ...clientOf(config),
    // Quit rather than kill: children end at once and nothing is written, so recovery is the same and no child lingers.
    kill: () => end('SIGQUIT'),
    async restart() {
      await end('SIGINT')
      server = await start()
    },
    async stop() {
      await end('SIGINT')
      reaper.kill('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** A server that somebody else runs; whoever makes a database there drops it. */
export function usePostgres(url: string): PostgresServer {
  const { hostname, port, username, password, pathname, searchParams } = new URL(url)
  const config: DatabaseConfig = {
    host: searchParams.get('host') ?? hostname,
    port: Number(port === '' ? 5432 : port),
    user: decodeURIComponent(username),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
    database: pathname.slice(1) === '' ? 'postgres' : pathname.slice(1),
  }
  const refuse = (): Promise<never> => Promise.reject(new Error('This server was not started here.'))
  return {
    ...clientOf(config),
    kill: refuse,
    restart: refuse,
    stop: () => Promise.resolve(),
  }
}

let count = 0

/** What can be asked of a server, whoever started it. */
export function clientOf(config: DatabaseConfig): Pick<PostgresServer, 'config' | 'freshDatabase' | 'query'> {
  const query = async (sql: string, database = config): Promise<Record<string, unknown>[]> => {
    const connection = new pg.Client({ ...database })
    await connection.connect()
    try {
      const { rows } = await connection.query<Record<string, unknown>>(sql)
      return rows
    } finally {
      await connection.end()
    }
  }
  return {
    config,
    query,
    async freshDatabase() {
      const database = `skein_${process.pid}_${Date.now().toString(36)}_${(count += 1)}`
      await query(`CREATE DATABASE ${database}`)
      return { ...config, database }
    },
  }
}

async function launch(
  binary: string,
  folder: string,
  cluster: string,
  settings: Readonly<Record<string, string>>,
): Promise<ChildProcess> {
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const server = spawn(binary, ['-D', cluster, ...flags], { ...asUser, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  await new Promise<void>((resolve, reject) => {
    let log = ''
    server.stderr.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-8_192)
      if (log.includes('ready to accept connections')) resolve()
    })
    server.once('error', reject)
    server.once('exit', () => reject(new Error(`Postgres ended while starting:\n${log}`)))
  })
  server.unref()
  ;(server.stderr as unknown as { unref(): void }).unref()
  return server
}

/** Waits in the background for this process to die, then ends the server and removes its folder. */
function reap(folder: string): ChildProcess {
  const script = 'cat >/dev/null; pid=$(head -n1 "$0/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid"; sleep 1; rm -rf "$0"'
  const reaper = spawn('/bin/sh', ['-c', script, folder], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  reaper.unref()
  ;(reaper.stdin as unknown as { unref(): void }).unref()
  return reaper
}
