import { SkeinError } from '#kernel'
import { isId, wordShape } from './source.ts'

/** Where something is delivered. */
export type Target =
  | { readonly kind: 'origin' }
  | { readonly kind: 'local' }
  /** The platform's home. */
  | { readonly kind: 'home'; readonly platform: string }
  | { readonly kind: 'chat'; readonly platform: string; readonly chatId: string; readonly threadId?: string }

/**
 * `origin`, `local`, `<platform>` or `<platform>:<chat>[:<thread>]`; the platform in any case, ids as they are, a colon in
 * them as `%3A`; after `matrix:` all is the chat. Throws `target.invalid`.
 */
export function parseTarget(given: unknown): Target {
  if (typeof given !== 'string') throw invalidTarget('Expected a text.')
  const text = given.trim()
  const colon = text.indexOf(':')
  const platform = (colon < 0 ? text : text.slice(0, colon)).toLowerCase()
  if (colon < 0 && (platform === 'origin' || platform === 'local')) return { kind: platform }
  if (!wordShape.test(platform)) throw invalidTarget('Expected origin, local, a platform, or a platform and a chat.')
  if (colon < 0) return { kind: 'home', platform }
  const rest = text.slice(colon + 1)
  const [chat = '', thread, ...more] = platform === 'matrix' ? [rest] : rest.split(':')
  if (more.length > 0) throw invalidTarget('Expected a chat and at most a thread; write a colon in an id as %3A.')
  const chatId = idOf(chat, 'chat')
  return { kind: 'chat', platform, chatId, ...(thread === undefined ? {} : { threadId: idOf(thread, 'thread') }) }
}

/** A chat as a target names it. */
export function formatChat({ platform, chatId, threadId }: Omit<Extract<Target, { kind: 'chat' }>, 'kind'>): string {
  const escape = (id: string): string => (platform === 'matrix' ? id : id.replaceAll(':', '%3A'))
  return [platform, escape(chatId), ...(threadId === undefined ? [] : [escape(threadId)])].join(':')
}

function idOf(text: string, what: string): string {
  const id = text.replace(/%3a/gi, ':')
  if (!isId(id)) throw invalidTarget(`The ${what} is no id.`)
  return id
}

export function invalidTarget(problem: string): SkeinError {
  return new SkeinError('target.invalid', problem, {
    details: { path: 'target', issues: [{ path: 'target', message: problem }] },
  })
}
