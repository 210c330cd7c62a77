import { createHmac } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { HookRequest } from '#gateway'

/** One call of a platform's API. */
export interface ApiCall {
  readonly method: string
  readonly path: string
  readonly args: Readonly<Record<string, unknown>>
  readonly headers: IncomingMessage['headers']
}

export interface ApiAnswer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: unknown
}

export interface Api {
  readonly url: string
  readonly calls: ApiCall[]
  /** Answers before the platform's own rules do; undefined leaves it to them. */
  before: (call: ApiCall) => ApiAnswer | undefined | Promise<ApiAnswer | undefined>
  of(path: string): ApiCall[]
  close(): void
}

/** A server on loopback that speaks a platform's API. */
export async function openApi(answer: (call: ApiCall, nth: number) => ApiAnswer): Promise<Api> {
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://platform.example')
      const text = Buffer.concat(pieces).toString()
      const isForm = (request.headers['content-type'] ?? '').includes('urlencoded')
      const args = isForm || text === '' ? Object.fromEntries(new URLSearchParams(text)) : (JSON.parse(text) as ApiCall['args'])
      const call = { method: request.method ?? '', path: url.pathname, args, headers: request.headers }
      void (async () => {
        const told = (await api.before(call)) ?? answer(call, api.calls.length)
        api.calls.push(call)
        const { status = 200, headers = {}, body } = told
        response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
      })().catch(() => response.destroy())
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const api: Api = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls: [],
    before: () => undefined,
    of: path => api.calls.filter(call => call.path.endsWith(path)),
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
  return api
}

/** A request as a platform sends it. */
export interface Sent {
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

export const slackSecret = 'a signing secret'
export const slackBot = 'UBOT'

/** Slack's API, as far as a bot needs it. */
export const openSlack = (): Promise<Api> =>
  openApi(({ path, args }, nth) => {
    if (path.endsWith('auth.test')) return { body: { ok: true, user_id: slackBot, bot_id: 'BBOT', user: 'skein', team_id: 'T1' } }
    if (path.endsWith('users.info'))
      return {
        body: {
          ok: true,
          user: { id: args['user'], profile: { display_name: nameOf(args['user']), real_name: nameOf(args['user']) } },
        },
      }
    return { body: { ok: true, ts: `9.${String(nth).padStart(6, '0')}`, channel: args['channel'] } }
  })

const nameOf = (user: unknown): string => (user === slackBot ? 'Skein Helper' : `Name of ${String(user)}`)

/** Signed as Slack signs. Source: docs.slack.dev/authentication/verifying-requests-from-slack. */
export function slackSigned(body: string, more: Readonly<Record<string, string>> = {}, at = Date.now(), key = slackSecret): Sent {
  const seconds = String(Math.floor(at / 1_000))
  const digest = createHmac('sha256', key).update(`v0:${seconds}:${body}`).digest('hex')
  return {
    body,
    headers: {
      'content-type': 'application/json',
      'x-slack-request-timestamp': seconds,
      'x-slack-signature': `v0=${digest}`,
      ...more,
    },
  }
}

let events = 0
/** The body of an event of Slack: a message in a DM, unless told otherwise. */
export function slackEvent(event: Readonly<Record<string, unknown>> = {}, outer: Readonly<Record<string, unknown>> = {}): string {
  const nth = ++events
  const ts = `1795000000.${String(nth).padStart(6, '0')}`
  return JSON.stringify({
    token: 't',
    team_id: 'T1',
    api_app_id: 'A1',
    type: 'event_callback',
    event_id: `Ev${nth}`,
    event_time: 1_795_000_000,
    authorizations: [{ team_id: 'T1', enterprise_id: null, user_id: slackBot, is_bot: true, is_enterprise_install: false }],
    event: {
      type: 'message',
      channel: 'D1',
      channel_type: 'im',
      user: 'U1',
      text: 'hello',
      ts,
      event_ts: ts,
      team: 'T1',
      ...event,
    },
    ...outer,
  })
}

export const telegramToken = '123:token'
export const telegramSecret = 'telegram_secret'
const telegramBot = { id: 123, is_bot: true, first_name: 'Skein', username: 'skein_bot' }

/** Telegram's Bot API, as far as a bot needs it. It does not know the newest methods. */
export const openTelegram = (): Promise<Api> =>
  openApi(({ path, args }, nth) => {
    const method = path.split('/').at(-1) ?? ''
    if (method === 'getMe') return { body: { ok: true, result: telegramBot } }
    if (method === 'getWebhookInfo') return { body: { ok: true, result: { url: 'https://bot.example/hook' } } }
    if (method === 'sendMessage' || method === 'editMessageText')
      return {
        body: {
          ok: true,
          result: {
            message_id: 9_000 + nth,
            date: 1,
            chat: { id: Number(args['chat_id']), type: 'private' },
            text: args['text'],
          },
        },
      }
    if (method === 'sendChatAction' || method === 'deleteWebhook') return { body: { ok: true, result: true } }
    return { status: 404, body: { ok: false, error_code: 404, description: 'Not Found: method not found' } }
  })

let updates = 0
/** An update of Telegram with a message in a private chat, unless told otherwise. */
export function telegramUpdate(message: Readonly<Record<string, unknown>> = {}): string {
  const nth = ++updates
  return JSON.stringify({
    update_id: 500_000 + nth,
    message: {
      message_id: nth,
      date: 1_795_000_000,
      chat: { id: 42, type: 'private', first_name: 'Ada' },
      from: { id: 42, is_bot: false, first_name: 'Ada', last_name: 'L.', username: 'ada' },
      text: 'hello',
      ...message,
    },
  })
}

export const telegramSigned = (body: string, secret: string = telegramSecret): Sent => ({
  body,
  headers: { 'content-type': 'application/json', 'x-telegram-bot-api-secret-token': secret },
})

/** Hands a request to an adapter as the HTTP server does. */
export function hookRequest({ body, headers }: Sent, method = 'POST', query = ''): HookRequest {
  const request = { url: `http://hooks.example/v1/gateway/hooks/x${query}`, method, headers: new Headers(headers) }
  return { body, signature: undefined, request }
}
