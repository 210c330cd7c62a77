import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AgentSession, fileTools, type Hook, type ToolCall, type UserInterface } from '#agent'
import { isType } from '#journal'
import { systemTimers } from '#kernel'
import type { Notice } from '#session'
import { openSkein, type Skein, type SkeinOptions } from '#skein'
import { afterEach, describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { call, codeOf, gate, said, talk, tool } from './agent-talk.ts'
import { onEveryStore } from './stores.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function open(options: SkeinOptions = {}): Promise<{ readonly skein: Skein; readonly notices: Notice[] }> {
  const notices: Notice[] = []
  const skein = await openSkein({ store: 'memory:', worker: false, onNotice: notice => void notices.push(notice), ...options })
  closers.push(() => skein.close())
  return { skein, notices }
}

/** A hook for every place, which writes down where it was called. */
const everywhere = (heard: string[], who = ''): Hook[] => {
  const tell = (text: string) => (): undefined => void heard.push(`${who}${text}`)
  return [
    { on: 'session_opened', run: ({ session }) => void heard.push(`${who}opened ${session.slice(0, 4)}`) },
    { on: 'session_closed', run: tell('closed') },
    { on: 'session_finalized', run: tell('finalized') },
    { on: 'run_started', run: tell('run') },
    { on: 'before_request', run: ({ step }) => void heard.push(`${who}request ${step}`) },
    { on: 'context_threshold', ratio: 1e-9, run: ({ step }) => void heard.push(`${who}threshold ${step}`) },
    { on: 'before_call', run: ({ call: asked }) => void heard.push(`${who}before ${asked.tool}`) },
    { on: 'after_call', run: ({ call: asked }) => void heard.push(`${who}after ${asked.tool}`) },
    { on: 'step_ended', run: ({ step }) => void heard.push(`${who}step ${step}`) },
    { on: 'run_ended', run: ({ result }) => void heard.push(`${who}end ${result.status}`) },
  ]
}

describe('hooks', () => {
  verifies('A47', 'are called at every place, those of the host before those of the session, in the order given', async () => {
    const heard: string[] = []
    const { skein } = await open({ hooks: everywhere(heard, 'h ') })
    const { session } = await talk(skein, [{ calls: [call('work')] }, 'end'], [tool('work', () => 1)], {
      hooks: everywhere(heard),
    })
    await session.send('go').result()
    await session.close()
    await session.close()
    const places = [
      ...['opened ses_', 'run', 'request 1', 'threshold 1', 'before work', 'after work', 'step 1'],
      ...['request 2', 'step 2', 'end done', 'closed'],
    ]
    expect(heard).toEqual(places.flatMap(place => [`h ${place}`, place]))
  })

  it('of a session are told once of each object, however often it is opened, and again of the next', async () => {
    const heard: string[] = []
    const hooks = everywhere(heard)
    const { skein } = await open()
    const { id } = await skein.sessions.create({ hooks })
    await Promise.all([1, 2, 3].map(() => skein.sessions.open(id, { hooks })))
    expect(heard).toEqual(['opened ses_'])
    await (await skein.sessions.open(id)).close()
    await skein.sessions.open(id, { hooks })
    expect(heard).toEqual(['opened ses_', 'closed', 'opened ses_'])
    await skein.sessions.delete(id)
    expect(heard.at(-1)).toBe('closed')
  })

  it('of the host hear that a session was finalized, though nobody has opened it', async () => {
    const heard: string[] = []
    const { skein, notices } = await open({
      hooks: [
        {
          on: 'session_finalized',
          run: () => {
            throw new Error('no')
          },
        },
        { on: 'session_finalized', run: ({ session }) => void heard.push(session) },
      ],
    })
    const session = await skein.sessions.create()
    await AgentSession.finalized(session)
    expect(heard).toEqual([session.id])
    expect(notices).toMatchObject([{ code: 'hook.failed', session: session.id }])
  })

  it('that fail or hang where a session opens or closes are notices; it opens and closes', async () => {
    const timers = {
      after: (ms: number, run: () => void) => (ms === 77 ? (setImmediate(run), () => undefined) : systemTimers.after(ms, run)),
    }
    const { skein, notices } = await open({ timers })
    const hooks: Hook[] = (['session_opened', 'session_closed'] as const).flatMap(on => [
      {
        on,
        run: () => {
          throw new Error('no')
        },
      },
      { on, timeoutMs: 77, run: () => new Promise(() => undefined) },
    ])
    const session = await skein.sessions.create({ hooks })
    await session.record({ user: 'a', assistant: 'b' })
    await session.close()
    expect(notices.filter(({ code }) => code === 'hook.failed')).toHaveLength(4)
  })

  it('of a threshold hear a context that passes it, once, until it has been below', async () => {
    const heard: string[] = []
    const hook = (ratio: number): Hook => ({
      on: 'context_threshold',
      ratio,
      run: ({ ratio: used, tokens, usable }) => {
        expect(used).toBeCloseTo(tokens / usable, 3)
        expect(used).toBeGreaterThanOrEqual(ratio)
        heard.push(String(ratio))
      },
    })
    const { skein } = await open()
    const { session } = await talk(skein, ['one', 'two', 'three', 'four'], [], {
      hooks: [hook(0.3), hook(0.6)],
      modelOverride: undefined,
    })
    const { model } = await talk(skein, ['one', 'two', 'three', 'four', 'five'])
    session.equip({ modelOverride: Object.assign(model, { info: { contextWindow: 4_000, maxOutput: 500 } }) })
    const words = (count: number): string => 'word '.repeat(count)
    await session.send('short').result()
    expect(heard).toEqual([])
    await session.send(words(1_300)).result()
    expect(heard).toEqual(['0.3'])
    await session.send(words(700)).result()
    expect(heard).toEqual(['0.3', '0.6'])
    await session.send('short').result()
    expect(heard).toEqual(['0.3', '0.6'])
    for (const ratio of [0, 1.1, Number.NaN, 'x'])
      await expect(skein.sessions.create({ hooks: [hook(ratio as number)] })).rejects.toMatchObject({ code: 'config.invalid' })
  })

  it('after a step may say how to go on; where calls follow anyway that counts for nothing', async () => {
    const { skein } = await open()
    let asked = 0
    const { session, model } = await talk(skein, [{ calls: [call('work')] }, 'first', 'second'], [tool('work', () => 1)], {
      hooks: [{ on: 'step_ended', run: () => (asked++ < 2 ? { continueWith: `more ${asked}` } : undefined) }],
    })
    expect(await session.send('go').result()).toMatchObject({ status: 'done', text: 'second', steps: 3 })
    expect(asked).toBe(3)
    expect(model.requests.map(({ messages }) => said(messages.at(-1)))).toEqual(['go', '1', 'more 2'])
  })

  it('after a file was written hear its path, but not of a dry run or a failure', async () => {
    const place = mkdtempSync(join(tmpdir(), 'skein-hooks-'))
    closers.push(() => rmSync(place, { recursive: true, force: true }))
    const heard: string[] = []
    const { skein } = await open()
    const tell: Hook = { on: 'after_file_write', match: 'src/**', run: ({ path }) => void heard.push(path) }
    const edit = (path: string, more: object): ReturnType<typeof call> =>
      call('edit', { path, oldText: 'a', newText: 'b', ...more })
    const calls = [
      call('write', { path: './src/a.txt', content: 'a' }),
      call('write', { path: 'docs/b.txt', content: 'a' }),
      edit('src/a.txt', { dryRun: true }),
      edit('src/none.txt', {}),
      edit('src/a.txt', {}),
    ]
    const { session } = await talk(skein, [{ calls }, 'end'], fileTools({ cwd: place }), { cwd: place, hooks: [tell] })
    await session.send('go').result()
    expect(heard).toEqual(['src/a.txt', 'src/a.txt'])
  })

  verifies('A47', 'after a call may turn its result into an error alone, and one that comes late changes nothing', async () => {
    const timers = {
      after: (ms: number, run: () => void) => (ms === 77 ? (setImmediate(run), () => undefined) : systemTimers.after(ms, run)),
    }
    const { skein } = await open({ timers })
    const late = gate()
    const { session } = await talk(skein, [{ calls: [call('work')] }, 'end'], [tool('work', () => 'kept')], {
      hooks: [
        { on: 'after_call', timeoutMs: 77, run: async () => (await late.promise, { content: 'too late' }) },
        { on: 'after_call', run: async () => (late.open(), await Promise.resolve(), { isError: true }) },
      ],
    })
    await session.send('go').result()
    const result = (await session.messages()).find(({ role }) => role === 'tool')
    expect(result?.parts).toMatchObject([{ status: 'error', output: 'kept' }])
  })
})

const uiOf = (more: Partial<UserInterface>): Partial<UserInterface> => ({ hasUi: true, ...more })

onEveryStore('a user interface', place => {
  const opened = async (options: SkeinOptions = {}): Promise<Skein> => (await place()).open(options)

  it('shows and asks for tools; without one everything answers undefined', async () => {
    const shown: unknown[] = []
    const ui = uiOf({
      notify: (message, level) => void shown.push(['notify', message, level]),
      setStatus: text => void shown.push(['status', text]),
      setWidget: (name, content) => void shown.push(['widget', name, content]),
      confirm: async () => true,
      select: async (_question, choices) => choices[1],
      multiSelect: async (_question, choices) => choices.slice(1),
      input: async question => `${question} Yes.`,
      custom: async (name, data) => ({ name, data }),
    })
    const ask = async (_input: never, asked: never): Promise<unknown> => {
      const { ui: port } = asked as ToolCall
      port.notify('hello', 'info')
      port.setStatus('busy')
      port.setWidget('list', [1])
      const answers = [
        await port.confirm('Sure?'),
        await port.select('Which?', ['a', 'b']),
        await port.multiSelect('Which?', ['a', 'b', 'c']),
        await port.input('Sure?'),
        await port.custom('map', { x: 1 }),
      ]
      return [port.hasUi, ...answers.map(answer => answer ?? 'undefined')]
    }
    const skein = await opened()
    const results: unknown[] = []
    for (const more of [{ ui }, {}, { ui: { hasUi: false, confirm: async () => true } }]) {
      const { session } = await talk(skein, [{ calls: [call('ask')] }, 'end'], [tool('ask', ask, { readOnly: true })], more)
      await session.send('go').result()
      const message = (await session.messages()).find(({ role }) => role === 'tool')
      results.push(message?.parts.map(part => part.type === 'tool_result' && part.output)[0])
    }
    const nobody = [false, ...Array.from({ length: 5 }, () => 'undefined')]
    expect(results).toEqual([[true, true, 'b', ['b', 'c'], 'Sure? Yes.', { name: 'map', data: { x: 1 } }], nobody, nobody])
    expect(shown).toEqual([
      ['notify', 'hello', 'info'],
      ['status', 'busy'],
      ['widget', 'list', [1]],
    ])
  })

  it('is asked about calls that a person has to allow, and its answer is an approval like any other', async () => {
    const skein = await opened()
    const questions: string[] = []
    const run = async (ui: Partial<UserInterface>): Promise<readonly [string, readonly unknown[]]> => {
      const work = tool('work', () => 'worked', { approval: true })
      const { session } = await talk(skein, [{ calls: [call('work', { n: 1 })] }, 'end'], [work], { ui })
      await session.send('go').result()
      const answers = (await session.entries({ types: ['approval_answered'] })).map(({ data }) => data)
      return [said((await session.messages()).find(({ role }) => role === 'tool')), answers]
    }
    const yes = await run(uiOf({ confirm: async question => (questions.push(question), true) }))
    expect(yes).toEqual(['worked', [expect.objectContaining({ decision: 'allow', scope: 'once', by: 'ui' })]])
    expect(questions).toEqual([expect.stringContaining('work {"n":1}')])
    const no = await run(uiOf({ confirm: async () => false }))
    expect(no).toEqual([expect.stringContaining('A person said no.'), [expect.objectContaining({ decision: 'deny' })]])
  })

  it('that says nothing or breaks leaves the question open; answered elsewhere, its own question ends', async () => {
    const skein = await opened()
    for (const confirm of [
      async () => undefined,
      async () => {
        throw new Error('no terminal')
      },
      (_question: string, options?: { readonly signal?: AbortSignal }) =>
        new Promise<undefined>(resolve => options?.signal?.addEventListener('abort', () => resolve(ended.open() as undefined))),
    ]) {
      const work = tool('work', () => 'worked', { approval: true })
      const { session } = await talk(skein, [{ calls: [call('work')] }, 'end'], [work], { ui: uiOf({ confirm }) })
      const run = session.send('go')
      await expect.poll(async () => (await session.approvals.list()).length).toBe(1)
      const [asked] = await session.approvals.list()
      await session.approvals.answer(asked?.id ?? '', { decision: 'allow' })
      expect(await run.result()).toMatchObject({ status: 'done' })
    }
    await ended.promise
  })
  const ended = gate()

  it('stops asking when the run is cancelled, and what it answers later counts for nothing', async () => {
    const skein = await opened()
    const asked = gate()
    const late = gate()
    const ui = uiOf({
      input: async () => {
        asked.open()
        await late.promise
        return 'too late'
      },
    })
    const ask = async (_input: never, more: never): Promise<unknown> => (await (more as ToolCall).ui.input('?')) ?? 'nobody'
    const { session } = await talk(skein, [{ calls: [call('ask')] }, 'end'], [tool('ask', ask)], { ui })
    const run = session.send('go')
    await asked.promise
    await run.cancel()
    late.open()
    expect(await run.result()).toMatchObject({ status: 'cancelled', reason: 'user_cancelled' })
    expect(JSON.stringify(await session.entries())).not.toContain('too late')
  })

  it('answers the tool that asks; where nobody can, the run ends with the question open', async () => {
    const skein = await opened()
    const steps = [{ calls: [call('ask_user', { question: 'Which colour?' })] }, 'end']
    const cwd = mkdtempSync(join(tmpdir(), 'skein-ask-'))
    closers.push(() => rmSync(cwd, { recursive: true, force: true }))
    const tools = fileTools({ cwd, only: ['ask_user'] })
    const { session } = await talk(skein, steps, tools, { ui: uiOf({ input: async () => 'blue' }) })
    expect(await session.send('go').result()).toMatchObject({ status: 'done' })
    expect(said((await session.messages()).find(({ role }) => role === 'tool'))).toBe('blue')
    const { session: alone } = await talk(skein, steps, tools)
    expect(await alone.send('go').result()).toMatchObject({ status: 'needs_user_input', reason: 'question_open' })
  })

  it('of one run holds for that run, and wrong ones are refused', async () => {
    const skein = await opened({ ui: uiOf({ input: async () => 'of the host' }) })
    const ask = async (_input: never, more: never): Promise<unknown> => (await (more as ToolCall).ui.input('?')) ?? 'nobody'
    const steps = [{ calls: [call('ask')] }, 'end', { calls: [call('ask')] }, 'end']
    const { session } = await talk(skein, steps, [tool('ask', ask)])
    await session.send('go', { ui: uiOf({ input: async () => 'of the run' }) }).result()
    await session.send('go').result()
    const results = (await session.messages()).filter(({ role }) => role === 'tool').map(said)
    expect(results).toEqual(['of the run', 'of the host'])
    for (const ui of [7, { confirm: 'yes' }, { hasUi: 'yes' }])
      expect(await codeOf(session.send('go', { ui: ui as never }).receipt)).toBe('config.invalid')
  })
})

onEveryStore("a tool's own spending", place => {
  it('is a request of its own in the usage of session and run, also of a tool that fails', async () => {
    const skein = await (await place()).open()
    const spends = async (_input: never, more: never): Promise<unknown> => {
      const { usage } = more as ToolCall
      usage({ model: 'acme/embed', usage: { inputTokens: 100, outputTokens: 7 }, cost: 5_000 })
      usage({ cost: 250 })
      expect(() => usage({ usage: { inputTokens: -1 } })).toThrow(/whole number/)
      expect(() => usage({ cost: 0.5 })).toThrow(/nano-dollars/)
      expect(() => usage({ usage: { tokens: 3 } as never })).toThrow(/No such count/)
      throw new Error('and failed')
    }
    const usage = { inputTokens: 10, outputTokens: 1 }
    const steps = [
      { calls: [call('spends')], usage },
      { text: 'end', usage },
    ]
    const { session } = await talk(skein, steps, [tool('spends', spends)])
    const result = await session.send('go').result()
    expect(result.usage).toMatchObject({ inputTokens: 120, outputTokens: 9 })
    const { by } = await session.usage({ by: 'purpose' })
    expect(by).toMatchObject([
      { key: 'turn', requests: 2 },
      { key: 'tool', requests: 2, cost: { nano: 5_250, complete: true } },
    ])
    const own = (await session.entries({ types: ['usage_recorded'] })).flatMap(entry =>
      isType(entry, 'usage_recorded') && entry.data.purpose === 'tool' ? [entry.data] : [],
    )
    expect(own).toMatchObject([
      { model: 'acme/embed', entry: null, step: 1, cost: 5_000 },
      { model: null, entry: null, step: 1, cost: 250 },
    ])
    expect(new Set(own.map(({ requestId }) => requestId)).size).toBe(2)
  })
})
