import { given } from '#kernel'
import { nearestOf } from './config-nearest.ts'
import { guardrailModes, guardrailMs, guardrailProfiles } from './guardrails.ts'

/** What a key holds. Bounds are inclusive. A secret is `env:NAME` or `file:PATH` in a file; its own variable may hold it plainly. */
export type KeyKind =
  | { readonly is: 'text' }
  | { readonly is: 'number'; readonly min: number; readonly max: number }
  | { readonly is: 'fraction'; readonly min: number; readonly max: number }
  | { readonly is: 'flag' }
  | { readonly is: 'choice'; readonly of: readonly string[]; readonly fold?: boolean }
  | { readonly is: 'list'; readonly of?: readonly string[] }
  | { readonly is: 'secret' }
  | { readonly is: 'address' }

export type ConfigValue = string | number | boolean | readonly string[]

export interface ConfigKey {
  /** Dotted; `*` stands for a name that the user gives. */
  readonly path: string
  readonly kind: KeyKind
  readonly byDefault?: ConfigValue
  /** Nothing that a repository may ever decide for the person who works in it. */
  readonly personal?: true
  /** Nothing that a repository decides before it is trusted. */
  readonly trusted?: true
}

const text: KeyKind = { is: 'text' }
const secret: KeyKind = { is: 'secret' }
const number = (min: number, max: number): KeyKind => ({ is: 'number', min, max })
const fraction = (min: number, max: number): KeyKind => ({ is: 'fraction', min, max })
const choice = (...of: readonly string[]): KeyKind => ({ is: 'choice', of })
const key = (path: string, kind: KeyKind, byDefault?: ConfigValue): ConfigKey => ({
  path,
  kind,
  ...given({ byDefault }),
})
const own = (path: string, kind: KeyKind, byDefault?: ConfigValue): ConfigKey => ({
  ...key(path, kind, byDefault),
  personal: true,
})
const trusted = (path: string, kind: KeyKind): ConfigKey => ({ ...key(path, kind), trusted: true })

const list: KeyKind = { is: 'list' }
const flag: KeyKind = { is: 'flag' }
const maxMs = 2_147_483_647
const autonomies = ['suggest', 'plan', 'planning', 'review', 'review-only', 'safe', 'default', 'interactive', 'local-auto', 'local', 'auto-local', 'worktree-auto', 'worktree', 'auto-worktree', 'allow-all-local', 'all-local', 'local-all', 'yolo-local', 'allow-all', 'all', 'yolo', 'ci', 'headless', 'noninteractive', 'non-interactive'] // prettier-ignore

/** The options of an agent that a file or a variable can say. Source: spec/agent.md 1. */
export const agentKeys: readonly ConfigKey[] = [
  key('model', text),
  key('provider', text),
  key('thinking', choice('off', 'minimal', 'low', 'medium', 'high', 'xhigh'), 'medium'),
  key('maxTokens', number(1, 10_000_000)),
  key('maxSteps', number(1, 1_000_000), 100),
  key('mode', choice('full', 'worker', 'orchestrator', 'planner', 'reviewer', 'auditor'), 'full'),
  key('autonomy', { is: 'choice', of: autonomies, fold: true }, 'safe'),
  key('policy.allowTools', list),
  key('policy.denyTools', list),
  key('policy.allowWrites', list),
  key('policy.denyWrites', list),
  trusted('policy.grants', list),
  key('approvals', choice('wait', 'deny', 'end')),
  key('system', text),
  key('identity', text),
  key('noTools', flag, false),
  key('toolOrder', choice('readsFirst', 'callOrder'), 'readsFirst'),
  key('steering', choice('now', 'afterTools'), 'now'),
  key('cancelGraceMs', number(0, maxMs), 5_000),
  key('cache.ttl', choice('5m', '1h'), '5m'),
  key('allowance.nano', number(0, Number.MAX_SAFE_INTEGER)),
  key('allowance.tokens', number(0, Number.MAX_SAFE_INTEGER)),
  key('allowance.wallMs', number(0, maxMs)),
  key('allowance.allowUnpriced', flag),
  trusted('guardrails.mode', choice(...guardrailModes)),
  trusted('guardrails.profile', choice(...guardrailProfiles)),
  trusted('guardrails.criticalPaths', list),
  trusted('guardrails.commands', list),
  trusted('guardrails.timeoutMs', number(1, guardrailMs)),
  trusted('extensions', list),
  own('credentials', text),
]

const most = Number.MAX_SAFE_INTEGER

/** How contexts are kept where a session says nothing of it: the names that `openSkein({ context })` takes. Source: spec/context.md 12. */
const contextKeys: readonly ConfigKey[] = [
  own('context.auto', flag, true),
  own('context.recall', flag, true),
  own('context.counter', choice('weights/1', 'o200k'), 'weights/1'),
  own('context.softFraction', fraction(0.1, 0.95), 0.6),
  own('context.targetFraction', fraction(0.05, 0.95), 0.3),
  own('context.swap', choice('late', 'early'), 'late'),
  own('context.buffer', number(0, 200_000)),
  own('context.keepTokens', number(500, most)),
  own('context.leafTokens', number(500, most)),
  own('context.fanout', number(2, 16), 4),
  own('context.summaryShare', fraction(0.05, 0.5), 0.2),
  own('context.prune.protectTokens', number(1, most)),
  own('context.prune.minTokens', number(0, most)),
  own('context.prune.protectedTools', list, ['skill']),
  own('context.largeTokens', number(100, most), 10_000),
  own('context.recallTokensPerTurn', number(1_000, most), 16_000),
  own('context.doomLoopCalls', number(2, 10), 3),
  own('context.summarizer', text, 'deterministic'),
  own('context.summaryTimeoutMs', number(1, most), 60_000),
  own('context.closeTimeoutMs', number(0, most), 30_000),
]

/** Every key that Skein reads. Source: spec/foundation.md 7.2, spec/agent.md 1. */
export const configKeys: readonly ConfigKey[] = [
  own('store', { is: 'address' }),
  own('url', { is: 'address' }),
  own('token', secret),
  key('tenant', text, 'default'),

  ...agentKeys,

  own('server.host', text, '127.0.0.1'),
  own('server.port', number(0, 65_535), 7_544),
  own('server.origins', { is: 'list' }, []),
  own('server.rate.perSecond', number(1, 1_000_000)),
  own('server.rate.burst', number(1, 1_000_000)),
  own('server.hookRate.perSecond', number(1, 1_000_000)),
  own('server.hookRate.burst', number(1, 1_000_000)),
  own('server.maxBodyBytes', number(1_024, 1_073_741_824), 10_485_760),
  own('server.requestMs', number(1_000, maxMs), 30_000),
  own('server.maxStreams', number(1, 1_000_000), 100),

  own('tokens.*.secret', secret),
  own('tokens.*.tenant', text),
  own('tokens.*.scopes', { is: 'list', of: ['read', 'write', 'admin'] }),
  own('tokens.*.owners', { is: 'list' }),

  own('providers.*.apiKey', secret),
  own('providers.*.baseUrl', { is: 'address' }),

  ...contextKeys,

  key('sessions.liveMax', number(1, 1_000_000), 1_000),
  key('sessions.idleMs', number(1_000, maxMs), 900_000),
]

/** Sections whose rooms read them; whatever stands there is accepted. */
export const reservedSections: readonly string[] = ['memory', 'gateway', 'hooks', 'roles']

/** Sections of a project's file that count for nothing, keys that Skein doesn't know included. */
export const personalSections: readonly string[] = ['store', 'server', 'tokens', 'providers', 'credentials', 'url', 'token']

/** Sections of a project's file that count for nothing before the project is trusted. */
export const trustedSections: readonly string[] = ['hooks', 'roles', 'extensions', 'guardrails']

export function findKey(path: string): ConfigKey | undefined {
  return configKeys.find(({ path: known }) => matches(known, path))
}

function matches(known: string, path: string): boolean {
  const wanted = known.split('.')
  const given = path.split('.')
  return wanted.length === given.length && wanted.every((part, index) => part === '*' || part === given[index])
}

/** The key that was probably meant: by its whole path, or by its name within its section. */
export function nearestKey(path: string): string | undefined {
  return nearestOf(
    path,
    configKeys.map(known => fillStars(known.path, path)),
    lastPart,
  )
}

function fillStars(known: string, path: string): string {
  const given = path.split('.')
  return known.split('.').map((part, index) => (part === '*' ? (given[index] ?? 'NAME') : part)).join('.') // prettier-ignore
}

const lastPart = (path: string): string => path.slice(path.lastIndexOf('.') + 1)

/** `server.port` is `SKEIN_SERVER_PORT`, `maxSteps` is `SKEIN_MAX_STEPS`. Keys with a name in them have no variable. */
export function variableOf(path: string): string | undefined {
  if (path.includes('*')) return undefined
  return `SKEIN_${path
    .replaceAll(/([a-z])([A-Z])/g, '$1_$2')
    .replaceAll('.', '_')
    .toUpperCase()}`
}
