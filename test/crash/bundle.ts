import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

const repository = fileURLToPath(new URL('../..', import.meta.url))

const crash = fileURLToPath(new URL('.', import.meta.url))

/** A child says `warm` when it is loaded. */
const isChild = (file: string): boolean => readFileSync(join(crash, file), 'utf8').includes("process.stdout.write('warm\\n')")

/** Every child, and the threads that one starts itself. */
function entries(): string[] {
  const children = readdirSync(crash).filter(file => file.endsWith('.ts') && file !== 'bundle.ts' && isChild(file))
  const threads = ['src/agent/tools/regex-thread.ts', 'src/stores/sqlite/background.ts']
  return [...children.map(file => join(crash, file)), ...threads.map(file => join(repository, file))]
}

export interface Bundle {
  /** Where `NAME.js` lies for each `test/crash/NAME.ts` that is a child. */
  readonly folder: string
  remove(): void
}

/**
 * The children of the crash tests in a few files, so that one starts in a quarter of the time that 700 modules take. Packages
 * are loaded as always.
 */
export async function bundleChildren(): Promise<Bundle> {
  const cache = join(repository, 'node_modules/.cache')
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'children-'))
  await build({
    configFile: false,
    root: repository,
    logLevel: 'warn',
    resolve: { conditions: ['skein-source', 'module', 'node'] },
    ssr: { external: true, resolve: { conditions: ['skein-source', 'module', 'node'] } },
    build: {
      ssr: true,
      target: 'esnext',
      minify: false,
      outDir: folder,
      emptyOutDir: false,
      copyPublicDir: false,
      rolldownOptions: {
        input: entries(),
        output: { entryFileNames: '[name].js', chunkFileNames: 'chunk-[hash].js' },
      },
    },
  })
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}
