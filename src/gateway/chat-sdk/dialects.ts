import type { Dialect } from './dialect.ts'
import { discordDialect } from './discord.ts'
import { slackDialect } from './slack.ts'
import { telegramDialect } from './telegram.ts'
import { whatsAppDialect } from './whatsapp.ts'

/** Any other platform of the SDK: its own words for chat and thread are the ids. */
const otherDialect: Dialect = {
  maxTextChars: 4_000,
  edits: true,
  typing: true,
  threads: true,
  staysInThread: true,
  ownCommands: true,
  place: (adapter, { threadId }) => {
    const chatId = adapter.channelIdFromThreadId(threadId)
    const isDm = adapter.isDM?.(threadId) === true
    return { chatId, chatType: isDm ? 'dm' : 'channel', threadId: threadId === chatId ? undefined : threadId }
  },
  commandId: (_told, triggerId) => triggerId,
  threadIdOf: (_adapter, { chatId, threadId }) => threadId ?? chatId,
}

const dialects: Readonly<Record<string, Dialect>> = {
  telegram: telegramDialect,
  whatsapp: whatsAppDialect,
  discord: discordDialect,
}

export function dialectOf(platform: string, { inChannel }: { readonly inChannel: boolean }): Dialect {
  if (platform === 'slack') return slackDialect({ inChannel })
  return Object.hasOwn(dialects, platform) ? (dialects[platform] ?? otherDialect) : otherDialect
}
