import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { type Api, openApi, type Sent } from './chat-platforms.ts'

export const whatsAppSecret = 'an app secret'
export const whatsAppVerify = 'a verify token'
export const whatsAppNumber = '15550001111'

/** The Cloud API of WhatsApp, as far as a bot needs it. */
export const openWhatsApp = (): Promise<Api> =>
  openApi(({ path }, nth) =>
    path.endsWith('/messages')
      ? { body: { messaging_product: 'whatsapp', messages: [{ id: `wamid.out${nth}` }] } }
      : { status: 404, body: { error: { message: 'Unknown path', code: 100 } } },
  )

/** Signed as Meta signs. Source: developers.facebook.com/docs/graph-api/webhooks. */
export const whatsAppSigned = (body: string, key: string = whatsAppSecret): Sent => ({
  body,
  headers: {
    'content-type': 'application/json',
    'x-hub-signature-256': `sha256=${createHmac('sha256', key).update(body).digest('hex')}`,
  },
})

let messages = 0
/** A message on WhatsApp, or several in one request. */
export function whatsAppEvent(...texts: readonly (string | Readonly<Record<string, unknown>>)[]): string {
  const told = texts.map(text => ({
    from: '491701234567',
    id: `wamid.in${++messages}`,
    timestamp: '1795000000',
    type: 'text',
    ...(typeof text === 'string' ? { text: { body: text } } : text),
  }))
  const value = {
    messaging_product: 'whatsapp',
    metadata: { display_phone_number: '15550001111', phone_number_id: whatsAppNumber },
    contacts: [{ profile: { name: 'Ada' }, wa_id: '491701234567' }],
    messages: told,
  }
  return JSON.stringify({ object: 'whatsapp_business_account', entry: [{ id: 'E1', changes: [{ field: 'messages', value }] }] })
}

export const discordToken = 'a.discord.token'
export const discordBot = '777'
const { publicKey, privateKey } = generateKeyPairSync('ed25519')
/** The last 32 bytes of the key are the key itself. */
export const discordPublicKey: string = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex')

/** Discord's API, as far as a bot needs it. */
export const openDiscord = (): Promise<Api> =>
  openApi(({ path, method }, nth) => {
    if (path.endsWith('/threads')) return { body: { id: `8${/messages\/(\d+)/.exec(path)?.[1]}`, name: 'A thread' } }
    if (method === 'POST' && path.endsWith('/messages'))
      return { body: { id: `${9_000 + nth}`, timestamp: '2026-11-21T00:00:00Z' } }
    return { body: { id: discordBot } }
  })

/** Signed as Discord signs its interactions. Source: discord.com/developers/docs/interactions/overview. */
export function discordSigned(body: string, at = '1795000000'): Sent {
  const signature = sign(null, Buffer.from(`${at}${body}`), privateKey).toString('hex')
  return { body, headers: { 'content-type': 'application/json', 'x-signature-ed25519': signature, 'x-signature-timestamp': at } }
}

/** Handed in by whoever keeps the connection to Discord open. */
export const discordForwarded = (body: string, token: string = discordToken): Sent => ({
  body,
  headers: { 'content-type': 'application/json', 'x-discord-gateway-token': token },
})

let said = 0
/** A message on Discord: alone, unless told otherwise. */
export const discordEvent = (data: Readonly<Record<string, unknown>> = {}): string =>
  JSON.stringify({
    type: 'GATEWAY_MESSAGE_CREATE',
    timestamp: 1_795_000_000_000,
    data: {
      id: `${1_000 + ++said}`,
      channel_id: '50',
      guild_id: null,
      content: 'hello',
      author: { id: '60', username: 'ada', global_name: 'Ada', bot: false },
      timestamp: '2026-11-21T00:00:00.000Z',
      mentions: [],
      attachments: [],
      ...data,
    },
  })
