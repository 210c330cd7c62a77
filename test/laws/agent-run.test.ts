import { isType, type Message } from '#journal'
import { isSkeinError } from '#kernel'
import { type ScriptedModel, scriptedModel, type ScriptedStep } from '#models'
import type { Session, Skein } from '#skein'
import { describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { memoryPlace, type Place, sqlitePlace } from './stores.ts'

type Tools = NonNullable<Parameters<Skein['sessions']['create']>[0]>['tools']

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
  } catch (error) {
    return isSkeinError(error) ? error.code : String(error)
  }
  return 'resolved'
}

/** A promise that the test keeps when it likes. */
const gate = (): { readonly promise: Promise<void>; open(): void } => {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { promise, open: resolve }
}

const tool = (name: string, run: (input: never, call: never) => unknown, more: object = {}) =>
  ({ name, description: `Does ${name}.`, input: { type: 'object' }, run, ...more }) as const

const call = (name: string, input: object = {}): { tool: string; input: never } => ({ tool: name, input: input as never })

async function talk(
  skein: Skein,
  steps: readonly ScriptedStep[],
  tools: Tools = [],
  more: object = {},
): Promise<{ readonly session: Session; readonly model: ScriptedModel }> {
  const model = scriptedModel(steps)
  return { session: await skein.sessions.create({ modelOverride: model, tools, ...more }), model }
}

/** What a message says: its text, or the outputs of its results. */
const said = (message: Message | undefined): string =>
  (message?.parts ?? [])
    .map(part => (part.type === 'text' ? part.text : part.type === 'tool_result' ? String(part.output) : `<${part.type}>`))
    .join('|')

async function typesOf(session: Session): Promise<string[]> {
  return (await session.entries()).map(entry => entry.type)
}

/** Every admitted input with what became of it. */
async function fatesOf(session: Session): Promise<string[]> {
  const entries = await session.entries({ types: ['input_admitted', 'input_delivered', 'input_dropped'] })
  return entries.flatMap(admitted => {
    if (!isType(admitted, 'input_admitted') || admitted.data.delivery === 'start') return []
    const { input, delivery } = admitted.data
    const fate = entries.flatMap(entry => {
      if (isType(entry, 'input_delivered') && entry.data.input === input) return ['delivered']
      return isType(entry, 'input_dropped') && entry.data.input === input ? [entry.data.reason] : []
    })
    return [`${delivery}: ${fate.join(' and ') || 'waits'}`]
  })
}

const skip = 'Skipped: new user input arrived before this call began.'

for (const [name, place] of [
  ['memory', memoryPlace],
  ['sqlite', sqlitePlace],
] as const) {
  describe(`a run (${name})`, () => inputs(place))
}

function inputs(place: () => Promise<Place>): void {
  const open = async (): Promise<Skein> => await (await place()).open()

  verifies('A9', 'a steer lets begun calls finish, skips the others and is the last message of the next request', async () => {
    const begun = gate()
    const finish = gate()
    const ran: string[] = []
    const slow = tool('slow', async ({ n }: { n: number }) => {
      ran.push(`c${n}`)
      begun.open()
      await finish.promise
      return `done ${n}`
    })
    const { session, model } = await talk(
      await open(),
      [{ calls: [call('slow', { n: 1 }), call('slow', { n: 2 }), call('slow', { n: 3 })] }, 'fine'],
      [slow],
    )
    const run = session.send('go')
    await begun.promise
    expect(await run.steer('stop that')).toMatchObject({ disposition: 'queued', runId: run.id })
    finish.open()
    expect(await run.result()).toMatchObject({ status: 'done', text: 'fine' })
    expect(ran).toEqual(['c1'])
    expect(model.requests[1]?.messages.slice(-2).map(message => said(message as Message))).toEqual([
      `done 1|${skip}|${skip}`,
      'stop that',
    ])
    expect(await fatesOf(session)).toEqual(['steer: delivered'])
  })

  it('skips nothing for a steer where it comes after the tools', async () => {
    const begun = gate()
    const finish = gate()
    const slow = tool('slow', async () => {
      begun.open()
      await finish.promise
      return 'done'
    })
    const steps = [{ calls: [call('slow', { n: 1 }), call('slow', { n: 2 })] }, 'fine']
    const { session, model } = await talk(await open(), steps, [slow], { steering: 'afterTools' })
    const run = session.send('go')
    await begun.promise
    await session.steer('and this')
    finish.open()
    await run.result()
    expect(model.requests[1]?.messages.slice(-2).map(message => said(message as Message))).toEqual(['done|done', 'and this'])
  })

  verifies('A10', 'a steer does not cut a streaming answer, and none of its calls begins', async () => {
    const go = gate()
    let ran = 0
    const { session, model } = await talk(
      await open(),
      [async () => (await go.promise, { text: 'Let me.', calls: [call('count'), call('count', { again: true })] }), 'fine'],
      [tool('count', () => ++ran)],
    )
    const run = session.send('go')
    await run.receipt
    await expect.poll(() => model.requests.length).toBe(1)
    await session.steer('wait')
    go.open()
    await run.result()
    expect(ran).toBe(0)
    expect(model.requests[1]?.messages.map(message => said(message as Message))).toEqual([
      'go',
      'Let me.|<tool_call>|<tool_call>',
      `${skip}|${skip}`,
      'wait',
    ])
  })

  verifies('A11', 'follow-ups come one by one, each after an answer without calls; a later steer precedes them', async () => {
    const go = gate()
    const { session, model } = await talk(await open(), [async () => (await go.promise, { text: 'a' }), 'b', 'c', 'd'])
    const run = session.send('go')
    await run.receipt
    await run.followUp('one')
    await run.followUp('two')
    await run.steer('first of all')
    go.open()
    expect(await run.result()).toMatchObject({ status: 'done', text: 'd', steps: 4 })
    expect(model.requests.map(({ messages }) => said(messages.at(-1) as Message))).toEqual(['go', 'first of all', 'one', 'two'])
    expect((await session.info()).turns).toBe(1)
    expect(await fatesOf(session)).toEqual(['followUp: delivered', 'followUp: delivered', 'steer: delivered'])
  })

  verifies('A7', 'what is said to an idle session touches no later run', async () => {
    const { session } = await talk(await open(), ['one', 'two'])
    await session.send('go').result()
    expect(await codeOf(session.steer('x'))).toBe('run.not_running')
    expect(await codeOf(session.followUp('x'))).toBe('run.not_running')
    expect(await session.cancel()).toEqual({ cancelled: false })
    expect(await session.send('again').result()).toMatchObject({ status: 'done', text: 'two', steps: 1 })
    expect(await fatesOf(session)).toEqual([])
  })

  verifies('A12 A8', 'an input that races the end of a run is delivered in it or refused, never both or neither', async () => {
    const skein = await open()
    let refused = 0
    for (let round = 0; round < 8; round++) {
      const { session, model } = await talk(skein, ['a', 'b', 'c'])
      const run = session.send('go')
      await run.receipt
      const told = codeOf(session.followUp('more'))
      await run.result()
      const code = await told
      const delivered = model.requests.some(({ messages }) => messages.some(message => said(message as Message) === 'more'))
      expect([code, delivered]).toEqual(code === 'resolved' ? ['resolved', true] : ['run.not_running', false])
      expect(await fatesOf(session)).toEqual(code === 'resolved' ? ['followUp: delivered'] : [])
      if (code !== 'resolved') refused++
    }
    expect(refused).toBeLessThanOrEqual(8)
  })

  verifies('A20 A8', 'a cancel drops steers and follow-ups, and a next input still runs, as a turn of its own', async () => {
    const { session, model } = await talk(await open(), [{ text: 'half', hang: true }, 'next one'])
    const run = session.send('go')
    for await (const event of run) if (event.type === 'text_delta') break
    await run.steer('s')
    await run.followUp('f')
    const next = session.send('later', { delivery: 'next' })
    expect(await next.receipt).toMatchObject({ disposition: 'queued' })
    await run.cancel()
    expect(await run.result()).toMatchObject({ status: 'cancelled', reason: 'user_cancelled', text: 'half' })
    expect(await next.result()).toMatchObject({ status: 'done', text: 'next one' })
    expect(await fatesOf(session)).toEqual(['steer: user_cancelled', 'followUp: user_cancelled', 'next: delivered'])
    expect((await session.info()).turns).toBe(2)
    expect(model.requests[1]?.messages.map(message => said(message as Message))).toEqual(['go', 'half', 'later'])
    const types: string[] = []
    for await (const event of next) types.push(event.type)
    expect(types.at(-1)).toBe('run_ended')
  })

  it('begins a run at once for any delivery when none goes on, and queues when one does', async () => {
    const go = gate()
    const { session } = await talk(await open(), [async () => (await go.promise, { text: 'a' }), 'b'])
    const first = session.send('go', { delivery: 'steer' })
    expect(await first.receipt).toMatchObject({ disposition: 'started', runId: first.id })
    const more = session.send('more', { delivery: 'followUp' })
    expect(await more.receipt).toMatchObject({ disposition: 'queued', runId: first.id })
    go.open()
    expect((await more.result()).text).toBe('b')
    expect((await first.result()).text).toBe('b')
  })

  verifies('A5', 'a steer with the same key is admitted once', async () => {
    const go = gate()
    const { session } = await talk(await open(), [async () => (await go.promise, { text: 'a' }), 'b'])
    const run = session.send('go')
    await run.receipt
    const one = await run.steer('x', { idempotencyKey: 'k' })
    expect(await run.steer('x', { idempotencyKey: 'k' })).toMatchObject({ disposition: 'duplicate', inputId: one.inputId })
    expect(await codeOf(run.steer('y', { idempotencyKey: 'k' }))).toBe('idempotency.mismatch')
    go.open()
    await run.result()
    expect(await fatesOf(session)).toEqual(['steer: delivered'])
  })

  verifies(
    'A17',
    'the message and its planned effects are durable before a tool is entered, and results follow in call order',
    async () => {
      const skein = await open()
      const seen: string[][] = []
      const { session } = await talk(
        skein,
        [{ calls: [call('look', { n: 1 }), call('look', { n: 2 })] }, 'fine'],
        [
          tool('look', async ({ n }: { n: number }) => {
            const entries = await skein.store.in('default').entries(session.id)
            seen.push(entries.map(entry => entry.type).filter(type => type.startsWith('effect_') || type === 'message_added'))
            return n
          }),
        ],
      )
      await session.send('go').result()
      const start = ['message_added', 'message_added', 'effect_planned', 'effect_planned', 'effect_begun']
      expect(seen).toEqual([start, [...start, 'effect_settled', 'effect_begun']])
      expect((await session.messages()).filter(({ role }) => role === 'tool').map(said)).toEqual(['1|2'])
      const types = await typesOf(session)
      expect(types.filter(type => type === 'effect_settled')).toHaveLength(2)
      expect(types.filter(type => type === 'step_started')).toHaveLength(2)
    },
  )
}
