import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'

/** The public names of each entry of package.json, sorted; types are marked so: `type Name`. */
export type Surface = Readonly<Record<string, readonly string[]>>

export const surfaceFile = 'test/public-surface.json'

/** Reads the exported names from the sources. Throws for an entry that package.json names and `src` does not have. */
export function readSurface(repository: string): Surface {
  const entries = sourcesOf(repository)
  const { config } = ts.readConfigFile(join(repository, 'tsconfig.json'), path => ts.sys.readFile(path)) as {
    config: { compilerOptions: object }
  }
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, repository)
  const program = ts.createProgram({ rootNames: Object.values(entries), options: { ...options, noEmit: true } })
  const checker = program.getTypeChecker()
  return Object.fromEntries(
    Object.entries(entries).map(([entry, path]) => {
      const source = program.getSourceFile(path)
      const module = source && checker.getSymbolAtLocation(source)
      const names = module === undefined ? [] : checker.getExportsOfModule(module).map(symbol => nameOf(symbol, checker))
      return [entry, names.sort()]
    }),
  )
}

/** The text of the checked-in list. */
export function surfaceText(surface: Surface): string {
  return `${JSON.stringify(surface, null, 2)}\n`
}

function sourcesOf(repository: string): Record<string, string> {
  const { exports } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
    exports: Record<string, { default: string }>
  }
  return Object.fromEntries(
    Object.entries(exports).map(([entry, { default: built }]) => {
      const path = join(repository, built.replace('./dist/', 'src/').replace(/\.js$/, '.ts'))
      if (!existsSync(path)) throw new Error(`package.json exports ${entry}, but there is no ${path}`)
      return [entry, path]
    }),
  )
}

function nameOf(symbol: ts.Symbol, checker: ts.TypeChecker): string {
  const typeOnly =
    symbol.declarations?.some(declaration => ts.isExportSpecifier(declaration) && ts.isTypeOnlyExportDeclaration(declaration)) ??
    false
  const meant = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
  return !typeOnly && meant.flags & ts.SymbolFlags.Value ? symbol.name : `type ${symbol.name}`
}
