import { given, messageOf } from '#kernel'
import type { AdapterHost, GatewayAdapter } from './adapter.ts'

export interface TerminalOptions {
  /** What is typed, a line each. */
  readonly lines: AsyncIterable<string>
  /** Shows an answer. */
  write(text: string): void | Promise<void>
  readonly userId?: string
  readonly userName?: string
}

/** Lines in, answers out: platform `local`, chat `cli`. The next line is taken once the one before is stored. */
export function terminalAdapter({ lines, write, userId, userName }: TerminalOptions): GatewayAdapter {
  let stopping = new AbortController()
  let reading: Promise<void> = Promise.resolve()
  let shown: Promise<void> = Promise.resolve()

  const read = async (host: AdapterHost, signal: AbortSignal): Promise<void> => {
    const stopped = new Promise<undefined>(resolve => signal.addEventListener('abort', () => resolve(undefined), { once: true }))
    const source = { platform: 'local', chatId: 'cli', ...given({ userId, userName }) }
    const iterator = lines[Symbol.asyncIterator]()
    try {
      while (!signal.aborted) {
        const next = await Promise.race([iterator.next(), stopped])
        if (next === undefined || next.done === true || signal.aborted) return
        if (next.value.trim() === '') continue
        try {
          const { status, reason } = await host.receive({ source, text: next.value })
          if (status === 'refused') await write(`(refused: ${reason ?? 'no reason'})`)
        } catch (error) {
          // The line is not taken; whoever typed it is told, and may type it again.
          await write(`(not taken: ${messageOf(error)})`)
        }
      }
    } finally {
      // A line that is waited for never comes; whoever gave the lines closes them.
      void Promise.resolve(iterator.return?.()).catch(() => undefined)
    }
  }

  return {
    platform: 'local',
    capabilities: {
      maxTextChars: 1_000_000,
      edits: false,
      typing: false,
      threads: false,
      media: false,
      idempotentSend: false,
      piiSafe: false,
    },
    start(host) {
      stopping = new AbortController()
      reading = read(host, stopping.signal)
      reading.catch(() => undefined)
      return Promise.resolve()
    },
    async send(_to, { text }) {
      const mine = shown.then(async () => await write(text))
      shown = mine.catch(() => undefined)
      await mine
      return {}
    },
    async stop() {
      stopping.abort()
      await Promise.allSettled([reading, shown])
    },
  }
}
