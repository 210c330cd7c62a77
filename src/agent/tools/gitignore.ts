/** One line of a `.gitignore`, read. */
interface Rule {
  readonly pattern: RegExp
  readonly negated: boolean
  readonly folderOnly: boolean
}

/** The rules of one file, for paths relative to its folder. */
export interface IgnoreFile {
  /** Relative to the root, without a slash at the end; '' for the root's own. */
  readonly folder: string
  readonly rules: readonly Rule[]
}

/** Reads a `.gitignore`. Lines that say nothing, or can't be read, are passed over. Source: git-scm.com/docs/gitignore. */
export function readIgnoreFile(folder: string, text: string): IgnoreFile {
  return { folder, rules: text.split(/\r?\n/).flatMap(ruleOf) }
}

/** Whether a path, relative to the root with slashes, is ignored: the last rule that matches says so, the innermost file last. */
export function isIgnored(files: readonly IgnoreFile[], path: string, isFolder: boolean): boolean {
  let ignored = false
  for (const { folder, rules } of files) {
    if (folder !== '' && !path.startsWith(`${folder}/`)) continue
    const inside = folder === '' ? path : path.slice(folder.length + 1)
    for (const { pattern, negated, folderOnly } of rules)
      if ((isFolder || !folderOnly) && pattern.test(inside)) ignored = !negated
  }
  return ignored
}

function ruleOf(line: string): Rule[] {
  // Blanks at the end don't count unless a backslash stands before them.
  let text = line.replace(/(?<!\\)[ \t]+$/, '')
  if (text === '' || text.startsWith('#')) return []
  const negated = text.startsWith('!')
  if (negated) text = text.slice(1)
  const folderOnly = text.endsWith('/')
  if (folderOnly) text = text.slice(0, -1)
  // A slash anywhere but at the end ties the pattern to the file's own folder.
  const tied = text.includes('/')
  if (text.startsWith('/')) text = text.slice(1)
  if (text === '') return []
  try {
    return [{ pattern: new RegExp(`^${tied ? '' : '(?:.*/)?'}${globSource(text)}$`, 'u'), negated, folderOnly }]
  } catch {
    return []
  }
}

/** A glob as the source of a regular expression: `*` and `?` within a name, `**` over folders, `[a-z]`, `\` before what is meant literally. */
export function globSource(glob: string): string {
  let source = ''
  for (let at = 0; at < glob.length; at++) {
    const letter = glob[at] ?? ''
    if (letter === '*') {
      let stars = 1
      while (glob[at + stars] === '*') stars++
      const [before, after] = [glob[at - 1], glob[at + stars]]
      if (stars >= 2 && (before === undefined || before === '/') && (after === '/' || after === undefined)) {
        source += after === '/' ? '(?:[^/]+/)*' : '.+'
        at += after === '/' ? stars : stars - 1
      } else {
        source += '[^/]*'
        at += stars - 1
      }
    } else if (letter === '?') source += '[^/]'
    else if (letter === '[') {
      const end = glob.indexOf(']', glob[at + 1] === '!' || glob[at + 1] === '^' ? at + 3 : at + 2)
      if (end === -1) source += '\\['
      else {
        const inner = glob
          .slice(at + 1, end)
          .replace(/\\/g, '\\\\')
          .replace(/^!/, '^')
          .replace(/\[/g, '\\[')
        source += `[${inner}]`
        at = end
      }
    } else {
      const meant = letter === '\\' && at + 1 < glob.length ? (glob[++at] ?? '') : letter
      source += meant.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
    }
  }
  return source
}
