import { memoryStore, type Store } from '#journal'
import { createIds, manualClock } from '#kernel'
import { openSkein } from '#skein'
import { processOwner } from '#stores/sqlite'
import { describe, expect, it } from 'vitest'
import { type Deed, perform, type Stage, tenant } from './deeds.ts'
import type { Effect, Told } from './diary.ts'
import { inherit, judgeHolds, judgeSearch, retryKeyed } from './heirs.ts'
import { Judge, judgeJobs } from './judge.ts'
import { Ledger } from './ledger.ts'

/** A store in memory, and a writer of it whose diary can be made to lie: what the store did not do, the store has lost. */
async function scene(store: Store = memoryStore({ clock: manualClock() })) {
  const clock = manualClock()
  const skein = await openSkein({ store, clock, worker: false })
  const stage: Stage = { store, faces: [skein, skein], clock, ids: createIds({ clock }), owner: processOwner }
  const told: Told[] = []
  const tell = (deed: Deed, acks: readonly Effect[], outcome: Told['outcome'] = 'acknowledged'): void =>
    void told.push({ n: told.length, author: 'a', deed, acks, outcome })
  const act = async (deed: Deed, outcome?: Told['outcome']): Promise<Effect> => {
    const effect = await perform(deed, stage)
    tell(deed, outcome === undefined ? [effect] : [], outcome)
    return effect
  }
  const { session = 'ses_' } = await act({ verb: 'create', alias: 'one', key: 'k0', mark: 'm0' })
  const say = (mark: string, key?: string): Deed => ({
    verb: 'append',
    session,
    mark,
    texts: [
      { mark, size: 20 },
      { mark, size: 5_000 },
    ],
    ...(key === undefined ? {} : { key }),
  })
  const ledger = new Ledger()
  const verdict = async (then?: (judge: Judge) => Promise<void>): Promise<readonly string[]> => {
    const judge = new Judge(ledger, stage, told)
    await judge.judge()
    await then?.(judge)
    return ledger.violations.splice(0).map(({ breach }) => breach)
  }
  return { stage, session, say, act, tell, verdict, ledger }
}

describe('the judge of the crash tests', () => {
  it('finds nothing where everything is as it was told', async () => {
    const { act, say, verdict, session } = await scene()
    await act(say('m1'))
    await act({ verb: 'record', session, mark: 'm2', size: 30, usage: true, key: 'k2' })
    await act(say('m3', 'k3'), 'unknown')
    await act({ verb: 'fork', session, mark: 'm4', key: 'k4' })
    expect(await verdict(retryKeyed)).toEqual([])
  })

  it('finds what was acknowledged and is not there', async () => {
    const { say, tell, verdict } = await scene()
    tell(say('m1'), [{ entries: [{ id: 'ent_x', seq: 2, hash: 'x' }] }])
    expect(await verdict()).toEqual(['lost', 'lost'])
  })

  it('finds a session that was acknowledged and is not there', async () => {
    const { stage, tell, verdict } = await scene()
    tell({ verb: 'create', alias: 'two', key: 'k', mark: 'm1' }, [{ session: stage.ids('ses') }])
    expect(await verdict()).toContain('lost')
  })

  it('finds what was done twice', async () => {
    const { stage, act, say, verdict } = await scene()
    const deed = say('m1')
    await act(deed)
    await perform(deed, stage)
    expect(await verdict()).toEqual(['doubled'])
  })

  it('finds what was altered after its acknowledgement', async () => {
    const { stage, say, tell, verdict } = await scene()
    const deed = say('m1')
    const { entries = [] } = await perform(deed, stage)
    tell(deed, [{ entries: entries.map(entry => ({ ...entry, hash: 'other' })) }])
    expect(await verdict()).toEqual(['altered', 'altered'])
  })

  it('finds half of what was one commit', async () => {
    const { stage, say, tell, verdict } = await scene()
    const deed = say('m1')
    if (deed.verb !== 'append') return
    await perform({ ...deed, texts: deed.texts.slice(0, 1) }, stage)
    tell(deed, [], 'unknown')
    expect(await verdict()).toEqual(['half'])
  })

  it('finds what was refused and is there all the same', async () => {
    const { act, say, verdict } = await scene()
    await act(say('m1'), 'refused')
    expect(await verdict()).toEqual(['answer'])
  })

  it('finds an order that is not the one in which it was told', async () => {
    const { stage, say, tell, verdict } = await scene()
    const [first, second] = [say('m1'), say('m2')]
    const later = await perform(second, stage)
    tell(first, [await perform(first, stage)])
    tell(second, [later])
    expect(await verdict()).toEqual(['reordered', 'reordered'])
  })

  it('finds an arrival without its job', async () => {
    const { stage, tell, verdict } = await scene()
    const deed: Deed = {
      verb: 'arrive',
      session: stage.ids('ses'),
      route: 'r',
      job: stage.ids('job'),
      entry: stage.ids('ent'),
      mark: 'm1',
    }
    const effect = await perform(deed, stage)
    tell({ ...deed, job: stage.ids('job') }, [effect])
    expect(await verdict()).toEqual(['half'])
  })

  it('finds a job that is done without its effect', async () => {
    const { stage, act, verdict, ledger } = await scene()
    const job = stage.ids('job')
    await act({ verb: 'arrive', session: stage.ids('ses'), route: 'r', job, entry: stage.ids('ent'), mark: 'm1' })
    const { fence = 0 } = (await stage.store.claim({ 'crash.job': 1 }, 'w', 1_000)) ?? {}
    await stage.store.in(tenant).commit([{ type: 'complete', job, fence }])
    expect(await verdict(() => judgeJobs(ledger, stage))).toEqual(['half'])
  })

  it('finds a key whose retry is answered with something else', async () => {
    const { act, say, verdict, stage, tell } = await scene()
    const deed = say('m1', 'k1')
    await act(say('m2'))
    await perform(deed, stage)
    tell(deed, [{ entries: [] }])
    expect(await verdict(retryKeyed)).toContain('answer')
  })

  it('finds a lease that a dead writer still keeps, and one that a living writer has lost', async () => {
    const { act, stage, session, verdict } = await scene()
    const t = stage.store.in(tenant)
    await act({ verb: 'hold', session, owner: 'somewhere else', mark: 'm1' })
    expect(await verdict(judge => judgeHolds(judge, false))).toEqual(['fence'])
    expect(await verdict(judge => inherit(judge, session, 'm2'))).toContain('fence')
    expect(await verdict(judge => judgeHolds(judge, true))).not.toContain('fence')
    const { lease } = (await t.session(session)) ?? {}
    await t.release({ session, owner: lease?.owner ?? '', token: lease?.token ?? 0 })
    expect(await verdict(judge => judgeHolds(judge, true))).toContain('fence')
  })

  it('finds an entry that search does not', async () => {
    const store = memoryStore({ clock: manualClock() })
    const deaf: Store = { ...store, in: name => ({ ...store.in(name), search: async () => ({ hits: [] }) }) }
    const { act, say, verdict } = await scene(deaf)
    await act(say('m1'))
    expect(await verdict(judge => judgeSearch(judge, 3))).toEqual(['search'])
  })

  it('finds at the recount what has gone or changed since it was first seen', async () => {
    const { act, say, stage, session, verdict, ledger } = await scene()
    await act(say('m1'))
    await verdict()
    const t = stage.store.in(tenant)
    await t.commit([{ type: 'erase_entries', session, seqs: [2] }])
    expect(await verdict(() => ledger.recount(t))).toContain('altered')
    await t.commit([{ type: 'erase_session', session }])
    await ledger.recount(t)
    expect(ledger.violations.map(({ breach }) => breach)).toContain('lost')
  })
})
