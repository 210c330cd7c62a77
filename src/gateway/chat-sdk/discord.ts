import { wait } from '#kernel'
import type { ChatAdapter } from './chat.ts'
import { type Dialect, textOf } from './dialect.ts'

interface DiscordThread {
  readonly guildId: string
  readonly channelId: string
  readonly threadId?: string
}

/** What Discord calls the guild of those who write alone. */
const alone = '@me'

/** Milliseconds: the longest that a timer takes, and the pause before a socket that closed is opened again. */
const forEver = 2 ** 31 - 1
const pauseMs = 5_000

interface Listening extends ChatAdapter {
  startGatewayListener?(
    options: { waitUntil(task: Promise<unknown>): void },
    durationMs: number,
    signal: AbortSignal,
  ): Promise<unknown>
}

/** Discord. Its adapter opens a thread where the bot is spoken to in a channel. */
export const discordDialect: Dialect = {
  maxTextChars: 2_000,
  edits: true,
  typing: true,
  threads: true,
  staysInThread: true,
  ownCommands: true,
  place: (adapter, { threadId }) => {
    const { guildId, channelId, threadId: thread } = adapter.decodeThreadId(threadId) as DiscordThread
    const isDm = guildId === alone
    return { chatId: channelId, chatType: isDm ? 'dm' : 'channel', threadId: thread, scopeId: isDm ? undefined : guildId }
  },
  commandId: ({ raw }, triggerId) => triggerId ?? textOf(raw['id']),
  threadIdOf: (adapter, { chatId, threadId, scopeId }) =>
    adapter.encodeThreadId({
      guildId: scopeId ?? alone,
      channelId: chatId,
      ...(threadId === undefined ? {} : { threadId }),
    } satisfies DiscordThread as never),
  hear: async (adapter, { signal, timers }) => {
    const { startGatewayListener } = adapter as Listening
    if (startGatewayListener === undefined) return
    while (!signal.aborted) {
      const listening: Promise<unknown>[] = []
      const waitUntil = (task: Promise<unknown>): void => void listening.push(task)
      await startGatewayListener.call(adapter, { waitUntil }, forEver, signal)
      await Promise.allSettled(listening)
      await wait(timers, pauseMs, signal)
    }
  },
}
