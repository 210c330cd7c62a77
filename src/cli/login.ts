import type { Command } from 'commander'
import { invalidInput } from '#kernel'
import { createModels, credentialFile, type Environment, keyVariablesOf, type Models } from '#models'
import type { Invocation, Runner } from './command.ts'
import { refuseServer } from './local-only.ts'
import { readHidden } from './read-hidden.ts'
import { readAll } from './read-input.ts'

/** `skein login` and `skein logout`: a provider's key in the file of credentials. A key is never an argument, where others see it. */
export function addLogin(program: Command, run: Runner): void {
  program
    .command('login')
    .argument('<provider>', 'whose key it is, such as anthropic')
    .description('keep the key of a provider: from stdin, or asked for without showing it')
    .action(run(login))
  program
    .command('logout')
    .argument('<provider>', 'whose key or login it is')
    .description('forget what login kept of a provider')
    .action(run(logout))
}

async function login(invocation: Invocation, named: string): Promise<void> {
  const { io, out } = invocation
  const { provider, models } = open(invocation, 'login', named)
  const key = io.stdin.isTTY === true ? await readHidden(io, `Key for ${provider}: `) : await readAll(io.stdin)
  await models.credentials.set(provider, { apiKey: readKey(key) })
  if (out.json) return await out.body({ provider, kind: 'apiKey' })
  out.talk(`Kept the key for ${provider} in ${invocation.credentials}.`)
  await tellUsed(invocation, models, provider)
}

async function logout(invocation: Invocation, named: string): Promise<void> {
  const { out } = invocation
  const { provider, models } = open(invocation, 'logout', named)
  const removed = await models.credentials.remove(provider)
  if (out.json) return await out.body({ provider, removed })
  out.talk(removed ? `Forgot what was kept of ${provider}.` : `Nothing was kept of ${provider}.`)
  await tellUsed(invocation, models, provider)
}

/** What is used instead of what the file has, or still: somebody may wonder. */
async function tellUsed({ out }: Invocation, models: Models, provider: string): Promise<void> {
  const used = (await models.credentials.list()).find(credential => credential.provider === provider)
  if (used?.source === 'environment') out.talk(`There is one in the environment, too: ${keyVariablesOf(provider).join(' or ')}.`)
  if (used?.kind === 'oauth') out.talk('There is a login, too, which goes before the key.')
}

/** The file is on this machine, and a server reads its own. */
function open(invocation: Invocation, command: string, named: string): { readonly provider: string; readonly models: Models } {
  refuseServer(invocation, command)
  const env: Environment = invocation.settings.providerEnvironment()
  const models = createModels({ env, clock: invocation.io.clock, store: credentialFile(invocation.credentials) })
  const provider = named.trim().toLowerCase()
  const known = [...new Set(models.list().map(model => model.provider)), 'openai-compatible'].filter(name => name !== 'demo')
  if (!known.includes(provider)) throw invalidInput('provider', `There is no provider ${named}. Known are ${known.join(', ')}.`)
  return { provider, models }
}

/** A key as providers write them: one word. Blanks around it are nobody's. */
function readKey(text: string): string {
  const key = text.trim()
  if (key === '') throw invalidInput('key', 'There is no key on stdin.')
  if (!/^[\x21-\x7e]+$/.test(key)) throw invalidInput('key', 'A key is one word of ASCII; this is not.')
  return key
}
