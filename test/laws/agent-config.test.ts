import { mkdir, realpath, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Connector, type ModelRequest, scriptedModel } from '#models'
import { isSkeinError, SkeinError } from '#kernel'
import { openSkein, type Session, type Skein, type SkeinOptions } from '#skein'
import { afterEach, describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { call, codeOf, gate, tool, typesOf } from './agent-talk.ts'
import { freshFolder, memoryPlace, onEveryStore } from './stores.ts'

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

/** A home and a project of their own, and an opening that reads both. */
async function house(): Promise<{
  readonly project: string
  readonly notices: string[]
  user(text: string): Promise<void>
  inProject(text: string): Promise<void>
  trust(): Promise<void>
  open(env?: Record<string, string>, more?: SkeinOptions): Promise<Skein>
}> {
  const root = await realpath(freshFolder())
  const [home, project] = [join(root, 'home'), join(root, 'work', 'deep')]
  await mkdir(project, { recursive: true })
  const notices: string[] = []
  const write = async (file: string, text: string): Promise<void> => {
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
  }
  const config = join(home, '.config', 'skein')
  return {
    project,
    notices,
    user: text => write(join(config, 'config.toml'), text),
    inProject: text => write(join(root, 'work', '.skein', 'config.toml'), text),
    trust: () => write(join(config, 'trusted.json'), JSON.stringify({ projects: [join(root, 'work')] })),
    async open(env = {}, more = {}) {
      const onNotice = ({ message }: { message: string }): void => void notices.push(message)
      const skein = await openSkein({ store: 'memory:', worker: false, env: { HOME: home, ...env }, onNotice, ...more })
      closers.push(() => skein.close())
      return skein
    },
  }
}

const configOf = async (session: Session, key: string): Promise<unknown> => {
  const { value, layer } = (await session.info()).config[key] ?? {}
  return [value, layer]
}

/** A model that can think. */
const thinker = (steps: Parameters<typeof scriptedModel>[0]): ReturnType<typeof scriptedModel> =>
  scriptedModel(steps, { info: { capabilities: { reasoning: true } } })

/** What a session's next request is made with. */
async function asked(session: Session, options: object = {}): Promise<ModelRequest> {
  const model = thinker(['fine'])
  await session.send('go', { model, ...options }).result()
  return model.requests[0] as ModelRequest
}

describe('layers', () => {
  verifies('A1', 'each wins over those below it, key by key, also with the default', async () => {
    const at = await house()
    const open = async (env: Record<string, string> = {}): Promise<Skein> => await at.open(env)
    expect(await configOf(await (await open()).sessions.create({ cwd: at.project }), 'maxSteps')).toEqual([100, 'default'])
    await at.user(
      'maxSteps = 1\nthinking = "high"\nmaxTokens = 111\n[policy]\ndenyTools = ["bash", "edit"]\nallowWrites = ["src/**"]\n',
    )
    await at.inProject('maxSteps = 2\n[policy]\ndenyTools = ["write"]\n')
    const { sessions } = await open()
    expect(await configOf(await sessions.create(), 'maxSteps')).toEqual([1, 'user'])
    const project = await sessions.create({ cwd: at.project })
    expect(await configOf(project, 'maxSteps')).toEqual([2, 'project'])
    expect(await configOf(project, 'thinking')).toEqual(['high', 'user'])
    const { sessions: mine } = await open({ SKEIN_MAX_STEPS: '3', SKEIN_THINKING: ' ' })
    const session = await mine.create({ cwd: at.project })
    expect(await configOf(session, 'maxSteps')).toEqual([3, 'environment'])
    expect(await configOf(session, 'thinking')).toEqual(['high', 'user'])
    const own = await mine.create({ cwd: at.project, maxSteps: 100, thinking: 'medium', policy: { denyTools: [] } })
    expect(await configOf(own, 'maxSteps')).toEqual([100, 'options'])
    expect(await configOf(own, 'thinking')).toEqual(['medium', 'options'])
    expect(await configOf(own, 'policy.denyTools')).toEqual([[], 'options'])
    expect(await configOf(own, 'policy.allowWrites')).toEqual([['src/**'], 'user'])
    expect((await asked(own)).thinking).toBe('medium')
    const reset = await mine.create({ cwd: at.project, maxSteps: null, maxTokens: null })
    expect(await configOf(reset, 'maxSteps')).toEqual([100, 'options'])
    expect(await configOf(reset, 'maxTokens')).toEqual([null, 'options'])
    expect(await asked(session)).toMatchObject({ thinking: 'high', maxTokens: 111 })
    expect((await asked(reset)).maxTokens).toBeGreaterThan(111)
    expect((await asked(session, { thinking: 'low', maxTokens: 7 })).maxTokens).toBe(7)
  })

  verifies('A1', 'what runs obey is what the layers come to', async () => {
    const at = await house()
    await at.user('maxSteps = 2\nsystem = "Be brief."\nmode = "auditor"\n')
    const steps = [1, 2, 3, 4].map(n => ({ calls: [call('look', { n })] }))
    const look = tool('look', () => 'seen', { readOnly: true })
    const save = tool('save', () => 'saved')
    const { sessions } = await at.open()
    const session = await sessions.create({ tools: [look, save] })
    const model = scriptedModel(steps)
    expect(await session.send('go', { model }).result()).toMatchObject({ status: 'blocked', reason: 'step_limit', steps: 2 })
    expect(model.requests[0]).toMatchObject({ system: 'Be brief.' })
    expect(model.requests[0]?.tools.map(({ name }) => name)).not.toContain('save')
    const more = scriptedModel([...steps, 'enough'])
    expect(await session.send('go', { model: more, maxSteps: 4 }).result()).toMatchObject({ steps: 4 })
    await at.user('maxSteps = 1\n')
    const fewer = scriptedModel(steps)
    expect(await session.send('go', { model: fewer }).result()).toMatchObject({ steps: 1 })
    expect(fewer.requests[0]?.system ?? null).toBeNull()
    expect(fewer.requests[0]?.tools.map(({ name }) => name)).toContain('save')
  })

  it('take the provider of a layer for the models that it and those below it name', async () => {
    const at = await house()
    await at.user('model = "gpt-5.4"\n')
    const { sessions } = await at.open({ SKEIN_PROVIDER: 'openrouter', OPENROUTER_API_KEY: 'k', ANTHROPIC_API_KEY: 'k' })
    const { config } = await (await sessions.create({ model: 'demo/echo' })).info()
    expect(config['provider']).toEqual({ value: 'openrouter', layer: 'environment', where: 'SKEIN_PROVIDER' })
    const session = await sessions.create({ model: 'demo/echo' })
    expect(await session.send('hi').result()).toMatchObject({ status: 'done', demo: true })
  })

  verifies('A3', 'wrong values are refused with layer and key, and nothing is written', async () => {
    const at = await house()
    const refused = async (work: Promise<unknown>): Promise<unknown> =>
      await work.then(
        () => 'taken',
        (error: unknown) => (isSkeinError(error) ? [error.code, error.details['layer'], error.details['key']] : error),
      )
    expect(await refused(at.open({ SKEIN_MODE: 'wroker' }))).toEqual(['config.invalid', 'environment', 'mode'])
    expect(await refused(at.open({ SKEIN_MAX_STEPS: '0' }))).toEqual(['config.invalid', 'environment', 'maxSteps'])
    await at.inProject('maxSteps = "many"\n')
    const { sessions } = await at.open()
    expect(await refused(sessions.create({ cwd: at.project }))).toEqual(['config.invalid', 'project', 'maxSteps'])
    for (const [key, wrong] of Object.entries({
      thinking: 'ultra',
      maxTokens: 0,
      cache: { ttl: '2h' },
      provider: '',
      noTools: 1,
    }))
      expect(await refused(sessions.create({ [key]: wrong } as never)), key).toEqual([
        'config.invalid',
        'options',
        expect.stringContaining(key),
      ])
    expect((await sessions.list()).items).toEqual([])
    const session = await sessions.create()
    const { seq } = await session.info()
    const both = session.send('go', { noTools: true, tools: [tool('look', () => 'seen')] })
    expect(await codeOf(both.result())).toBe('config.invalid')
    expect(await codeOf(session.setThinking('ultra'))).toBe('config.invalid')
    expect(await codeOf(sessions.open(session.id, { thinking: 'ultra' }))).toBe('config.invalid')
    expect((await session.info()).seq).toBe(seq)
  })

  it('tell an unknown key once, with the nearest', async () => {
    const at = await house()
    await at.inProject('maxStep = 3\n')
    const { sessions } = await at.open()
    await sessions.create({ cwd: at.project })
    await sessions.create({ cwd: at.project })
    expect(at.notices.filter(notice => notice.includes('maxStep'))).toEqual([
      expect.stringContaining('unknown key maxStep; the nearest is maxSteps.'),
    ])
  })
})

describe('a project', () => {
  const wide = [
    'autonomy = "allow-all"',
    'mode = "worker"',
    'extensions = ["./evil.ts"]',
    'credentials = "theirs.json"',
    '[policy]',
    'denyTools = ["bash"]',
    'allowTools = ["read", "bash"]',
    'grants = ["force_push"]',
    '[hooks]',
    'x = 1',
  ].join('\n')

  verifies('A2', 'that is not trusted may narrow and not widen, and says so', async () => {
    const at = await house()
    await at.inProject(wide)
    await at.user('[policy]\ndenyTools = ["edit"]\nallowTools = ["Read", "edit", "grep"]\n')
    const session = await (await at.open()).sessions.create({ cwd: at.project })
    expect(await configOf(session, 'autonomy')).toEqual(['safe', 'default'])
    expect(await configOf(session, 'mode')).toEqual(['worker', 'project'])
    expect(await configOf(session, 'extensions')).toEqual([null, 'default'])
    expect(await configOf(session, 'credentials')).toEqual([null, 'default'])
    expect(await configOf(session, 'policy.grants')).toEqual([null, 'default'])
    expect(await configOf(session, 'policy.denyTools')).toEqual([['edit', 'bash'], 'project'])
    expect(await configOf(session, 'policy.allowTools')).toEqual([['read'], 'project'])
    for (const key of ['autonomy', 'extensions', 'credentials', 'policy.grants', 'hooks'])
      expect(
        at.notices.filter(notice => notice.includes(`: ${key} is ignored`)),
        key,
      ).toHaveLength(1)
  })

  verifies('A2', 'that is trusted decides all but what is personal', async () => {
    const at = await house()
    await at.inProject(wide)
    await at.trust()
    const session = await (await at.open()).sessions.create({ cwd: at.project })
    expect(await configOf(session, 'autonomy')).toEqual(['allow-all', 'project'])
    expect(await configOf(session, 'extensions')).toEqual([['./evil.ts'], 'project'])
    expect(await configOf(session, 'policy.grants')).toEqual([['force_push'], 'project'])
    expect(await configOf(session, 'credentials')).toEqual([null, 'default'])
  })

  verifies('A2', 'narrows by each level of autonomy and each mode, and by none that allows more', async () => {
    const cases: readonly (readonly [string, string, boolean])[] = [
      ['', 'ci', true],
      ['', 'suggest', true],
      ['', 'local-auto', true],
      ['', 'allow_all', false],
      ['', 'YOLO_LOCAL', false],
      ['autonomy = "suggest"', 'safe', false],
      ['autonomy = "ci"', 'local', false],
      ['autonomy = "worktree-auto"', 'local-auto', false],
      ['autonomy = "local-auto"', 'worktree-auto', true],
      ['autonomy = "allow-all"', 'safe', true],
    ]
    for (const [user, project, holds] of cases) {
      const at = await house()
      await at.user(`${user}\n`)
      await at.inProject(`autonomy = "${project}"\n`)
      const session = await (await at.open()).sessions.create({ cwd: at.project })
      const [, layer] = (await configOf(session, 'autonomy')) as [string, string]
      expect(layer === 'project', `${user} then ${project}`).toBe(holds)
    }
    for (const [user, project, holds] of [
      ['worker', 'full', false],
      ['worker', 'orchestrator', false],
      ['full', 'orchestrator', true],
      ['worker', 'auditor', true],
      ['planner', 'reviewer', true],
      ['auditor', 'reviewer', false],
    ] as const) {
      const at = await house()
      await at.user(`mode = "${user}"\n`)
      await at.inProject(`mode = "${project}"\n`)
      const session = await (await at.open()).sessions.create({ cwd: at.project })
      expect(await configOf(session, 'mode'), `${user} then ${project}`).toEqual(holds ? [project, 'project'] : [user, 'user'])
    }
  })

  it('that allows only tools which are denied to it leaves none', async () => {
    const at = await house()
    await at.user('[policy]\nallowTools = ["look"]\n')
    await at.inProject('[policy]\nallowTools = ["save"]\nallowWrites = ["docs/**"]\n')
    const session = await (
      await at.open()
    ).sessions.create({ cwd: at.project, tools: [tool('look', () => 1), tool('save', () => 2)] })
    expect((await asked(session)).tools.map(({ name }) => name).filter(name => ['look', 'save'].includes(name))).toEqual([])
    expect(await configOf(session, 'policy.allowWrites')).toEqual([['docs/**'], 'project'])
  })
})

onEveryStore('what a session keeps', place => {
  verifies('A1', 'is a layer of its own, below what it is opened with, also after a restart', async () => {
    const at = await place()
    const skein = await at.open({ env: { SKEIN_MAX_STEPS: '50', SKEIN_MODEL: 'gpt-5.4' } })
    const options = {
      maxSteps: 3,
      mode: 'auditor',
      policy: { denyTools: ['bash'] },
      model: 'demo/echo',
      thinking: 'low',
    } as const
    const { id } = await skein.sessions.create(options)
    expect(await configOf(await skein.sessions.open(id), 'maxSteps')).toEqual([3, 'options'])
    await skein.close()
    const again = await at.open({ env: { SKEIN_MAX_STEPS: '50', SKEIN_MODEL: 'gpt-5.4' } })
    if (!at.durable) return
    const session = await again.sessions.open(id)
    for (const [key, value] of Object.entries({ ...options, policy: undefined, 'policy.denyTools': ['bash'] }))
      if (value !== undefined) expect(await configOf(session, key), key).toEqual([value, 'session'])
    expect((await asked(session)).thinking).toBe('low')
    const opened = await again.sessions.open(id, { maxSteps: 9, thinking: 'high', model: 'sonnet' })
    expect(await configOf(opened, 'maxSteps')).toEqual([9, 'options'])
    expect(await configOf(opened, 'thinking')).toEqual(['high', 'options'])
    expect((await typesOf(opened)).filter(type => /^(model|thinking|system|tools)_changed$/.test(type))).toEqual([
      'model_changed',
      'thinking_changed',
    ])
    await again.sessions.open(id, { thinking: 'high', model: 'sonnet' })
    expect((await typesOf(opened)).filter(type => type === 'thinking_changed')).toHaveLength(1)
    await opened.setThinking('minimal')
    expect(await configOf(opened, 'thinking')).toEqual(['minimal', 'session'])
    expect((await asked(opened)).thinking).toBe('minimal')
    await opened.setThinking(null)
    expect(await configOf(opened, 'thinking')).toEqual(['medium', 'default'])
    const fork = await opened.fork()
    expect(await configOf(fork, 'maxSteps')).toEqual([3, 'session'])
  })

  verifies('P10', 'changed beside a run holds from the next one on', async () => {
    const skein = await (await place()).open()
    const inside = gate()
    const out = gate()
    const wait = tool('wait', async () => {
      inside.open()
      await out.promise
      return 'waited'
    })
    const model = thinker([{ calls: [call('wait')] }, 'fine', 'again'])
    const session = await skein.sessions.create({ modelOverride: model, tools: [wait], system: 'One.', thinking: 'low' })
    const run = session.send('go')
    await inside.promise
    await Promise.all([
      session.setSystem('Two.'),
      session.setThinking('high'),
      session.setTools([{ name: 'other', description: 'Another.', inputSchema: { type: 'object' } }]),
      session.setModel('demo/echo'),
    ])
    out.open()
    expect((await run.result()).status).toBe('done')
    await session.send('and now').result()
    const seen = model.requests.map(({ system, thinking, tools }) => [
      system,
      thinking,
      tools.some(({ name }) => name === 'other'),
    ])
    expect(seen).toEqual([
      ['One.', 'low', false],
      ['One.', 'low', false],
      ['Two.', 'high', true],
    ])
    expect((await session.info()).model).toBe('demo/echo')
  })
})

describe('options of a session', () => {
  verifies('P12', 'a key of a session or a run reaches the provider and nothing else', async () => {
    const { store, open } = { store: await memoryPlace(), open: [] as unknown[] }
    const skein = await store.open({ onNotice: notice => void open.push(notice) })
    const seen: unknown[] = []
    const connector: Connector = {
      provider: 'anthropic',
      connect: credential => {
        seen.push(credential)
        const failure = new SkeinError('provider.rejected', `It broke: ${JSON.stringify(credential)}`)
        return scriptedModel([{ failure }], { provider: 'anthropic', modelId: 'x' })
      },
    }
    skein.models.register(connector, { replace: true })
    const session = await skein.sessions.create({ model: 'sonnet', apiKey: 'sk-secret-1' })
    await session.send('hi').result()
    await session.send('hi', { apiKey: 'sk-secret-2' }).result()
    expect(JSON.stringify(seen)).toContain('sk-secret-1')
    expect(JSON.stringify(seen)).toContain('sk-secret-2')
    const all = JSON.stringify([
      await session.info(),
      await session.entries({ limit: 1_000 }),
      await session.export('skein'),
      open,
    ])
    expect([all.includes('sk-secret'), all.includes('It broke')]).toEqual([false, true])
  })

  it('without tools thinks only where it is told to', async () => {
    const { sessions } = await (await memoryPlace()).open()
    const session = await sessions.create({ noTools: true })
    expect(await asked(session)).toMatchObject({ thinking: 'off', tools: [] })
    expect(await configOf(session, 'thinking')).toEqual(['off', 'default'])
    expect((await asked(session, { thinking: 'low' })).thinking).toBe('low')
    expect((await asked(await sessions.create())).thinking).toBe('medium')
  })

  it('ask for the lifetime of a cache', async () => {
    const { sessions } = await (await memoryPlace()).open()
    const session = await sessions.create({ cache: { ttl: '1h' } })
    expect((await asked(session)).cache).toEqual({ ttl: '1h' })
    expect((await asked(session, { cache: { ttl: '5m' } })).cache).toEqual({ ttl: '5m' })
    const filled = await sessions.create({ prefill: [{ role: 'user', parts: [{ type: 'text', text: 'Know this.' }] }] })
    expect((await asked(filled)).cache).toEqual({ ttl: '5m', prefill: 1 })
  })

  it('never let an answer be longer than the model can make it', async () => {
    const { sessions } = await (await memoryPlace()).open()
    const info = { contextWindow: 100_000, maxOutput: 9_000 }
    const of = async (options: object): Promise<unknown> => {
      const model = scriptedModel(['fine'], { info })
      await (await sessions.create()).send('go', { model, ...options }).result()
      return model.requests[0]?.maxTokens
    }
    expect(await of({})).toBe(9_000)
    expect(await of({ maxTokens: 500 })).toBe(500)
    expect(await of({ maxTokens: 50_000 })).toBe(9_000)
  })
})
