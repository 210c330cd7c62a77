import { createReadStream, createWriteStream, existsSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Command } from 'commander'
import { Option } from 'commander'
import { given, invalidInput } from '#kernel'
import { ogNodesBelow } from '#memory'
import { type ExportFormat, exportFormats, type ImportFormat, importFormats } from '#session'
import { type Invocation, type Runner, withVerbs } from './command.ts'
import { confirm } from './confirm.ts'
import { fileError } from './file-error.ts'
import { type HermesFlags, importHermes, refuseHermesFlags } from './import-hermes.ts'
import { findSession } from './name-session.ts'
import { Progress } from './progress.ts'

/** `sessions export` and `import`, which are a pipe: `skein sessions export ID - | skein sessions import -`. Law H16. */
export function addSessionTransfer(sessions: Command, run: Runner): void {
  sessions
    .command('export')
    .argument('<session>', 'id, alias, the beginning of an id, or title')
    .argument('[file]', '- is stdout', '-')
    .addOption(new Option('--format <format>', 'how it is written').choices([...exportFormats]).default('skein'))
    .description('write a session out, whole')
    .action(run(exportSession))
  sessions
    .command('import')
    .argument('[file]', '- is stdin; of og-memory and hermes the folder')
    .addOption(new Option('--format <format>', 'what it is').choices([...importFormats, nodesFormat, 'hermes']).default('skein'))
    .option('--as-new', 'under a new id, whatever the file says')
    .option('--state-db <file>', 'of hermes: its state database')
    .option('--zone <zone>', 'of hermes: where its times were written')
    .option('--dry-run', 'of hermes: only say what would be added')
    .description('read a session in')
    .action(run(importAny))
}

const nodesFormat = 'og-memory'

interface ImportFlags extends HermesFlags {
  readonly format: ImportFormat | typeof nodesFormat | 'hermes'
  readonly asNew?: boolean
}

async function importAny(
  invocation: Invocation,
  file: string | undefined = '',
  { format, asNew, ...flags }: ImportFlags,
): Promise<void> {
  if (format === 'hermes') {
    if (asNew === true) throw invalidInput('--as-new', 'Sessions of Hermes are known again by their names.')
    return await importHermes(invocation, file, flags)
  }
  refuseHermesFlags(flags)
  if (format !== nodesFormat) return await importSession(invocation, file, { format, ...given({ asNew }) })
  if (asNew === true) throw invalidInput('--as-new', 'Sessions of og-memory are known again by their names.')
  if (file === '' || file === '-') throw invalidInput('file', 'Name the folder.')
  await importFolder(invocation, isAbsolute(file) ? file : join(invocation.io.cwd, file))
}

/** What can't be read is told; the rest goes on. */
async function importFolder(invocation: Invocation, folder: string): Promise<void> {
  const { out } = invocation
  const { nodes, skipped } = await ogNodesBelow(folder)
  const read = await withVerbs(invocation, verbs => verbs.importNodes(nodesFormat, nodes))
  const report = { ...read, skipped: [...skipped, ...read.skipped] }
  if (out.json) return await out.body(report)
  for (const id of report.sessions) await out.line(id)
  out.talk(`${report.created ? 'Imported' : 'Already here:'} ${report.archives} archives, ${report.messages} messages.`)
  for (const { path, reason } of report.skipped) out.talk(`Skipped ${path}: ${reason}`)
}

async function exportSession(
  invocation: Invocation,
  name: string,
  file: string,
  flags: { readonly format: ExportFormat },
): Promise<void> {
  const { io, out } = invocation
  await withVerbs(invocation, async verbs => {
    const id = await findSession(verbs, name)
    if (file === '-') {
      for await (const piece of verbs.exportPieces(id, flags.format)) await out.raw(piece)
      return
    }
    const path = isAbsolute(file) ? file : join(io.cwd, file)
    if (existsSync(path)) await confirm(io, invocation.yes, `Overwrite ${file}?`)
    await writeWhole(path, verbs.exportPieces(id, flags.format))
    out.talk(`Wrote ${file}.`)
  })
}

/** The file appears by rename, whole or not at all. */
export async function writeWhole(path: string, pieces: AsyncIterable<string | Uint8Array>): Promise<void> {
  const partial = `${path}.partial`
  try {
    await pipeline(pieces, createWriteStream(partial, { mode: 0o600 }))
    await rename(partial, path)
  } catch (error) {
    await rm(partial, { force: true })
    throw fileError(error, path)
  }
}

async function importSession(
  invocation: Invocation,
  file: string,
  flags: { readonly format: ImportFormat; readonly asNew?: boolean },
): Promise<void> {
  const { io, out } = invocation
  if (file === '') throw invalidInput('file', 'Name a file, or - for stdin.')
  if (file === '-' && io.stdin.isTTY === true) throw invalidInput('file', 'stdin is a terminal; name a file or pipe one in.')
  const progress = new Progress(io, out, 'Importing')
  try {
    const report = await withVerbs(invocation, verbs =>
      verbs.import(flags.format, progress.count(inputOf(invocation, file)), flags.asNew === true ? 'new' : undefined),
    )
    progress.stop()
    if (out.json) return await out.body(report)
    await out.line(report.id)
    out.talk(`${report.created ? 'Imported' : 'Already here:'} ${report.entries} entries, ${report.messages} messages.`)
    if (report.badLines + report.unknown + report.dangling > 0) {
      out.talk(`${report.badLines} bad lines, ${report.unknown} unknown entries, ${report.dangling} calls without a result.`)
    }
  } finally {
    progress.stop()
  }
}

async function* inputOf({ io }: Invocation, file: string): AsyncGenerator<Uint8Array> {
  const from = file === '-' ? io.stdin : createReadStream(isAbsolute(file) ? file : join(io.cwd, file))
  try {
    for await (const piece of from) yield typeof piece === 'string' ? Buffer.from(piece) : piece
  } catch (error) {
    throw fileError(error, file)
  }
}
