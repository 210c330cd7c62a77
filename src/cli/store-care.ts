import { existsSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import type { Command } from 'commander'
import { SkeinError } from '#kernel'
import type { Invocation, Runner } from './command.ts'
import { confirm } from './confirm.ts'
import { fileFormat } from './file-format.ts'
import { refuseServer } from './local-only.ts'
import { storeFile } from './places.ts'
import { Exit } from './report-error.ts'

/** `skein backup FILE` and `skein migrate`. */
export function addStoreCare(program: Command, run: Runner): void {
  program
    .command('backup')
    .argument('<file>')
    .description('a checked copy of the store, made while it is in use')
    .action(run(backup))
  program
    .command('migrate')
    .option('--check', 'only say whether there is something to do; then exit 1')
    .description("bring the store's format up to date; a copy of the old one stays beside it")
    .action(run(migrate))
}

async function backup(invocation: Invocation, file: string): Promise<void> {
  const { io, out } = invocation
  refuseServer(invocation, 'backup')
  const path = isAbsolute(file) ? file : join(io.cwd, file)
  if (existsSync(path)) await confirm(io, invocation.yes, `Overwrite ${file}?`)
  const { openSkein } = await import('#skein')
  await using skein = await openSkein(invocation.skeinOptions())
  await skein.store.backup(path)
  if (out.json) await out.body({ file: path })
  else out.talk(`Wrote ${file}.`)
}

async function migrate(invocation: Invocation, flags: { readonly check?: boolean }): Promise<void> {
  const { io, out } = invocation
  refuseServer(invocation, 'migrate')
  const file = storeFile(invocation.store, io.cwd)
  if (flags.check === true) {
    if (file === undefined)
      throw new SkeinError(
        'input.unsupported',
        'Only a file can be looked at without opening it; other stores migrate when they are opened.',
      )
    const { format, known } = await fileFormat(file)
    const due = format !== null && format < known
    if (out.json) await out.body({ format, known, due })
    else
      await out.line(
        format === null
          ? 'There is no store yet.'
          : `format ${format}, this release's is ${known}: ${due ? 'skein migrate brings it up to date' : 'nothing to do'}`,
      )
    if (due) throw new Exit(1)
    return
  }
  const before = file === undefined ? null : (await fileFormat(file)).format
  const { openSkein } = await import('#skein')
  await using skein = await openSkein(invocation.skeinOptions())
  const { format } = skein.store.stats()
  if (out.json) await out.body({ from: before, to: format })
  else await out.line(before === null || before === format ? `format ${format}: nothing to do` : `format ${before} → ${format}`)
}
