import { describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { type Autonomy, readAutonomy, type Reach } from './autonomy.ts'
import type { JudgedTool } from './call-facts.ts'
import { createJudge, type JudgeOptions } from './create-judge.ts'
import { globMatcher } from './glob.ts'
import { agentModes } from './mode.ts'
import { rails, railsIn } from './rails.ts'
import type { Places } from './real-place.ts'
import { higher, isLow, lowest, trustLevels } from '#journal'

/** Everything below /work is inside, but for what `link` leads to. */
const places: Places = {
  below: async (_cwd, path) => (path.startsWith('/') || path.includes('link') ? null : path),
  isWorktree: async cwd => cwd === '/worktree',
}
const tools = {
  read: { name: 'look', readOnly: true },
  write: { name: 'save', kind: 'write' },
  execute: { name: 'make', kind: 'execute' },
  network: { name: 'fetch', kind: 'network' },
  secret: { name: 'unlock', kind: 'secret' },
  extension: { name: 'extra', kind: 'extension' },
  asking: { name: 'deploy', readOnly: true, approval: true },
} as const satisfies Record<string, JudgedTool>

const judged = async (options: Partial<JudgeOptions>, tool: JudgedTool, input: unknown = {}): Promise<string> => {
  const { decision, code } = await createJudge({ cwd: '/work', places, ...options }).judgeCall({ tool, input })
  return decision === 'allow' ? 'allow' : `${decision} ${code}`
}

describe('a run policy', () => {
  verifies('A38', 'names of tools count trimmed and in lower case, and who denies wins', async () => {
    const policy = { allowTools: [' Read ', 'bash'], denyTools: ['BASH'] }
    const judge = createJudge({ cwd: '/work', places, policy })
    const offered = ['read', 'READ', 'bash', 'edit'].filter(name => judge.offers({ name }))
    expect(offered).toEqual(['read', 'READ'])
    expect(await judged({ policy }, { name: 'read', readOnly: true })).toBe('allow')
    expect(await judged({ policy }, { name: 'bash' })).toBe('deny run_policy_tool_denied')
    expect(await judged({ policy }, { name: 'edit', kind: 'write' })).toBe('deny run_policy_tool_denied')
  })

  verifies('A39', 'allows writing what its globs match, and nothing that leads out of the folder', async () => {
    const policy = { allowWrites: ['src/**'], denyWrites: ['src/secret/*'] }
    const paths = ['src/a.md', 'docs/a.md', 'src/link/x', 'src/secret/a', 'src/secret/a/b', '/etc/passwd']
    const verdicts = await Promise.all(paths.map(path => judged({ policy }, tools.write, { path })))
    const no = 'deny run_policy_write_path_denied'
    expect(verdicts).toEqual(['allow', no, no, no, 'allow', no])
  })
})

describe('the order', () => {
  /** Refused by everybody who can refuse it, for as long as nothing is allowed. */
  const everything: JudgedTool = {
    name: 'extra',
    kind: 'extension',
    approval: true,
    resources: () => [{ path: '/etc/x' }, { host: 'example.com' }, { secret: 'KEY' }, { rail: 'force_push' }],
  }
  const least: JudgeOptions = {
    cwd: '/work',
    places,
    mode: 'planner',
    autonomy: 'ci',
    trust: 'unknown',
    policy: { denyTools: ['extra'], denyWrites: ['**'] },
  }
  const can = (capabilities: { secrets?: boolean; network?: boolean }): Partial<JudgeOptions> => ({
    capabilities: new Map([['extra', capabilities]]),
  })
  const steps: readonly (readonly [string, Partial<JudgeOptions>])[] = [
    ['deny agent_mode_tool_denied', {}],
    ['deny extension_secret_denied', { mode: 'full' }],
    ['deny run_policy_tool_denied', can({ secrets: true })],
    ['deny run_policy_write_path_denied', { policy: { denyWrites: ['**'] } }],
    ['deny extension_network_denied', { policy: {} }],
    ['deny dangerous_force_push', can({ secrets: true, network: true })],
    ['deny low_trust_escalation_denied', { policy: { grants: ['force_push'] } }],
    ['deny autonomy_ci_network_denied', { trust: 'user-instruction' }],
    ['deny autonomy_secret_denied', { autonomy: 'allow-all' }],
  ]
  verifies('A40', 'of several refusals the code is the first one’s', async () => {
    let options = least
    for (const [expected, change] of steps) {
      options = { ...options, ...change }
      expect(await judged(options, everything)).toBe(expected)
    }
  })

  it('still denies what a person agreed to before a later judge denies it', async () => {
    const judge = createJudge({ cwd: '/work', places, autonomy: 'local-auto' })
    const tool: JudgedTool = { name: 'send', kind: 'network', resources: () => [{ secret: 'KEY' }] }
    const verdict = async (approved: boolean): Promise<string> => (await judge.judgeCall({ tool, input: {}, approved })).code
    expect(await verdict(false)).toBe('autonomy_network_requires_approval')
    expect(await verdict(true)).toBe('autonomy_secret_denied')
  })

  it('denies a call whose tool cannot tell what it touches', async () => {
    const tool: JudgedTool = {
      name: 'broken',
      resources: () => {
        throw new Error('no')
      },
    }
    expect(await judged({ autonomy: 'allow-all' }, tool)).toBe('deny tool_resources_failed')
  })
})

describe('autonomy', () => {
  const calls: Readonly<Record<Reach, readonly [JudgedTool, unknown]>> = {
    read: [tools.read, {}],
    change: [tools.write, { path: 'a.md' }],
    network: [tools.network, {}],
    secret: [tools.secret, {}],
    outside: [tools.write, { path: '/etc/passwd' }],
    asks: [tools.asking, {}],
  }
  const reaches = Object.keys(calls) as Reach[]
  const secret = 'deny secret_denied'
  const suggest = 'deny suggest_side_effect_denied'
  const outside = 'deny outside_workspace_denied'
  const askNetwork = 'ask network_requires_approval'
  const askOutside = 'ask outside_workspace_requires_approval'
  const ask = 'ask approval_required'
  const table: Readonly<Record<Autonomy, readonly string[]>> = {
    suggest: ['allow', suggest, suggest, secret, outside, suggest],
    safe: ['allow', 'allow', 'allow', secret, askOutside, ask],
    'local-auto': ['allow', 'allow', askNetwork, secret, outside, ask],
    'worktree-auto': ['allow', 'sandbox worktree_required', askNetwork, secret, outside, ask],
    'allow-all-local': ['allow', 'allow', askNetwork, secret, outside, 'allow'],
    'allow-all': ['allow', 'allow', 'allow', secret, askOutside, 'allow'],
    ci: ['allow', 'allow', 'deny ci_network_denied', secret, outside, 'deny ci_approval_denied'],
  }
  for (const [autonomy, row] of Object.entries(table)) {
    verifies('A41', `every cell of ${autonomy} holds with its code`, async () => {
      const verdicts = await Promise.all(reaches.map(reach => judged({ autonomy }, ...calls[reach])))
      expect(verdicts.map(verdict => verdict.replace(' autonomy_', ' '))).toEqual(row)
    })
  }

  verifies('A41', 'in a work tree worktree-auto lets calls change it', async () => {
    expect(await judged({ autonomy: 'worktree-auto', cwd: '/worktree' }, tools.write, { path: 'a.md' })).toBe('allow')
    expect(await judged({ autonomy: 'worktree-auto', cwd: '/worktree' }, tools.execute)).toBe('allow')
  })

  verifies('A41', 'is known by its other names, whatever their case', () => {
    const names = {
      suggest: ['suggest', 'plan', 'planning', 'review', 'review-only', 'Review_Only'],
      safe: ['safe', 'default', 'interactive', ' Safe '],
      'local-auto': ['local-auto', 'local', 'auto-local', 'LOCAL_AUTO'],
      'worktree-auto': ['worktree-auto', 'worktree', 'auto-worktree'],
      'allow-all-local': ['allow-all-local', 'all-local', 'local-all', 'yolo-local', 'YOLO_LOCAL'],
      'allow-all': ['allow-all', 'all', 'yolo'],
      ci: ['ci', 'headless', 'noninteractive', 'non-interactive', 'CI'],
    }
    const read = Object.values(names).map(list => list.map(readAutonomy))
    expect(read).toEqual(Object.entries(names).map(([level, list]) => list.map(() => level)))
    for (const wrong of ['', 'wroker', 'toString', 5, null])
      expect(() => readAutonomy(wrong)).toThrow(expect.objectContaining({ code: 'config.invalid', details: { key: 'autonomy', layer: 'options' } }) as Error) // prettier-ignore
  })
})

describe('a mode', () => {
  it('has its tools and no others', () => {
    const names = ['read', 'grep', 'web', 'recall', 'write', 'edit', 'bash', 'ask_user', 'delegate']
    const all = [...names.map(name => ({ name })), { name: 'ownRead', readOnly: true }, { name: 'own' }]
    const had = Object.fromEntries(
      agentModes.map(mode => [
        mode,
        all.filter(tool => createJudge({ cwd: null, places, mode }).offers(tool)).map(tool => tool.name),
      ]),
    )
    const reads = ['read', 'grep', 'web', 'recall']
    expect(had).toEqual({
      full: [...names, 'ownRead', 'own'],
      worker: [...names.filter(name => name !== 'delegate'), 'ownRead', 'own'],
      orchestrator: [...reads, 'ask_user', 'delegate', 'ownRead'],
      planner: [...reads, 'ask_user', 'ownRead'],
      reviewer: [...reads, 'ask_user', 'ownRead'],
      auditor: [...reads, 'ownRead'],
    })
  })
})

describe('trust', () => {
  verifies('A42', 'a run that heard only what is not to be trusted may read, and asks for the network', async () => {
    for (const trust of trustLevels.filter(isLow)) {
      expect(await judged({ trust }, tools.read)).toBe('allow')
      expect(await judged({ trust }, tools.network)).toBe('ask low_trust_network_requires_approval')
      for (const tool of [tools.write, tools.execute, tools.secret, tools.extension])
        expect(await judged({ trust, autonomy: 'allow-all' }, tool)).toBe('deny low_trust_escalation_denied')
    }
    expect(trustLevels.filter(isLow)).toEqual(['generated-summary', 'external-untrusted', 'unknown'])
  })

  verifies('A42', 'the highest input counts', async () => {
    const judge = createJudge({ cwd: '/work', places, trust: 'external-untrusted' })
    const verdict = async (): Promise<string> => (await judge.judgeCall({ tool: tools.write, input: { path: 'a' } })).decision
    expect(await verdict()).toBe('deny')
    judge.heard('user-instruction')
    expect(await verdict()).toBe('allow')
    judge.heard('unknown')
    expect(await verdict()).toBe('allow')
  })

  verifies('A61', 'what is made of several sources has the lowest trust of them', () => {
    expect(lowest(['user-instruction', 'external-untrusted', 'tool-observed'])).toBe('external-untrusted')
    expect(lowest(['user-instruction', 'made up'])).toBe('unknown')
    expect(lowest([])).toBe('unknown')
    expect(higher('unknown', 'task-record')).toBe('task-record')
  })
})

describe('rails', () => {
  it('are told apart by a command’s text', () => {
    const commands = {
      'git push --force origin main': ['force_push'],
      'git push -f': ['force_push'],
      'cd x && git push origin +main': ['force_push'],
      'git push origin main': [],
      'git push --follow-tags': [],
      'git config --global user.name x': ['global_git_config_mutation'],
      'git config --global --get user.name': [],
      'git config user.name x': [],
      'cat ~/.ssh/id_ed25519': ['private_key_read'],
      'cat ~/.ssh/id_ed25519.pub': [],
      'cp server.pem /tmp': ['private_key_read'],
      'echo hello': [],
    }
    expect(Object.fromEntries(Object.keys(commands).map(text => [text, railsIn(text)]))).toEqual(commands)
  })

  it('each stand unless they are granted', async () => {
    for (const rail of Object.keys(rails)) {
      const tool: JudgedTool = { name: 'look', readOnly: true, resources: () => [{ rail }] }
      expect(await judged({}, tool)).toBe(`deny dangerous_${rail}`)
      expect(await judged({ policy: { grants: [` ${rail.toUpperCase()} `] } }, tool)).toBe('allow')
    }
  })
})

describe('a glob', () => {
  it('matches within names, over folders and by choice', () => {
    const cases: readonly (readonly [string, string, boolean])[] = [
      ['src/**', 'src/a/b.ts', true],
      ['src/**', 'src', false],
      ['**/*.md', 'a.md', true],
      ['**/*.md', 'x/y/a.md', true],
      ['*.md', 'x/a.md', false],
      ['./docs/*', 'docs/a', true],
      ['a?c', 'abc', true],
      ['a?c', 'a/c', false],
      ['[a-c]x', 'bx', true],
      ['[!a]x', 'ax', false],
      ['*.{ts,tsx}', 'a.tsx', true],
      ['*.{ts,tsx}', 'a.js', false],
      ['a.b', 'axb', false],
      ['a/**/b', 'a/b', true],
      ['**', '.hidden', true],
    ]
    expect(cases.filter(([pattern, path, matches]) => globMatcher(pattern)(path) !== matches)).toEqual([])
  })
})
