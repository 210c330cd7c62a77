import type { ChatAdapter, ChatMessage } from './chat.ts'
import { type Dialect, membersOf, textOf, type Told } from './dialect.ts'

interface SlackThread {
  readonly channel: string
  readonly threadTs: string
}

/** `markdown_text` takes 12,000. Source: docs.slack.dev/reference/methods/chat.postMessage. */
const maxTextChars = 12_000

/**
 * Slack. Its adapter calls a message of a channel the first of a thread; that it is one's own thread follows here, too, so that
 * an answer and what follows it are one session. With `inChannel` only what was said in a thread is in one.
 */
export const slackDialect = ({ inChannel }: { readonly inChannel: boolean }): Dialect => ({
  maxTextChars,
  edits: true,
  typing: true,
  threads: true,
  staysInThread: true,
  ownCommands: true,
  place: (adapter, told) => {
    const { channel, threadTs } = adapter.decodeThreadId(told.threadId) as SlackThread
    const isOpening = textOf(told.raw['thread_ts']) === undefined
    const threadId = inChannel && isOpening ? undefined : textOf(threadTs)
    // A mention is told twice, and only once with its channel's type; the id tells the same both times.
    const chatType = channel.startsWith('D') ? 'dm' : 'channel'
    const chatName = told.isCommand ? textOf(told.raw['channel_name']) : undefined
    return { chatId: channel, chatType, chatName, threadId, scopeId: workspaceOf(told) }
  },
  commandId: (_told, triggerId) => triggerId,
  threadIdOf: (adapter, { chatId, threadId }) =>
    adapter.encodeThreadId({ channel: chatId, threadTs: threadId ?? '' } satisfies SlackThread as never),
  readAtOnce: (adapter, payload) => {
    const event = payload['event']
    const read = (adapter as { parseMessage?(raw: unknown): ChatMessage }).parseMessage?.bind(adapter)
    return read === undefined || event === undefined ? undefined : read(event)
  },
  shownName: async adapter => {
    const bot = adapter.botUserId === undefined ? null : await adapter.getUser?.(adapter.botUserId)
    return bot?.userName
  },
  // Else `<!channel>` would call everybody.
  plain: text => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;'),
})

/** The workspace that the event was sent to; in a channel of several the sender's is another. */
function workspaceOf({ payload, raw }: Told): string | undefined {
  return (
    textOf(payload['team_id']) ??
    textOf(raw['team_id']) ??
    textOf(raw['team']) ??
    textOf(membersOf(raw['team'])['id']) ??
    textOf(payload['enterprise_id'])
  )
}

/** Slack's socket tells Slack that an event came before anybody has it. */
export const isSlackSocket = (adapter: ChatAdapter): boolean => (adapter as { mode?: unknown }).mode === 'socket'
