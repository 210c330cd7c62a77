/** Columns of a list of rows: names, types and, side by side, their values. */
export type Values = readonly (readonly [name: string, type: string, values: readonly unknown[]])[]

/** Lists up to this long stand in the statement as they are, which the server plans and runs faster; longer ones are arrays. */
const maxInline = 3

/** Makes a statement's parameters and says how its lists of rows were shaped, since that is part of which statement it is. */
export class Parameters {
  readonly values: unknown[]
  shape = ''

  constructor(...first: readonly unknown[]) {
    this.values = [...first]
  }

  /** A list of rows with named columns, for FROM. */
  rows(alias: string, columns: Values): string {
    const count = columns[0]?.[2].length ?? 0
    this.shape += `_${count <= maxInline ? count : 'n'}`
    const names = columns.map(([name]) => name).join(', ')
    if (count > maxInline) {
      const arrays = columns.map(([, type, values]) => `$${this.values.push(values)}::${type}[]`)
      return `unnest(${arrays.join(', ')}) AS ${alias}(${names})`
    }
    const row = (index: number): string[] => columns.map(([, type, values]) => `$${this.values.push(values[index])}::${type}`)
    if (count === 1) {
      const first = row(0)
      return `(SELECT ${columns.map(([name], index) => `${first[index] ?? ''} AS ${name}`).join(', ')}) AS ${alias}`
    }
    return `(VALUES ${Array.from({ length: count }, (_, index) => `(${row(index).join(', ')})`).join(', ')}) AS ${alias}(${names})`
  }
}
