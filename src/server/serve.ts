import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { SkeinError } from '#kernel'
import type { Skein } from '#skein'
import { isLoopback } from './access.ts'
import { createFace } from './create-handler.ts'
import type { ServerOptions } from './options.ts'
import { recoverRuns } from './recover-runs.ts'

export interface Serving extends AsyncDisposable {
  /** Where it listens, e.g. `http://127.0.0.1:7544`. */
  readonly url: string
  readonly port: number
  /**
   * Refuses new requests, tells streams, gives those in flight `drainMs`, then closes every connection. Again: the same.
   * `skein` stays open; close it afterwards.
   */
  close(): Promise<void>
}

/** Listens, and carries on what died with another process. Rejects `config.invalid` for a port that is taken or refused, and for anywhere but loopback without tokens. Law H8. */
export async function serve(skein: Skein, options: ServerOptions = {}): Promise<Serving> {
  const face = createFace(skein, options)
  const { host, port } = face.settings
  if (!isLoopback(host) && !(await face.access.required())) {
    throw new SkeinError(
      'config.invalid',
      `Without tokens Skein listens on loopback only, not on ${host}. Make one: skein token new.`,
      { details: { key: 'server.host' } },
    )
  }
  const server = createAdaptorServer({
    fetch: request => face.fetch(request),
    hostname: host,
    // Requests have their own time; an import may take longer than any.
    serverOptions: { requestTimeout: 0, headersTimeout: 60_000 },
  }) as Server
  await listening(server, host, port)
  const address = server.address() as AddressInfo
  const shown = address.family === 'IPv6' ? `[${address.address}]` : address.address
  const recovering = recoverRuns(skein)
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    recovering.stop()
    return (closing ??= closed(server, face.stop()))
  }
  return { url: `http://${shown}:${address.port}`, port: address.port, close, [Symbol.asyncDispose]: close }
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException): void =>
      reject(
        new SkeinError(
          'config.invalid',
          `Cannot listen on ${host}:${port}: ${
            cause.code === 'EADDRINUSE'
              ? 'something else does. Choose another port; 0 takes a free one'
              : (cause.code ?? cause.message)
          }.`,
          {
            details: { key: 'server.port' },
            cause,
          },
        ),
      )
    server.once('error', failed)
    server.listen(port, host, () => {
      server.off('error', failed)
      resolve()
    })
  })
}

/** What an answer that is being sent still gets, in milliseconds. */
const lastMs = 250

/** While requests are in flight the door stays open, so that whoever comes is told; then it closes. */
async function closed(server: Server, drained: Promise<void>): Promise<void> {
  await drained
  const gone = new Promise<void>(resolve => server.close(() => resolve()))
  server.closeIdleConnections()
  const rest = setTimeout(() => server.closeAllConnections(), lastMs)
  await gone
  clearTimeout(rest)
}
