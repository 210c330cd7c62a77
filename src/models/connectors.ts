import { type Clock, SkeinError, type Timers } from '#kernel'
import { variableOf } from './credential-kinds.ts'
import { fromAiSdk } from './from-ai-sdk.ts'
import type { AiSdkModel, Connector, Credential, ModelInfo } from './port.ts'

interface Settings {
  readonly name: string
  readonly baseURL: string
  readonly apiKey: string
}

/** One package of the AI SDK: how it is loaded and how it makes a model object. */
interface Package {
  readonly name: string
  load(): Promise<(settings: Settings, id: string) => AiSdkModel>
}

/** Which provider speaks through which package, and where it lives. Each is an optional peer, loaded when first connected. */
interface ConnectorRow {
  readonly provider: string
  readonly package: Package
  /** Absent: `PROVIDER_BASE_URL` or a stored field `baseUrl` must say it. */
  readonly baseUrl?: string
}

const anthropic: Package = {
  name: '@ai-sdk/anthropic',
  load: async () => {
    const { createAnthropic } = await import('@ai-sdk/anthropic')
    return ({ baseURL, apiKey }, id) => createAnthropic({ baseURL, apiKey })(id)
  },
}
const openai: Package = {
  name: '@ai-sdk/openai',
  load: async () => {
    const { createOpenAI } = await import('@ai-sdk/openai')
    return ({ baseURL, apiKey }, id) => createOpenAI({ baseURL, apiKey }).responses(id)
  },
}
const google: Package = {
  name: '@ai-sdk/google',
  load: async () => {
    const { createGoogle } = await import('@ai-sdk/google')
    return ({ baseURL, apiKey }, id) => createGoogle({ baseURL, apiKey })(id)
  },
}
const compatible: Package = {
  name: '@ai-sdk/openai-compatible',
  load: async () => {
    const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible')
    return ({ name, baseURL, apiKey }, id) =>
      createOpenAICompatible({ name, baseURL, ...(apiKey === '' ? {} : { apiKey }), includeUsage: true })(id)
  },
}

/**
 * The providers that Skein reaches with a key. Any base URL is replaced by `PROVIDER_BASE_URL` (e.g. `OPENAI_BASE_URL`,
 * `ANTHROPIC_BASE_URL`, version path included). Any other server with OpenAI's chat format is `openai-compatible/MODEL` with
 * `OPENAI_COMPATIBLE_BASE_URL` and, where it wants one, `OPENAI_COMPATIBLE_API_KEY`.
 */
const rows: readonly ConnectorRow[] = [
  { provider: 'anthropic', package: anthropic, baseUrl: 'https://api.anthropic.com/v1' },
  { provider: 'openai', package: openai, baseUrl: 'https://api.openai.com/v1' },
  { provider: 'google', package: google, baseUrl: 'https://generativelanguage.googleapis.com/v1beta' },
  { provider: 'deepseek', package: compatible, baseUrl: 'https://api.deepseek.com/v1' },
  { provider: 'moonshot', package: compatible, baseUrl: 'https://api.moonshot.ai/v1' },
  { provider: 'openrouter', package: compatible, baseUrl: 'https://openrouter.ai/api/v1' },
  { provider: 'groq', package: compatible, baseUrl: 'https://api.groq.com/openai/v1' },
  { provider: 'zai', package: compatible, baseUrl: 'https://api.z.ai/api/paas/v4' },
  { provider: 'openai-compatible', package: compatible },
]

export const builtInConnectors = (time: { readonly clock: Clock; readonly timers: Timers }): readonly Connector[] =>
  rows.map(row => ({
    provider: row.provider,
    async connect(credential, info) {
      const settings = settingsOf(row, credential)
      return fromAiSdk(await makeModel(row.package, settings, info), info, time)
    },
  }))

async function makeModel(pack: Package, settings: Settings, info: ModelInfo): Promise<AiSdkModel> {
  const make = await pack.load().catch((thrown: unknown) => {
    throw missing(pack.name, settings.name, thrown)
  })
  return make(settings, info.id)
}

function settingsOf({ provider, baseUrl }: ConnectorRow, credential: Credential): Settings {
  if (credential.kind === 'oauth') {
    throw new SkeinError(
      'model.provider_missing',
      `No connector for ${provider} with OAuth. Register one with models.register.`,
      {
        details: { provider },
      },
    )
  }
  const baseURL = credential.fields?.['baseUrl'] ?? baseUrl
  if (baseURL === undefined) {
    throw new SkeinError('config.invalid', `Where ${provider} listens is not known. Set ${variableOf(provider, 'BASE_URL')}.`, {
      details: { key: variableOf(provider, 'BASE_URL') },
    })
  }
  return { name: provider, baseURL, apiKey: credential.kind === 'apiKey' ? credential.apiKey : '' }
}

/** True if exactly this package could not be found, not one that it imports. */
function isNotInstalled(thrown: unknown, name: string): boolean {
  return (
    thrown instanceof Error &&
    (thrown as { code?: unknown }).code === 'ERR_MODULE_NOT_FOUND' &&
    thrown.message.includes(`'${name}'`)
  )
}

/** An optional package is not installed: the message has the command; or it is, and cannot be loaded: the message says why. */
export function missing(name: string, provider: string, thrown: unknown): SkeinError {
  const why = isNotInstalled(thrown, name)
    ? `npm install ${name}`
    : `it could not be loaded: ${thrown instanceof Error ? thrown.message : String(thrown)}`
  return new SkeinError('model.provider_missing', `${provider} needs the package ${name}: ${why}`, {
    details: { provider, package: name },
    cause: thrown,
  })
}
