import { type Dialect, membersOf, textOf } from './dialect.ts'

interface WhatsAppThread {
  readonly phoneNumberId: string
  readonly userWaId: string
}

/** WhatsApp, by the Cloud API. Everything is a conversation of two; the scope is the business number where it is not the adapter's own. */
export const whatsAppDialect: Dialect = {
  maxTextChars: 4_096,
  edits: false,
  typing: true,
  threads: false,
  staysInThread: false,
  ownCommands: false,
  place: (adapter, { threadId, raw }) => {
    const { phoneNumberId, userWaId } = adapter.decodeThreadId(threadId) as WhatsAppThread
    const message = membersOf(raw['message'])
    const phone = textOf(message['from'])
    const stable = textOf(message['from_user_id'])
    return {
      chatId: phone ?? userWaId,
      chatType: 'dm',
      scopeId: phoneNumberId === adapter.botUserId ? undefined : phoneNumberId,
      userIdAlt: stable === undefined || stable === phone ? undefined : stable,
    }
  },
  commandId: (_told, triggerId) => triggerId,
  threadIdOf: (adapter, { chatId, scopeId }) =>
    adapter.encodeThreadId({
      phoneNumberId: scopeId ?? adapter.botUserId ?? '',
      userWaId: chatId,
    } satisfies WhatsAppThread as never),
}
