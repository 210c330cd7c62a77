/** Groups of files that reach each other, each sorted; a file that imports itself is one, too. (Tarjan, 1972.) */
export function findCycles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const order = new Map<string, number>()
  const low = new Map<string, number>()
  const open: string[] = []
  const cycles: string[][] = []
  const visit = (file: string): number => {
    const place = order.size
    let lowest = place
    order.set(file, place)
    open.push(file)
    for (const next of graph.get(file) ?? []) {
      if (!order.has(next)) lowest = Math.min(lowest, visit(next))
      else if (open.includes(next)) lowest = Math.min(lowest, low.get(next) ?? order.get(next) ?? place)
    }
    low.set(file, lowest)
    if (lowest < place) return lowest
    const group = open.splice(open.indexOf(file))
    if (group.length > 1 || graph.get(file)?.includes(file) === true) cycles.push(group.sort())
    return lowest
  }
  for (const file of graph.keys()) if (!order.has(file)) visit(file)
  return cycles
}
