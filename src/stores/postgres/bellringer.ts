import type { SessionId } from '#kernel'
import type { Bell } from '#journal'
import type { SingleConnection } from './driver.ts'
import type { Link } from './link.ts'

const channel = 'skein'
/** One notification per node and this many milliseconds, since a commit that notifies takes a lock of the whole cluster. */
const mergeMs = 50
/** How often watchers look for themselves: the truth, whether or not notifications come. */
const pollMs = 1_000
const retryMs = 5_000
/** Postgres takes payloads below 8,000 bytes. */
const maxPayload = 7_900

/**
 * Rings for journals that grew: at once for this node's commits, by LISTEN for other nodes', and for everybody each
 * second. Lost notifications cost a second, never an entry. Law J37.
 */
export class Bellringer {
  readonly #link: Link
  readonly #bell: Bell
  readonly #listens: boolean
  readonly #grown = new Set<string>()
  readonly #poll: NodeJS.Timeout
  #listener: SingleConnection | undefined
  #timer: NodeJS.Timeout | undefined
  #retry: NodeJS.Timeout | undefined
  #closed = false

  constructor(link: Link, bell: Bell, listens: boolean) {
    this.#link = link
    this.#bell = bell
    this.#listens = listens
    this.#poll = setInterval(() => bell.ringAll(), pollMs)
    this.#poll.unref()
    if (listens) void this.#listen()
  }

  grown(tenant: string, session: SessionId): void {
    this.#bell.ring(tenant, session)
    if (!this.#listens) return
    this.#grown.add(`${tenant} ${session}`)
    if (this.#timer !== undefined) return
    this.#timer = setTimeout(() => void this.#notify(), mergeMs)
    this.#timer.unref()
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#poll)
    clearTimeout(this.#timer)
    clearTimeout(this.#retry)
    await this.#listener?.end().catch(() => undefined)
  }

  async #notify(): Promise<void> {
    this.#timer = undefined
    const payloads: string[] = []
    for (const line of this.#grown) {
      const last = payloads.at(-1)
      if (last !== undefined && last.length + line.length < maxPayload) payloads[payloads.length - 1] = `${last}\n${line}`
      else payloads.push(line)
    }
    this.#grown.clear()
    if (this.#closed) return
    // Nothing that must last: no wait for the disk. A lost notification is made up for by polling.
    await this.#link
      .background({
        name: 'notify',
        text: `SELECT pg_notify('${channel}', payload), set_config('synchronous_commit', 'off', true) FROM unnest($1::text[]) AS n(payload)`,
        values: [payloads],
      })
      .catch(() => undefined)
  }

  async #listen(): Promise<void> {
    const listener = this.#link.driver.single(retryMs)
    this.#listener = listener
    const again = (): void => {
      if (this.#closed || this.#listener !== listener) return
      this.#listener = undefined
      this.#retry = setTimeout(() => void this.#listen(), retryMs)
      this.#retry.unref()
    }
    listener.on('error', again)
    listener.on('end', again)
    listener.on('notification', ({ payload }) => {
      for (const line of payload?.split('\n') ?? []) {
        const [tenant, session] = line.split(' ')
        if (tenant !== undefined && session !== undefined) this.#bell.ring(tenant, session as SessionId)
      }
    })
    try {
      await listener.connect()
      await listener.query({ text: `LISTEN ${channel}` })
      if (this.#closed) await listener.end()
    } catch {
      again()
      await listener.end().catch(() => undefined)
    }
  }
}
