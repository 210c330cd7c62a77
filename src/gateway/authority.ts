import { isSkeinError } from '#kernel'
import type { Change } from '#journal'
import { type Authorisation, authorise } from './authorise.ts'
import { type Front, sendingOf } from './desk.ts'
import type { InboxRow } from './inbox-row.ts'
import { hiddenCode, outboxChanges, type OutboxRow } from './outbox-row.ts'
import type { Pairings } from './pairings.ts'
import { readPeople } from './person.ts'
import type { Source } from './source.ts'
import { replyRow } from './turn-end.ts'

export interface Verdict extends Authorisation {
  /** Who speaks, by the id that stands for them. */
  readonly sender: string | undefined
}

/** Who may speak. Asked on every message, command, steer, start, resume and scheduled delivery; what throws means no. Law G76. */
export class Authority {
  readonly #front: Front
  readonly #pairings: Pairings

  constructor(front: Front, pairings: Pairings) {
    this.#front = front
    this.#pairings = pairings
  }

  async judge(source: Source): Promise<Verdict> {
    const { desk, store } = this.#front
    const { platform, scopeId, userId, userIdAlt } = source
    const { speaker } = await readPeople(store, source)
    const sender = speaker?.canonical
    const users = [...new Set([...(speaker?.aliases ?? []), userIdAlt, userId])].filter(id => id !== undefined)
    const plain = authorise(desk.settings, source, users)
    // A group is not opened by whoever was let in alone.
    const mayBePaired = source.chatType === 'dm' && (plain.reason === 'unauthorized' || plain.reason === 'allow_all')
    if (!mayBePaired) return { ...plain, sender }
    try {
      const isPaired = await this.#pairings.isPaired({ platform, scope: scopeId }, users)
      return { ...authorise(desk.settings, source, users, isPaired), sender }
    } catch (error) {
      // That the store is away says nothing of anybody; the question is asked again.
      if (isSkeinError(error) && error.retryable) throw error
      return { allowed: false, reason: 'unauthorized', sender }
    }
  }

  /** Whether a message that waited may go on. */
  async mayGoOn({ source, internal }: InboxRow): Promise<boolean> {
    return internal === true || (await this.judge(source)).allowed
  }

  /** A code for a stranger who writes alone, on its way; groups are never opened so. Law G77. */
  async pairing(source: Source, from: InboxRow): Promise<readonly Change[]> {
    const { desk } = this.#front
    const { platform, chatType, isBot, scopeId, userName } = source
    const configured = Object.hasOwn(desk.settings.platforms, platform) ? desk.settings.platforms[platform] : undefined
    const asked = configured?.unauthorizedDm ?? (platform === 'email' ? 'ignore' : 'pair')
    const user = from.sender
    if (chatType !== 'dm' || isBot || asked === 'ignore' || user === undefined) return []
    const pairing = await this.#pairings.ask({ platform, scope: scopeId, user, name: userName })
    if (typeof pairing === 'string') return []
    const { ids } = desk.runtime
    const told = `You are not paired yet. Your code is ${hiddenCode}. It is valid for one hour; give it to whoever runs this bot.`
    const row: OutboxRow = { ...replyRow(ids, from, told, desk.now), pairing: pairing.id }
    return [...pairing.changes, ...outboxChanges(sendingOf(this.#front), [row])]
  }
}
