import { createSlackAdapter } from '@chat-adapter/slack'
import { createTelegramAdapter } from '@chat-adapter/telegram'
import { chatSdkAdapter, type ChatSdkAdapter, type ChatSdkOptions } from '#gateway'
import { createHandler } from '#server'
import type { Skein, SkeinOptions } from '#skein'
import { ConsoleLogger } from 'chat'
import { afterEach } from 'vitest'
import {
  type Api,
  openSlack,
  openTelegram,
  type Sent,
  slackEvent,
  slackSecret,
  telegramSecret,
  telegramToken,
} from './chat-platforms.ts'
import { memoryPlace, type Place } from './stores.ts'

export const closers: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

export const logger: ConsoleLogger = new ConsoleLogger('silent')
export type More = Partial<ChatSdkOptions>

/** Slack on loopback, and a bridge to it that is not started. */
export async function slack(more: More = {}): Promise<Bridge> {
  const api = await openSlack()
  closers.push(() => api.close())
  const webClientOptions = { retryConfig: { retries: 0 }, rejectRateLimitedCalls: true }
  const chat = createSlackAdapter({
    botToken: 'xoxb-1',
    signingSecret: slackSecret,
    apiUrl: `${api.url}/`,
    logger,
    webClientOptions,
  })
  return { api, adapter: chatSdkAdapter({ platform: 'slack', adapter: chat, ...more }) }
}

export async function telegram(more: More = {}): Promise<Bridge> {
  const api = await openTelegram()
  closers.push(() => api.close())
  const chat = createTelegramAdapter({
    botToken: telegramToken,
    secretToken: telegramSecret,
    apiUrl: api.url,
    mode: 'webhook',
    logger,
  })
  return { api, adapter: chatSdkAdapter({ platform: 'telegram', adapter: chat, ...more }) }
}

export interface Bridge {
  readonly api: Api
  readonly adapter: ChatSdkAdapter
}

export interface Room {
  readonly api: Api
  readonly skein: Skein
  /** Sends a request as the platform does, through the HTTP server's handler. */
  post(sent: Sent, method?: string, query?: string): Promise<{ status: number; text: string }>
  /** What came in, oldest first: `text: state`. */
  rows(): Promise<string[]>
  keys(): Promise<string[]>
}

/** A gateway with a bridge, behind the HTTP server. */
export async function room(
  { api, adapter }: Bridge,
  gateway: SkeinOptions['gateway'] = { allowAll: true },
  at?: Place,
): Promise<Room> {
  const place = at ?? (await memoryPlace())
  const skein = await place.open({ gateway })
  // Before the platform goes.
  closers.push(() => skein.close())
  await skein.gateway.start({ adapters: [adapter] })
  const handle = createHandler(skein, { clock: place.clock })
  return {
    api,
    skein,
    post: async ({ body, headers }, method = 'POST', query = '') => {
      const url = `http://hooks.example/v1/gateway/hooks/${adapter.platform}${query}`
      const init = { method, headers: { ...headers, host: 'hooks.example' }, ...(method === 'GET' ? {} : { body }) }
      const response = await handle(new Request(url, init))
      return { status: response.status, text: await response.text() }
    },
    rows: async () => {
      const { items } = await skein.gateway.inbox.list({ limit: 200 })
      return items
        .toSorted((a, b) => (a.id < b.id ? -1 : 1))
        .map(({ text, state, reason }) => [text, state, ...(reason === undefined ? [] : [reason])].join(': '))
    },
    keys: async () => (await skein.gateway.list()).items.map(({ key }) => key).sort(),
  }
}

/** What came to Slack, in its order. */
export const posted = ({ api }: { readonly api: Api }): string[] =>
  api.of('chat.postMessage').map(({ args }) => String(args['markdown_text'] ?? args['text']))
/** A message in a channel. */
export const inChannel = (text: string, more: object = {}, outer: object = {}): string =>
  slackEvent({ channel: 'C1', channel_type: 'channel', text, ...more }, { ...outer })
