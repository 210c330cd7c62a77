/**
 * Edits between two words: insertions, deletions, substitutions and swaps of neighbours, each 1.
 * Source: optimal string alignment distance (Damerau 1964, restricted).
 */
export function editDistance(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let least = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, (before[j - 2] ?? 0) + 1)
      row.push(least)
    }
    before = last
    last = row
  }
  return last[b.length] ?? 0
}

/**
 * The known word that was probably meant, ignoring case; `undefined` if none is near. Of equals
 * the one nearer in length, then the first.
 */
export function nearestOf(word: string, known: readonly string[], aliasOf: (word: string) => string = same): string | undefined {
  const wanted = word.toLowerCase()
  let best: { word: string; distance: number } | undefined
  for (const candidate of known) {
    const names = [candidate, aliasOf(candidate)]
    const distance = Math.min(
      ...names.map(name => editDistance(wanted, name.toLowerCase()) + Math.abs(name.length - wanted.length) / 1_000),
    )
    if (Math.floor(distance) <= Math.max(1, Math.floor(wanted.length / 2)) && (best === undefined || distance < best.distance)) {
      best = { word: candidate, distance }
    }
  }
  return best?.word
}

const same = (word: string): string => word
