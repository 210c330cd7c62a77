import { memoryStore } from '#journal'
import { type EntryId, isSkeinError, type Random, type SessionId } from '#kernel'
import { openSkein } from '#skein'
import { type Deed, perform, type Stage, type Text } from './deeds.ts'
import type { Effect, Line } from './diary.ts'

type Plain = Deed extends infer D ? (D extends Deed ? Omit<D, 'mark'> : never) : never

/** What writers of one generation are told. */
export interface Orders {
  /** Begins every mark of this writer: `g12w0`. */
  readonly name: string
  /** Sessions that dead writers were writing; each is gone on with at once. Law S21. */
  readonly inherited: readonly SessionId[]
  /** A session that other writers extend, too. */
  readonly common: SessionId | undefined
}

/** Errors that a verb may be refused with here. */
const expected: ReadonlySet<string> = new Set([
  'session.busy',
  'store.fenced',
  'store.conflict',
  'store.busy',
  'store.unavailable',
  'store.uncertain',
])

/** Does deeds one after the other and tells the diary: the intent before, what came of it after. */
export class Author {
  readonly stage: Stage
  readonly orders: Orders
  readonly random: Random
  readonly #name: string
  readonly #write: (line: Line) => void
  readonly #count: { next: number }

  constructor(
    name: string,
    parts: { stage: Stage; orders: Orders; random: Random; write: (line: Line) => void; count: { next: number } },
  ) {
    this.#name = name
    this.stage = parts.stage
    this.orders = parts.orders
    this.random = parts.random
    this.#write = parts.write
    this.#count = parts.count
  }

  /** A word that nothing else in the store holds. */
  mark(): string {
    return `${this.orders.name}n${(this.#count.next++).toString(36)}`
  }

  below(limit: number): number {
    return Math.floor(this.random.number() * limit)
  }

  /** Small mostly; sometimes so large that it is kept as a blob. */
  size(): number {
    const roll = this.random.number()
    return roll < 0.75 ? 20 + this.below(400) : roll < 0.95 ? 4_000 + this.below(6_000) : 20_000 + this.below(30_000)
  }

  /** Does it, `times` at once with its key. Undefined if it was refused. */
  async act(plain: Plain, times = 1): Promise<Effect | undefined> {
    const mark = 'texts' in plain ? (plain.texts[0]?.mark ?? this.mark()) : this.mark()
    const n = this.#count.next++
    const deed = { ...plain, mark } as Deed
    this.#write({ t: 'intent', n, author: this.#name, times, deed })
    const attempts = Array.from({ length: times }, async () => {
      try {
        const effect = await perform(deed, this.stage)
        this.#write({ t: 'ack', n, effect })
        return effect
      } catch (error) {
        if (!isSkeinError(error)) throw error
        this.#write({ t: 'refused', n, code: error.code, message: error.message })
        if (!expected.has(error.code)) this.fault(`${deed.verb} was refused with ${error.code}: ${error.message}`)
        return undefined
      }
    })
    return (await Promise.all(attempts)).find(effect => effect !== undefined)
  }

  fault(message: string): void {
    this.#write({ t: 'fault', message })
  }

  text(): Text {
    return { mark: this.mark(), size: this.size() }
  }

  async session(): Promise<SessionId | undefined> {
    const name = this.mark()
    return (await this.act({ verb: 'create', alias: name, key: `${name}-create` }))?.session
  }
}

type Scene = (author: Author) => Promise<void>

/** The first thing a writer does: goes on where dead ones stopped, and takes a lease that it keeps. */
export async function beginning(author: Author): Promise<void> {
  for (const session of author.orders.inherited) {
    if ((await author.act({ verb: 'append', session, texts: [author.text()] })) === undefined)
      author.fault(`a dead writer still kept ${session}`)
  }
  const held = await author.session()
  if (held !== undefined) await author.act({ verb: 'hold', session: held, owner: author.stage.owner() })
}

/** Turns and messages, small and large, with and without keys; some retried while they are under way. */
const conversation: Scene = async author => {
  const session = await author.session()
  if (session === undefined) return
  const turns = 2 + author.below(3)
  for (let n = 0; n < turns; n++) {
    const name = author.mark()
    await author.act(
      { verb: 'record', session, size: author.size(), usage: n % 2 === 0, ...(n === 1 ? {} : { key: `${name}-record` }) },
      n === 1 ? 1 : 1 + author.below(2),
    )
    const texts = [author.text(), ...(author.below(2) === 0 ? [author.text(), author.text()] : [])]
    await author.act({ verb: 'append', session, texts, key: `${name}-append` }, 1 + author.below(3))
  }
}

/** Back and on from an earlier entry; copies of the whole and of a part; titles and labels between. */
const branches: Scene = async author => {
  const session = await author.session()
  if (session === undefined) return
  const first = await author.act({ verb: 'record', session, size: 30, usage: true })
  const entry = first?.entries?.at(1)?.id as EntryId | undefined
  await author.act({ verb: 'append', session, texts: [author.text()] })
  if (entry === undefined) return
  await author.act({ verb: 'move', session, to: entry })
  await Promise.all([
    author.act({ verb: 'rename', session }),
    author.act({ verb: 'label', session, entry }),
    author.act({ verb: 'append', session, texts: [author.text()], key: `${author.mark()}-append` }),
  ])
  const fork = await author.act({ verb: 'fork', session, at: entry, key: `${author.mark()}-fork` })
  if (fork?.session !== undefined) await author.act({ verb: 'append', session: fork.session, texts: [author.text()] })
  await author.act({ verb: 'fork', session, key: `${author.mark()}-fork` })
}

/** Messages from new sources, and the jobs that they bring. */
const arrivals: Scene = async author => {
  const { ids } = author.stage
  await Promise.all(
    Array.from({ length: 1 + author.below(3) }, () =>
      author.act({ verb: 'arrive', session: ids('ses'), entry: ids('ent'), route: author.mark(), job: ids('job') }),
    ),
  )
  await author.act({ verb: 'complete' })
}

/** Many commits that wait together, some relaxed, some full. */
const notes: Scene = async author => {
  const session = await author.session()
  if (session === undefined) return
  const burst = (durability: (n: number) => 'full' | 'relaxed', count: number): Promise<unknown> =>
    Promise.all(Array.from({ length: count }, (_, n) => author.act({ verb: 'note', session, durability: durability(n) })))
  await burst(() => 'relaxed', 2)
  await burst(n => (n % 3 === 0 ? 'full' : 'relaxed'), 3 + author.below(6))
  await author.act({ verb: 'note', session, durability: 'relaxed' })
}

/** One session, several owners: handed over by closing, and taken when a lease has run out. Laws J40, J41. */
const relay: Scene = async author => {
  const session = await author.session()
  if (session === undefined) return
  for (const face of [0, 1, 0] as const) {
    const held = await author.act({ verb: 'append', session, texts: [author.text()], face })
    const other = face === 0 ? 1 : 0
    const entered = await author.act({ verb: 'append', session, texts: [author.text()], face: other })
    if (held !== undefined && entered !== undefined) author.fault(`two owners wrote ${session} at once`)
    await author.stage.faces[face].sessions.evict({ id: session })
  }
  const owners = [author.stage.owner(), author.stage.owner(), author.stage.owner()]
  let before: { owner: string; token: number } | undefined
  for (const owner of owners) {
    const { token } = (await author.act({ verb: 'seize', session, owner })) ?? {}
    if (token === undefined) return
    if (before !== undefined) {
      if (token !== before.token + 1) author.fault(`token ${token} of ${session} followed ${before.token}`)
      const entered = await author.act({ verb: 'intrude', session, fence: { session, ...before } })
      if (entered !== undefined) author.fault(`a fence that was overtaken extended ${session}`)
    }
    before = { owner, token }
    author.stage.clock.advance(2)
  }
}

/** Comes in as a bundle, goes into hiding and comes back, or goes for good. */
const comings: Scene = async author => {
  const bundle = await bundleOf(author)
  if ((await author.act({ verb: 'import', ...bundle })) === undefined) return
  await author.act({ verb: 'delete', session: bundle.session })
  // One that was not answered leaves it hidden, perhaps.
  if ((await author.act({ verb: 'restore', session: bundle.session })) === undefined) return
  await author.act({ verb: 'append', session: bundle.session, texts: [author.text()] })
  await author.act({ verb: 'erase', session: bundle.session })
  if (author.below(2) === 0) await author.act({ verb: 'import', ...bundle })
}

/** Where every writer of every process wants to write; whoever comes too late is refused whole. */
const crowd: Scene = async author => {
  const session = author.orders.common
  if (session === undefined) return
  await author.act({ verb: 'append', session, texts: [author.text()], face: author.below(2) === 0 ? 0 : 1 })
  await author.act({ verb: 'note', session, durability: 'full' })
  await author.stage.faces[author.below(2) === 0 ? 0 : 1].sessions.evict({ id: session })
}

const scenes: readonly Scene[] = [conversation, branches, arrivals, notes, relay, comings, crowd]

/** Every scene once, by three authors at a time: what is killed at each of its points. */
export async function script(authors: readonly Author[]): Promise<void> {
  const parts: readonly (readonly Scene[])[] = [
    [beginning, conversation, notes],
    [branches, arrivals],
    [relay, comings, crowd],
  ]
  await Promise.all(
    parts.map(async (part, index) => {
      for (const scene of part) await scene(authors[index % authors.length] as Author)
    }),
  )
}

/** One session, and in it what `single` tells the probes of: one append, alone. */
export async function single(author: Author, begun: () => void): Promise<void> {
  const session = await author.session()
  if (session === undefined) return
  begun()
  await author.act({ verb: 'note', session, durability: 'full' })
}

/** Scene after scene until `stopped`, or the process, says so. */
export async function endless(authors: readonly Author[], stopped: () => boolean): Promise<void> {
  await Promise.all(
    authors.map(async (author, index) => {
      if (index === 0) await beginning(author)
      while (!stopped()) await (scenes[author.below(scenes.length)] as Scene)(author)
    }),
  )
}

/** A session made elsewhere, as a bundle. */
async function bundleOf(author: Author): Promise<{ session: SessionId; bundle: string }> {
  const store = memoryStore({ clock: author.stage.clock })
  const skein = await openSkein({ store, clock: author.stage.clock, worker: false })
  const session = await skein.sessions.create({ title: author.mark() })
  await session.record({ user: author.mark(), assistant: `${author.mark()} ${'long '.repeat(author.below(2) * 1_200)}` })
  await session.append([{ role: 'user', content: author.mark() }])
  const bundle = await session.export('skein')
  await skein.close()
  await store.close()
  return { session: session.id, bundle }
}
