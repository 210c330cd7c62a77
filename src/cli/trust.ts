import { randomBytes } from 'node:crypto'
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, resolve } from 'node:path'
import { findConfigFiles, realFolder, trustedFolders } from '#agent'
import { SkeinError } from '#kernel'
import type { Command } from 'commander'
import type { Invocation, Runner } from './command.ts'
import { makeFolder } from './places.ts'

interface TrustFlags {
  readonly remove?: boolean
  readonly list?: boolean
}

/** `skein trust`: lets a project's file set extensions and wider rules from now on. Law A2. */
export function addTrust(program: Command, run: Runner): void {
  program
    .command('trust')
    .argument('[folder]', 'of the project; without it the one around this folder')
    .option('--remove', 'trust it no more')
    .option('--list', 'only show which are trusted')
    .description('trust the .skein folder of a project: its extensions are run, and its settings may allow more')
    .action(run(trust))
}

async function trust({ io, out }: Invocation, folder: string | undefined, flags: TrustFlags): Promise<void> {
  const asked = folder === undefined ? io.cwd : resolve(io.cwd, folder)
  const { trust: file, project } = findConfigFiles({ env: io.env, cwd: asked, home: homedir() })
  if (file === undefined) throw new SkeinError('config.invalid', 'There is no home folder to keep the list in.')
  const { folders, problem } = trustedFolders(file)
  if (problem !== undefined) throw new SkeinError('config.invalid', `${problem} Mend or remove it.`, { details: { file } })
  if (flags.list === true) return await tell(out, folders)
  const real = realFolder(folder === undefined ? (project?.folder ?? asked) : asked)
  const others = folders.filter(known => known !== real)
  const kept = flags.remove === true ? others : [...others, real].sort()
  makeFolder(dirname(file))
  writeWhole(file, `${JSON.stringify({ projects: kept }, null, 2)}\n`)
  await tell(out, kept)
}

async function tell(out: Invocation['out'], folders: readonly string[]): Promise<void> {
  if (out.json) return await out.body({ projects: folders })
  for (const folder of folders) await out.line(folder)
}

/** The file is the old one or the new one, and its owner's alone. */
function writeWhole(file: string, text: string): void {
  const temporary = `${file}.${randomBytes(6).toString('hex')}`
  try {
    writeFileSync(temporary, text, { mode: 0o600 })
    renameSync(temporary, file)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
}
