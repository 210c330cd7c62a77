import { isType, type Message } from '#journal'
import type { ScriptedStep } from '#models'
import type { Session, Skein } from '#skein'
import { describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { call, codeOf, fatesOf, gate, said, talk, tool, typesOf } from './agent-talk.ts'
import { memoryPlace, type Place, sqlitePlace } from './stores.ts'

const skip = 'Skipped: new user input arrived before this call began.'

for (const [name, place] of [
  ['memory', memoryPlace],
  ['sqlite', sqlitePlace],
] as const) {
  describe(`inputs of a run (${name})`, () => inputs(place))
  describe(`calls of a run (${name})`, () => calls(place))
}

function inputs(place: () => Promise<Place>): void {
  const open = async (): Promise<Skein> => await (await place()).open()

  verifies('A8 A9 A5', 'a flood of steers from two processes is delivered in the order of each, and a key once', async () => {
    const here = await place()
    const begun = gate()
    const finish = gate()
    const slow = tool('slow', async () => (begun.open(), await finish.promise, 'done'))
    const { session, model } = await talk(await here.open(), [{ calls: [call('slow')] }, 'fine'], [slow])
    const run = session.send('go')
    await begun.promise
    const there = await (await here.open()).sessions.open(session.id)
    const flood = 250
    const said1 = Array.from({ length: flood }, (_, n) => `a${n}`)
    const said2 = Array.from({ length: flood }, (_, n) => `b${n}`)
    const twice = [session, session, there].map(one => one.steer('once', { idempotencyKey: 'k' }))
    const all = [...said1.map(text => session.steer(text)), ...said2.map(text => there.steer(text))]
    expect(new Set((await Promise.all(twice)).map(({ inputId }) => inputId)).size).toBe(1)
    expect(new Set((await Promise.all(all)).map(({ inputId }) => inputId)).size).toBe(2 * flood)
    finish.open()
    expect(await run.result()).toMatchObject({ status: 'done', text: 'fine' })
    const heard = (model.requests[1]?.messages ?? []).filter(({ role }) => role === 'user').flatMap(message => said(message as Message).split('|')) // prettier-ignore
    const of = (letter: string): string[] => heard.join(' ').split(/\s+/).filter(text => text.startsWith(letter)) // prettier-ignore
    expect([of('a'), of('b'), of('once')]).toEqual([said1, said2, ['once']])
  })

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

function calls(place: () => Promise<Place>): void {
  const open = async (): Promise<Skein> => await (await place()).open()
  const resultsOf = async (session: Session): Promise<{ status: string; output: unknown }[]> =>
    (await session.conversation()).flatMap(({ parts }) =>
      parts.flatMap(part => (part.type === 'tool_result' ? [{ status: part.status, output: part.output }] : [])),
    )

  verifies('A13', 'begins with run_started and ends with run_ended; one step for an answer, two with a call', async () => {
    const { session } = await talk(await open(), ['hi', { calls: [call('one')] }, 'done'], [tool('one', () => 1)])
    for (const steps of [1, 2]) {
      const run = session.send('go')
      const types: string[] = []
      for await (const { type } of run) types.push(type)
      expect([types[0], types.at(-1)]).toEqual(['run_started', 'run_ended'])
      expect(types.filter(type => type === 'step_started')).toHaveLength(steps)
      expect((await run.result()).steps).toBe(steps)
    }
  })

  verifies('A14', 'makes at most as many requests as it may, and runs the calls of the last', async () => {
    let ran = 0
    const step = (n: number): ScriptedStep => ({ calls: [call('count', { n })] })
    const { session, model } = await talk(await open(), [step(1), step(2), step(3), 'never'], [tool('count', () => ++ran)])
    expect(await session.send('go', { maxSteps: 3 }).result()).toMatchObject({ status: 'blocked', reason: 'step_limit' })
    expect([model.requests.length, ran]).toEqual([3, 3])
  })

  verifies('A18', 'where the store refuses a write the run ends store_error and no tool begins', async () => {
    const skein = await open()
    let ran = 0
    const { session } = await talk(skein, [{ calls: [call('count')] }, 'x'], [tool('count', () => ++ran)])
    const info = await session.info()
    const store = skein.store.in('default')
    const run = session.send('go')
    await run.receipt
    // Another owner has taken the session over.
    const lease = (await store.session(info.id))?.lease
    await store.commit([{ type: 'release', fence: { session: info.id, owner: lease?.owner ?? '', token: lease?.token ?? 0 } }])
    await store.acquire(info.id, 'other', 60_000)
    expect(await run.result()).toMatchObject({ status: 'failed', reason: 'lease_lost' })
    expect(ran).toBe(0)
  })

  verifies('A19', 'a cancel ends a deaf tool after the grace, keeps text and usage, and skips what had not begun', async () => {
    const begun = gate()
    const deaf = tool('deaf', async () => (begun.open(), await new Promise(() => undefined)))
    const polite = tool('polite', async (_input: never, { signal }: { signal: AbortSignal }) => {
      await new Promise(resolve => signal.addEventListener('abort', resolve))
      return 'stopped in time'
    })
    const steps: ScriptedStep[] = [
      { text: 'So.', calls: [call('deaf'), call('polite')], usage: { inputTokens: 5, outputTokens: 7 } },
      { calls: [call('polite')] },
    ]
    const { session } = await talk(await open(), steps, [deaf, polite], { cancelGraceMs: 1 })
    const run = session.send('go')
    await begun.promise
    await run.cancel()
    expect(await run.result()).toMatchObject({
      status: 'cancelled',
      reason: 'user_cancelled',
      text: 'So.',
      usage: { inputTokens: 5, outputTokens: 7 },
    })
    expect(await resultsOf(session)).toMatchObject([
      { status: 'interrupted' },
      { status: 'skipped', output: 'Cancelled before this call began.' },
    ])
    const again = session.send('again', { cancelGraceMs: 20_000 })
    for await (const { type } of again) if (type === 'tool_started') break
    await again.cancel()
    expect((await resultsOf(session)).at(-1)).toEqual({ status: 'ok', output: 'stopped in time' })
  })

  verifies('A21', 'after an abort the next send works, and what a tool gives late changes nothing', async () => {
    const begun = gate()
    const late = gate()
    const deaf = tool('deaf', async () => (begun.open(), await late.promise, 'too late'))
    const { session } = await talk(await open(), [{ calls: [call('deaf')] }, 'fine'], [deaf])
    const run = session.send('go')
    await begun.promise
    await run.abort()
    expect(await run.result()).toMatchObject({ status: 'cancelled', reason: 'aborted' })
    expect((await session.send('again').result()).text).toBe('fine')
    const before = await session.entries()
    late.open()
    await new Promise(setImmediate)
    expect(await session.entries()).toEqual(before)
    expect(JSON.stringify(before)).not.toContain('too late')
  })

  verifies('A22', 'whatever ended a run, the next request has one result for each call, after it, and no orphan', async () => {
    const skein = await open()
    const begun = gate()
    const deaf = tool('deaf', async () => (begun.open(), await new Promise(() => undefined)))
    const ends: ScriptedStep[][] = [
      [{ calls: [call('deaf'), call('gone')] }],
      [{ calls: [call('gone')], cut: true }],
      [{ calls: [call('gone', { n: 1 })] }, { calls: [call('gone', { n: 2 })] }],
    ]
    for (const steps of ends) {
      const { session, model } = await talk(skein, [...steps, 'fine', 'fine', 'fine'], [deaf], { cancelGraceMs: 0 })
      const run = session.send('go', { maxSteps: 2 })
      if (steps === ends[0]) {
        await begun.promise
        await run.cancel()
      }
      await run.result()
      await session.send('again').result()
      const parts = (model.requests.at(-1)?.messages ?? []).flatMap(message => message.parts)
      const asked = parts.flatMap(part => (part.type === 'tool_call' ? [part.callId] : []))
      const answered = parts.flatMap(part => (part.type === 'tool_result' ? [part.callId] : []))
      expect(answered).toEqual(asked)
    }
  })

  verifies('A23', 'reads go side by side and first; in call order a later read waits for what writes before it', async () => {
    const skein = await open()
    for (const [toolOrder, expected] of [
      ['readsFirst', ['r1+', 'r3+', 'r4+', 'r1-', 'r3-', 'r4-', 'w2+', 'w2-']],
      ['callOrder', ['r1+', 'r1-', 'w2+', 'w2-', 'r3+', 'r4+', 'r3-', 'r4-']],
    ] as const) {
      const log: string[] = []
      const mark = async ({ n }: { n: string }): Promise<string> => {
        log.push(`${n}+`)
        for (let turns = 0; turns < 5; turns++) await new Promise(setImmediate)
        log.push(`${n}-`)
        return n
      }
      const step = { calls: [call('r', { n: 'r1' }), call('w', { n: 'w2' }), call('r', { n: 'r3' }), call('r', { n: 'r4' })] }
      const tools = [tool('r', mark, { readOnly: true }), tool('w', mark)]
      const { session } = await talk(skein, [step, 'fine'], tools, { toolOrder })
      await session.send('go').result()
      expect(log).toEqual(expected)
      expect((await resultsOf(session)).map(({ output }) => output)).toEqual(['r1', 'w2', 'r3', 'r4'])
    }
  })

  verifies(
    'A24',
    'an unknown tool, broken JSON and wrong arguments are error results, nothing runs, and it goes on',
    async () => {
      let ran = 0
      const strict = tool('strict', () => ++ran, {
        input: { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] },
      })
      const step: ScriptedStep = {
        calls: [call('gone'), { tool: 'strict', input: '{"n":' as never }, call('strict', { n: 'x' })],
      }
      const { session } = await talk(await open(), [step, 'fine'], [strict])
      expect(await session.send('go').result()).toMatchObject({ status: 'done', text: 'fine', steps: 2 })
      expect(ran).toBe(0)
      expect((await resultsOf(session)).map(({ status }) => status)).toEqual(['error', 'error', 'error'])
      const settled = await session.entries({ types: ['effect_begun', 'effect_settled'] })
      expect(settled.map(entry => (isType(entry, 'effect_settled') ? entry.data.state : entry.type))).toEqual([
        'skipped',
        'skipped',
        'skipped',
      ])
    },
  )

  verifies('A25', 'the 3rd identical call warns, the 4th does not run and ends the run; another call resets', async () => {
    const skein = await open()
    let ran = 0
    const same = tool('same', () => `ran ${++ran}`)
    const one = { calls: [call('same', { a: 1, b: 2 })] }
    const two = { calls: [call('same', { b: 2, a: 1 })] }
    const { session } = await talk(skein, [one, two, one, { calls: [...two.calls, call('same', { n: 2 })] }, 'never'], [same])
    expect(await session.send('go').result()).toMatchObject({ status: 'blocked', reason: 'repeated_action', steps: 4 })
    expect((await resultsOf(session)).map(({ output }) => output)).toEqual([
      'ran 1',
      'ran 2',
      'ran 3\n\nidentical tool call repeated 3 times',
      'Blocked: identical tool call repeated 4 times',
      'ran 4',
    ])
    const other = { calls: [call('same', { n: 3 })] }
    const { session: reset } = await talk(skein, [one, two, other, one, two, 'fine'], [same])
    expect((await reset.send('go').result()).status).toBe('done')
    const { session: exempt } = await talk(skein, [one, one, one, one, one, 'fine'], [{ ...same, repeatable: true }])
    expect((await exempt.send('go').result()).status).toBe('done')
  })

  verifies('A26', 'a result of 60 KiB is at most 51,200 bytes and a marker, and whole in the blob that it names', async () => {
    const skein = await open()
    const text = Array.from({ length: 1_000 }, (_, n) => `${n} ${'é'.repeat(30)}`).join('\n')
    expect(Buffer.byteLength(text)).toBeGreaterThan(60 * 1_024)
    const long = 'ü'.repeat(40_000)
    const steps = [{ calls: [call('big'), call('line'), call('many')] }, 'fine']
    const many = Array.from({ length: 2_500 }, (_, n) => n).join('\n')
    const tools = [tool('big', () => text), tool('line', () => long), tool('many', () => many)]
    const { session } = await talk(skein, steps, tools)
    await session.send('go').result()
    const outputs = (await resultsOf(session)).map(({ output }) => String(output))
    for (const [at, whole] of [text, long, many].entries()) {
      const output = outputs[at] ?? ''
      const marker = output.slice(output.lastIndexOf('\n') + 1)
      const shown = output.slice(0, output.length - marker.length)
      expect(Buffer.byteLength(shown.trimEnd())).toBeLessThanOrEqual(51_200)
      expect(whole.startsWith(shown.trimEnd())).toBe(true)
      expect(shown.split('\n').length).toBeLessThanOrEqual(2_001)
      const [blob = ''] = /blb_[0-9a-f]{32}/.exec(marker) ?? []
      const [row] = await skein.store.in('default').blobs([blob as `blb_${string}`])
      expect(Buffer.from(row?.bytes ?? []).toString()).toBe(whole)
      expect(await skein.store.in('default').hasBlob(session.id, blob as `blb_${string}`)).toBe(true)
    }
  })

  verifies('A27', 'a tool past its time is told so and gives an error result, and the run goes on', async () => {
    let told = false
    const slow = tool(
      'slow',
      async (_input: never, { signal }: { signal: AbortSignal }) => {
        signal.addEventListener('abort', () => (told = true))
        await new Promise(() => undefined)
      },
      { timeoutMs: 5 },
    )
    const { session } = await talk(await open(), [{ calls: [call('slow')] }, 'fine'], [slow])
    expect(await session.send('go').result()).toMatchObject({ status: 'done', text: 'fine' })
    expect(told).toBe(true)
    expect(await resultsOf(session)).toEqual([{ status: 'error', output: 'The tool took longer than 5 ms.' }])
  })

  verifies('A62', 'the usage of each attempt names the message that it stored, or none', async () => {
    const { session } = await talk(await open(), [{ calls: [call('one')] }, 'done'], [tool('one', () => 1)])
    await session.send('go').result()
    const entries = await session.entries()
    const answers = entries.flatMap(entry =>
      isType(entry, 'message_added') && entry.data.role === 'assistant' ? [entry.id] : [],
    )
    const used = entries.flatMap(entry => (isType(entry, 'usage_recorded') ? [entry.data.entry] : []))
    expect(used).toEqual(answers)
    const started = entries.flatMap(entry => (isType(entry, 'step_started') ? [entry.data.requestId] : []))
    expect(entries.flatMap(entry => (isType(entry, 'usage_recorded') ? [entry.data.requestId] : []))).toEqual(started)
  })

  it('tells how long things took', async () => {
    const { session } = await talk(await open(), [{ text: 'x', calls: [call('one')] }, 'done'], [tool('one', () => 1)])
    const told = new Set<unknown>()
    for await (const event of session.send('go'))
      if (event.type === 'timing_measured') told.add((event as { what?: unknown }).what)
    expect([...told].sort()).toEqual(['closing', 'context', 'first_call', 'first_event', 'first_text', 'request', 'tool'])
  })
}
