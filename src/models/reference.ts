import { SkeinError } from '#kernel'
import { aggregators, subscriptionOf } from './catalog.ts'
import type { ModelInfo } from './port.ts'
import { synthesize } from './synthesize.ts'

/** What a reference is looked up in. Providers and aliases are lower case. */
export interface Names {
  readonly providers: ReadonlySet<string>
  /** Alias to reference. */
  readonly aliases: ReadonlyMap<string, string>
  /** In the order in which a bare id is looked up. */
  readonly models: readonly ModelInfo[]
}

/**
 * The model that a reference means: an alias, a model's id, or provider/model. An explicit `provider` must agree with it, but
 * an aggregator takes the whole text as its id. Providers and aliases ignore case; ids do not. Pure.
 * Throws `model.invalid_ref`, `model.unknown_provider` or `model.unknown`. Source: spec/agent.md 2, laws P1–P5.
 */
export function resolveReference(reference: string, names: Names, explicit?: string): ModelInfo {
  const text = reference.trim()
  if (text === '') throw invalidRef(reference, 'A model reference is an alias, a model id, or provider/model.')
  const provider = explicit === undefined ? undefined : knownProvider(explicit, names)
  const alias = names.aliases.get(text.toLowerCase())
  if (alias !== undefined) {
    const meant = resolveReference(alias, { ...names, aliases: new Map() })
    if (provider === undefined || provider === meant.provider) return meant
    const same = find(names, meant.id, provider)
    if (same !== undefined) return same
    if (subscriptionOf[provider] === meant.provider) return at(names, provider, meant.id)
    if (!aggregators.has(provider)) throw disagree(text, meant.provider, provider)
  }
  const named = namedProvider(text, names)
  if (named !== undefined && (provider === undefined || provider === named.provider)) return at(names, named.provider, named.id)
  if (provider !== undefined) {
    if (named !== undefined && !aggregators.has(provider)) throw disagree(text, named.provider, provider)
    return at(names, provider, text)
  }
  const found = find(names, text) ?? (text.includes('/') ? undefined : synthesize(text))
  if (found !== undefined) return found
  const slash = text.indexOf('/')
  if (slash > 0) throw unknownProvider(text.slice(0, slash), names)
  throw new SkeinError('model.unknown', `Unknown model: ${text}. Name a known one, or say its provider: PROVIDER/${text}.`, {
    details: { model: text },
  })
}

const find = ({ models }: Names, id: string, provider?: string): ModelInfo | undefined =>
  models.find(model => model.id === id && (provider === undefined || model.provider === provider))

function at(names: Names, provider: string, id: string): ModelInfo {
  const found = find(names, id, provider) ?? synthesize(id, provider)
  if (found === undefined) throw invalidRef(id, 'No model id.')
  return found
}

function namedProvider(text: string, names: Names): { provider: string; id: string } | undefined {
  const slash = text.indexOf('/')
  const provider = text.slice(0, Math.max(slash, 0)).trim().toLowerCase()
  if (!names.providers.has(provider)) return undefined
  const id = text.slice(slash + 1).trim()
  if (id === '') throw invalidRef(text, 'The model id after the provider is missing.')
  return { provider, id }
}

function knownProvider(provider: string, names: Names): string {
  const name = provider.trim().toLowerCase()
  if (names.providers.has(name)) return name
  throw unknownProvider(provider, names)
}

const unknownProvider = (provider: string, { providers }: Names): SkeinError =>
  new SkeinError('model.unknown_provider', `Unknown provider: ${provider}. Known: ${[...providers].join(', ')}.`, {
    details: { provider, known: [...providers] },
  })

const disagree = (reference: string, named: string, provider: string): SkeinError =>
  invalidRef(reference, `It names the provider ${named}, but ${provider} was asked for.`)

const invalidRef = (reference: string, problem: string): SkeinError =>
  new SkeinError('model.invalid_ref', `Invalid model reference "${reference}": ${problem}`, { details: { reference } })
