import { messageOf, SkeinError } from '#kernel'
import type { ChatAdapter } from './chat.ts'

export type ChatEnv = Readonly<Record<string, string | undefined>>

/** A platform whose adapter is made of environment variables. */
export interface ChatPlatform {
  readonly title: string
  readonly package: string
  /** The version that was tried with this one. */
  readonly version: string
  /** Variables without which there is no adapter. */
  readonly needs: readonly string[]
  load(): Promise<(read: (name: string) => string | undefined, logger: ChatLogger) => ChatAdapter>
}

export interface ChatLogger {
  child(prefix: string): ChatLogger
  debug(message: string): void
  info(message: string): void
  warn(message: string): void
  error(message: string): void
}

const chatVersion = '4.41.1'

export const chatPlatforms: Readonly<Record<string, ChatPlatform>> = {
  slack: {
    title: 'Slack',
    package: '@chat-adapter/slack',
    version: '4.41.1',
    needs: ['SLACK_BOT_TOKEN', 'SLACK_SIGNING_SECRET'],
    load: async () => {
      const { createSlackAdapter } = await import('@chat-adapter/slack')
      return (read, logger) =>
        createSlackAdapter({
          botToken: read('SLACK_BOT_TOKEN') ?? '',
          signingSecret: read('SLACK_SIGNING_SECRET') ?? '',
          ...optional('apiUrl', read('SLACK_API_URL')),
          logger,
          // The outbox tries again, and knows when: its client would for half an hour.
          webClientOptions: { retryConfig: { retries: 0 }, rejectRateLimitedCalls: true, timeout: 20_000 },
        })
    },
  },
  telegram: {
    title: 'Telegram',
    package: '@chat-adapter/telegram',
    version: '4.41.1',
    needs: ['TELEGRAM_BOT_TOKEN'],
    load: async () => {
      const { createTelegramAdapter } = await import('@chat-adapter/telegram')
      return (read, logger) => {
        const secretToken = read('TELEGRAM_WEBHOOK_SECRET_TOKEN')
        return createTelegramAdapter({
          botToken: read('TELEGRAM_BOT_TOKEN') ?? '',
          ...optional('secretToken', secretToken),
          ...optional('apiUrl', read('TELEGRAM_API_BASE_URL')),
          // Without a secret nobody can send it requests: it asks for its messages itself.
          mode: secretToken === undefined ? 'polling' : 'webhook',
          logger,
        })
      }
    },
  },
  whatsapp: {
    title: 'WhatsApp',
    package: '@chat-adapter/whatsapp',
    version: '4.41.1',
    needs: ['WHATSAPP_ACCESS_TOKEN', 'WHATSAPP_APP_SECRET', 'WHATSAPP_PHONE_NUMBER_ID', 'WHATSAPP_VERIFY_TOKEN'],
    load: async () => {
      const { createWhatsAppAdapter } = await import('@chat-adapter/whatsapp')
      return (read, logger) =>
        createWhatsAppAdapter({
          accessToken: read('WHATSAPP_ACCESS_TOKEN') ?? '',
          appSecret: read('WHATSAPP_APP_SECRET') ?? '',
          phoneNumberId: read('WHATSAPP_PHONE_NUMBER_ID') ?? '',
          verifyToken: read('WHATSAPP_VERIFY_TOKEN') ?? '',
          ...optional('apiUrl', read('WHATSAPP_API_URL')),
          logger,
        })
    },
  },
  discord: {
    title: 'Discord',
    package: '@chat-adapter/discord',
    version: '4.41.0',
    needs: ['DISCORD_BOT_TOKEN', 'DISCORD_PUBLIC_KEY', 'DISCORD_APPLICATION_ID'],
    load: async () => {
      const { createDiscordAdapter } = await import('@chat-adapter/discord')
      return (read, logger) =>
        createDiscordAdapter({
          botToken: read('DISCORD_BOT_TOKEN') ?? '',
          publicKey: read('DISCORD_PUBLIC_KEY') ?? '',
          applicationId: read('DISCORD_APPLICATION_ID') ?? '',
          ...optional('apiUrl', read('DISCORD_API_URL')),
          logger,
        })
    },
  },
}

/** A blank variable is none. */
export const variableIn =
  (env: ChatEnv) =>
  (name: string): string | undefined => {
    const value = env[name]?.trim()
    return value === '' ? undefined : value
  }

/** The variables of a platform that are not set. */
export function missingVariables({ needs }: ChatPlatform, env: ChatEnv): readonly string[] {
  const read = variableIn(env)
  return needs.filter(name => read(name) === undefined)
}

/**
 * A platform's adapter, made of environment variables. `log` is told what goes wrong in it. Throws `config.invalid` where a
 * variable is missing, and `adapter.unavailable` with what to install where the packages are not there.
 */
export async function openPlatform(
  { title, package: name, version, needs, load }: ChatPlatform,
  env: ChatEnv,
  log: (text: string) => void,
): Promise<ChatAdapter> {
  const read = variableIn(env)
  const missing = needs.filter(variable => read(variable) === undefined)
  if (missing.length > 0)
    throw new SkeinError('config.invalid', `${title}: set ${missing.join(', ')}.`, { details: { key: missing[0] ?? '' } })
  const ignore = (): void => undefined
  const logger: ChatLogger = {
    child: () => logger,
    debug: ignore,
    info: ignore,
    warn: ignore,
    error: text => log(`${title}: ${text}`),
  }
  const make = await load().catch((cause: unknown) => {
    const install = `npm install chat@${chatVersion} ${name}@${version}`
    throw new SkeinError('adapter.unavailable', `${title} needs two packages: ${install} (${messageOf(cause)})`, {
      details: { packages: ['chat', name], install },
      cause,
    })
  })
  return make(read, logger)
}

const optional = <K extends string>(key: K, value: string | undefined): { readonly [key in K]?: string } =>
  value === undefined ? {} : ({ [key]: value } as { readonly [key in K]: string })
