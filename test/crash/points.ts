/**
 * Which probes to die at, of those that a rehearsal named, beyond the first `opened`: all, or so many: one of each kind (a
 * name and what comes right before it), then evenly over the rest. In ascending order.
 */
export function pickPoints(names: readonly string[], opened: number, wanted: 'all' | number): number[] {
  const all = names.map((_, index) => index + 1).slice(opened)
  if (wanted === 'all' || wanted >= all.length) return all
  const kinds = new Map<string, number>()
  for (const point of all) {
    const kind = `${names[point - 2] ?? ''} ${names[point - 1] ?? ''}`
    if (!kinds.has(kind)) kinds.set(kind, point)
  }
  const picked = new Set([...kinds.values()].slice(0, wanted))
  const rest = all.filter(point => !picked.has(point))
  const missing = wanted - picked.size
  for (let n = 0; n < missing; n++) picked.add(rest[Math.floor((n * rest.length) / missing)] as number)
  return [...picked].sort((a, b) => a - b)
}
