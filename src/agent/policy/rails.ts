/** What no call does without a grant of its own. A net for what is plain to see, no wall. Source: spec/agent.md 11. */
export type Rail =
  | 'secret_exfiltration'
  | 'private_key_read'
  | 'outside_workspace_destructive_write'
  | 'force_push'
  | 'global_git_config_mutation'
  | 'production_deploy'
  | 'cloud_resource_deletion'
  | 'audit_log_disable'

/** What each keeps from happening. */
export const rails: Readonly<Record<Rail, string>> = {
  secret_exfiltration: 'send a secret away',
  private_key_read: 'read a private key',
  outside_workspace_destructive_write: 'destroy what lies outside the workspace',
  force_push: 'overwrite the history of a remote',
  global_git_config_mutation: "change this user's git configuration",
  production_deploy: 'deploy to production',
  cloud_resource_deletion: 'delete what runs in the cloud',
  audit_log_disable: 'switch an audit log off',
}

/** What a shell command shows by its text. */
const shown: readonly (readonly [Rail, RegExp])[] = [
  ['force_push', /\bgit\b[^\n;|&]*\bpush\b[^\n;|&]*(\s--force(?!-with-lease)(=\S*)?(?=\s|$)|\s--force-with-lease\b|\s-[a-zA-Z]*f[a-zA-Z]*(?=\s|$)|\s\+[^\s+]\S*)/], // prettier-ignore
  ['global_git_config_mutation', /\bgit\b[^\n;|&]*\bconfig\b[^\n;|&]*\s--(global|system)(?=\s)(?![^\n;|&]*\s--(get|list|get-all|get-regexp)\b)/], // prettier-ignore
  ['private_key_read', /(^|[\s/~'"=])id_(rsa|dsa|ecdsa|ed25519)(_sk)?(?![\w.-])|[\w/~.-]+\.(pem|ppk|p12|pfx)(?![\w.-])|~?\/?\.gnupg\/private-keys/], // prettier-ignore
]

export function railsIn(command: string): readonly Rail[] {
  return shown.flatMap(([rail, shape]) => (shape.test(command) ? [rail] : []))
}

export const isRail = (name: string): name is Rail => Object.hasOwn(rails, name)
