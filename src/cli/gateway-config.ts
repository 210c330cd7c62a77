import { isSecretReference, secretText } from '#agent'
import { chatPlatforms, type ChatSdkOptions, type GatewayOptions, type Webhook } from '#gateway'
import { isObject, SkeinError } from '#kernel'
import type { Io } from './io.ts'
import { readSecret } from './secrets.ts'
import { readUserSection } from './user-section.ts'

/** What the user's file says of the gateway: what `openSkein({ gateway })` takes, and which adapters are started. */
export interface GatewayConfig {
  readonly options: GatewayOptions | undefined
  readonly adapters: {
    readonly terminal: boolean
    readonly webhooks: Readonly<Record<string, Webhook>>
    /** How platforms of the Chat SDK are spoken with, by their names. */
    readonly chats: Readonly<Record<string, ChatSettings>>
  }
}

export type ChatSettings = Pick<ChatSdkOptions, 'listen' | 'replies' | 'format'>

const chatSettings: Readonly<Record<keyof ChatSettings, readonly string[]>> = {
  listen: ['addressed', 'all'],
  replies: ['thread', 'channel'],
  format: ['markdown', 'plain'],
}

/**
 * The section `gateway` of the user's file; a project's file does not decide who may speak. `adapters` in it is for the command line, the
 * rest is checked where Skein is opened. Throws `config.invalid` with all problems of the adapters at once. Law G83.
 */
export function readGatewayConfig({ env, cwd }: Pick<Io, 'env' | 'cwd'>, file: string | undefined): GatewayConfig {
  const found = readUserSection('gateway', { env, cwd }, file)
  if (found === undefined) return { options: undefined, adapters: { terminal: false, webhooks: {}, chats: {} } }
  const { adapters = {}, ...options } = found.section
  const problems: string[] = []
  const named = isObject(adapters) ? adapters : {}
  if (!isObject(adapters)) problems.push('gateway.adapters: Expected a table.')
  const known = ['terminal', 'webhook', ...Object.keys(chatPlatforms)]
  for (const name of Object.keys(named))
    if (!known.includes(name)) problems.push(`gateway.adapters.${name}: Unknown; expected ${known.join(', ')}.`)
  const { terminal = false, webhook = {} } = named
  if (typeof terminal !== 'boolean') problems.push('gateway.adapters.terminal: Expected true or false.')
  const webhooks = readWebhooks(webhook, problems, { env, cwd, where: found.file })
  const chats = readChats(named, problems)
  if (problems.length > 0) throw new SkeinError('config.invalid', problems.join('\n'), { details: { key: 'gateway.adapters' } })
  return { options: options as GatewayOptions, adapters: { terminal: terminal === true, webhooks, chats } }
}

function readChats(adapters: Readonly<Record<string, unknown>>, problems: string[]): Record<string, ChatSettings> {
  const names = Object.keys(chatPlatforms).filter(name => adapters[name] !== undefined)
  return Object.fromEntries(
    names.map((name): [string, ChatSettings] => {
      const table = adapters[name]
      if (!isObject(table)) problems.push(`gateway.adapters.${name}: Expected a table.`)
      const given = isObject(table) ? table : {}
      for (const [key, value] of Object.entries(given)) {
        const expected = Object.hasOwn(chatSettings, key) ? chatSettings[key as keyof ChatSettings] : undefined
        const path = `gateway.adapters.${name}.${key}`
        if (expected === undefined) problems.push(`${path}: Unknown; expected ${Object.keys(chatSettings).join(', ')}.`)
        else if (typeof value !== 'string' || !expected.includes(value))
          problems.push(`${path}: Expected ${expected.join(' or ')}.`)
      }
      return [name, given]
    }),
  )
}

function readWebhooks(
  value: unknown,
  problems: string[],
  { env, cwd, where }: { readonly env: Io['env']; readonly cwd: string; readonly where: string | null },
): Record<string, Webhook> {
  const hooks = isObject(value) ? value : {}
  if (!isObject(value)) problems.push('gateway.adapters.webhook: Expected a table of hooks by their names.')
  return Object.fromEntries(
    Object.entries(hooks).flatMap(([name, hook]): [string, Webhook][] => {
      const key = `gateway.adapters.webhook.${name}`
      const { secret, replyUrl, ...more } = isObject(hook) ? hook : {}
      for (const unknown of Object.keys(more)) problems.push(`${key}.${unknown}: Unknown; expected secret, replyUrl.`)
      if (replyUrl !== undefined && typeof replyUrl !== 'string') problems.push(`${key}.replyUrl: Expected an address.`)
      if (typeof secret !== 'string' || !isSecretReference(secret)) {
        problems.push(`${key}.secret: A secret is not written here: give env:NAME or file:PATH.`)
        return []
      }
      const known = readSecret(secret, `${key}.secret`, { env, readFile: path => secretText(path, where, cwd) })
      return [[name, { secret: known, ...(typeof replyUrl === 'string' ? { replyUrl } : {}) }]]
    }),
  )
}
