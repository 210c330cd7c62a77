import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DatabaseConfig } from './server.ts'

/** Stands between a store and its server and cuts connections where a network would. */
export interface CuttingProxy {
  readonly config: DatabaseConfig
  /** The next request that holds this text reaches the server; its answer doesn't come back and the connection is cut. */
  loseAnswerTo(text: string): void
  /** The next request that holds this text is cut before it reaches the server. */
  loseRequest(text: string): void
  /** While it is shut nobody gets through. */
  shut(): void
  open(): void
  /** How many connections were cut. */
  readonly cuts: number
  close(): Promise<void>
}

export async function cuttingProxy(server: DatabaseConfig): Promise<CuttingProxy> {
  const folder = await mkdtemp(join(tmpdir(), 'skein-proxy-'))
  const sockets = new Set<Socket>()
  const state = { answer: undefined as string | undefined, request: undefined as string | undefined, shut: false, cuts: 0 }
  const toServer = (): Socket =>
    server.host.startsWith('/') ? connect(join(server.host, `.s.PGSQL.${server.port}`)) : connect(server.port, server.host)
  const listener = createServer(client => {
    if (state.shut) return void client.destroy()
    const upstream = toServer()
    let mute = false
    const cut = (): void => {
      state.cuts += 1
      client.destroy()
    }
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        // A connection whose answer is being lost lives on at the server until it has answered.
        if (socket === upstream || !mute) (socket === upstream ? client : upstream).destroy()
      })
    }
    client.on('data', data => {
      if (state.request !== undefined && data.includes(state.request)) {
        state.request = undefined
        return cut()
      }
      if (state.answer !== undefined && data.includes(state.answer)) {
        state.answer = undefined
        mute = true
      }
      upstream.write(data)
    })
    upstream.on('data', data => {
      if (!mute) return void client.write(data)
      // The server has answered, so it has done what was asked.
      cut()
      upstream.destroy()
    })
  })
  await new Promise<void>(resolve => listener.listen(join(folder, '.s.PGSQL.5432'), resolve))
  return {
    config: { ...server, host: folder, port: 5432 },
    loseAnswerTo: text => void (state.answer = text),
    loseRequest: text => void (state.request = text),
    shut() {
      state.shut = true
      for (const socket of sockets) socket.destroy()
    },
    open: () => void (state.shut = false),
    get cuts() {
      return state.cuts
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => listener.close(resolve))
      await rm(folder, { recursive: true, force: true })
    },
  }
}
