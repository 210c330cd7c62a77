/**
 * Where each key of a TOML text stands: dotted path to line, counted from 1. Tables stand where their header is. What is
 * inside an inline table or an array has the line of the key that begins it. For messages only; the text is parsed elsewhere.
 */
export function tomlLines(text: string): ReadonlyMap<string, number> {
  const lines = new Map<string, number>()
  let table: readonly string[] = []
  let closing: string | undefined
  for (const [index, line] of text.split('\n').entries()) {
    if (closing !== undefined) {
      if (line.includes(closing)) closing = undefined
      continue
    }
    const header = /^\s*\[\[?\s*([^\]]*?)\s*\]\]?\s*(?:#.*)?$/.exec(line)
    if (header?.[1] !== undefined) {
      table = keyParts(header[1])
      note(lines, table, index + 1)
      continue
    }
    const assigned = /^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=(.*)$/.exec(line)
    if (assigned?.[1] === undefined) continue
    note(lines, [...table, ...keyParts(assigned[1])], index + 1)
    closing = opened(assigned[2] ?? '')
  }
  return lines
}

/** The line of a key, or of the nearest table around it. */
export function lineOf(lines: ReadonlyMap<string, number>, key: string): number | undefined {
  for (let path = key; path !== ''; path = path.slice(0, Math.max(0, path.lastIndexOf('.')))) {
    const line = lines.get(path)
    if (line !== undefined) return line
  }
  return undefined
}

const keyParts = (text: string): string[] =>
  (text.match(/[\w-]+|"[^"]*"|'[^']*'/g) ?? []).map(part => (/^["']/.test(part) ? part.slice(1, -1) : part))

/** Each part of a dotted key is a table of its own. */
function note(lines: Map<string, number>, path: readonly string[], line: number): void {
  for (let length = 1; length <= path.length; length++) {
    const key = path.slice(0, length).join('.')
    if (!lines.has(key)) lines.set(key, line)
  }
}

/** The quotes that end a multi-line string which begins here and doesn't end here. */
function opened(value: string): string | undefined {
  const quotes = /^\s*("""|''')/.exec(value)?.[1]
  return quotes === undefined || value.indexOf(quotes, value.indexOf(quotes) + 3) >= 0 ? undefined : quotes
}
