import ts from 'typescript'

export interface Import {
  readonly specifier: string
  /** `types`: gone at run time. `later`: an `import()` that runs. A computed one has the specifier `?`. */
  readonly kind: 'values' | 'types' | 'later'
}

const read = new Map<string, readonly Import[]>()

/** Every way in which a TypeScript file names another module, in order of appearance. Comments and strings name none. */
export function readImports(file: string, text: string): readonly Import[] {
  const key = `${file}\n${text}`
  const found = read.get(key) ?? parseImports(file, text)
  read.set(key, found)
  return found
}

function parseImports(file: string, text: string): Import[] {
  const found: Import[] = []
  const add = (node: ts.Node | undefined, kind: Import['kind']): void => {
    found.push({ specifier: node !== undefined && ts.isStringLiteralLike(node) ? node.text : '?', kind })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, importsTypes(node) ? 'types' : 'values')
    else if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined)
      add(node.moduleSpecifier, exportsTypes(node) ? 'types' : 'values')
    else if (ts.isImportEqualsDeclaration(node) && ts.isExternalModuleReference(node.moduleReference))
      add(node.moduleReference.expression, 'values')
    else if (ts.isImportTypeNode(node)) add(ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined, 'types')
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) add(node.arguments[0], 'later')
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS))
  return found
}

function importsTypes({ importClause }: ts.ImportDeclaration): boolean {
  if (importClause === undefined) return false
  if (importClause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true
  const { name, namedBindings } = importClause
  return name === undefined && namedBindings !== undefined && ts.isNamedImports(namedBindings) && allTypes(namedBindings.elements)
}

function exportsTypes({ isTypeOnly, exportClause }: ts.ExportDeclaration): boolean {
  return isTypeOnly || (exportClause !== undefined && ts.isNamedExports(exportClause) && allTypes(exportClause.elements))
}

function allTypes(elements: readonly { readonly isTypeOnly: boolean }[]): boolean {
  return elements.length > 0 && elements.every(element => element.isTypeOnly)
}
