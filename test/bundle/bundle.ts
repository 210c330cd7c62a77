import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

const repository = fileURLToPath(new URL('../..', import.meta.url))

/** A child of the crash tests says `warm` when it is loaded. */
function crashChildren(): string[] {
  const folder = join(repository, 'test/crash')
  const paths = readdirSync(folder).map(file => join(folder, file))
  return paths.filter(
    path => path.endsWith('.ts') && /^(?:await doTask|process\.stdout\.write\('warm)/m.test(readFileSync(path, 'utf8')),
  )
}

/** Every child, and the threads that one starts itself. */
function entries(): string[] {
  const named = ['test/stories/skein.ts', 'src/agent/tools/regex-thread.ts', 'src/stores/sqlite/background.ts']
  return [...crashChildren(), ...named.map(path => join(repository, path))]
}

export interface Bundle {
  /** Where `NAME.js` lies for each `NAME.ts` that tests start as a process. */
  readonly folder: string
  remove(): void
}

/**
 * The processes that tests start, in a few files: one starts in a quarter of the time that 700 modules take. Packages are
 * loaded as always.
 */
export async function bundleChildren(): Promise<Bundle> {
  // As deep as the built files, which look for package.json from there.
  const folder = mkdtempSync(join(repository, 'node_modules/.children-'))
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
