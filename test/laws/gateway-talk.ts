import type { GatewayAdapter, GatewayOptions, Outgoing, InboxReceipt } from '#gateway'
import { isType } from '#journal'
import type { ModelRequest, ScriptedStep } from '#models'
import { scriptedModel, type ScriptedModel } from '#models'
import type { Skein, SkeinOptions } from '#skein'
import { expect } from 'vitest'
import { said } from './agent-talk.ts'
import type { Place } from './stores.ts'

export interface Sent {
  readonly id: string
  readonly chat: string
  readonly text: string
  readonly kind: Outgoing['kind']
  readonly attempt: number
}

/** A platform that keeps what it is sent, and fails as often as it is told to. */
export interface FakeAdapter extends GatewayAdapter {
  readonly sent: Sent[]
  /** Asked before each sending; what it throws, the sending fails with. */
  before: (sending: Sent, signal: AbortSignal) => unknown
  receive(message: object): Promise<InboxReceipt>
  readonly texts: readonly string[]
}

export function fakeAdapter(platform = 'telegram', more: Partial<GatewayAdapter['capabilities']> = {}): FakeAdapter {
  const sent: Sent[] = []
  let host: Parameters<GatewayAdapter['start']>[0] | undefined
  return {
    platform,
    capabilities: {
      maxTextChars: 1_000,
      edits: false,
      typing: false,
      threads: true,
      media: false,
      idempotentSend: false,
      piiSafe: false,
      ...more,
    },
    sent,
    before: () => undefined,
    get texts() {
      return sent.map(({ text }) => text)
    },
    start: async given => void (host = given),
    stop: async () => void (host = undefined),
    receive: async message => {
      if (host === undefined) throw new Error('The adapter was not started.')
      return await host.receive(message as never)
    },
    async send(to, { text, kind }, { id, attempt, signal }) {
      const sending: Sent = { id, chat: [to.chatId, to.threadId].filter(Boolean).join('/'), text, kind, attempt }
      await this.before(sending, signal)
      sent.push(sending)
      return { messageId: `m${sent.length}` }
    },
  }
}

/** What the newest user message of a request says, without the notes beside it. */
export function lastSaid(request: ModelRequest): string {
  const parts = request.messages.findLast(({ role }) => role === 'user')?.parts ?? []
  const texts = parts.flatMap(part => (part.type === 'text' && !/\[System note|^##/.test(part.text) ? [part.text] : []))
  // What was said in a row may stand in one message.
  return texts.at(-1) ?? ''
}

/** A model that answers whatever it is asked, by `answer`. */
export const answering = (answer: ScriptedStep = request => `re: ${lastSaid(request)}`): ScriptedModel =>
  scriptedModel(Array.from({ length: 500 }, () => answer))

export const allowed: GatewayOptions = { platforms: { telegram: { allow: 'all' } } }
export const dm = { platform: 'telegram', chatId: '99', userId: '42' } as const
export const dmKey = 'k1:main:telegram:dm:c=99'

export interface Room {
  readonly skein: Skein
  readonly gateway: Skein['gateway']
  readonly adapter: FakeAdapter
  /** Says something from the DM, as an adapter hears it. */
  say(text: string, more?: object): Promise<InboxReceipt>
  /** Waits until nothing is open any more and all is sent. */
  quiet(): Promise<void>
}

/** A process with a gateway on a store. */
export async function openRoom(
  at: Place,
  {
    model = answering(),
    adapter = fakeAdapter(),
    gateway = {},
    start = true,
    ...more
  }: {
    model?: ScriptedModel
    adapter?: FakeAdapter
    gateway?: GatewayOptions
    start?: boolean
  } & Omit<SkeinOptions, 'store' | 'model' | 'gateway'> = {},
): Promise<Room> {
  const skein = await at.open({
    env: { HOUSE_API_KEY: 'k' },
    ...more,
    model: 'house/script',
    gateway: { ...allowed, ...gateway },
  })
  skein.models.register({ provider: 'house', connect: () => model })
  if (start) await skein.gateway.start({ adapters: [adapter] })
  return {
    skein,
    gateway: skein.gateway,
    adapter,
    say: (text, { source = {}, ...rest }: { source?: object } & object = {}) =>
      skein.gateway.handle({ source: { ...dm, ...source }, text, ...rest }),
    quiet: () => quiet(skein),
  }
}

const over: readonly string[] = ['refused', 'handled', 'done', 'failed', 'dropped', 'delivered', 'abandoned', 'suppressed']

export async function quiet({ gateway }: Skein): Promise<void> {
  await expect
    .poll(async () => {
      // Where nothing is open, all that it led to stands in the outbox.
      const came = (await gateway.inbox.list({ limit: 200 })).items
      const goes = (await gateway.outbox.list({ limit: 200 })).items
      return [...came, ...goes].flatMap(({ state, text }) => (over.includes(state) ? [] : [`${state} ${text}`]))
    })
    .toEqual([])
}

/** Every message with what became of it, in the order of arrival. */
export async function fates({ gateway }: Skein): Promise<string[]> {
  const { items } = await gateway.inbox.list({ limit: 200 })
  return items
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
    .map(({ text, state, reason }) => [text, state, ...(reason === undefined ? [] : [reason])].join(': '))
}

/** What users and the model said in a session. */
export async function spoken(skein: Skein, session: string): Promise<string[]> {
  const entries = await (await skein.sessions.open(session)).entries({ types: ['message_added'] })
  return entries.flatMap(entry => (isType(entry, 'message_added') ? [`${entry.data.role}: ${said(entry.data)}`] : []))
}
