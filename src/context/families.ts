/** Providers that take messages alike. Where none is known, Anthropic's rules hold: every chat API accepts what they allow. */
export type Family = 'anthropic' | 'openai' | 'google'

const providers: { readonly [provider: string]: Family | undefined } = {
  anthropic: 'anthropic',
  openai: 'openai',
  'openai-codex': 'openai',
  'openai-compatible': 'openai',
  azure: 'openai',
  demo: 'openai',
  deepseek: 'openai',
  groq: 'openai',
  'kimi-code': 'openai',
  moonshot: 'openai',
  openrouter: 'openai',
  zai: 'openai',
  google: 'google',
}

/** Whose rules a provider's requests follow, e.g. `google` or `google.generative-ai`; an unknown one's are Anthropic's. */
export function familyOf(provider: string | undefined): Family {
  const name = provider?.toLowerCase().split('.')[0] ?? ''
  return (Object.hasOwn(providers, name) && providers[name]) || 'anthropic'
}

export type RepairRule =
  | 'result_missing'
  | 'result_orphan'
  | 'result_duplicate'
  | 'result_misplaced'
  | 'call_id_reused'
  | 'call_id_invalid'
  | 'empty_part'
  | 'empty_message'
  | 'roles_adjacent'
  | 'first_not_user'
  | 'system_inside'
  | 'reasoning_foreign'
  | 'media_unsupported'
  | 'bad_unicode'

const everywhere = { anthropic: true, openai: true, google: true } as const
const notOpenai = { anthropic: true, openai: false, google: true } as const

/** Which rules hold where. Source: spec/context.md 3. */
export const repairTable: Readonly<Record<RepairRule, Readonly<Record<Family, boolean>>>> = {
  result_missing: everywhere,
  result_orphan: everywhere,
  result_duplicate: everywhere,
  result_misplaced: everywhere,
  call_id_reused: everywhere,
  call_id_invalid: everywhere,
  empty_part: everywhere,
  empty_message: everywhere,
  roles_adjacent: notOpenai,
  first_not_user: notOpenai,
  system_inside: notOpenai,
  reasoning_foreign: everywhere,
  media_unsupported: everywhere,
  bad_unicode: everywhere,
}

export interface FamilyRules {
  /** Whose turn results are: the user's, so that a user message behind them is the same turn, or one of their own. */
  readonly resultsAre: 'user' | 'tool'
  /** Text that is refused: nothing but blanks, or nothing at all. */
  readonly refusesBlank: boolean
  /** Reasoning of the model itself that carries no proof of it. */
  readonly takesUnsigned: boolean
  /** Reasoning that nothing follows in its message. */
  readonly takesLastReasoning: boolean
  /** Where in `providerData` the proof stands that reasoning is the provider's own: the names, and the members under each. */
  readonly proof: { readonly names: readonly string[]; readonly members: readonly string[] }
  /** Custom parts that the family's formats send. */
  readonly customs: readonly string[]
  /** Media types of files by role; `image/*` is all of a kind. Text files of a user or tool are not this table's matter. */
  readonly media: { readonly user: readonly string[]; readonly assistant: readonly string[]; readonly system: readonly string[] }
}

const pictures = ['image/jpeg', 'image/png', 'image/gif', 'image/webp']

/** What each family's documents say of its messages, as far as the rules differ by it. */
export const familyRules: Readonly<Record<Family, FamilyRules>> = {
  anthropic: {
    resultsAre: 'user',
    refusesBlank: true,
    takesUnsigned: false,
    takesLastReasoning: false,
    proof: { names: ['anthropic', 'bedrock'], members: ['signature', 'redactedData'] },
    customs: ['anthropic-messages/', 'ai-sdk/'],
    media: { user: [...pictures, 'application/pdf', 'text/*'], assistant: [], system: [] },
  },
  openai: {
    resultsAre: 'tool',
    refusesBlank: false,
    takesUnsigned: true,
    takesLastReasoning: false,
    proof: {
      names: ['openai', 'azure', 'openai-chat', 'openai-responses'],
      members: ['itemId', 'reasoningEncryptedContent', 'fields', 'item'],
    },
    customs: ['openai-responses/', 'ai-sdk/'],
    media: { user: [...pictures, 'application/pdf', 'text/*'], assistant: [], system: [] },
  },
  google: {
    resultsAre: 'tool',
    refusesBlank: false,
    takesUnsigned: true,
    takesLastReasoning: true,
    proof: { names: ['google', 'vertex', 'googleVertex'], members: ['thoughtSignature'] },
    customs: ['ai-sdk/'],
    media: {
      user: [...pictures, 'image/heic', 'image/heif', 'application/pdf', 'audio/*', 'video/*', 'text/*'],
      assistant: ['image/*'],
      system: [],
    },
  },
}
