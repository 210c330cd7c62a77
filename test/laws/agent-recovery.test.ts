import { isType } from '#journal'
import { isSkeinError } from '#kernel'
import { type ScriptedModel, scriptedModel } from '#models'
import type { Session } from '#skein'
import { afterEach, describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { call, codeOf, fatesOf, gate, type Run, said, talk, tool } from './agent-talk.ts'
import { memoryPlace, type Place, sqlitePlace } from './stores.ts'

for (const [name, place] of [
  ['memory', memoryPlace],
  ['sqlite', sqlitePlace],
] as const) {
  describe(`a run that died (${name})`, () => recovery(place))
}

/** A run that hangs in its tools as if its process had died: nobody renews its lease. */
function recovery(place: () => Promise<Place>): void {
  interface Died {
    readonly here: Place
    readonly id: Session['id']
    readonly entered: string[]
    readonly run: Run
  }

  const left: Run[] = []
  afterEach(async () => {
    for (const run of left.splice(0)) await run.abort()
  })

  /** Dies while `hang` is inside its tool, in the step that calls all these. */
  async function died(names: readonly string[], tools: readonly object[] = []): Promise<Died> {
    const here = await place()
    const entered: string[] = []
    const skein = await here.open()
    const stuck = gate()
    const hang = (name: string, more: object) =>
      tool(
        name,
        async (_input: never, { idempotencyKey }: { idempotencyKey: string }) => {
          entered.push(`${name} ${idempotencyKey}`)
          if (name === 'quick') return 'was quick'
          stuck.open()
          return await new Promise(() => undefined)
        },
        more,
      )
    const own = [hang('quick', {}), hang('safe', { replay: 'safe' }), hang('same', { replay: 'idempotent' }), hang('once', {})]
    const { session } = await talk(skein, [{ calls: names.map(name => call(name)) }], [...own, ...tools] as never, {
      cancelGraceMs: 0,
    })
    const run = session.send('go')
    left.push(run)
    await run.receipt
    await stuck.promise
    here.clock.advance(120_000)
    return { here, id: session.id, entered, run }
  }

  async function revived({ here, id }: Died, entered: string[]): Promise<{ session: Session; model: ScriptedModel }> {
    const again = (name: string, more: object) =>
      tool(
        name,
        (_input: never, { idempotencyKey }: { idempotencyKey: string }) => {
          entered.push(`${name} ${idempotencyKey}`)
          return `${name} again`
        },
        more,
      )
    const model = scriptedModel(['after all', 'next'])
    const skein = await here.open()
    const tools = [
      again('quick', {}),
      again('safe', { replay: 'safe' }),
      again('same', { replay: 'idempotent' }),
      again('once', {}),
    ]
    return { session: await skein.sessions.open(id, { modelOverride: model, tools: tools as never }), model }
  }

  verifies(
    'A34',
    'a pending safe call runs again, an idempotent one with its key, and a never one waits for an answer',
    async () => {
      const entered: string[] = []
      const dead = await died(['once', 'safe'])
      const { session } = await revived(dead, entered)
      const { plan, run } = await session.recover({ apply: true })
      expect(run).toBeNull()
      expect(plan?.effects.map(({ tool: name, state, action }) => [name, state, action])).toEqual([
        ['once', 'pending', 'ask'],
        ['safe', 'planned', 'run'],
      ])
      expect(entered).toEqual([])
      const callId = plan?.effects[0]?.callId ?? ''
      expect(await codeOf(session.recover({ apply: true, answers: { other: 'skip' } }))).toBe('input.invalid')
      const recovered = await session.recover({ apply: true, answers: { [callId]: { done: 'it was sent' } } })
      expect(await recovered.run?.result()).toMatchObject({ status: 'done', reason: 'answered', text: 'after all', steps: 2 })
      expect(entered.map(line => line.split(' ')[0])).toEqual(['safe'])
      expect(said((await session.conversation()).find(({ role }) => role === 'tool'))).toBe('it was sent|safe again')

      const same = await died(['same'])
      const keys: string[] = []
      const other = await revived(same, keys)
      await (await other.session.recover({ apply: true })).run?.result()
      expect(keys).toEqual(same.entered)

      const safe = await died(['safe'])
      const third = await revived(safe, keys)
      expect(await (await third.session.recover({ apply: true })).run?.result()).toMatchObject({ status: 'done' })
    },
  )

  verifies('A35', 'a ready effect is appended, and its tool is not entered', async () => {
    const entered: string[] = []
    const dead = await died(['quick', 'once'])
    const { session } = await revived(dead, entered)
    const { plan } = await session.recover()
    expect(plan?.effects.map(({ action }) => action)).toEqual(['append', 'ask'])
    const { run } = await session.recover({ apply: true, approvals: 'deny' })
    expect((await run?.result())?.status).toBe('done')
    expect(entered).toEqual([])
    expect(said((await session.conversation()).find(({ role }) => role === 'tool'))).toBe(
      'was quick|Outcome unknown: the process ended while this call was running. Check before repeating it.',
    )
  })

  it('ends the run where nobody is to be asked', async () => {
    const dead = await died(['once'])
    const { session } = await revived(dead, [])
    const { run } = await session.recover({ apply: true, approvals: 'end' })
    expect(await run?.result()).toMatchObject({
      status: 'blocked',
      reason: 'recovery_unsafe',
      error: { message: 'recovery requires user review: 1 incomplete non-retryable tool side effect(s)' },
    })
    expect((await session.info()).running).toBeNull()
  })

  verifies('A36', 'of two recoverers one continues and the other gets session.busy; a stale owner ends lease_lost', async () => {
    const dead = await died(['safe'])
    const entered: string[] = []
    const one = await revived(dead, entered)
    const two = await revived(dead, entered)
    const results = await Promise.allSettled([one.session.recover({ apply: true }), two.session.recover({ apply: true })])
    const runs = results.flatMap(result => (result.status === 'fulfilled' ? [result.value.run] : []))
    const codes = results.flatMap(result =>
      result.status === 'rejected' && isSkeinError(result.reason) ? [result.reason.code] : [],
    )
    expect([runs.length, codes]).toEqual([1, ['session.busy']])
    expect((await runs[0]?.result())?.status).toBe('done')
    expect(entered).toHaveLength(1)
    await dead.run.abort()
    expect(await dead.run.result()).toMatchObject({ status: 'failed', reason: 'lease_lost' })
  })

  verifies('A37', 'a send without recovery ends the old run abandoned and executes nothing of it', async () => {
    const entered: string[] = []
    const dead = await died(['safe'])
    const { session } = await revived(dead, entered)
    expect(await session.send('new').result()).toMatchObject({ status: 'done', text: 'after all' })
    expect(entered).toEqual([])
    const ended = (await session.entries({ types: ['run_ended'] })).flatMap(entry =>
      isType(entry, 'run_ended') ? [entry.data.reason] : [],
    )
    expect(ended).toEqual(['abandoned', 'answered'])
    expect((await session.recover()).plan).toBeNull()
  })

  it('is left to recovery when the session is closed before its end', async () => {
    const here = await place()
    const { session } = await talk(await here.open(), [{ text: 'half', hang: true }])
    const run = session.send('go')
    for await (const { type } of run) if (type === 'text_delta') break
    await session.close({ graceMs: 1 })
    expect(await run.result()).toMatchObject({ status: 'failed', reason: 'lease_lost' })
    const again = await (await here.open()).sessions.open(session.id, { modelOverride: scriptedModel(['whole']) })
    const recovered = await again.recover({ apply: true })
    expect(recovered.plan).toMatchObject({ state: 'requesting', step: 1 })
    expect(await recovered.run?.result()).toMatchObject({ status: 'done', text: 'whole' })
  })

  verifies('A4', 'asks again where a request was lost, counts it, and carries on for whoever starts', async () => {
    const here = await place()
    const first = await here.open()
    const { session } = await talk(first, [{ text: 'half', hang: true }])
    const run = session.send('go')
    left.push(run)
    for await (const { type } of run) if (type === 'text_delta') break
    await run.followUp('and then?')
    here.clock.advance(120_000)
    const model = scriptedModel(['whole', 'more'])
    const skein = await here.open()
    await skein.sessions.open(session.id, { modelOverride: model })
    const [recovered] = await skein.sessions.recover()
    expect(recovered?.recovery?.plan).toMatchObject({ state: 'requesting', inputs: 1, effects: [] })
    expect(await recovered?.recovery?.run?.result()).toMatchObject({ status: 'done', text: 'more', cost: null })
    const again = await skein.sessions.open(session.id)
    const used = (await again.entries({ types: ['usage_recorded'] })).flatMap(entry =>
      isType(entry, 'usage_recorded') ? [[entry.data.outcome, entry.data.attempt]] : [],
    )
    expect(used).toEqual([
      ['lost', 1],
      ['stop', 2],
      ['stop', 1],
    ])
    expect(await fatesOf(again)).toEqual(['followUp: delivered'])
    expect(await skein.sessions.recover()).toEqual([])
  })
}
