import { isSkeinError, type SessionId } from '#kernel'
import { type Deed, leaseMs, perform, tenant } from './deeds.ts'
import { seen, type Told } from './diary.ts'
import type { Judge } from './judge.ts'

const repeatable: ReadonlySet<Deed['verb']> = new Set(['create', 'append', 'record', 'fork'])

/** Sessions whose branch the dead writer was extending, newest first, but for one that other writers extend, too. */
export function estate(judge: Judge, common: SessionId | undefined): SessionId[] {
  const extended = judge.told.flatMap(({ deed }) =>
    deed.verb === 'append' || deed.verb === 'record' || deed.verb === 'seize' ? [deed.session] : [],
  )
  return [...new Set(extended.reverse())].filter(id => id !== common && judge.presence(id) === 'active')
}

/** Every verb with a key whose answer never came, and the last that was answered: done again, twice, each has one effect and one answer. */
export async function retryKeyed(judge: Judge): Promise<void> {
  const keyed = judge.told.filter(({ deed }) => repeatable.has(deed.verb) && 'key' in deed && deed.key !== undefined)
  const answered = keyed.findLast(told => told.outcome === 'acknowledged')
  for (const told of [
    ...keyed.filter(candidate => candidate.outcome === 'unknown'),
    ...(answered === undefined ? [] : [answered]),
  ]) {
    const about = await judge.sessionOf(told)
    if (about !== undefined && judge.presence(about) !== 'active') continue
    await retry(judge, told)
  }
}

async function retry(judge: Judge, told: Told): Promise<void> {
  const { ledger, stage } = judge
  const { deed } = told
  try {
    const first = await perform(deed, stage)
    const again = await perform(deed, stage)
    const [before = first] = told.acks
    for (const answer of [first, again]) {
      if (JSON.stringify([answer.session, answer.entries]) !== JSON.stringify([before.session, before.entries]))
        ledger.breach(
          'answer',
          `${deed.mark} (${deed.verb}) was answered ${JSON.stringify(answer)} after ${JSON.stringify(before)}`,
        )
    }
    if (first.session !== undefined) await judge.read(first.session)
    const retried: Told = { ...told, acks: [first], outcome: 'acknowledged' }
    await judge.judgeOne(retried)
  } catch (error) {
    if (!isSkeinError(error)) throw error
    ledger.breach('answer', `${deed.mark} (${deed.verb}), done again, was refused with ${error.code}: ${error.message}`)
  }
}

/** Law S21: whoever comes after a dead writer writes at once. No time has passed on the store's clock. */
export async function inherit(judge: Judge, session: SessionId, mark: string): Promise<void> {
  const { ledger, stage } = judge
  const before = ledger.known.get(session)?.entries.length ?? 0
  const deed: Deed = { verb: 'append', session, mark, texts: [{ mark, size: 30 }] }
  try {
    const effect = await perform(deed, stage)
    const [entry] = effect.entries ?? []
    if (entry === undefined || entry.seq !== before + 1)
      ledger.breach('reordered', `${mark} went to ${entry?.seq} of ${session} after ${before}`)
    await judge.read(session)
  } catch (error) {
    if (!isSkeinError(error)) throw error
    ledger.breach('fence', `${session} of a dead writer refused ${mark} with ${error.code}`)
  }
}

/** A lease that a writer had taken for good: held while it lives, free once it is dead, and its fence worth nothing from then on. Law J41. */
export async function judgeHolds(judge: Judge, alive: boolean): Promise<void> {
  const { ledger, stage } = judge
  const t = stage.store.in(tenant)
  for (const { deed, acks } of judge.told) {
    const token = acks[0]?.token
    if (deed.verb !== 'hold' || token === undefined) continue
    const granted = await t.acquire(deed.session, stage.owner(), leaseMs).catch((error: unknown) => error)
    const code = isSkeinError(granted) ? granted.code : 'granted'
    if (alive) {
      if (code !== 'session.busy') ledger.breach('fence', `the lease of a living writer of ${deed.session} was ${code}`)
      continue
    }
    const next = await t.session(deed.session)
    if (code !== 'granted' || next?.lease.token !== token + 1) {
      ledger.breach(
        'fence',
        `after token ${token} of a dead writer ${deed.session} answered ${code}, token ${next?.lease.token ?? 'none'}`,
      )
      continue
    }
    const late: Deed = {
      verb: 'intrude',
      session: deed.session,
      mark: `${deed.mark}late`,
      fence: { session: deed.session, owner: deed.owner, token },
    }
    const refused = await perform(late, stage).catch((error: unknown) => error)
    if (!isSkeinError(refused) || refused.code !== 'store.fenced')
      ledger.breach('fence', `a dead writer's fence still extends ${deed.session}`)
    const { entries = [] } = ledger.known.get(deed.session) ?? {}
    const now = (await t.entries(deed.session)).map(seen)
    if (now.length !== entries.length) ledger.breach('fence', `a refused write left something in ${deed.session}`)
    await judge.read(deed.session)
  }
}

/** Law J46: what was acknowledged is found by the next search. */
export async function judgeSearch(judge: Judge, count: number): Promise<void> {
  const { ledger, stage } = judge
  const spoken = judge.told.filter(
    ({ deed, outcome }) => deed.verb === 'append' && outcome === 'acknowledged' && judge.found(deed.session, deed).length > 0,
  )
  for (const { deed } of spoken.slice(-count)) {
    if (deed.verb !== 'append') continue
    const [entry] = judge.found(deed.session, deed)
    const { hits, behind } = await stage.store.in(tenant).search({ query: deed.mark })
    if (!hits.some(hit => hit.entry === entry?.id) && behind === undefined)
      ledger.breach('search', `${deed.mark} in ${deed.session} is not found`)
  }
}
