import { countLines, linesOf, shortLine } from './outline-lines.ts'

export type CodeLanguage = 'TypeScript' | 'JavaScript' | 'Python'

interface Patterns {
  /** The module of an import is its first group that took part. */
  readonly imported: RegExp
  readonly declared: RegExp
}

const name = '[\\p{L}_$][\\p{L}\\p{N}_$]{0,80}'
const script: Patterns = {
  imported:
    /^(?:import|export)\b.{0,200}?\bfrom\s{0,4}['"]([^'"]{1,200})['"]|^import\s{0,4}['"]([^'"]{1,200})['"]|^\}\s{0,4}from\s{0,4}['"]([^'"]{1,200})['"]|\brequire\(\s{0,4}['"]([^'"]{1,200})['"]/u,
  declared: new RegExp(
    `^(?:export\\s{1,4})?(?:default\\s{1,4})?(?:declare\\s{1,4})?(?:abstract\\s{1,4})?(?:async\\s{1,4})?(?:function\\*?|class|interface|type|enum|namespace|const|let|var)\\s{1,4}${name}`,
    'u',
  ),
}
const python: Patterns = {
  imported: /^(?:from\s{1,4}([\w.]{1,200})\s{1,4}import\b|import\s{1,4}([\w., ]{1,200}))/u,
  declared: new RegExp(
    `^(?:(?:async\\s{1,4})?def|class)\\s{1,4}${name}|^ {4}(?:async\\s{1,4})?def\\s{1,4}${name}|^${name}\\s{0,4}(?::[^=]{1,80})?=(?!=)`,
    'u',
  ),
}
const patterns: Readonly<Record<CodeLanguage, Patterns>> = { TypeScript: script, JavaScript: script, Python: python }
const most = 60

/** What is imported and declared at the top, by simple patterns, with line numbers. Throws if there is neither. */
export function outlineCode(text: string, language: CodeLanguage): string[] {
  const { imported, declared } = patterns[language]
  const modules = new Set<string>()
  const declarations: string[] = []
  let declaredCount = 0
  let number = 0
  for (const line of linesOf(text)) {
    number++
    const start = line.slice(0, 300)
    const module = imported
      .exec(start)
      ?.slice(1)
      .find(group => group !== undefined)
    if (module !== undefined && modules.size < most) modules.add(shortLine(module.trim(), 60))
    if (module !== undefined || !declared.test(start)) continue
    declaredCount++
    if (declarations.length < most) declarations.push(`${number}: ${shortLine(start.replace(/\s*[{=].*$/u, ''), 100)}`)
  }
  if (modules.size === 0 && declaredCount === 0) throw new RangeError('No imports and no declarations.')
  return [
    `${language}, ${countLines(text)} lines, ${declaredCount} ${declaredCount === 1 ? 'declaration' : 'declarations'}`,
    ...(modules.size === 0 ? [] : [`imports: ${[...modules].join(', ')}`]),
    ...declarations,
    ...(declaredCount > most ? [`… ${declaredCount - most} more declarations`] : []),
  ]
}
