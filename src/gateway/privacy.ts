import { describeSource, type Source, threadOf } from './source.ts'
import { isPhoneNumber } from './pseudonym.ts'

/** Platforms whose answers name people without their ids. */
export const safePlatforms: readonly string[] = ['whatsapp', 'signal', 'telegram', 'bluebubbles']

/** What stands for ids where they must not be shown. */
export interface Mask {
  user(platform: string, id: string): string
  chat(platform: string, id: string): string
}

/** Names and ids of a source as they are shown. */
export interface Shown {
  readonly description: string
  readonly chat: string
  readonly user: string | undefined
  readonly userId: string | undefined
}

type Quote = (value: string) => string

/**
 * What is shown of a source: with a mask no raw id, no thread and no name that is a phone number. A shared one names nobody.
 * Law G74.
 */
export function showSource(
  source: Source,
  canonical: string | undefined,
  mask: Mask | undefined,
  isShared: boolean,
  quote: Quote,
): Shown {
  const { platform, chatId, userId, userName, chatName, chatTopic: _topic } = source
  const threadId = threadOf(source)
  const userMask = userId === undefined || mask === undefined ? userId : mask.user(platform, canonical ?? userId)
  const chatMask = chatId === '' || mask === undefined ? chatId : mask.chat(platform, chatId)
  const named = (name: string | undefined, instead: string | undefined): string | undefined =>
    name !== undefined && mask !== undefined && isPhoneNumber(name) ? (instead ?? 'user') : name
  const user = named(userName, userMask)
  const chat = named(chatName, chatMask) ?? chatMask
  const shownUser = isShared ? {} : { userName: user === undefined ? undefined : quote(user), userId: quoted(userMask, quote) }
  const shown = {
    platform,
    chatType: source.chatType,
    chatId: quoted(chatMask, quote),
    chatName: quoted(named(chatName, chatMask), quote),
    ...shownUser,
    threadId: mask === undefined ? quoted(threadId, quote) : undefined,
  }
  return { description: describeSource(shown), chat: quote(chat), user: shownUser.userName, userId: shownUser.userId }
}

const quoted = (value: string | undefined, quote: Quote): string | undefined =>
  value === undefined || value === '' ? undefined : quote(value)
