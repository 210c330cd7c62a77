import { createInterface } from 'node:readline'
import type { Command } from 'commander'
import { terminalAdapter, type GatewayAdapter, webhookAdapter } from '#gateway'
import type { Invocation, Runner } from './command.ts'
import { openChats } from './gateway-chats.ts'
import { readGatewayConfig } from './gateway-config.ts'
import { refuseServer } from './local-only.ts'
import { maskAddress } from './secrets.ts'
import { aborted, drainMs, serverOptions } from './serve.ts'

/** `skein gateway start`: the configured adapters and HTTP, until a signal; the second one ends it at once. */
export function addGatewayStart(gateway: Command, run: Runner): void {
  gateway
    .command('start')
    .alias('run')
    .option('--host <host>', 'where to listen; anywhere but loopback needs tokens')
    .option('--port <port>', '0 takes a free one')
    .option('--model <reference>', 'of sessions that name none')
    .option('--terminal', 'take lines of this terminal as messages, too')
    .description('take messages in and answer them, and answer over HTTP')
    .action(run(startGateway, { host: 'server.host', port: 'server.port', model: 'model' }))
}

async function startGateway(invocation: Invocation, { terminal = false }: { readonly terminal?: boolean }): Promise<void> {
  const { io, out, interrupts, flags } = invocation
  refuseServer(invocation, 'gateway start')
  const { adapters: wanted, options = {} } = readGatewayConfig(io, flags.config)
  const { serve } = await import('#server')
  const { openSkein } = await import('#skein')
  const chats = await openChats({
    env: io.env,
    platforms: options.platforms,
    settings: wanted.chats,
    tell: text => out.talk(text),
  })
  const stopped = interrupts.abort()
  const typed = terminal || wanted.terminal ? createInterface({ input: io.stdin }) : undefined
  const adapters: GatewayAdapter[] = [
    ...(typed === undefined ? [] : [terminalAdapter({ lines: typed, write: text => out.line(text) })]),
    ...(Object.keys(wanted.webhooks).length === 0
      ? []
      : [webhookAdapter({ hooks: wanted.webhooks, fetch: io.fetch, clock: io.clock })]),
    ...chats,
  ]
  const house = await openSkein(invocation.skeinOptions(true))
  const skein = house.in(invocation.tenant)
  let endsBy = Infinity
  try {
    await skein.gateway.start({ adapters })
    await using server = await serve(house, serverOptions(invocation))
    const platforms = adapters.map(({ platform }) => platform)
    if (out.json) await out.body({ url: server.url, store: maskAddress(invocation.store), platforms })
    else {
      await out.line(`Skein listens on ${server.url}`)
      await out.line(`  store     ${maskAddress(invocation.store)}`)
      await out.line(`  adapters  ${platforms.length === 0 ? 'none' : platforms.join(', ')}`)
    }
    await aborted(stopped)
    endsBy = io.clock.now() + drainMs
    out.talk('Stopping: turns have ten seconds. Again to stop at once.')
  } finally {
    typed?.close()
    await house.close({ waitMs: Math.max(100, Math.min(drainMs, endsBy - io.clock.now())) })
  }
}
