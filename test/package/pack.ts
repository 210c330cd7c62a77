import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const run = promisify(execFile)
export const repository = fileURLToPath(new URL('../..', import.meta.url))

export interface Packed {
  /** A folder of its own, for the caller to remove. */
  readonly folder: string
  readonly archive: string
  /** Paths inside the archive, sorted. */
  readonly files: readonly string[]
  /** A project that has nothing but the unpacked package in its `node_modules`. */
  readonly consumer: string
}

const published = [
  'package.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'src',
  'bin',
  'docs',
  'tools',
  'README.md',
  'LICENSE',
  'CHANGELOG.md',
]

/** Builds and packs a copy of the repository, so that neither its `dist` nor anybody at work in it is touched. */
export async function pack(): Promise<Packed> {
  const folder = await mkdtemp(join(tmpdir(), 'skein-package-'))
  const copy = join(folder, 'copy')
  for (const path of published) {
    const keep = (source: string): boolean => !source.endsWith('node_modules')
    await cp(join(repository, path), join(copy, path), { recursive: true, filter: keep }).catch(ignoreMissing)
  }
  await symlink(join(repository, 'node_modules'), join(copy, 'node_modules'))
  await run(process.execPath, [join(repository, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'], { cwd: copy })
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], { cwd: copy })
  const [packed] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }]
  const archive = join(folder, packed.filename)
  const consumer = join(folder, 'consumer')
  const home = join(consumer, 'node_modules/skein')
  await mkdir(home, { recursive: true })
  await run('tar', ['-xzf', archive, '--strip-components=1', '-C', home])
  return { folder, archive, files: packed.files.map(({ path }) => path).sort(), consumer }
}

/** Gives a consumer packages that this repository has installed. */
export async function install(consumer: string, packages: readonly string[]): Promise<void> {
  for (const name of packages) {
    const place = join(consumer, 'node_modules', name)
    await mkdir(dirname(place), { recursive: true })
    await symlink(join(repository, 'node_modules', name), place)
  }
}

export async function readJson<T>(...path: string[]): Promise<T> {
  return JSON.parse(await readFile(join(...path), 'utf8')) as T
}

function ignoreMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
}
