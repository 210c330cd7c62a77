import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Approval, fileTools, type Run, type Tool } from '#agent'
import { type Entry, isType, type ToolResultPart } from '#journal'
import { isSkeinError, type Json } from '#kernel'
import { type ScriptedStep, scriptedModel } from '#models'
import { openSkein, type Session, type Skein, type SkeinOptions } from '#skein'
import { afterEach, describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { onEveryStore, type Place } from './stores.ts'

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function folder(): Promise<string> {
  const made = await realpath(await mkdtemp(join(tmpdir(), 'skein-policy-')))
  closers.push(() => rm(made, { recursive: true, force: true }))
  return made
}

async function open(options: SkeinOptions = {}): Promise<Skein> {
  const skein = await openSkein({ store: 'memory:', worker: false, ...options })
  closers.push(() => skein.close())
  return skein
}

const codeOf = async (work: Promise<unknown>): Promise<string> =>
  await work.then(
    () => 'resolved',
    (error: unknown) => (isSkeinError(error) ? error.code : String(error)),
  )

interface Asked {
  readonly tool: string
  readonly input?: Json
}
const calling = (...calls: readonly Asked[]): ScriptedStep[] => [...calls.map(call => ({ calls: [call] })), 'Done.']
const modelOf = (...calls: readonly Asked[]): ReturnType<typeof scriptedModel> => scriptedModel(calling(...calls))

async function resultsOf(session: Session): Promise<ToolResultPart[]> {
  return (await session.messages()).flatMap(({ parts }) => parts.filter(part => part.type === 'tool_result'))
}

/** The data of all entries of a type. */
async function told(session: Session, type: string): Promise<Json[]> {
  return (await session.entries({ types: [type], limit: 1_000 })).map(({ data }: Entry) => data as Json)
}

/** A tool that counts how often it ran. */
type Counting = Tool & { readonly runs: readonly unknown[] }
function counting(name: string, more: Partial<Tool> = {}): Counting {
  const runs: unknown[] = []
  return { name, description: name, input: { type: 'object' }, runs, run: input => String(runs.push(input)), ...more }
}

describe('the policy of a run', () => {
  verifies('A38', 'a tool that the run policy denies is neither told nor run', async () => {
    const [read, bash] = [counting('read', { readOnly: true }), counting('bash')]
    const model = modelOf({ tool: 'read' }, { tool: 'bash' })
    const policy = { allowTools: [' Read '], denyTools: ['BASH'] }
    const session = await (await open()).sessions.create({ tools: [read, bash], policy })
    await session.send('go', { model }).result()
    expect(model.requests[0]?.tools.map(({ name }) => name)).toEqual(['read'])
    expect([read.runs.length, bash.runs.length]).toEqual([1, 0])
    expect(await resultsOf(session)).toMatchObject([
      { tool: 'read', status: 'ok' },
      { tool: 'bash', status: 'denied', output: expect.stringContaining('run_policy_tool_denied') as string },
    ])
    expect(await told(session, 'policy_decided')).toMatchObject([
      { tool: 'read', decision: 'allow' },
      { tool: 'bash', decision: 'deny', source: 'policy_tools', code: 'run_policy_tool_denied' },
    ])
  })

  verifies('A39', 'files are written where its globs allow it, and nowhere that a link leads out', async () => {
    const [cwd, outside] = [await folder(), await folder()]
    await mkdir(join(cwd, 'src'))
    await mkdir(join(cwd, 'docs'))
    await symlink(outside, join(cwd, 'src', 'link'))
    const write = (path: string): Asked => ({ tool: 'write', input: { path, content: 'x' } })
    const tools = fileTools({ cwd, confine: false })
    const session = await (await open()).sessions.create({ cwd, tools, policy: { allowWrites: ['src/**'] } })
    await session.send('go', { model: modelOf(write('src/a.md'), write('docs/a.md'), write('src/link/x')) }).result()
    expect((await resultsOf(session)).map(({ status }) => status)).toEqual(['ok', 'denied', 'denied'])
    expect([join(cwd, 'src/a.md'), join(cwd, 'docs/a.md'), join(outside, 'x')].map(existsSync)).toEqual([true, false, false])
    expect(await told(session, 'policy_decided')).toMatchObject([
      { decision: 'allow' },
      { code: 'run_policy_write_path_denied' },
      { code: 'run_policy_write_path_denied' },
    ])
  })

  verifies(
    'A42',
    'a run that was begun by what is not to be trusted cannot write; after a steer of the user it can',
    async () => {
      const save = counting('save', { kind: 'write' })
      const session = await (await open()).sessions.create({ tools: [save] })
      const steered = async (): Promise<ScriptedStep & object> => {
        await session.steer('Do save it.')
        return { text: 'Let me see.', calls: [{ tool: 'save', input: { now: 1 } }] }
      }
      const model = scriptedModel([
        { calls: [{ tool: 'save', input: {} }] },
        steered as unknown as ScriptedStep,
        { calls: [{ tool: 'save', input: { now: 2 } }] },
        'Done.',
      ])
      expect((await session.send('go', { model, trust: 'external-untrusted' }).result()).status).toBe('done')
      expect((await resultsOf(session)).map(({ status }) => status)).toEqual(['denied', 'skipped', 'ok'])
      expect((await told(session, 'policy_decided'))[0]).toMatchObject({ code: 'low_trust_escalation_denied', source: 'trust' })
      expect(save.runs).toEqual([{ now: 2 }])
    },
  )

  it('judges the arguments first, and tells nothing of a call that has none', async () => {
    const strict = counting('strict', { input: { type: 'object', required: ['a'] } })
    const session = await (await open()).sessions.create({ tools: [strict], mode: 'auditor' })
    await session.send('go', { model: modelOf({ tool: 'strict', input: {} }, { tool: 'gone', input: {} }) }).result()
    expect((await resultsOf(session)).map(({ status }) => status)).toEqual(['error', 'error'])
    expect(await told(session, 'policy_decided')).toEqual([])
  })

  verifies('A3', 'options that hold no sense are refused with their key, and nothing is written', async () => {
    const { sessions } = await open()
    const wrong = [
      { maxSteps: 0 },
      { cwd: '/nowhere/at/all' },
      { cwd: 'relative' },
      { mode: 'wroker' as 'worker' },
      { autonomy: 'wroker' },
      { policy: { allowTool: ['read'] } as object },
      { noTools: true, tools: [counting('save')] },
      { approvals: 'maybe' as 'wait' },
      { gates: [{ id: 'x', kind: 'magic' }] as never },
      { hooks: [{ on: 'never', run: () => undefined }] as never },
      { task: { title: 'x' } as never },
      { facts: [{ text: 1 }] as never },
    ]
    for (const options of wrong) expect(await codeOf(sessions.create(options)), JSON.stringify(options)).toBe('config.invalid')
    expect((await sessions.list()).items).toEqual([])
    const session = await sessions.create()
    expect(await codeOf(session.send('go', { mode: 'wroker' as 'worker' }).receipt)).toBe('config.invalid')
    expect(await codeOf(session.send('go', { maxSteps: 0 }).receipt)).toBe('config.invalid')
    expect((await session.entries()).map(({ type }) => type)).toEqual(['session_created'])
  })
})

onEveryStore('approvals', place => {
  const asking = { name: 'deploy', description: 'Deploys.', input: { type: 'object' }, approval: true } as const
  const opened = async (session: Session): ReturnType<Session['approvals']['list']> => {
    await expect.poll(async () => (await session.approvals.list()).length).toBeGreaterThan(0)
    return await session.approvals.list()
  }

  verifies('A43', 'a call that is asked about waits, and runs once when another process says yes', async () => {
    const at = await place()
    const deploy = counting('deploy', asking)
    const session = await (await at.open()).sessions.create({ tools: [deploy], approvals: 'wait' })
    const run = session.send('go', { model: modelOf({ tool: 'deploy', input: { to: 'stage' } }) })
    await opened(session)
    const other = await (await at.open()).sessions.open(session.id)
    const [asked] = await opened(other)
    expect(asked).toMatchObject({ tool: 'deploy', input: { to: 'stage' }, code: 'autonomy_approval_required', state: 'open' })
    expect(deploy.runs).toEqual([])
    const yes = { decision: 'allow', by: 'ann' } as const
    const first = await other.approvals.answer(asked?.id ?? '', yes)
    expect(await other.approvals.answer(asked?.id ?? '', yes)).toEqual(first)
    expect(await codeOf(other.approvals.answer(asked?.id ?? '', { decision: 'deny' }))).toBe('approval.answered')
    expect(await codeOf(other.approvals.answer('apr_01HF7YAT000000000000000000', yes))).toBe('approval.not_found')
    expect((await run.result()).status).toBe('done')
    expect(deploy.runs).toEqual([{ to: 'stage' }])
    expect(await session.approvals.list()).toEqual([])
    expect(await told(session, 'approval_answered')).toMatchObject([{ approval: asked?.id, decision: 'allow', by: 'ann' }])
    expect((await told(session, 'policy_decided')).map(data => (data as { decision: string }).decision)).toEqual(['ask', 'allow'])
  })

  verifies('A43', 'of two answers at once one counts', async () => {
    const at = await place()
    const deploy = counting('deploy', asking)
    const session = await (await at.open()).sessions.create({ tools: [deploy], approvals: 'wait' })
    const run = session.send('go', { model: modelOf({ tool: 'deploy', input: {} }) })
    const id = (await opened(session))[0]?.id ?? ''
    const others = await Promise.all([0, 1, 2, 3].map(async () => await (await at.open()).sessions.open(session.id)))
    const answers = others.map((other, n) => other.approvals.answer(id, { decision: n % 2 === 0 ? 'allow' : 'deny' }))
    const settled = await Promise.allSettled(answers)
    expect(settled.filter(({ status }) => status === 'fulfilled').length).toBe(2)
    expect((await told(session, 'approval_answered')).length).toBe(1)
    await run.result()
    const said = (await told(session, 'approval_answered'))[0] as { decision: string }
    expect(deploy.runs.length).toBe(said.decision === 'allow' ? 1 : 0)
  })

  /** A run that waits for an answer when its process falls asleep for good: nobody renews its lease. */
  async function asleep(
    options: { autonomy?: string } = {},
  ): Promise<{ at: Place; session: Session; asked: Approval; old: Counting }> {
    const at = await place()
    const old = counting('deploy', asking)
    const session = await (await at.open()).sessions.create({ tools: [old], approvals: 'wait', ...options })
    const run = session.send('go', { model: modelOf({ tool: 'deploy', input: { to: 'stage' } }) })
    closers.push(() => run.abort())
    const [asked] = await opened(session)
    at.clock.advance(120_000)
    return { at, session, asked: asked as Approval, old }
  }

  async function woken(
    { at, session }: { at: Place; session: Session },
    options: { autonomy?: string } = {},
  ): Promise<{ again: Session; run: Run; deploy: Counting }> {
    const deploy = counting('deploy', asking)
    const more = { modelOverride: scriptedModel(['Done.']), tools: [deploy], approvals: 'wait', ...options } as const
    const again = await (await at.open()).sessions.open(session.id, more)
    const { run } = await again.recover({ apply: true })
    return { again, run: run as Run, deploy }
  }

  verifies('A43', 'a question survives a restart, and its call runs once when another process answers', async () => {
    const before = await asleep()
    const { run, deploy } = await woken(before)
    const other = await (await before.at.open()).sessions.open(before.session.id)
    expect((await other.approvals.list()).map(({ id }) => id)).toEqual([before.asked.id])
    await other.approvals.answer(before.asked.id, { decision: 'allow' })
    expect((await run.result()).status).toBe('done')
    expect([before.old.runs.length, deploy.runs.length]).toEqual([0, 1])
    expect((await told(other, 'approval_requested')).length).toBe(1)
  })

  verifies('A44', 'under another policy the approval does not hold: the call is judged and asked about again', async () => {
    const before = await asleep()
    const { again, run, deploy } = await woken(before, { autonomy: 'local-auto' })
    await expect.poll(async () => (await again.approvals.list()).map(({ id }) => id)).not.toContain(before.asked.id)
    expect(await codeOf(again.approvals.answer(before.asked.id, { decision: 'allow' }))).toBe('approval.answered')
    expect(deploy.runs).toEqual([])
    const [second] = await opened(again)
    expect(second?.hash).not.toBe(before.asked.hash)
    await again.approvals.answer(second?.id ?? '', { decision: 'allow' })
    expect((await run.result()).status).toBe('done')
    expect([before.old.runs.length, deploy.runs.length]).toEqual([0, 1])
  })

  verifies('A44', 'under a policy that denies it now, the call is denied', async () => {
    const before = await asleep()
    const { run, deploy, again } = await woken(before, { autonomy: 'ci' })
    expect((await run.result()).status).toBe('done')
    expect(deploy.runs).toEqual([])
    expect((await told(again, 'policy_decided')).at(-1)).toMatchObject({ decision: 'deny', code: 'autonomy_ci_approval_denied' })
  })

  it('are withdrawn when the run is cancelled; nobody can answer them any more', async () => {
    const at = await place()
    const deploy = counting('deploy', asking)
    const session = await (await at.open()).sessions.create({ tools: [deploy], approvals: 'wait' })
    const run = session.send('go', { model: modelOf({ tool: 'deploy', input: {} }) })
    const id = (await opened(session))[0]?.id ?? ''
    await run.cancel()
    expect((await run.result()).status).toBe('cancelled')
    expect(await codeOf(session.approvals.answer(id, { decision: 'allow' }))).toBe('approval.answered')
    expect(await session.approvals.list()).toEqual([])
    expect(deploy.runs).toEqual([])
  })

  it('for the whole run hold for the same tool asked about for the same reason, and for no other', async () => {
    const at = await place()
    const [deploy, drop] = [counting('deploy', asking), counting('drop', { approval: true })]
    const session = await (await at.open()).sessions.create({ tools: [deploy, drop], approvals: 'wait' })
    const model = modelOf({ tool: 'deploy', input: { n: 1 } }, { tool: 'deploy', input: { n: 2 } }, { tool: 'drop', input: {} })
    const run = session.send('go', { model })
    await session.approvals.answer((await opened(session))[0]?.id ?? '', { decision: 'allow', scope: 'run' })
    await expect.poll(async () => (await session.approvals.list()).map(({ tool }) => tool)).toEqual(['drop'])
    await session.approvals.answer((await opened(session))[0]?.id ?? '', { decision: 'deny', reason: 'Not today.' })
    expect((await run.result()).status).toBe('done')
    expect([deploy.runs.length, drop.runs.length]).toEqual([2, 0])
    expect((await resultsOf(session)).at(-1)).toMatchObject({ status: 'denied', output: 'A person said no: Not today.' })
  })
})

describe('without anybody to ask', () => {
  const deploy = (): ReturnType<typeof counting> => counting('deploy', { approval: true })

  it('a question is a denial', async () => {
    const tool = deploy()
    const session = await (await open()).sessions.create({ tools: [tool] })
    expect((await session.send('go', { model: modelOf({ tool: 'deploy' }) }).result()).status).toBe('done')
    expect(tool.runs).toEqual([])
    expect(await told(session, 'policy_decided')).toMatchObject([{ decision: 'deny', code: 'autonomy_approval_required' }])
    expect(await told(session, 'approval_requested')).toEqual([])
  })

  it('or it ends the run', async () => {
    const tool = deploy()
    const session = await (await open()).sessions.create({ tools: [tool], approvals: 'end' })
    const result = await session.send('go', { model: modelOf({ tool: 'deploy' }) }).result()
    expect(result).toMatchObject({ status: 'needs_user_input', reason: 'approval_open' })
    expect(await resultsOf(session)).toMatchObject([{ status: 'denied', output: 'Not run: approval needed.' }])
    expect(tool.runs).toEqual([])
  })
})

describe('gates', () => {
  const test = (command: string, timeoutMs?: number): { id: string; kind: 'command'; command: { command: string } } => ({
    id: 'test',
    kind: 'command',
    command: { command, ...(timeoutMs === undefined ? {} : { timeoutMs }) },
  })

  verifies('A45', 'a required command that fails leaves concerns, and one that passes none', async () => {
    const session = await (await open()).sessions.create({ cwd: await folder() })
    const passed = await session.send('go', { model: scriptedModel(['Done.']), gates: [test('pwd')] }).result()
    expect(passed).toMatchObject({ status: 'done', reason: 'answered' })
    const failed = await session.send('go', { model: scriptedModel(['Done.']), gates: [test('echo no; exit 1')] }).result()
    expect(failed).toMatchObject({
      status: 'done_with_concerns',
      reason: 'gate_failed',
      text: 'Done.',
      error: { message: 'required verification failed: test (exit 1)' },
    })
    expect(await told(session, 'gate_ended')).toMatchObject([
      { gate: 'test', state: 'passed', exitCode: 0 },
      { gate: 'test', state: 'failed', exitCode: 1, output: 'no\n' },
    ])
    const optional = [{ ...test('exit 1'), requirement: 'optional' as const }]
    expect((await session.send('go', { model: scriptedModel(['Done.']), gates: optional }).result()).status).toBe('done')
  })

  verifies('A46', 'a command past its time is blocked, and nothing of its group is left', async () => {
    const cwd = await folder()
    const session = await (await open()).sessions.create({ cwd })
    const command = 'echo $$ > pid; sleep 600 & echo $! > child; wait'
    const result = await session.send('go', { model: scriptedModel(['Done.']), gates: [test(command, 300)] }).result()
    expect(result).toMatchObject({ status: 'blocked', reason: 'gate_blocked' })
    for (const file of ['pid', 'child']) {
      const pid = (await readFile(join(cwd, file), 'utf8')).trim()
      expect(spawnSync('ps', ['-o', 'stat=', '-p', pid]).stdout.toString()).not.toMatch(/^[^Z\s]/)
    }
  })

  verifies('A46', 'runs that failed or were cancelled run none', async () => {
    const cwd = await folder()
    const gates = [test('touch ran')]
    const session = await (await open()).sessions.create({ cwd, gates })
    expect((await session.send('go', { model: scriptedModel([]) }).result()).status).toBe('failed')
    const hanging = session.send('go', { model: scriptedModel([{ hang: true }]) })
    await hanging.receipt
    await hanging.cancel()
    expect((await hanging.result()).status).toBe('cancelled')
    expect(existsSync(join(cwd, 'ran'))).toBe(false)
    expect(await told(session, 'gate_started')).toEqual([])
  })

  it('look at the changes, at what was denied, and at what a function finds', async () => {
    const cwd = await folder()
    spawnSync('git', ['init', '-q'], { cwd })
    await writeFile(join(cwd, 'a.md'), 'x')
    const session = await (await open()).sessions.create({ cwd, tools: [counting('deploy', { approval: true })] })
    const gates = [
      { id: 'docs', kind: 'diff', paths: ['*.md'] },
      { id: 'code', kind: 'diff', paths: ['src/**'] },
      { id: 'clean', kind: 'policy' },
      { id: 'own', kind: 'custom', run: () => ({ passed: true, output: 'fine' }) },
      { id: 'broken', kind: 'custom', run: () => Promise.reject(new Error('no')) },
      { id: 'person', kind: 'manual' },
    ] as const
    const result = await session.send('go', { model: modelOf({ tool: 'deploy' }), gates }).result()
    expect(result).toMatchObject({ status: 'blocked', error: { message: 'required verification blocked: broken' } })
    const states = (await told(session, 'gate_ended')).map(data => (data as { state: string }).state)
    expect(states).toEqual(['passed', 'failed', 'failed', 'passed', 'blocked', 'pending'])
  })

  it('of kind manual wait for a person', async () => {
    const session = await (await open()).sessions.create({ approvals: 'wait', gates: [{ id: 'look', kind: 'manual' }] })
    const run = session.send('go', { model: scriptedModel(['Done.']) })
    await expect.poll(async () => (await session.approvals.list()).length).toBe(1)
    await session.approvals.answer((await session.approvals.list())[0]?.id ?? '', { decision: 'allow' })
    expect((await run.result()).status).toBe('done')
  })
})

describe('hooks', () => {
  verifies('A47', 'run in the order given; the last content of after_call wins', async () => {
    const order: string[] = []
    const tool = counting('work')
    const after = (name: string, content?: string): object => ({
      on: 'after_call',
      match: 'w*',
      run: () => {
        order.push(name)
        return content === undefined ? undefined : { content }
      },
    })
    const hooks = [
      { on: 'run_started', run: () => void order.push('started') },
      { on: 'before_call', run: () => (order.push('first'), { input: { n: 1 } }) },
      {
        on: 'before_call',
        run: ({ call }: { call: { input: Json } }) => void order.push(`second ${JSON.stringify(call.input)}`),
      },
      after('a', 'from a'),
      after('b', 'from b'),
      after('c'),
      { ...after('other', 'never'), match: 'x*' },
      { on: 'run_ended', run: () => void order.push('ended') },
    ] as never
    const session = await (await open()).sessions.create({ tools: [tool], hooks })
    await session.send('go', { model: modelOf({ tool: 'work', input: {} }) }).result()
    expect(order).toEqual(['started', 'first', 'second {"n":1}', 'a', 'b', 'c', 'ended'])
    expect(tool.runs).toEqual([{ n: 1 }])
    expect(await resultsOf(session)).toMatchObject([{ status: 'ok', output: 'from b' }])
  })

  verifies('A47', 'a blocking hook that crashes or takes too long blocks; another that fails is a notice', async () => {
    const notices: string[] = []
    const tool = counting('work')
    const skein = await open({ onNotice: ({ code }) => void notices.push(code) })
    const crash = { on: 'before_call', run: () => Promise.reject(new Error('broken')) } as const
    const session = await skein.sessions.create({ tools: [tool] })
    const go = (hooks: readonly object[], n: number): Promise<unknown> =>
      session.send('go', { model: modelOf({ tool: 'work', input: { n } }), hooks: hooks as never }).result()
    await go([{ ...crash, blocking: true }], 1)
    await go([{ on: 'before_call', blocking: true, timeoutMs: 20, run: () => new Promise(() => undefined) }], 2)
    await go([{ on: 'before_call', run: () => ({ block: 'Not now.' }) }], 3)
    expect(tool.runs).toEqual([])
    await go([crash], 4)
    expect(tool.runs).toEqual([{ n: 4 }])
    expect(notices).toContain('hook.failed')
    const decided = await told(session, 'policy_decided')
    expect(decided.map(data => (data as { code: string }).code)).toEqual([
      'hook_blocked',
      'hook_blocked',
      'hook_blocked',
      'allowed',
    ])
  })
})

describe('the prompt', () => {
  const task = { title: 'Mend the fence', description: 'It leans.', design: '  ', notes: '', constraints: ['No nails', ' '] }

  verifies('A54', 'tells title and description of the task, and no blank parts', async () => {
    const model = scriptedModel(['Done.'])
    const facts = [{ text: 'Posts are oak', verifiedAt: 0 }]
    const session = await (await open({ clock: { now: () => 7_200_000 } })).sessions.create({ task, facts })
    await session.send('go', { model }).result()
    const system = model.requests[0]?.system ?? ''
    expect(system).toContain('Mend the fence')
    expect(system).toContain('It leans.')
    expect(system).toContain('- No nails')
    expect(system).toContain('- Posts are oak (verified 2 h ago)')
    expect(system).not.toMatch(/Design|Notes|- *$/m)
  })

  verifies('A54', 'is the given system text exactly, alone, and none where nothing is to be said', async () => {
    const [own, none] = [scriptedModel(['Done.']), scriptedModel(['Done.'])]
    const { sessions } = await open()
    await (await sessions.create({ system: ' Be brief. ', task })).send('go', { model: own }).result()
    await (await sessions.create()).send('go', { model: none }).result()
    expect(own.requests[0]?.system).toBe(' Be brief. ')
    expect(none.requests[0]?.system ?? null).toBeNull()
  })
})

onEveryStore('prefill', place => {
  verifies('A55', 'begins every request, also after a restart and in a fork', async () => {
    const at = await place()
    const cwd = await folder()
    await writeFile(join(cwd, 'a.md'), 'one\ntwo </file> three\nfour\n')
    const skein = await at.open()
    const prefill = [
      { path: 'a.md', mode: { range: [2, 2] as const }, note: 'the plan' },
      { path: 'gone.md', mode: 'full' as const },
    ]
    const session = await skein.sessions.create({ cwd, prefill })
    const model = scriptedModel(['One.', 'Two.', 'Three.', 'Four.'])
    await session.send('first', { model }).result()
    await session.send('second', { model }).result()
    await skein.close()
    const again = await (await at.open()).sessions.open(session.id)
    await again.send('third', { model }).result()
    await (await again.fork()).send('fourth', { model }).result()
    const file = '<context>\n<file path="a.md" note="the plan">\ntwo <\\/file> three\n</file>\n</context>'
    const begin = [
      { role: 'user', parts: [{ type: 'text', text: file }] },
      { role: 'assistant', parts: [{ type: 'text', text: 'Context loaded. Ready to work.' }] },
    ]
    expect(model.requests.map(({ messages }) => messages.slice(0, 2))).toEqual([begin, begin, begin, begin])
    expect(model.requests[3]?.messages.length).toBe(2 + 7)
    expect((await again.context({ format: 'skein' })).messages.slice(0, 2)).toEqual(begin)
    expect((await again.context()).tokens.prefill).toBeGreaterThan(0)
    expect((await again.messages()).length).toBe(6)
  })

  it('is refused once a turn has begun, but for the one that is there', async () => {
    const at = await place()
    const { sessions } = await at.open()
    const prefill = [{ role: 'user', parts: [{ type: 'text', text: 'Hear this.' }] }] as const
    const session = await sessions.create({ prefill })
    const other = [{ role: 'user', parts: [{ type: 'text', text: 'Hear that.' }] }] as const
    await sessions.open(session.id, { prefill: other })
    const model = scriptedModel(['One.'])
    await session.send('first', { model }).result()
    expect(model.requests[0]?.messages[0]?.parts[0]).toMatchObject({ text: 'Hear that.' })
    expect(await codeOf(sessions.open(session.id, { prefill }))).toBe('session.prefill_too_late')
    expect(await codeOf(sessions.open(session.id, { prefill: other }))).toBe('resolved')
  })
})

describe('results', () => {
  verifies('A61', 'of what is outside carry their trust', async () => {
    const tool = counting('search', { readOnly: true, trust: 'external-untrusted' })
    const session = await (await open()).sessions.create({ tools: [tool] })
    await session.send('go', { model: modelOf({ tool: 'search' }) }).result()
    const [message] = (await session.entries({ types: ['message_added'] })).filter(
      entry => isType(entry, 'message_added') && entry.data.role === 'tool',
    )
    expect(message?.data).toMatchObject({ parts: [{ trust: 'external-untrusted' }] })
  })
})
