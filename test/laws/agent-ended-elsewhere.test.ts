import { isType } from '#journal'
import { manualTimers } from '#kernel'
import { scriptedModel } from '#models'
import type { Session } from '#skein'
import { expect } from 'vitest'
import { verifies } from '#verifies'
import { call, codeOf, fatesOf, gate, type Run, talk, tool } from './agent-talk.ts'
import { onEveryStore, type Place } from './stores.ts'

const halfWay = async (run: Run): Promise<void> => {
  for await (const event of run) if (event.type === 'text_delta') return
}

/** What stands in the store of a wish to end the run of a session. */
async function askedOf(here: Place, id: Session['id']): Promise<unknown> {
  const record = await (await here.store()).in('default').record('run', id)
  return (record?.value as { asked?: unknown } | undefined)?.asked
}

onEveryStore('a run that is ended from another process', (place: () => Promise<Place>) => {
  verifies('A19 A20', 'keeps what came so far, drops what waits for it, and lets the next turn run', async () => {
    const here = await place()
    const { session } = await talk(await here.open(), [{ text: 'half', hang: true }, 'after'])
    const run = session.send('go')
    await halfWay(run)
    const there = await (await here.open()).sessions.open(session.id)
    await there.followUp('more')
    const next = session.send('later', { delivery: 'next' })
    await next.receipt
    expect(await there.cancel()).toEqual({ cancelled: true })
    expect(await run.result()).toMatchObject({ status: 'cancelled', reason: 'user_cancelled', text: 'half' })
    expect(await next.result()).toMatchObject({ status: 'done', text: 'after' })
    expect(await fatesOf(session)).toEqual(['followUp: user_cancelled', 'next: delivered'])
    expect(await there.cancel()).toEqual({ cancelled: false })
    expect(await session.send('and on', { modelOverride: scriptedModel(['fine']) }).result()).toMatchObject({ text: 'fine' })
  })

  verifies('A19 A21', 'an abort waits for no deaf tool, and goes before a cancel that waits for it', async () => {
    const here = await place()
    const begun = gate()
    const deaf = tool('deaf', () => (begun.open(), new Promise(() => undefined)))
    const { session } = await talk(await here.open(), [{ calls: [call('deaf')] }], [deaf], { cancelGraceMs: 2_000_000 })
    const run = session.send('go')
    await begun.promise
    const there = await (await here.open()).sessions.open(session.id)
    const [cancelled, aborted] = await Promise.all([there.cancel(), there.abort()])
    expect([cancelled, aborted]).toEqual([{ cancelled: true }, { cancelled: true }])
    expect(await run.result()).toMatchObject({ status: 'cancelled', reason: 'aborted' })
    const [settled] = await session.entries({ types: ['effect_settled'] })
    expect(settled?.data).toMatchObject({ state: 'unknown' })
  })

  verifies('A56', 'its children end with it, in whatever process they go on', async () => {
    const here = await place()
    const hanging = () => scriptedModel([{ text: 'half', hang: true }])
    const skein = await here.open()
    const parent = await skein.sessions.create({ modelOverride: hanging() })
    const child = await parent.spawn()
    const other = await here.open()
    const run = parent.send('go')
    const childRun = (await other.sessions.open(child.id, { modelOverride: hanging() })).send('go')
    await halfWay(run)
    await halfWay(childRun)
    const third = await (await here.open()).sessions.open(parent.id)
    expect(await third.cancel()).toEqual({ cancelled: true })
    expect(await run.result()).toMatchObject({ reason: 'user_cancelled' })
    expect(await childRun.result()).toMatchObject({ status: 'cancelled', reason: 'parent_cancelled', text: 'half' })
  })

  verifies('A56', 'a session that only waits for its children ends them elsewhere', async () => {
    const here = await place()
    const parent = await (await here.open()).sessions.create({ modelOverride: scriptedModel([]) })
    const child = await parent.spawn()
    const other = await here.open()
    const run = (await other.sessions.open(child.id, { modelOverride: scriptedModel([{ text: 'half', hang: true }]) })).send('go')
    await halfWay(run)
    expect(await parent.cancel()).toEqual({ cancelled: true })
    expect(await run.result()).toMatchObject({ status: 'cancelled', reason: 'parent_cancelled' })
  })

  verifies('A33 A37', 'whoever finds it dead ends it as it was asked, and carries nothing of it out', async () => {
    const here = await place()
    for (const by of ['recover', 'send', 'cancel'] as const) {
      const begun = gate()
      const entered: string[] = []
      const hang = tool('hang', () => (begun.open(), new Promise(() => undefined)), { replay: 'safe' })
      // A process that stands still renews nothing and looks for nothing.
      const { session } = await talk(await here.open({ timers: manualTimers() }), [{ calls: [call('hang')] }], [hang])
      const run = session.send('go')
      await begun.promise
      const asking = await (await here.open({ timers: manualTimers() })).sessions.open(session.id)
      void asking.cancel().catch(() => undefined)
      const { id } = session
      await expect.poll(async () => askedOf(here, id)).toMatchObject({ how: 'cancel', reason: 'user_cancelled' })
      const again = tool('hang', () => void entered.push('hang'), { replay: 'safe' })
      const there = await (await here.open()).sessions.open(id, { modelOverride: scriptedModel(['on']), tools: [again] })
      here.clock.advance(120_000)
      if (by === 'recover') expect(await there.recover({ apply: true })).toEqual({ plan: null, run: null })
      if (by === 'send') expect(await there.send('on').result()).toMatchObject({ status: 'done', text: 'on' })
      if (by === 'cancel') expect(await there.cancel()).toEqual({ cancelled: true })
      const ended = (await there.entries({ types: ['run_ended', 'turn_ended'] })).slice(0, 2).map(({ data }) => data)
      expect(ended).toMatchObject(Array.from({ length: 2 }, () => ({ status: 'cancelled', reason: 'user_cancelled' })))
      expect(entered).toEqual([])
      expect(await askedOf(here, id)).toBeUndefined()
      await run.abort()
    }
  })

  verifies('A20', 'a turn that waits is taken back from where it was said, and never begins', async () => {
    const here = await place()
    const { session, model } = await talk(await here.open(), [{ text: 'half', hang: true }, 'never'])
    const run = session.send('go')
    await halfWay(run)
    const there = await (await here.open()).sessions.open(session.id, { modelOverride: scriptedModel([]) })
    const next = there.send('later', { delivery: 'next' })
    expect((await next.receipt).disposition).toBe('queued')
    await next.cancel()
    expect(await next.result()).toMatchObject({ status: 'cancelled', reason: 'user_cancelled', steps: 0 })
    await run.cancel()
    expect(await fatesOf(session)).toEqual(['next: user_cancelled'])
    expect(model.requests).toHaveLength(1)
    const kept = await (await here.store()).in('default').record('run', session.id)
    expect(kept).toBeUndefined()
  })

  verifies('A7 A12', 'a wish races the end of the run: it reaches that run or none', async () => {
    const here = await place()
    const skein = await here.open()
    const other = await here.open()
    for (let round = 0; round < 10; round++) {
      const { session } = await talk(skein, ['one', 'two'])
      const there = await other.sessions.open(session.id)
      const run = session.send('go')
      await run.receipt
      await Promise.all([there.cancel(), run.result()])
      expect(await session.send('on', { modelOverride: scriptedModel(['two']) }).result()).toMatchObject({ status: 'done' })
      expect(await codeOf(there.steer('late'))).toBe('run.not_running')
      const ended = (await session.entries()).filter(entry => isType(entry, 'run_ended'))
      expect(ended).toHaveLength(2)
    }
  })
})
