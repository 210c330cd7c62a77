import { invalidInput, isObject } from '#kernel'
import type { Exchange } from './exchange.ts'
import { type Destination, outputPlatform, type OutboxRow } from './outbox-row.ts'
import { splitText } from './split-text.ts'
import { decodeSource, type SourceInput } from './source.ts'
import { destinationOf } from './turn-end.ts'
import { invalidTarget, parseTarget } from './target.ts'

export interface DeliverOptions {
  /** Where the request came from: what `origin` means. */
  readonly origin?: SourceInput
}

export interface Delivery {
  /** Of the first outbox row; a long text has several. */
  readonly id: string
  /** Where it goes in fact: `local`, or a platform and a chat. */
  readonly to: string
  /** Why it goes to `local` though another target was asked for. */
  readonly instead?: 'no_origin' | 'unknown_platform'
}

/** Puts a message on its way. Throws `target.invalid`; `origin` without one and unknown platforms go to a file. Law G79. */
export async function deliver(
  exchange: Exchange,
  target: unknown,
  message: unknown,
  options: DeliverOptions = {},
): Promise<Delivery> {
  const text = typeof message === 'string' ? message : isObject(message) ? message['text'] : undefined
  if (typeof text !== 'string' || text.trim() === '') throw invalidInput('message', 'Expected a text, or an object with one.')
  const { rows, ...delivery } = deliveryRows(exchange, target, text, options)
  await exchange.send(rows)
  return delivery
}

/** The rows of a message, a part each, and where they go. Throws `target.invalid`. */
export function deliveryRows(
  exchange: Exchange,
  target: unknown,
  text: string,
  { origin }: DeliverOptions,
): Delivery & { readonly rows: OutboxRow[] } {
  const { to, instead } = destinationFor(exchange, target, origin)
  const { desk } = exchange.front
  const most = exchange.adapterOf(to.platform)?.capabilities.maxTextChars ?? Number.MAX_SAFE_INTEGER
  const rows = splitText(text.toWellFormed(), most).map((part): OutboxRow => ({
    id: desk.runtime.ids('out'),
    state: 'pending',
    to,
    text: part,
    kind: 'answer',
    attempts: 0,
    at: desk.now,
  }))
  return { id: rows[0]?.id ?? '', to: named(to), ...(instead === undefined ? {} : { instead }), rows }
}

const local: Destination = { platform: outputPlatform, chatId: 'output' }
const named = ({ platform, chatId, threadId }: Destination): string =>
  platform === outputPlatform
    ? 'local'
    : [platform, ...[chatId, threadId].flatMap(id => id?.replaceAll(':', '%3A') ?? [])].join(':')

function destinationFor(
  exchange: Exchange,
  given: unknown,
  origin: SourceInput | undefined,
): { readonly to: Destination; readonly instead?: NonNullable<Delivery['instead']> } {
  const target = parseTarget(given)
  const { platforms } = exchange.front.desk.settings
  if (target.kind === 'local') return { to: local }
  if (target.kind === 'origin') {
    if (origin === undefined) return { to: local, instead: 'no_origin' }
    const source = decodeSource(origin)
    // Back to a terminal is a file: nobody may sit there any more.
    return { to: source.platform === 'local' ? local : destinationOf(source) }
  }
  const { platform } = target
  const isKnown = Object.hasOwn(platforms, platform) || exchange.adapterOf(platform) !== undefined
  if (!isKnown) return { to: local, instead: 'unknown_platform' }
  if (target.kind === 'chat') {
    const { chatId, threadId } = target
    return { to: { platform, chatId, ...(threadId === undefined ? {} : { threadId }) } }
  }
  const home = platforms[platform]?.home
  if (home === undefined) throw invalidTarget(`${platform} has no home channel.`)
  return { to: { platform, chatId: home.chatId, ...(home.threadId === undefined ? {} : { threadId: home.threadId }) } }
}
