import { delegateTool } from '#agent'
import { isType, type Message } from '#journal'
import { isSkeinError } from '#kernel'
import { scriptedModel, type ScriptedModel, type ScriptedStep } from '#models'
import type { Session, Skein } from '#skein'
import { describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { call, codeOf, gate, said, tool } from './agent-talk.ts'
import { freshFolder, memoryPlace, onEveryStore, type Place } from './stores.ts'

const named = (model: ScriptedModel, at = 0): string[] => (model.requests[at]?.tools ?? []).map(({ name }) => name)
const without = (names: readonly string[]): string[] => names.filter(name => !name.startsWith('session_'))
const look = tool('look', () => 'seen', { readOnly: true })
const save = tool('save', () => 'saved')
const childrenIn = async (session: Session) =>
  (await session.entries({ types: ['child_started', 'child_ended'] })).map(entry =>
    isType(entry, 'child_started')
      ? ['started', entry.data.callId, entry.data.role]
      : isType(entry, 'child_ended')
        ? ['ended', entry.data.status, entry.data.reason]
        : [],
  )
/** Answers by what the newest message says, so that parent and child may share it. */
const byRequest = (answers: (text: string, tools: readonly string[]) => ScriptedStep): ScriptedModel =>
  scriptedModel(
    Array.from({ length: 40 }, () => async (request, index) => {
      const step = answers(
        said(request.messages.at(-1) as Message),
        request.tools.map(({ name }) => name),
      )
      return typeof step === 'function' ? await step(request, index) : step
    }),
  )

onEveryStore('children of a session', (place: () => Promise<Place>) => {
  verifies('A56', 'a child has no tool that its parent lacks, also when it is opened with more', async () => {
    const here = await place()
    const skein = await here.open()
    const parent = await skein.sessions.create({ modelOverride: scriptedModel([]), tools: [look, save] })
    const model = scriptedModel(['a', 'b', 'c'])
    const child = await parent.spawn({ modelOverride: model, tools: [look, tool('launch', () => 'gone')] })
    await child.send('go').result()
    expect(without(named(model))).toEqual(['look'])
    const opened = await skein.sessions.open(child.id, { tools: [look, save, tool('launch', () => 'gone')] })
    await opened.send('on').result()
    expect(without(named(model, 1))).toEqual(['look'])
    await opened.send('on', { tools: [tool('launch', () => 'gone')] }).result()
    expect(without(named(model, 2))).toEqual(['look'])
    // And so after a restart.
    await skein.close()
    const next = scriptedModel(['d'])
    const again = await (await here.open()).sessions.open(child.id, { modelOverride: next, tools: [look, save] })
    await again.send('on').result()
    expect(without(named(next))).toEqual(['look'])
  })

  verifies('A56', 'a child has what its parent has where nothing is said, and is linked to it', async () => {
    const skein = await (await place()).open()
    const model = scriptedModel(['fine'])
    const parent = await skein.sessions.create({ modelOverride: model, tools: [look, save], user: 'ada', agent: 'ferry' })
    const child = await parent.spawn({ title: 'helper' })
    expect(await child.info()).toMatchObject({ parent: parent.id, user: 'ada', agent: 'ferry', title: 'helper' })
    expect(await child.send('go').result()).toMatchObject({ status: 'done', text: 'fine' })
    expect(without(named(model))).toEqual(['look', 'save'])
    expect(await childrenIn(parent)).toEqual([
      ['started', null, null],
      ['ended', 'done', 'answered'],
    ])
    expect((await skein.sessions.list({ parent: parent.id })).items.map(({ id }) => id)).toEqual([child.id])
  })

  verifies('A56', 'a child ends parent_cancelled with the run of its parent, and so do its own children', async () => {
    const skein = await (await place()).open()
    const hanging = (): ScriptedModel => scriptedModel([{ text: 'half', hang: true }])
    const parent = await skein.sessions.create({ modelOverride: hanging() })
    const child = await parent.spawn({ modelOverride: hanging() })
    const grandchild = await child.spawn({ modelOverride: hanging() })
    const runs = [parent, child, grandchild].map(session => session.send('go'))
    for (const run of runs) for await (const event of run) if (event.type === 'text_delta') break
    await runs[0]?.cancel()
    const results = await Promise.all(runs.map(run => run.result()))
    expect(results.map(({ status, reason, text }) => [status, reason, text])).toEqual([
      ['cancelled', 'user_cancelled', 'half'],
      ['cancelled', 'parent_cancelled', 'half'],
      ['cancelled', 'parent_cancelled', 'half'],
    ])
    expect((await childrenIn(parent)).at(-1)).toEqual(['ended', 'cancelled', 'parent_cancelled'])
  })

  verifies('A56', 'cancelling a session that only waits for its children ends them', async () => {
    const skein = await (await place()).open()
    const parent = await skein.sessions.create({ modelOverride: scriptedModel([]) })
    const child = await parent.spawn({ modelOverride: scriptedModel([{ text: 'half', hang: true }]) })
    const run = (await skein.sessions.open(child.id)).send('go')
    for await (const event of run) if (event.type === 'text_delta') break
    expect(await parent.abort()).toEqual({ cancelled: true })
    expect(await run.result()).toMatchObject({ status: 'cancelled', reason: 'parent_cancelled' })
    expect(await parent.cancel()).toEqual({ cancelled: false })
  })

  verifies(
    'A56',
    "a task that is handed on is done by a child, whose answer is the result, and whose cost is the tree's",
    async () => {
      const skein = await (await place()).open()
      const usage = { inputTokens: 10, outputTokens: 5 }
      const model = byRequest(text =>
        text === 'go'
          ? { calls: [call('delegate', { task: 'Count the ferries.', tools: ['look', 'launch'] })], usage }
          : text === 'Count the ferries.'
            ? { calls: [call('look')], usage }
            : text === 'seen'
              ? { text: 'There are two.', usage }
              : { text: `It said: ${text}`, usage },
      )
      const parent = await skein.sessions.create({ modelOverride: model, tools: [look, save, delegateTool()] })
      const result = await parent.send('go').result()
      expect(result).toMatchObject({ status: 'done', text: 'It said: There are two.', usage: { inputTokens: 20 } })
      expect(without(named(model, 1))).toEqual(['look'])
      const [child] = (await skein.sessions.list({ parent: parent.id })).items
      const started = (await parent.entries({ types: ['child_started'] }))[0]
      expect(started).toMatchObject({ run: expect.stringMatching(/^run_/) as string, data: { child: child?.id } })
      expect(await childrenIn(parent)).toEqual([
        ['started', expect.any(String), null],
        ['ended', 'done', 'answered'],
      ])
      expect((await parent.usage()).requests).toBe(2)
      expect((await parent.usage({ tree: true })).requests).toBe(4)
      const answer = (await parent.messages()).find(({ role }) => role === 'tool')
      expect(answer?.parts[0]).toMatchObject({
        status: 'ok',
        details: { children: [{ session: child?.id, status: 'done', steps: 2 }] },
      })
    },
  )

  verifies(
    'A56 A53',
    "what children spend counts against the parent's run, its session, and what they were given themselves",
    async () => {
      const skein = await (await place()).open()
      const usage = { inputTokens: 10, outputTokens: 0 }
      const model = byRequest(text =>
        text === 'go' ? { calls: [call('delegate', { task: 'dig' })], usage } : { calls: [call('look', { text })], usage },
      )
      const echo = tool('look', (input: { text: string }) => `${input.text}!`, { readOnly: true })
      const tools = [echo, delegateTool()]
      const one = await skein.sessions.create({ modelOverride: model, tools })
      expect(await one.send('go', { allowance: { tokens: 50 } }).result()).toMatchObject({
        reason: 'allowance_reached',
        steps: 1,
      })
      expect((await one.usage({ tree: true })).usage.inputTokens).toBe(50)
      const two = await skein.sessions.create({ modelOverride: model, tools, allowance: { tokens: 30 } })
      expect(await two.send('go').result()).toMatchObject({ reason: 'allowance_reached', steps: 1 })
      expect((await two.usage({ tree: true })).usage.inputTokens).toBe(30)
      // It is reached for a child of a host, too, and after the parent's run.
      expect(await codeOf(two.spawn().then(child => child.send('more').result().then(({ reason }) => Promise.reject(new Error(reason)))))).toBe('Error: allowance_reached') // prettier-ignore
      const three = await skein.sessions.create({ modelOverride: model, tools })
      const child = await three.spawn({ allowance: { tokens: 20 } })
      expect(await child.send('dig').result()).toMatchObject({ reason: 'allowance_reached', steps: 2 })
    },
  )

  verifies('A56', 'at most 8 children are at work at once, and none is more than three deep', async () => {
    const skein = await (await place()).open()
    const parent = await skein.sessions.create({ modelOverride: scriptedModel([]) })
    const go = gate()
    const runs = await Promise.all(
      Array.from({ length: 8 }, async () =>
        (await parent.spawn({ modelOverride: scriptedModel([async () => (await go.promise, 'ok')]) })).send('go'),
      ),
    )
    await Promise.all(runs.map(run => run.receipt))
    const refused: unknown = await parent.spawn().catch((error: unknown) => error)
    expect(isSkeinError(refused) && [refused.code, refused.details]).toEqual(['session.busy', { by: 'children', limit: 8 }])
    go.open()
    await Promise.all(runs.map(run => run.result()))
    let deepest: Session = await parent.spawn()
    deepest = await deepest.spawn()
    deepest = await deepest.spawn()
    expect(await codeOf(deepest.spawn())).toBe('input.invalid')
  })

  verifies('A56 A43', "a child's question shows at its parent, and can be answered there from another process", async () => {
    const here = await place()
    const skein = await here.open()
    const ran: string[] = []
    const risky = tool('risky', () => ran.push('risky'), { approval: true })
    const model = byRequest((text, tools) =>
      text === 'go' && tools.includes('delegate')
        ? { calls: [call('delegate', { task: 'do it', tools: ['risky'] })] }
        : text === 'do it'
          ? { calls: [call('risky')] }
          : 'done',
    )
    const parent = await skein.sessions.create({ modelOverride: model, tools: [risky, delegateTool()], approvals: 'wait' })
    const run = parent.send('go')
    await expect.poll(async () => (await parent.approvals.list()).length).toBe(1)
    const other = await (await here.open()).sessions.open(parent.id)
    const [question] = await other.approvals.list()
    expect(question).toMatchObject({ tool: 'risky', session: expect.not.stringMatching(parent.id) as string })
    const stranger = await skein.sessions.create()
    expect(await codeOf(stranger.approvals.answer(question?.id ?? '', { decision: 'allow' }))).toBe('approval.not_found')
    await other.approvals.answer(question?.id ?? '', { decision: 'allow' })
    expect(await run.result()).toMatchObject({ status: 'done' })
    expect(ran).toEqual(['risky'])
    expect(await parent.approvals.list()).toEqual([])
  })

  verifies('A56 A33', 'a parent whose process died goes on with the child that it had, which is begun once', async () => {
    const here = await place()
    const entered: string[] = []
    const hold = gate()
    const gear = (first: boolean, skein: Skein) => ({
      modelOverride: byRequest(text => {
        if (text === 'go') return { calls: [call('delegate', { task: 'dig' })] }
        if (text === 'dig') return { calls: [call('once')] }
        return text.startsWith('Outcome unknown') ? 'dug, perhaps' : `heard: ${text}`
      }),
      tools: [
        tool('once', async () => {
          entered.push(skein.store.adapter)
          if (first) await hold.promise
          return 'dug'
        }),
        delegateTool(),
      ],
    })
    const first = await here.open()
    const parent = await first.sessions.create(gear(true, first))
    const lost = parent.send('go')
    await expect.poll(() => entered.length).toBe(1)
    here.clock.advance(120_000)
    const second = await here.open()
    const revived = await second.sessions.open(parent.id, gear(false, second))
    const { plan, run } = await revived.recover({ apply: true })
    expect(plan?.effects).toMatchObject([{ tool: 'delegate', state: 'pending', action: 'rerun' }])
    expect(await run?.result()).toMatchObject({ status: 'done', text: 'heard: dug, perhaps' })
    expect(entered).toHaveLength(1)
    const { items } = await second.sessions.list({ parent: parent.id })
    expect(items).toHaveLength(1)
    expect(await childrenIn(revived)).toEqual([
      ['started', expect.any(String), null],
      ['ended', 'done', 'answered'],
    ])
    hold.open()
    await lost.abort()
    expect((await lost.result()).reason).toBe('lease_lost')
  })

  verifies('A56 A37', 'a child whose parent went on without it is ended by whoever would carry it on', async () => {
    const here = await place()
    const first = await here.open()
    const model = byRequest(text =>
      text === 'go' ? { calls: [call('delegate', { task: 'dig' })] } : { text: 'half', hang: true },
    )
    const parent = await first.sessions.create({ modelOverride: model, tools: [delegateTool()] })
    const lost = parent.send('go')
    await expect.poll(() => model.requests.length).toBe(2)
    here.clock.advance(120_000)
    const second = await here.open()
    const next = scriptedModel(['anew'])
    const revived = await second.sessions.open(parent.id, { modelOverride: next })
    expect(await revived.send('something else').result()).toMatchObject({ status: 'done', text: 'anew' })
    const [child] = (await second.sessions.list({ parent: parent.id })).items
    const recovered = await second.sessions.recover()
    expect(recovered.map(({ session, recovery }) => [session, recovery?.run])).toEqual([[child?.id, null]])
    const ended = await (await second.sessions.open(child?.id ?? '')).entries({ types: ['run_ended'] })
    expect(ended.map(({ data }) => data)).toMatchObject([{ status: 'cancelled', reason: 'parent_cancelled' }])
    expect(await second.sessions.recover()).toEqual([])
    await lost.abort()
    await lost.result()
  })
})

describe('what a child may do', () => {
  const open = async (): Promise<Skein> => await (await memoryPlace()).open()
  const decide = async (session: Session): Promise<string[]> =>
    (await session.entries({ types: ['policy_decided'] })).map(({ data }) => {
      const { decision, code } = data as { decision: string; code: string }
      return `${decision} ${code}`
    })

  verifies(
    'A56',
    'its rules only narrow: mode, autonomy, run policy and grants of the parent hold for it, whatever it is given',
    async () => {
      const skein = await open()
      const cwd = freshFolder()
      const net = tool('net', () => 'ok', { kind: 'network' })
      const write = tool('put', () => 'ok', { kind: 'write', resources: ({ path }: { path: string }) => [{ path }] })
      const rail = tool('ship', () => 'ok', { resources: () => [{ rail: 'production_deploy' }] })
      const cases: readonly [parent: object, child: object, asked: { tool: string; input?: never }, verdict: string][] = [
      [{ autonomy: 'ci' }, { autonomy: 'allow-all' }, call('net'), 'deny autonomy_ci_network_denied'],
      [{ autonomy: 'allow-all' }, { autonomy: 'suggest' }, call('put', { path: 'a' }), 'deny autonomy_suggest_side_effect_denied'],
      [{ policy: { denyTools: ['PUT'] } }, { policy: {} }, call('put', { path: 'a' }), 'deny run_policy_tool_denied'],
      [{ policy: { allowTools: ['net'] } }, { policy: { allowTools: ['put'] } }, call('put', { path: 'a' }), 'deny run_policy_tool_denied'],
      [{ policy: { allowTools: ['net'] } }, { policy: { allowTools: ['put'] } }, call('net'), 'deny run_policy_tool_denied'],
      [{ policy: { allowWrites: ['src/**'] } }, { policy: { allowWrites: ['**'] } }, call('put', { path: 'docs/a' }), 'deny run_policy_write_path_denied'],
      [{ policy: { allowWrites: ['src/**'] } }, { cwd: '' }, call('put', { path: '../docs/a' }), 'deny run_policy_write_path_denied'],
      [{}, { policy: { grants: ['production_deploy'] } }, call('ship'), 'deny dangerous_production_deploy'],
      [{ mode: 'reviewer' }, { mode: 'full' }, call('put', { path: 'a' }), 'deny agent_mode_tool_denied'],
      [{ autonomy: 'allow-all' }, {}, call('net'), 'allow allowed'],
    ] // prettier-ignore
      const { mkdirSync } = await import('node:fs')
      mkdirSync(`${cwd}/src`)
      for (const [ofParent, ofChild, asked, verdict] of cases) {
        const parent = await skein.sessions.create({ cwd, tools: [net, write, rail] as never, ...ofParent })
        const model = scriptedModel([{ calls: [asked] }, 'done'])
        const child = await parent.spawn({ modelOverride: model, ...ofChild, ...('cwd' in ofChild ? { cwd: `${cwd}/src` } : {}) })
        await child.send('go').result()
        const [told = ''] = await decide(child)
        expect([ofParent, ofChild, told.split(' ')[0] === 'allow' ? 'allow allowed' : told]).toEqual([ofParent, ofChild, verdict])
      }
    },
  )

  verifies('A56', 'rules of every ancestor hold, and a blocking hook of the parent blocks its calls', async () => {
    const skein = await open()
    const top = await skein.sessions.create({ tools: [look, save], policy: { denyTools: ['save'] } })
    const middle = await top.spawn()
    const model = scriptedModel([{ calls: [call('save')] }, 'done'])
    const child = await middle.spawn({ modelOverride: model })
    await child.send('go').result()
    expect(without(named(model))).toEqual(['look'])
    expect(await decide(child)).toEqual(['deny run_policy_tool_denied'])

    const hook = { on: 'before_call' as const, run: () => ({ block: 'not today' }) }
    const hooked = await skein.sessions.create({ tools: [look], hooks: [hook] })
    const other = scriptedModel([{ calls: [call('look')] }, 'done'])
    const below = await hooked.spawn({ modelOverride: other })
    await below.send('go').result()
    expect(await decide(below)).toEqual(['deny hook_blocked'])
  })

  verifies('A56 A42', 'what nobody trusted has asked for is not trusted in a child', async () => {
    const skein = await open()
    const model = byRequest(text =>
      text === 'go'
        ? { calls: [call('delegate', { task: 'save it' })] }
        : text === 'save it'
          ? { calls: [call('save')] }
          : 'done',
    )
    const parent = await skein.sessions.create({ modelOverride: model, tools: [save, delegateTool()] })
    await parent.send('go', { trust: 'external-untrusted' }).result()
    const [info] = (await skein.sessions.list({ parent: parent.id })).items
    const child = await skein.sessions.open(info?.id ?? '')
    expect(await decide(child)).toEqual(['deny low_trust_escalation_denied'])
  })

  verifies('A56', 'an orchestrator, which changes nothing, hands on what it has', async () => {
    const skein = await open()
    const model = byRequest(text =>
      text === 'go'
        ? { calls: [call('delegate', { task: 'save it' })] }
        : text === 'save it'
          ? { calls: [call('save')] }
          : 'done',
    )
    const parent = await skein.sessions.create({
      modelOverride: model,
      tools: [look, save, delegateTool()],
      mode: 'orchestrator',
    })
    await parent.send('go').result()
    expect(without(named(model))).toEqual(['look', 'delegate'])
    expect(without(named(model, 1))).toEqual(['look', 'save'])
  })

  it('goes by a role: an explorer only reads, and tells its instructions in the prompt', async () => {
    const skein = await open()
    const parent = await skein.sessions.create({ modelOverride: scriptedModel([]), tools: [look, save] })
    const model = scriptedModel(['seen'])
    const child = await parent.spawn({ role: 'explorer', modelOverride: model })
    await child.send('go').result()
    expect(without(named(model))).toEqual(['look'])
    expect((await child.info()).thinking).toBe('off')
    expect(await codeOf(parent.spawn({ role: 'emperor' }))).toBe('config.invalid')
  })

  it('does several tasks side by side, and says of each what it came to', async () => {
    const skein = await open()
    const both = gate()
    let begun = 0
    const model = byRequest(text => {
      if (text === 'go') return { calls: [call('delegate', { tasks: [{ task: 'one' }, { task: 'two' }] })] }
      if (text !== 'one' && text !== 'two') return `Heard: ${text}`
      return async () => {
        if (++begun === 2) both.open()
        await both.promise
        return `did ${text}`
      }
    })
    const parent = await skein.sessions.create({ modelOverride: model, tools: [delegateTool()] })
    expect((await parent.send('go').result()).text).toBe('Heard: ## 1\ndid one\n\n## 2\ndid two')
  })

  it('ends with the call that began it, when the parent is cancelled, and says so', async () => {
    const skein = await open()
    const model = byRequest(text =>
      text === 'go' ? { calls: [call('delegate', { task: 'dig' })] } : { text: 'half', hang: true },
    )
    const parent = await skein.sessions.create({ modelOverride: model, tools: [delegateTool()] })
    const run = parent.send('go')
    await expect.poll(() => model.requests.length).toBe(2)
    await parent.cancel()
    expect(await run.result()).toMatchObject({ status: 'cancelled', reason: 'user_cancelled' })
    const [info] = (await skein.sessions.list({ parent: parent.id })).items
    const child = await skein.sessions.open(info?.id ?? '')
    const ended = await child.entries({ types: ['run_ended'] })
    expect(ended.map(({ data }) => data)).toMatchObject([{ status: 'cancelled', reason: 'parent_cancelled' }])
  })

  verifies('A56', 'holds its bounds through a fork and an export, of which its parent hears nothing', async () => {
    const skein = await open()
    const parent = await skein.sessions.create({ tools: [look, save], policy: { denyTools: ['save'] } })
    const child = await parent.spawn()
    const { session: copy } = await skein.sessions.import('skein', await child.export('skein'), { as: 'new' })
    for (const session of [await child.fork(), copy]) {
      const model = scriptedModel([{ calls: [call('save')] }, 'done'])
      const again = await skein.sessions.open(session.id, { modelOverride: model, tools: [look, save] })
      await again.send('go').result()
      expect(without(named(model))).toEqual(['look'])
      expect(await decide(again)).toEqual(['deny run_policy_tool_denied'])
    }
    const fork = await child.fork()
    const before = (await parent.info()).seq
    const run = fork.send('go', { model: scriptedModel([{ text: 'half', hang: true }]) })
    for await (const event of run) if (event.type === 'text_delta') break
    expect(await parent.cancel()).toEqual({ cancelled: false })
    await run.cancel()
    expect((await run.result()).reason).toBe('user_cancelled')
    expect((await parent.info()).seq).toBe(before)
  })

  it('lives as long as its parent: one of this process has children of this process', async () => {
    const skein = await open()
    const parent = await skein.sessions.create({ durable: false, modelOverride: scriptedModel(['fine']) })
    const child = await parent.spawn()
    expect((await child.send('go').result()).text).toBe('fine')
    expect(await skein.store.in('default').session(child.id)).toBeUndefined()
  })

  it('takes no writing tool into a role that only reads', async () => {
    const skein = await open()
    const parent = await skein.sessions.create({ tools: [look, save] })
    expect(await codeOf(parent.spawn({ role: 'reviewer', tools: ['save'] }))).toBe('config.invalid')
    expect(await codeOf(parent.spawn({ role: 'reviewer', tools: ['look'] }))).toBe('resolved')
  })

  it('is refused what it cannot be: options of another kind write nothing', async () => {
    const skein = await open()
    const parent = await skein.sessions.create({ tools: [look] })
    const before = (await parent.info()).seq
    for (const options of [{ parent: parent.id }, { durable: false }, { user: 'eve' }, { tools: [5] }, { autonomy: 'free' }, { cwd: '/nowhere/at/all' }, 5])
      expect(['input.invalid', 'config.invalid']).toContain(await codeOf(parent.spawn(options as never))) // prettier-ignore
    expect((await parent.info()).seq).toBe(before)
    const key = { idempotencyKey: 'k', title: 'one' }
    const child = await parent.spawn(key)
    expect((await parent.spawn(key)).id).toBe(child.id)
    expect(await codeOf(parent.spawn({ ...key, title: 'two' }))).toBe('idempotency.mismatch')
  })
})
