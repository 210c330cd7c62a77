/** What may be said about a call. A dry run or a sandbox that nobody can give is a denial. */
export type Decision = 'allow' | 'deny' | 'ask' | 'dryRun' | 'sandbox'

/** Who decided: the judges in the order of spec/agent.md 11. */
export type Source =
  | 'tools'
  | 'arguments'
  | 'hooks'
  | 'mode'
  | 'extension_secrets'
  | 'policy_tools'
  | 'policy_paths'
  | 'extension_network'
  | 'rails'
  | 'trust'
  | 'autonomy'
  | 'approval'
  | 'policy'

export interface Verdict {
  readonly decision: Decision
  readonly source: Source
  readonly code: string
  readonly message: string
  /** What would make it allowed. */
  readonly suggestion?: string
}

/** Everybody agrees. */
export const allowed: Verdict = { decision: 'allow', source: 'policy', code: 'allowed', message: 'Allowed.' }

export const denied = (source: Source, code: string, message: string, suggestion?: string): Verdict => ({
  decision: 'deny',
  source,
  code,
  message,
  ...(suggestion === undefined ? {} : { suggestion }),
})
