import type { ContextHook } from '#context'
import type { Entry, Message } from '#journal'
import { manualTimers } from '#kernel'
import { scriptedModel } from '#models'
import type { Session } from '#skein'
import { describe, expect } from 'vitest'
import { verifies } from '#verifies'
import { everyEntry } from './branch-proof.ts'
import { memoryPlace } from './stores.ts'

const notes = async (session: Session): Promise<Entry[]> =>
  (await everyEntry(session, false)).filter(({ type }) => type === 'context_noted')
const textsOf = async (session: Session, input?: string): Promise<string[]> => {
  const { messages } = await session.context({ compact: false, format: 'skein', ...(input === undefined ? {} : { input }) })
  return (messages as Message[]).flatMap(({ parts }) => parts.flatMap(part => (part.type === 'text' ? part.text : [])))
}

interface Told {
  readonly code: string
  readonly message: string
}

async function room(
  contextHooks: readonly ContextHook[],
): Promise<{ session: Session; told: Told[]; timers: ReturnType<typeof manualTimers> }> {
  const place = await memoryPlace()
  const timers = manualTimers()
  const told: Told[] = []
  const skein = await place.open({ contextHooks, timers, onNotice: notice => told.push(notice) })
  return { session: await skein.sessions.create({ system: 'Be brief.' }), told, timers }
}

describe('a hook of the context', () => {
  verifies('C30', 'that throws, or gives what is no text, leaves the request valid and a notice without its text', async () => {
    const { session, told } = await room([
      { name: 'thrower', place: 'head', render: () => Promise.reject(new Error('the secret reason')) },
      { name: 'liar', place: 'turn', render: () => 42 as never },
      { name: 'good', place: 'turn', render: () => 'It is Monday.' },
    ])
    expect(await textsOf(session, 'Hi.')).toEqual(['It is Monday.', 'Hi.'])
    await session.record({ user: 'Hi.', assistant: 'Hello.' })
    expect((await notes(session)).map(({ data }) => (data as { name: string }).name)).toEqual(['good'])
    expect(await textsOf(session)).toEqual(['It is Monday.', 'Hi.', 'Hello.'])
    const failed = told.filter(({ code }) => code === 'context.hook_failed')
    expect(new Set(failed.map(({ message }) => /hook (\w+)/.exec(message)?.[1]))).toEqual(new Set(['thrower', 'liar']))
    expect(JSON.stringify(told)).not.toContain('secret')
  })

  verifies('C30', 'that takes longer than 2 s is told to stop, and the request goes on without it', async () => {
    let stopped = false
    const entered = Promise.withResolvers<undefined>()
    const hanging: ContextHook = {
      name: 'slow',
      place: 'turn',
      render: async ({ signal }) => {
        entered.resolve(undefined)
        return await new Promise(() => signal.addEventListener('abort', () => (stopped = true), { once: true }))
      },
    }
    const { session, told, timers } = await room([hanging])
    const asked = textsOf(session, 'Hi.')
    await entered.promise
    timers.ring(2_000)
    expect(await asked).toEqual(['Hi.'])
    expect(stopped).toBe(true)
    expect(told.map(({ code }) => code)).toEqual(['context.hook_failed'])
  })

  verifies('C30 C93', 'is stored once for what it says, with the turn that comes next, and never by asking', async () => {
    let text = 'Monday.'
    const { session } = await room([{ name: 'day', place: 'turn', render: () => text }])
    for (let n = 0; n < 3; n++) await session.context({ input: 'Hi.' })
    expect(await notes(session)).toEqual([])
    for (let n = 0; n < 3; n++) {
      expect((await textsOf(session, 'Hi.')).filter(shown => shown === 'Monday.')).toHaveLength(1)
      await session.record({ user: `Hi ${n}.`, assistant: 'Hello.' })
    }
    expect(await notes(session)).toHaveLength(1)
    text = 'Tuesday.'
    const run = session.send('And now?', { model: scriptedModel(['Tuesday it is.']) })
    await run.result()
    const [, changed] = await notes(session)
    const begun = (await everyEntry(session, false)).findLast(({ type }) => type === 'turn_started')
    expect(changed).toMatchObject({
      data: { name: 'day', place: 'turn', text: 'Tuesday.' },
      turn: begun?.turn,
      parentId: begun?.id,
    })
    await session.record({ user: 'Bye.', assistant: 'Bye.' })
    expect(await notes(session)).toHaveLength(2)
    expect((await textsOf(session)).slice(0, 2)).toEqual(['Monday.', 'Hi 0.'])
  })

  verifies('C30', 'takes at most 4,000 tokens', async () => {
    const { session } = await room([{ name: 'long', place: 'head', render: () => 'so many words '.repeat(5_000) }])
    const { tokens } = await session.context({ input: 'Hi.', compact: false })
    expect(tokens.notes).toBeGreaterThan(3_500)
    expect(tokens.notes).toBeLessThanOrEqual(4_010)
  })
})
