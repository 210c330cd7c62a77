import { type EntryId, type ErrorCode, isSkeinError, type Random, seededRandom, type SessionId } from '#kernel'
import type { Change } from '#journal'
import { equal, type Law, numbers, ok, type Setting } from './setting.ts'
import { appendOf, createSession, entryOf, startOfTime, textMessage } from './writer.ts'

/** What a session is to the model: far less than the store knows, but told another way. */
interface Told {
  readonly entries: readonly EntryId[]
  readonly leaf: EntryId | null
  readonly owner: string | null
  readonly token: number
  readonly mark: number
}

interface World {
  readonly sessions: ReadonlyMap<SessionId, Told>
  readonly records: ReadonlyMap<string, number>
}

type Step = (world: World) => World | ErrorCode

/** A change, and what the model says that it does or why it is refused. */
interface Move {
  readonly change: Change
  readonly step: Step
}

const onSession =
  (id: SessionId, step: (told: Told) => Told | ErrorCode): Step =>
  world => {
    const told = world.sessions.get(id)
    if (told === undefined) return 'session.not_found'
    const next = step(told)
    return typeof next === 'string' ? next : { ...world, sessions: new Map(world.sessions).set(id, next) }
  }

const owners = ['ann', 'ben'] as const
const keys = ['k1', 'k2', 'k3'] as const

/** Draws a move that may or may not hold in the world as it is. */
function drawMove({ ids }: Setting, random: Random, names: readonly SessionId[], world: World): Move {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random.number() * items.length)] as T
  const session = pick(names)
  const told = world.sessions.get(session)
  const owner = pick(owners)
  const near = Math.floor(random.number() * 2)
  switch (Math.floor(random.number() * 8)) {
    case 0:
      return {
        change: createSession(session),
        step: now =>
          now.sessions.has(session)
            ? 'session.exists'
            : {
                ...now,
                sessions: new Map(now.sessions).set(session, { entries: [], leaf: null, owner: null, token: 0, mark: 0 }),
              },
      }
    case 1: {
      const entries = numbers(0, near).map(n => entryOf(ids, 'custom', { name: 'side', data: n }))
      return {
        change: appendOf(session, entries),
        step: onSession(session, now => ({ ...now, entries: [...now.entries, ...entries.map(entry => entry.id)] })),
      }
    }
    case 2:
    case 3: {
      const parentId = told?.leaf ?? ids('ent')
      const token = Math.max(0, (told?.token ?? 0) - near + (random.number() < 0.2 ? 1 : 0))
      const entry = entryOf(ids, 'message_added', textMessage('said'), { parentId, at: startOfTime + 1 })
      const expectLeaf = random.number() < 0.5 ? undefined : parentId
      return {
        change: appendOf(session, [entry], {
          fence: { session, owner, token },
          ...(expectLeaf === undefined ? {} : { expectLeaf }),
        }),
        step: onSession(session, now => {
          if (now.owner !== owner || now.token !== token) return 'store.fenced'
          if (expectLeaf !== undefined && now.leaf !== expectLeaf) return 'store.conflict'
          return { ...now, entries: [...now.entries, entry.id], leaf: entry.id }
        }),
      }
    }
    case 4:
      return {
        change: { type: 'acquire', session, owner, leaseMs: 3_600_000 },
        step: onSession(session, now => {
          if (now.owner === owner) return now
          return now.owner === null ? { ...now, owner, token: now.token + 1 } : 'session.busy'
        }),
      }
    case 5: {
      const token = told?.token ?? 0
      return {
        change: { type: 'release', fence: { session, owner, token } },
        step: world => {
          const now = world.sessions.get(session)
          return now?.owner === owner && now.token === token
            ? { ...world, sessions: new Map(world.sessions).set(session, { ...now, owner: null }) }
            : world
        },
      }
    }
    case 6: {
      const seq = (told?.entries.length ?? 0) + near - 1
      const expect = told?.mark ?? 0
      return {
        change: { type: 'put_watermark', session, reader: 'model', seq: Math.max(0, seq), expect },
        step: onSession(session, now => {
          if (now.mark !== expect) return 'store.conflict'
          return Math.max(0, seq) > now.entries.length ? 'input.invalid' : { ...now, mark: Math.max(0, seq) }
        }),
      }
    }
    default: {
      const key = pick(keys)
      const expectVersion = (world.records.get(key) ?? 0) + (random.number() < 0.2 ? 1 : 0)
      return {
        change: { type: 'put_record', collection: 'model', key, value: expectVersion, expectVersion },
        step: now =>
          (now.records.get(key) ?? 0) === expectVersion
            ? { ...now, records: new Map(now.records).set(key, expectVersion + 1) }
            : 'store.conflict',
      }
    }
  }
}

/** All of a commit's steps, or why and where it is refused. */
function foretell(
  world: World,
  moves: readonly Move[],
): { readonly world: World; readonly code?: ErrorCode; readonly change?: number } {
  let next = world
  for (const [change, { step }] of moves.entries()) {
    const after = step(next)
    if (typeof after === 'string') return { world, code: after, change }
    next = after
  }
  return { world: next }
}

async function compare({ t }: Setting, names: readonly SessionId[], world: World): Promise<void> {
  for (const name of names) {
    const told = world.sessions.get(name)
    const row = await t.session(name)
    const entries = await t.entries(name, { limit: 1_000 })
    equal(
      row && [row.seq, row.leafId, row.lease.owner, row.lease.token],
      told && [told.entries.length, told.leaf, told.owner, told.token],
    )
    equal(
      entries.map(entry => [entry.seq, entry.id]),
      (told?.entries ?? []).map((id, index) => [index + 1, id]),
    )
    equal(await t.watermark(name, 'model'), told?.mark ?? 0)
  }
  for (const key of keys) equal((await t.record('model', key))?.version ?? 0, world.records.get(key) ?? 0)
}

/** Commits drawn at random, some together, agree with the model: refused where it says, and otherwise with all of their effects. */
async function live(setting: Setting, seed: number, rounds: number): Promise<void> {
  const random = seededRandom(seed)
  const names = [setting.ids('ses'), setting.ids('ses')]
  let world: World = { sessions: new Map(), records: new Map() }
  let refusals = 0
  for (const _round of numbers(1, rounds)) {
    const foretold: ReturnType<typeof foretell>[] = []
    const commits: Promise<unknown>[] = []
    for (const _commit of numbers(0, Math.floor(random.number() * 4))) {
      const moves = numbers(0, Math.floor(random.number() * 3)).map(() => drawMove(setting, random, names, world))
      const told = foretell(world, moves)
      world = told.world
      foretold.push(told)
      commits.push(setting.t.commit(moves.map(move => move.change)))
    }
    const outcomes = await Promise.allSettled(commits)
    for (const [index, outcome] of outcomes.entries()) {
      const { code, change } = foretold[index] ?? { world }
      const error: unknown = outcome.status === 'rejected' ? outcome.reason : undefined
      equal(isSkeinError(error) ? error.code : error, code)
      if (isSkeinError(error) && code === 'store.conflict') equal(error.details['change'], change)
      if (code !== undefined) refusals++
    }
  }
  await compare(setting, names, world)
  ok(refusals > 0 && world.sessions.size > 0, 'a run that refuses nothing or makes nothing proves nothing')
}

export function modelling(law: Law): void {
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    law('J5 J17 J19', `commits drawn at random agree with a simple model (seed ${seed})`, setting => live(setting, seed, 60))
  }
}
