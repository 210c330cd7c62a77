import { scriptedModel } from '#models'
import { memoryStore } from '#journal'
import { openSkein, type Session, type Skein, type SkeinOptions } from '#skein'
import { verifies } from '#verifies'
import { afterEach, describe, expect, it } from 'vitest'

const opened: Skein[] = []
afterEach(async () => {
  for (const skein of opened.splice(0)) await skein.close()
})

async function open(options: SkeinOptions = {}): Promise<Skein> {
  const skein = await openSkein({ store: 'memory:', worker: false, ...options })
  opened.push(skein)
  return skein
}

/** A step that answers once it is let to. */
function gated(text: string): { readonly step: { delay: Promise<void>; text: string }; readonly answer: () => void } {
  let answer = (): void => undefined
  const delay = new Promise<void>(resolve => (answer = resolve))
  return { step: { delay, text }, answer }
}

describe('closing', () => {
  const verbs: Record<string, (session: Session) => Promise<unknown>> = {
    append: session => session.append({ role: 'user', content: 'x' }),
    record: session => session.record({ user: 'x', assistant: 'y' }),
    annotate: session => session.annotate({ tags: ['x'] }),
    end: session => session.end('over'),
    fork: session => session.fork(),
  }
  for (const [name, verb] of Object.entries(verbs)) {
    verifies('S16', `waits for ${name}, which had begun`, async () => {
      const session = await (await open()).sessions.create()
      const begun = verb(session)
      await session.close()
      await expect(begun).resolves.toBeDefined()
      await expect(verb(session)).rejects.toMatchObject({ code: 'session.closed' })
    })
  }

  verifies('S16', 'waits for a label, which had begun', async () => {
    const session = await (await open()).sessions.create()
    const [root] = await session.entries()
    const begun = session.label(root?.id ?? 'ent_', 'first')
    await session.close()
    expect(await begun).toEqual({ label: 'first' })
  })
})

describe('evicting', () => {
  verifies('S6', 'keeps one object of a session that somebody still holds, so a run is not written into', async () => {
    const { step, answer } = gated('answer')
    const { sessions } = await open()
    const session = await sessions.create({ modelOverride: scriptedModel([step]) })
    expect(await sessions.evict({ id: session.id })).toEqual([session.id])
    const again = await sessions.open(session.id)
    const run = session.send('question')
    await run.receipt
    await expect(again.append({ role: 'user', content: 'between' })).rejects.toMatchObject({ code: 'session.busy' })
    answer()
    await run.result()
    expect((await again.messages()).map(message => message.role)).toEqual(['user', 'assistant'])
  })

  verifies('S6', 'counts an object that is used again among the open ones', async () => {
    const { sessions } = await open()
    const session = await sessions.create()
    await sessions.evict({ id: session.id })
    expect((await sessions.list({ open: true })).items).toEqual([])
    await session.rename('used')
    expect((await sessions.list({ open: true })).items.map(info => info.id)).toEqual([session.id])
  })

  verifies('S6', 'drops the one that was used least recently, by what was done last and not by a clock', async () => {
    const { sessions } = await open({ sessions: { liveMax: 2, idleMs: 900_000 }, clock: { now: () => 1_700_000_000_000 } })
    const [first, second] = [await sessions.create(), await sessions.create()]
    await first.append({ role: 'user', content: 'x' })
    const third = await sessions.create()
    const kept = new Set((await sessions.list({ open: true })).items.map(info => info.id))
    expect(kept).toEqual(new Set([first.id, third.id]))
    expect(await second.conversation()).toEqual([])
  })
})

describe('a run that goes on', () => {
  it('tells its end in a session that was ended meanwhile', async () => {
    const { step, answer } = gated('late')
    const session = await (await open()).sessions.create({ modelOverride: scriptedModel([step, 'next']) })
    const run = session.send('question')
    await run.receipt
    await session.end('over')
    answer()
    expect(await run.result()).toMatchObject({ status: 'done', text: 'late' })
    const types: string[] = []
    for await (const event of run) types.push(event.type)
    expect(types.at(-1)).toBe('run_ended')
    expect((await session.info()).running).toBeNull()
    await expect(session.send('again').result()).rejects.toMatchObject({ code: 'session.ended' })
  })

  verifies('S12', 'is cancelled by a delete and ended in the journal that comes back', async () => {
    const { sessions } = await open()
    const session = await sessions.create({ modelOverride: scriptedModel([{ text: 'half', hang: true }]) })
    const run = session.send('question')
    for await (const event of run) if (event.type === 'text_delta') break
    await sessions.delete(session.id)
    expect(await run.result()).toMatchObject({ status: 'cancelled', text: 'half' })
    const back = await sessions.restore(session.id)
    expect((await back.info()).running).toBeNull()
    expect((await back.messages()).at(-1)).toMatchObject({ role: 'assistant', parts: [{ text: 'half' }] })
  })

  for (const held of [true, false]) {
    verifies('J41', `writes nothing once another has taken over${held ? '' : ' and given the lease up'}`, async () => {
      let now = 1_700_000_000_000
      const clock = { now: () => now }
      const store = memoryStore({ clock })
      // No timer fires: this process is asleep, as far as renewing goes.
      const timers = { after: () => () => undefined }
      const { step, answer } = gated('stale')
      const asleep = await openSkein({ store, clock, timers, worker: false })
      const session = await asleep.sessions.create({ modelOverride: scriptedModel([step]) })
      const run = session.send('first')
      for await (const event of run) if (event.type === 'step_requested') break
      now += 3_600_000
      const other = await openSkein({ store, clock, timers, worker: false })
      const taken = await other.sessions.open(session.id)
      await taken.append({ role: 'user', content: 'mine now' })
      if (!held) await taken.close()
      const before = await session.info()
      answer()
      expect(await run.result()).toMatchObject({ status: 'failed', reason: 'lease_lost' })
      expect((await session.info()).seq).toBe(before.seq)
    })
  }
})

describe('what is told', () => {
  verifies('S23', 'of a failing handler of notices is not told to that handler', async () => {
    const notices: string[] = []
    const session = await (await open({ onNotice: notice => notices.push(notice.code) })).sessions.create()
    let calls = 0
    session.on('notice', () => {
      calls++
      throw new Error('no')
    })
    session.on('session_titled', () => Promise.reject(new Error('no')))
    await session.rename('a')
    await expect.poll(() => notices.length).toBe(2)
    await session.rename('b')
    await expect.poll(() => notices.length).toBe(4)
    expect(calls).toBe(2)
  })

  verifies('S23', 'to a handler is what comes after it was set, of live events, too', async () => {
    const { step, answer } = gated('x')
    const session = await (await open()).sessions.create({ modelOverride: scriptedModel([step]) })
    const run = session.send('question')
    for await (const event of run) if (event.type === 'step_requested') break
    const seen: string[] = []
    session.on('step_requested', event => seen.push(event.type))
    session.on('text_delta', event => seen.push(event.type))
    answer()
    await run.result()
    await expect.poll(() => seen).toEqual(['text_delta'])
  })

  it('to a listener that fails stops nothing', async () => {
    for (const onNotice of [() => Promise.reject(new Error('later')), () => JSON.parse('no') as unknown]) {
      const session = await (await open({ onNotice, env: {} })).sessions.create()
      expect((await session.send('x').result()).status).toBe('done')
    }
  })

  verifies('S18', 'of a session is not shown in another tenant that has one of the same id', async () => {
    const skein = await open()
    const mine = await skein.sessions.create()
    const { session: theirs } = await skein.in('other').sessions.import('skein', await mine.export('skein'))
    expect(theirs.id).toBe(mine.id)
    const seen: string[] = []
    theirs.on('notice', event => seen.push(event.type))
    const own: string[] = []
    mine.on('notice', event => own.push(event.type))
    mine.on('session_titled', () => Promise.reject(new Error('no')))
    await mine.rename('a')
    await expect.poll(() => own).toEqual(['notice'])
    await theirs.rename('b')
    expect(seen).toEqual([])
  })
})

describe('one key, many at once', () => {
  verifies('J23', 'forks once', async () => {
    const { sessions } = await open()
    const session = await sessions.create()
    const forks = await Promise.all(Array.from({ length: 5 }, () => session.fork({ idempotencyKey: 'k' })))
    expect(new Set(forks.map(fork => fork.id)).size).toBe(1)
    expect((await sessions.list()).items.length).toBe(2)
  })
})
