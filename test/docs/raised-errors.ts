import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const source = fileURLToPath(new URL('../../src', import.meta.url))
const untold = ['kernel/errors.ts']

/** A `new SkeinError(code, …, { details: { … } })` in the source: the codes that it may raise and the members that it names. */
export interface Raised {
  readonly file: string
  readonly codes: readonly string[]
  readonly details: readonly string[]
}

function sources(): { readonly file: string; readonly text: string }[] {
  return readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.ts') && !/\.(test|contract)\.ts$/.test(file) && !file.startsWith('journal/contract/'))
    .filter(file => !untold.includes(file))
    .map(file => ({ file, text: readFileSync(join(source, file), 'utf8') }))
}

/** Texts of the source that stand in quotes, so codes that reach an error by way of a variable count, too. */
export function quotedIn(codes: readonly string[]): Set<string> {
  const texts = sources().map(({ text }) => text)
  // `input.invalid` is raised by the kernel's own function.
  return new Set(codes.filter(code => code === 'input.invalid' || texts.some(text => text.includes(`'${code}'`))))
}

export function raisedErrors(): Raised[] {
  return sources().flatMap(({ file, text }) => {
    const found: Raised[] = []
    const visit = (node: ts.Node): void => {
      if (ts.isNewExpression(node) && node.expression.getText() === 'SkeinError') {
        const [code, , options] = node.arguments ?? []
        const details = options === undefined ? undefined : memberOf(options, 'details')
        if (code !== undefined)
          found.push({ file, codes: literalsOf(code), details: details === undefined ? [] : namesOf(details) })
      }
      ts.forEachChild(node, visit)
    }
    visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true))
    return found
  })
}

function memberOf(node: ts.Expression, name: string): ts.Expression | undefined {
  if (!ts.isObjectLiteralExpression(node)) return undefined
  for (const member of node.properties)
    if (ts.isPropertyAssignment(member) && member.name.getText() === name) return member.initializer
  return undefined
}

function literalsOf(node: ts.Node): string[] {
  if (ts.isStringLiteral(node)) return [node.text]
  return ts.isConditionalExpression(node) ? [...literalsOf(node.whenTrue), ...literalsOf(node.whenFalse)] : []
}

function namesOf(node: ts.Expression): string[] {
  if (!ts.isObjectLiteralExpression(node)) return []
  return node.properties.flatMap(member => (member.name === undefined ? [] : [member.name.getText()]))
}
