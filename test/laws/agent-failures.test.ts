import { isType } from '#journal'
import { SkeinError } from '#kernel'
import type { Store } from '#journal'
import { scriptedModel } from '#models'
import { openSkein, type Session, type Skein } from '#skein'
import { describe, expect } from 'vitest'
import { verifies } from '#verifies'
import { call, said, tool, typesOf } from './agent-talk.ts'
import { onEveryStore } from './stores.ts'

/** A store that refuses every write from the nth after it was armed, or that one alone. */
function refusing(store: Store): { readonly store: Store; arm(nth: number, more?: 'once'): void; writes(): number } {
  let left = Number.POSITIVE_INFINITY
  let once = false
  let writes = 0
  const refuse = (): void => {
    writes++
    if (--left > 0 || (once && left < 0)) return
    throw new SkeinError('store.unavailable', 'The disk is full.', { retryable: true } as never)
  }
  const wrapped: Store = new Proxy(store, {
    get(target, name) {
      if (name === 'close') return async () => undefined
      if (name !== 'in') return bound(target, name)
      return (tenant: string) =>
        new Proxy(target.in(tenant), {
          get: (own, member) =>
            member === 'commit'
              ? async (changes: readonly { readonly type: string }[], ...more: never[]) => {
                  if (changes.some(({ type }) => type === 'append')) refuse()
                  return await own.commit(changes as never, ...more)
                }
              : bound(own, member),
        })
    },
  })
  return {
    store: wrapped,
    arm: (nth, more) => {
      left = nth
      once = more === 'once'
      writes = 0
    },
    writes: () => writes,
  }
}

function bound<T extends object>(target: T, name: string | symbol): unknown {
  const member = Reflect.get(target, name) as unknown
  return typeof member === 'function' ? (member.bind(target) as unknown) : member
}

onEveryStore('a store that refuses', place => {
  verifies('A18', 'ends the run, at whatever write: no tool begins behind it, and no view shows what was refused', async () => {
    const at = await place()
    for (const once of ['once', undefined] as const) {
      for (let nth = 1; ; nth++) {
        const faulty = refusing(await at.store())
        const skein = await openSkein({ store: faulty.store, clock: at.clock, worker: false })
        const begun: number[] = []
        const touch = tool('touch', () => begun.push(faulty.writes()))
        const model = scriptedModel([{ text: 'Let me.', calls: [call('touch')] }, 'fine'])
        const session = await skein.sessions.create({ modelOverride: model, tools: [touch] })
        const run = session.send('go')
        await run.receipt
        faulty.arm(nth, once)
        const result = await run.result()
        const refusedAt = nth
        faulty.arm(Number.POSITIVE_INFINITY)
        if (result.status === 'done') {
          await skein.close()
          expect(nth).toBeGreaterThan(3)
          break
        }
        expect(result, `write ${nth}`).toMatchObject({
          status: 'failed',
          reason: 'store_error',
          error: { code: 'store.unavailable' },
        })
        expect(begun.every(writes => writes < refusedAt)).toBe(true)
        await proveViews(session)
        await skein.close()
        const again = await at.open()
        const opened = await again.sessions.open(session.id)
        await proveViews(opened)
        const answer = scriptedModel(['Still here.'])
        expect(await opened.send('and now?', { model: answer }).result(), `write ${nth}`).toMatchObject({ status: 'done' })
        const shown = JSON.stringify(answer.requests[0]?.messages)
        for (const entry of await opened.entries({ types: ['message_added'] }))
          if (isType(entry, 'message_added') && entry.data.role === 'user') expect(shown).toContain(said(entry.data))
        await again.close()
      }
    }
  })
})

/** What is shown is what is written, and nothing is torn. */
async function proveViews(session: Session): Promise<void> {
  const kept = (await session.entries({ limit: 1_000 })).filter(entry => entry.type === 'message_added').map(({ id }) => id)
  expect((await session.conversation()).map(({ id }) => id)).toEqual(kept)
  expect((await session.audit()).findings).toEqual([])
  const { messages } = await session.context({ compact: false })
  expect(messages.length).toBeGreaterThan(0)
}

onEveryStore('a context that is too long', place => {
  const info = { contextWindow: 8_000, maxOutput: 1_000 }
  const overflow = { failure: new SkeinError('provider.overflow', 'Too long.') }
  const long = async (skein: Skein, model: ReturnType<typeof scriptedModel>, more: object = {}): Promise<Session> => {
    const session = await skein.sessions.create({ modelOverride: model, ...more })
    for (let n = 0; n < 12; n++)
      await session.record({
        user: `Question ${n}: ${'what about it? '.repeat(40)}`,
        assistant: `Answer ${n}: ${'so it is. '.repeat(50)}`,
      })
    return session
  }
  const open = async (): Promise<Skein> =>
    await (await place()).open({ context: { summarizer: 'deterministic', keepTokens: 500 } })
  const causes = async (session: Session): Promise<unknown[]> =>
    (await session.entries({ types: ['compaction_ended'] })).map(({ data }) => (data as { trigger?: unknown }).trigger)

  verifies('A32', 'is compacted once and asked for once more', async () => {
    const model = scriptedModel([overflow, 'It fits.'], { info })
    const session = await long(await open(), model)
    expect(await session.send('and now?').result()).toMatchObject({ status: 'done', text: 'It fits.', steps: 1 })
    expect(model.requests).toHaveLength(2)
    expect(await causes(session)).toEqual(['overflow'])
    expect(JSON.stringify(model.requests[1]).length).toBeLessThan(JSON.stringify(model.requests[0]).length)
  })

  verifies('A32', 'blocks the run when the provider says so again', async () => {
    const model = scriptedModel([overflow, overflow, 'never'], { info })
    const session = await long(await open(), model)
    expect(await session.send('and now?').result()).toMatchObject({
      status: 'blocked',
      reason: 'context_overflow',
      error: { code: 'context.exhausted' },
    })
    expect(model.requests).toHaveLength(2)
    expect(await causes(session)).toEqual(['overflow'])
  })

  verifies('A32', 'is never sent where nothing can make it fit', async () => {
    const model = scriptedModel(['never'], { info })
    const session = await long(await open(), model, { system: 'Obey. '.repeat(9_000) })
    expect(await session.send('and now?').result()).toMatchObject({
      status: 'blocked',
      reason: 'context_overflow',
      error: { code: 'context.exhausted' },
    })
    expect(model.requests).toHaveLength(0)
    expect((await typesOf(session)).filter(type => type === 'step_started')).toEqual([])
  })
})

describe('the store that refuses', () => {
  verifies('A18', 'lets nothing through that it refuses, and all else', async () => {
    const { memoryStore } = await import('#journal')
    const faulty = refusing(memoryStore())
    const skein = await openSkein({ store: faulty.store, worker: false })
    const session = await skein.sessions.create()
    faulty.arm(2, 'once')
    await session.append({ role: 'user', content: 'one' })
    await expect(session.append({ role: 'user', content: 'two' })).rejects.toMatchObject({ code: 'store.unavailable' })
    await session.append({ role: 'user', content: 'three' })
    expect((await session.messages()).map(message => said(message as never))).toEqual(['one', 'three'])
    await skein.close()
  })
})
