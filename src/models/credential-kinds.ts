// What each provider takes as proof, and where it is looked for. Source: spec/agent.md 2.

/** Variables that hold a key where they are not called `PROVIDER_API_KEY`; the first that is set counts. */
const keyVariables: { readonly [provider: string]: readonly string[] | undefined } = {
  google: ['GOOGLE_API_KEY', 'GEMINI_API_KEY'],
  moonshot: ['MOONSHOT_API_KEY', 'KIMI_API_KEY'],
  'kimi-code': ['KIMICODE_API_KEY', 'KIMI_CODE_API_KEY'],
}
/** Providers that answer without a key, too. */
export const keyless: ReadonlySet<string> = new Set(['openai-compatible'])
/** Providers that take no credential at all. */
export const needsNone: ReadonlySet<string> = new Set(['demo'])
export const oauthOnly: ReadonlySet<string> = new Set(['openai-codex'])
export const takesOAuth: ReadonlySet<string> = new Set(['openai-codex', 'anthropic', 'kimi-code'])
/** openai-codex falls back to a login that was made for openai. */
/** Providers whose login serves another one. */
export const keepsOAuth: ReadonlySet<string> = new Set(['openai'])
export const oauthHomes: { readonly [provider: string]: readonly string[] | undefined } = {
  'openai-codex': ['openai-codex', 'openai'],
}

/** `openai-compatible` and `BASE_URL` make `OPENAI_COMPATIBLE_BASE_URL`. */
export const variableOf = (provider: string, field: string): string =>
  `${provider.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}_${field}`

/** The variables that may hold a provider's key, the first one first. */
export const keyVariablesOf = (provider: string): readonly string[] => keyVariables[provider] ?? [variableOf(provider, 'API_KEY')]

/** A text without the blanks around it; `undefined` for nothing but blanks. */
export const presentText = (text: string | undefined): string | undefined => {
  const trimmed = text?.trim() ?? ''
  return trimmed === '' ? undefined : trimmed
}
