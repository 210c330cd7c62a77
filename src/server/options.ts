import { type Clock, SkeinError, systemClock, systemTimers, type Timers } from '#kernel'
import type { Scope } from './access-tokens.ts'
import type { Logger } from './log.ts'

/** A bearer token from the configuration. `secret` is hashed at once and kept nowhere. */
export interface GivenToken {
  readonly name: string
  readonly secret: string
  /** Default `default`. */
  readonly tenant?: string
  /** Default read and write. Each scope includes those before it: read, write, admin. */
  readonly scopes?: readonly Scope[]
  /** Whose memories; default all of the tenant's. */
  readonly owners?: readonly string[]
}

export interface RateLimit {
  readonly perSecond: number
  readonly burst: number
}

export interface ServerOptions {
  /** Where to listen; default `127.0.0.1`. Anywhere but loopback needs tokens. */
  readonly host?: string
  /** Default 7544; 0 takes a free one. */
  readonly port?: number
  /** Beside those that `skein token new` stored. */
  readonly tokens?: readonly GivenToken[]
  /** Origins whose pages may call, compared exactly. Default none. */
  readonly origins?: readonly string[]
  /** Requests of one token; the rest is 429. Default none. */
  readonly rate?: RateLimit
  /** Requests of one hook of the gateway, signed or not; the rest is 429. Default 100 a second, 500 at once. */
  readonly hookRate?: RateLimit
  /** Bytes of a body; default 10 MiB. */
  readonly maxBodyBytes?: number
  /** Bytes of an import; default 1 GiB. */
  readonly maxImportBytes?: number
  /** Milliseconds that a request may take, streams excepted, and that an import may send nothing; default 30,000. */
  readonly requestMs?: number
  /** Event streams of one tenant at once; default 100. */
  readonly maxStreams?: number
  /** Milliseconds between two pings of a stream; default 15,000. */
  readonly pingMs?: number
  /** Milliseconds that requests in flight have at a shutdown; default 10,000. */
  readonly drainMs?: number
  readonly logger?: Logger
  readonly clock?: Clock
  readonly timers?: Timers
}

export type Settings = Required<Omit<ServerOptions, 'rate' | 'logger'>> & Pick<ServerOptions, 'rate' | 'logger'>

export const defaultPort = 7_544

/** Throws `config.invalid` for what cannot be. */
export function readOptions(options: ServerOptions): Settings {
  const settings: Settings = {
    ...options,
    host: options.host ?? '127.0.0.1',
    port: options.port ?? defaultPort,
    tokens: options.tokens ?? [],
    origins: options.origins ?? [],
    hookRate: options.hookRate ?? { perSecond: 100, burst: 500 },
    maxBodyBytes: options.maxBodyBytes ?? 10 * 2 ** 20,
    maxImportBytes: options.maxImportBytes ?? 2 ** 30,
    requestMs: options.requestMs ?? 30_000,
    maxStreams: options.maxStreams ?? 100,
    pingMs: options.pingMs ?? 15_000,
    drainMs: options.drainMs ?? 10_000,
    clock: options.clock ?? systemClock,
    timers: options.timers ?? systemTimers,
  }
  const whole = (name: string, value: number, min: number): void => {
    if (!Number.isSafeInteger(value) || value < min) throw wrong(name, `Expected a whole number from ${min}.`)
  }
  whole('server.port', settings.port, 0)
  for (const name of ['maxBodyBytes', 'maxImportBytes', 'requestMs', 'maxStreams', 'pingMs'] as const)
    whole(`server.${name}`, settings[name], 1)
  whole('server.drainMs', settings.drainMs, 0)
  for (const name of ['rate', 'hookRate'] as const) {
    const limit = settings[name]
    if (limit !== undefined && !(limit.perSecond > 0 && limit.burst >= 1))
      throw wrong(`server.${name}`, 'Expected { perSecond, burst }, both positive.')
  }
  for (const origin of settings.origins) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin)
      throw wrong('server.origins', `Expected origins like https://app.example, got ${origin}.`)
  }
  return settings
}

function wrong(key: string, problem: string): SkeinError {
  return new SkeinError('config.invalid', `${key}: ${problem}`, { details: { key } })
}
