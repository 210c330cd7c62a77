import type { Command } from 'commander'
import { systemRandom } from '#kernel'
import type { Invocation, Runner } from './command.ts'
import { refuseServer } from './local-only.ts'

interface TokenFlags {
  readonly scope: readonly string[]
  readonly owner?: readonly string[]
}

/** `skein token new NAME`: a bearer token for the server, printed once. */
export function addToken(program: Command, run: Runner): void {
  program
    .command('token')
    .description('access tokens of the server')
    .command('new')
    .argument('<name>', 'for you to know it by')
    .option('--scope <scopes...>', 'read, write, admin', ['read', 'write'])
    .option('--owner <owners...>', 'only memories of these owners; default all')
    .description('make a token for --tenant; it is shown once and kept as a digest')
    .action(run(newToken))
}

async function newToken(invocation: Invocation, name: string, flags: TokenFlags): Promise<void> {
  const { io, out, tenant } = invocation
  refuseServer(invocation, 'token new')
  const { newAccessToken } = await import('#server')
  const { openSkein } = await import('#skein')
  await using skein = await openSkein(invocation.skeinOptions())
  const listed = (given: readonly string[]): string[] => given.flatMap(text => text.split(',')).map(text => text.trim()).filter(text => text !== '') // prettier-ignore
  const made = await newAccessToken(
    skein.store,
    { name, tenant, scopes: listed(flags.scope), ...(flags.owner === undefined ? {} : { owners: listed(flags.owner) }) },
    { clock: io.clock, random: systemRandom },
  )
  if (out.json) return await out.body(made)
  await out.line(made.token)
  out.talk(`For tenant ${made.tenant}: ${made.scopes.join(', ')}. It is not shown again.`)
}
