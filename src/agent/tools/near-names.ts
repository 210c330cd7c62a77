/** At most three of `names` that are nearest to one that does not exist, nearest first; of other names none. Pure. */
export function nearNames(name: string, names: readonly string[]): string[] {
  const asked = name.toLowerCase()
  const most = Math.max(1, Math.floor(asked.length / 3))
  return names
    .map(other => ({ other, distance: distanceOf(asked, other.toLowerCase()) }))
    .filter(({ other, distance }) => distance <= most || isPart(asked, other.toLowerCase()))
    .sort((a, b) => a.distance - b.distance || (a.other < b.other ? -1 : 1))
    .slice(0, 3)
    .map(({ other }) => other)
}

const isPart = (asked: string, other: string): boolean =>
  asked.length >= 3 && (other.startsWith(asked) || asked.startsWith(other))

/** Single-character changes between two names (Levenshtein), two rows at a time. */
function distanceOf(one: string, other: string): number {
  if (Math.abs(one.length - other.length) > 32) return Infinity
  let row = Array.from({ length: other.length + 1 }, (_, at) => at)
  for (let i = 1; i <= one.length; i++) {
    const next = [i]
    for (let j = 1; j <= other.length; j++) {
      const same = one[i - 1] === other[j - 1] ? 0 : 1
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + same))
    }
    row = next
  }
  return row[other.length] ?? 0
}
