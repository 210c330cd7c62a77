import { type Dialect, membersOf, textOf } from './dialect.ts'

interface TelegramThread {
  readonly chatId: string
  readonly messageThreadId?: number
  readonly businessConnectionId?: string
}

const chatTypes: Readonly<Record<string, 'dm' | 'group' | 'channel'>> = {
  private: 'dm',
  group: 'group',
  supergroup: 'group',
  channel: 'channel',
}

/** Telegram. A thread is a forum's topic; that a message answers another makes none. */
export const telegramDialect: Dialect = {
  maxTextChars: 4_096,
  edits: true,
  typing: true,
  threads: true,
  staysInThread: false,
  ownCommands: false,
  place: (adapter, { threadId, raw }) => {
    const { chatId, messageThreadId, businessConnectionId } = adapter.decodeThreadId(threadId) as TelegramThread
    const chat = membersOf(raw['chat'])
    return {
      chatId,
      chatType: chatTypes[textOf(chat['type']) ?? ''] ?? 'group',
      chatName: textOf(chat['title']),
      threadId: raw['is_topic_message'] === true ? textOf(messageThreadId) : undefined,
      scopeId: businessConnectionId,
    }
  },
  commandId: ({ raw }) => {
    const chat = textOf(membersOf(raw['chat'])['id'])
    const message = textOf(raw['message_id'])
    return chat === undefined || message === undefined ? undefined : `${chat}:${message}`
  },
  threadIdOf: (adapter, { chatId, threadId, scopeId }) =>
    adapter.encodeThreadId({
      chatId,
      ...(threadId === undefined ? {} : { messageThreadId: Number(threadId) }),
      ...(scopeId === undefined ? {} : { businessConnectionId: scopeId }),
    } satisfies TelegramThread as never),
  answersBot: (adapter, { raw }) => {
    const answered = membersOf(membersOf(raw['reply_to_message'])['from'])['id']
    return adapter.botUserId !== undefined && textOf(answered) === adapter.botUserId
  },
}
