/**
 * A matcher of relative paths with `/` between: `*` and `?` within a name, `**` over folders, `[a-z]`, `[!a]`, `{a,b}`.
 * Names that begin with a dot are names like others. Case counts.
 */
export function globMatcher(pattern: string): (path: string) => boolean {
  const shape = new RegExp(`^${translate(pattern.replace(/^\.\//, ''))}$`, 'su')
  return path => shape.test(path)
}

function translate(pattern: string): string {
  let shape = ''
  let depth = 0
  for (let at = 0; at < pattern.length; at++) {
    const rest = pattern.slice(at)
    const atStart = at === 0 || pattern[at - 1] === '/'
    const stars = /^\*\*+(\/?)/.exec(rest)
    const set = /^\[(!|\^)?(\]?[^\]/]*)\]/.exec(rest)
    const one = pattern[at] ?? ''
    if (stars !== null && atStart && (stars[1] === '/' || stars[0].length === rest.length)) {
      // `**/` is any number of folders, `**` at the end whatever lies below.
      shape += stars[1] === '/' ? '(?:[^/]+/)*' : '.+'
      at += stars[0].length - 1
    } else if (one === '*') shape += '[^/]*'
    else if (one === '?') shape += '[^/]'
    else if (set !== null) {
      shape += `[${set[1] === undefined ? '' : '^'}${(set[2] ?? '').replaceAll(/[\\[\]^&~|]/g, '\\$&')}]`
      at += set[0].length - 1
    } else if (one === '{' && rest.includes('}')) {
      depth++
      shape += '(?:'
    } else if (one === ',' && depth > 0) shape += '|'
    else if (one === '}' && depth > 0) {
      depth--
      shape += ')'
    } else if (one === '\\' && at + 1 < pattern.length) shape += literal(pattern[++at] ?? '')
    else shape += literal(one)
  }
  return shape + ')'.repeat(depth)
}

const literal = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
