import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { publint } from 'publint'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { verifies } from '#verifies'
import { install, pack, type Packed, readJson, repository, run } from './pack.ts'

let packed: Packed
let entries: string[]
beforeAll(async () => {
  packed = await pack()
  const { exports } = await readJson<{ exports: object }>(repository, 'package.json')
  entries = Object.keys(exports)
})
afterAll(() => rm(packed.folder, { recursive: true, force: true }))

const specifierOf = (entry: string): string => entry.replace('.', 'skein')

/** Runs a module in the consumer's folder and parses what it prints. */
async function inConsumer<T>(script: string): Promise<T> {
  await writeFile(join(packed.consumer, 'script.mjs'), script)
  const { stdout } = await run(process.execPath, ['script.mjs'], { cwd: packed.consumer })
  return JSON.parse(stdout) as T
}

describe('importing the built package', () => {
  verifies('H21', 'resolves nothing outside the package but Node itself, where nothing else is installed', async () => {
    const resolved = await inConsumer<string[]>(`
      import { registerHooks } from 'node:module'
      const seen = []
      registerHooks({ resolve: (specifier, context, next) => { const found = next(specifier, context); seen.push(found.url); return found } })
      await import('skein')
      console.log(JSON.stringify(seen))`)
    const home = '/consumer/node_modules/skein/dist/'
    expect(resolved.filter(url => url.includes(home)).length).toBeGreaterThan(20)
    expect(resolved.filter(url => !url.includes(home) && !url.startsWith('node:'))).toEqual([])
    expect(resolved.filter(url => url.includes(`${home}stores/`))).toEqual([])
  })
})

describe('the packed archive', () => {
  verifies('H22', 'holds the built code, bin, README, LICENSE, CHANGELOG and docs/format.md, no more', async () => {
    const sources = (await readdir(join(repository, 'src'), { recursive: true })).filter(path => path.endsWith('.ts'))
    const built = sources
      .filter(path => !path.endsWith('.test.ts'))
      .flatMap(path => ['.js', '.d.ts'].map(end => `dist/${path.slice(0, -3)}${end}`))
    const rest = ['CHANGELOG.md', 'LICENSE', 'README.md', 'bin/skein.cjs', 'docs/format.md', 'package.json']
    expect(packed.files.filter(path => !path.startsWith('dist/'))).toEqual(rest)
    expect(packed.files.filter(path => path.startsWith('dist/'))).toEqual(built.sort())
  })

  verifies('H22', 'has an export for every public name, at run time and in the types', async () => {
    const surface = await readJson<Record<string, string[]>>(repository, 'test/public-surface.json')
    const { dependencies } = await readJson<{ dependencies: object }>(repository, 'package.json')
    await install(packed.consumer, [...Object.keys(dependencies), '@types/node', 'undici-types'])
    const values = (names: readonly string[]): string[] => names.filter(name => !name.startsWith('type '))
    const found = await inConsumer<Record<string, string[]>>(`
      const found = {}
      for (const entry of ${JSON.stringify(entries)}) found[entry] = Object.keys(await import(entry.replace('.', 'skein'))).sort()
      console.log(JSON.stringify(found))`)
    expect(found).toEqual(Object.fromEntries(entries.map(entry => [entry, values(surface[entry] ?? []).sort()])))
    expect(await faultsOfTypes(surface)).toEqual([])
  })

  it('passes publint', async () => {
    const { messages } = await publint({ pkgDir: join(packed.consumer, 'node_modules/skein'), strict: true })
    expect(messages).toEqual([])
  })

  it('passes attw as an ES module', async () => {
    const attw = join(repository, 'node_modules/@arethetypeswrong/cli/dist/index.js')
    const { stdout } = await run(process.execPath, [attw, packed.archive, '--profile', 'esm-only', '--no-color', '--no-emoji'])
    for (const entry of entries) expect(stdout).toMatch(new RegExp(`"${specifierOf(entry)}" +│ OK \\(ESM\\) +│ OK `))
  })
})

/** Imports every public name in a strict project that checks libraries, too; what the compiler says of it or of the package. */
async function faultsOfTypes(surface: Readonly<Record<string, readonly string[]>>): Promise<string[]> {
  const source = join(packed.consumer, 'every-name.ts')
  const lines = entries.flatMap((entry, index) =>
    (surface[entry] ?? []).map((name, at) => `export { ${name} as name_${index}_${at} } from '${specifierOf(entry)}'`),
  )
  await writeFile(source, `${lines.join('\n')}\n`)
  const program = ts.createProgram([source], {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2024,
    lib: ['lib.es2024.d.ts', 'lib.esnext.disposable.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts', 'lib.dom.asynciterable.d.ts'],
    types: ['node'],
    typeRoots: [join(packed.consumer, 'node_modules/@types')],
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
  })
  return ts
    .getPreEmitDiagnostics(program)
    .filter(({ file }) => file === undefined || file.fileName.startsWith(packed.consumer))
    .map(
      ({ file, messageText }) =>
        `${file?.fileName.slice(packed.consumer.length)}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
    )
}
