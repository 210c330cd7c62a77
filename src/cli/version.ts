import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import type { Invocation, Runner } from './command.ts'
import { answer } from './http.ts'

/** What `GET /v1/version` answers. */
interface Version {
  readonly version: string
  readonly store: { readonly adapter: string; readonly format: number }
}

/** `skein version`. */
export function addVersion(program: Command, run: Runner): void {
  program.command('version').description('which Skein this is').action(run(showVersion))
}

async function showVersion(invocation: Invocation): Promise<void> {
  const { out, server } = invocation
  if (server !== undefined) {
    const told = await answer<Version>(server, 'v1/version')
    if (out.json) await out.body(told)
    else await out.line(told.version)
  } else if (out.json) await out.body({ version: ownVersion(), store: await storeFacts(invocation) })
  else await out.line(ownVersion())
}

/** Asking for a version makes no file: a file's format is this release's once it is opened. */
async function storeFacts(invocation: Invocation): Promise<Version['store']> {
  if (invocation.store.startsWith('sqlite:')) return { adapter: 'sqlite', format: (await import('#stores/sqlite')).formatVersion }
  const { openSkein } = await import('#skein')
  await using skein = await openSkein(invocation.skeinOptions())
  const { adapter, format } = skein.store.stats()
  return { adapter, format }
}

/** From the package's own manifest, which lies two folders above this file, built or not. */
export function ownVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  return version
}
