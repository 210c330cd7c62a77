import type { Command } from 'commander'
import { invalidInput, SkeinError, systemRandom } from '#kernel'
import type { MadeToken } from '#server'
import type { Skein } from '#skein'
import type { Invocation, Runner } from './command.ts'
import { confirm } from './confirm.ts'
import { refuseServer } from './local-only.ts'
import { columns, timeText } from './table.ts'

interface TokenFlags {
  readonly scope: readonly string[]
  readonly owner?: readonly string[]
}

/** `skein token`: bearer tokens for the server. A new one is printed once; they are known by name and digest from then on. */
export function addToken(program: Command, run: Runner): void {
  const token = program.command('token').description('access tokens of the server')
  token
    .command('new')
    .argument('<name>', 'for you to know it by')
    .option('--scope <scopes...>', 'read, write, admin', ['read', 'write'])
    .option('--owner <owners...>', 'only memories of these owners; default all')
    .description('make a token for --tenant; it is shown once and kept as a digest')
    .action(run(newToken))
  token.command('ls').description('the tokens that were made, of every tenant').action(run(listTokens))
  token
    .command('rm')
    .argument('<token>', 'its name, or the beginning of its digest')
    .description('nobody gets in with this token any more')
    .action(run(removeToken))
}

async function newToken(invocation: Invocation, name: string, flags: TokenFlags): Promise<void> {
  const { io, out, tenant } = invocation
  await withStore(invocation, 'token new', async ({ store }) => {
    const { hasAccessTokens, newAccessToken } = await import('#server')
    const first = !(await hasAccessTokens(store))
    const listed = (given: readonly string[]): string[] => given.flatMap(text => text.split(',')).map(text => text.trim()).filter(text => text !== '') // prettier-ignore
    const made = await newAccessToken(
      store,
      { name, tenant, scopes: listed(flags.scope), ...(flags.owner === undefined ? {} : { owners: listed(flags.owner) }) },
      { clock: io.clock, random: systemRandom },
    )
    if (out.json) return await out.body(made)
    await out.line(made.token)
    out.talk(`For tenant ${made.tenant}: ${made.scopes.join(', ')}. It is not shown again.`)
    if (first) out.talk('It is the first one: from now on a server of this store asks everybody for a token.')
  })
}

async function listTokens(invocation: Invocation): Promise<void> {
  const { out } = invocation
  await withStore(invocation, 'token ls', async ({ store }) => {
    const made = await (await import('#server')).listAccessTokens(store)
    if (out.json) return await out.body({ items: made })
    const rows = made.map(token => [
      token.digest.slice(0, shownDigest),
      timeText(token.createdAt),
      out.safe(token.tenant),
      token.scopes.join(','),
      out.safe(token.name),
    ])
    for (const line of columns(rows)) await out.painted(line)
    if (made.length === 0) out.talk('No tokens.')
  })
}

async function removeToken(invocation: Invocation, name: string): Promise<void> {
  const { io, out } = invocation
  await withStore(invocation, 'token rm', async ({ store }) => {
    const { listAccessTokens, removeAccessToken } = await import('#server')
    const token = meant(await listAccessTokens(store), name)
    await confirm(io, invocation.yes, `Remove the token ${token.name} of tenant ${token.tenant}?`)
    const removed = await removeAccessToken(store, token.digest)
    if (out.json) await out.body({ removed })
    else out.talk(`Removed the token ${token.name}.`)
  })
}

const shownDigest = 12

/** Throws `input.invalid` where none or several are meant. */
function meant(made: readonly MadeToken[], name: string): MadeToken {
  const found = made.filter(token => token.name === name || (name.length >= 8 && token.digest.startsWith(name)))
  const [token] = found
  if (token === undefined) throw invalidInput('token', 'There is no such token. skein token ls lists them.')
  if (found.length === 1) return token
  const named = found.map(({ digest, tenant }) => `  ${digest.slice(0, shownDigest)}  ${tenant}`)
  throw new SkeinError('input.invalid', `Several tokens have the name ${name}; give the digest:\n${named.join('\n')}`, {
    details: { path: 'token' },
  })
}

async function withStore(invocation: Invocation, command: string, act: (skein: Skein) => Promise<void>): Promise<void> {
  refuseServer(invocation, command)
  const { openSkein } = await import('#skein')
  await using skein = await openSkein(invocation.skeinOptions())
  await act(skein)
}
