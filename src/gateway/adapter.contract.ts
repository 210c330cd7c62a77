import assert from 'node:assert/strict'
import type { AdapterHost, GatewayAdapter } from './adapter.ts'
import type { Inbound, InboxReceipt } from './inbound.ts'
import type { Destination } from './outbox-row.ts'

/** What the suite needs of an adapter. */
export interface ContractAdapter {
  /** Not started. */
  readonly adapter: GatewayAdapter
  /** A chat that it can send to. */
  readonly to: Destination
  /**
   * The platform has a message for it. Resolves when the adapter has acknowledged that to the platform, rejects or never resolves
   * where it has not.
   */
  emit(text: string): Promise<void>
  /** What has come to the chat, in its order. */
  sent(): readonly string[]
  /** After each case; the adapter is stopped. */
  close?(): Promise<void> | void
}

/** Opens an adapter for one case, over a platform or a double of it. */
export type OpenContractAdapter = () => Promise<ContractAdapter>

/** `describe` and `it` of vitest, node:test, bun, jest or mocha. */
export interface AdapterContractRunner {
  readonly describe: (name: string, body: () => void) => unknown
  readonly it: (name: string, run: () => Promise<void>) => unknown
}

interface Taking {
  readonly text: string
  /** Says that it is stored, or was not. */
  done(error?: Error): void
}

/** A host that stores when the case says so. */
function slowHost(): { readonly host: AdapterHost; readonly taking: Taking[] } {
  const taking: Taking[] = []
  const receive = (message: Inbound): Promise<InboxReceipt> =>
    new Promise((resolve, reject) => {
      const receipt = { inboxId: `inb_${taking.length}`, status: 'started' } as const
      taking.push({ text: message.text, done: error => (error === undefined ? resolve(receipt) : reject(error)) })
    })
  return { host: { receive }, taking }
}

const pauseMs = 20
const pause = (): Promise<void> => new Promise(resolve => setTimeout(resolve, pauseMs))

async function until(condition: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 60_000
  while (!condition()) {
    assert.ok(performance.now() < end, `${what}: not within a minute`)
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}

/** What every adapter has to do. Law G82. */
export function adapterContract(name: string, open: OpenContractAdapter, { describe, it }: AdapterContractRunner): void {
  const stage = (text: string, run: (opened: ContractAdapter) => Promise<void>): unknown =>
    it(text, async () => {
      const opened = await open()
      try {
        await run(opened)
      } finally {
        await opened.adapter.stop()
        await opened.close?.()
      }
    })
  describe(`${name}: the contract of adapters`, () => {
    stage('says what it can do', async ({ adapter, to }) => {
      assert.match(adapter.platform, /^[a-z][a-z0-9_]{0,31}$/)
      assert.equal(to.platform, adapter.platform)
      const { maxTextChars, ...flags } = adapter.capabilities
      assert.ok(maxTextChars > 0)
      for (const [flag, value] of Object.entries(flags)) assert.equal(typeof value, 'boolean', flag)
    })

    stage('acknowledges a message once it is stored, and not before', async ({ adapter, emit }) => {
      const { host, taking } = slowHost()
      await adapter.start(host)
      let acknowledged = false
      const emitted = emit('first').then(() => (acknowledged = true))
      await until(() => taking.length === 1, 'the message comes')
      await pause()
      assert.equal(acknowledged, false)
      taking[0]?.done()
      await emitted
    })

    stage('keeps the order of messages', async ({ adapter, emit }) => {
      const { host, taking } = slowHost()
      await adapter.start(host)
      const texts = ['one', 'two', 'three', 'four']
      const emitted = Promise.all(texts.map(text => emit(text)))
      for (let index = 0; index < texts.length; index++) {
        await until(() => taking.length > index, `message ${index + 1} comes`)
        taking[index]?.done()
      }
      await emitted
      assert.deepEqual(
        taking.map(({ text }) => text),
        texts,
      )
    })

    stage('goes on after a message that could not be stored', async ({ adapter, emit }) => {
      const { host, taking } = slowHost()
      await adapter.start(host)
      const failed = emit('lost').catch(() => undefined)
      await until(() => taking.length === 1, 'the first comes')
      taking[0]?.done(new Error('The store is away.'))
      await Promise.race([failed, pause()])
      const emitted = emit('kept')
      await until(() => taking.length === 2, 'the second comes')
      taking[1]?.done()
      await emitted
      assert.equal(taking[1]?.text, 'kept')
    })

    stage('sends what it is given, in order and whole', async ({ adapter, to, sent }) => {
      await adapter.start(slowHost().host)
      const before = sent().length
      const texts = ['plain', 'two\nlines', 'ünïcode 🧵 “quoted” <b>&amp;']
      for (const [index, text] of texts.entries())
        await adapter.send(
          to,
          { text, kind: 'answer' },
          { id: `out_${index}`, attempt: 1, at: 1_795_000_000_000, signal: new AbortController().signal },
        )
      assert.deepEqual(sent().slice(before), texts)
    })

    stage('stops: nothing comes in afterwards, and stopping again is no error', async ({ adapter, emit }) => {
      const { host, taking } = slowHost()
      await adapter.start(host)
      const first = emit('before')
      await until(() => taking.length === 1, 'the message comes')
      taking[0]?.done()
      await first
      await adapter.stop()
      // Nobody acknowledges it, however that shows.
      emit('after').catch(() => undefined)
      await pause()
      assert.deepEqual(
        taking.map(({ text }) => text),
        ['before'],
      )
      await adapter.stop()
    })
  })
}
