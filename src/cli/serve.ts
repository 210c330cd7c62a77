import type { Command } from 'commander'
import { given, SkeinError } from '#kernel'
import { demoNotice } from '#models'
import type { ServerOptions } from '#server'
import type { Invocation, Runner } from './command.ts'
import { refuseServer } from './local-only.ts'
import { maskAddress } from './secrets.ts'
import type { Settings } from './settings.ts'

/** `skein serve`, which is `npm start`: HTTP on loopback until a signal; the second one ends it at once. Laws H8, H10, H19. */
export function addServe(program: Command, run: Runner): void {
  program
    .command('serve')
    .option('--host <host>', 'where to listen; anywhere but loopback needs tokens')
    .option('--port <port>', '0 takes a free one')
    .option('--model <reference>', 'of sessions that name none')
    .description('answer over HTTP')
    .action(run(serveUntilStopped, { host: 'server.host', port: 'server.port', model: 'model' }))
}

export const drainMs = 10_000

async function serveUntilStopped(invocation: Invocation): Promise<void> {
  const { io, out, interrupts } = invocation
  refuseServer(invocation, 'serve')
  const { hasAccessTokens, serve } = await import('#server')
  const { openSkein } = await import('#skein')
  const options = serverOptions(invocation)
  const stopped = interrupts.abort()
  const skein = await openSkein(invocation.skeinOptions(true))
  let endsBy = Infinity
  try {
    const model = invocation.settings.text('model') ?? (await skein.models.defaultModel())
    await using server = await serve(skein, options)
    const store = maskAddress(invocation.store)
    if (out.json) await out.body({ url: server.url, store, model })
    else {
      await out.line(`Skein listens on ${server.url}`)
      await out.line(`  store  ${store}`)
      await out.line(`  model  ${model}`)
      await out.line('Next, in another terminal:')
      await out.line(`  ${nextStep(server.url, (options.tokens ?? []).length > 0 || (await hasAccessTokens(skein.store)))}`)
    }
    if (model === 'demo/echo') out.say(demoNotice)
    await aborted(stopped)
    endsBy = io.clock.now() + drainMs
    out.talk('Stopping: requests have ten seconds. Again to stop at once.')
  } finally {
    // Requests and runs share the time; what then still runs is left to recovery.
    await skein.close({ waitMs: Math.max(100, Math.min(drainMs, endsBy - io.clock.now())) })
  }
}

/** To be pasted: creates a session. */
export function nextStep(url: string, tokens: boolean): string {
  const bearer = tokens ? ' -H "authorization: Bearer $SKEIN_TOKEN"' : ''
  return `curl -s ${url}/v1/sessions${bearer} -H 'content-type: application/json' -d '{"title":"Hello"}'`
}

export function serverOptions({ io, out, settings }: Invocation): ServerOptions {
  const number = <K extends string>(name: K): { readonly [N in K]?: number } => {
    const value = settings.number(`server.${name}`)
    return (value === undefined ? {} : { [name]: value }) as { readonly [N in K]?: number }
  }
  const rate = rateOf(settings, 'rate')
  const hookRate = rateOf(settings, 'hookRate')
  return {
    host: settings.text('server.host') ?? '127.0.0.1',
    origins: settings.list('server.origins') ?? [],
    tokens: settings.tokens().map(({ owners, ...token }) => ({
      ...token,
      scopes: token.scopes as ('read' | 'write' | 'admin')[],
      ...given({ owners }),
    })),
    clock: io.clock,
    ...number('port'),
    ...number('maxBodyBytes'),
    ...number('requestMs'),
    ...number('maxStreams'),
    ...given({ rate, hookRate }),
    logger: {
      log: line => {
        // A person who looks on wants what went wrong, a program everything.
        if (!out.quiet && (io.stderr.isTTY !== true || line.level !== 'info')) io.stderr.write(`${JSON.stringify(line)}\n`)
      },
    },
  }
}

function rateOf(
  settings: Settings,
  name: 'rate' | 'hookRate',
): { readonly perSecond: number; readonly burst: number } | undefined {
  const perSecond = settings.number(`server.${name}.perSecond`)
  const burst = settings.number(`server.${name}.burst`)
  if (perSecond === undefined && burst === undefined) return undefined
  if (perSecond === undefined)
    throw new SkeinError('config.invalid', `server.${name}: burst alone is no rate; give perSecond, too.`, {
      details: { key: `server.${name}` },
    })
  return { perSecond, burst: burst ?? perSecond }
}

export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
