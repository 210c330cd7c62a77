const around = 3
/** Above this many cells the middle is told as one block: right, if not the shortest. */
const maxCells = 4_000_000

type Step = readonly [sign: ' ' | '-' | '+', line: string]

/** A unified diff of two texts, '' if they are equal. Pure. */
export function lineDiff(path: string, before: string, after: string): string {
  if (before === after) return ''
  const steps = stepsOf(before.split('\n'), after.split('\n'))
  const lines = [`--- ${path}`, `+++ ${path}`]
  const changed = steps.flatMap(([sign], at) => (sign === ' ' ? [] : [at]))
  for (let at = 0; at < changed.length;) {
    let last = at
    while (last + 1 < changed.length && (changed[last + 1] ?? 0) - (changed[last] ?? 0) <= 2 * around) last++
    const from = Math.max(0, (changed[at] ?? 0) - around)
    const to = Math.min(steps.length, (changed[last] ?? 0) + around + 1)
    const count = (sign: '-' | '+', part: readonly Step[]): number =>
      part.filter(step => step[0] !== (sign === '-' ? '+' : '-')).length
    const [head, hunk] = [steps.slice(0, from), steps.slice(from, to)]
    lines.push(`@@ -${count('-', head) + 1},${count('-', hunk)} +${count('+', head) + 1},${count('+', hunk)} @@`)
    lines.push(...hunk.map(([sign, line]) => `${sign}${line}`))
    at = last + 1
  }
  return lines.join('\n')
}

function stepsOf(before: readonly string[], after: readonly string[]): Step[] {
  let head = 0
  while (head < before.length && head < after.length && before[head] === after[head]) head++
  let tail = 0
  while (
    tail < before.length - head &&
    tail < after.length - head &&
    before[before.length - 1 - tail] === after[after.length - 1 - tail]
  )
    tail++
  const same = (line: string): Step => [' ', line]
  return [
    ...before.slice(0, head).map(same),
    ...middle(before.slice(head, before.length - tail), after.slice(head, after.length - tail)),
    ...before.slice(before.length - tail).map(same),
  ]
}

/** By the longest common subsequence. */
function middle(before: readonly string[], after: readonly string[]): Step[] {
  const [rows, columns] = [before.length, after.length]
  if (rows * columns > maxCells) return [...before.map((line): Step => ['-', line]), ...after.map((line): Step => ['+', line])]
  const width = columns + 1
  const longest = new Uint32Array((rows + 1) * width)
  const at = (i: number, j: number): number => longest[i * width + j] ?? 0
  for (let i = rows - 1; i >= 0; i--)
    for (let j = columns - 1; j >= 0; j--)
      longest[i * width + j] = before[i] === after[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
  const steps: Step[] = []
  for (let i = 0, j = 0; i < rows || j < columns;) {
    if (i < rows && j < columns && before[i] === after[j]) {
      steps.push([' ', before[i] ?? ''])
      i++
      j++
    } else if (i < rows && (j === columns || at(i + 1, j) >= at(i, j + 1))) steps.push(['-', before[i++] ?? ''])
    else steps.push(['+', after[j++] ?? ''])
  }
  return steps
}
