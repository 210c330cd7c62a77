import { Socket } from 'node:net'

/** Preloaded by `--import`: connections don't leave this machine, so a program that runs needs no network. */
const connect = Socket.prototype.connect as (this: Socket, ...given: unknown[]) => Socket

interface Target {
  readonly host?: string
  readonly path?: string | null
}

/** Node hands in the list that it made of the caller's arguments. */
function hostOf(given: readonly unknown[]): string | undefined {
  const [target, host] = (Array.isArray(given[0]) ? given[0] : given) as [Target | number | string, unknown]
  if (typeof target !== 'object') return typeof host === 'string' ? host : undefined
  return typeof target.path === 'string' ? undefined : target.host
}

Socket.prototype.connect = function (this: Socket, ...given: unknown[]): Socket {
  const host = hostOf(given)
  if (host !== undefined && !/^(localhost|127\.\d+\.\d+\.\d+|::1)$/.test(host)) throw new Error(`Refused to connect to ${host}.`)
  return connect.apply(this, given)
} as typeof Socket.prototype.connect
