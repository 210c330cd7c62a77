/** Columns of a list of rows: names, types and, side by side, their values. */
export type Values = readonly (readonly [name: string, type: string, values: readonly unknown[]])[]

/** A list of rows among the parameters of a statement. */
export interface Rows {
  has(column: string): boolean
  /** It, for FROM. */
  sql(): string
}

/** Lists up to this long stand in the statement as they are, which the server plans and runs faster; longer ones are arrays. */
const maxInline = 3

/** Makes a statement's parameters and says how its lists of rows were shaped, since that is part of which statement it is. */
export class Parameters {
  readonly values: unknown[]
  shape = ''

  constructor(...first: readonly unknown[]) {
    this.values = [...first]
  }

  /** A list of rows with named columns. */
  rows(alias: string, columns: Values): Rows {
    const count = columns[0]?.[2].length ?? 0
    const inline = count <= maxInline
    this.shape += `_${inline ? count : 'n'}`
    const first = this.values.length + 1
    if (inline) for (let row = 0; row < count; row++) for (const [, , values] of columns) this.values.push(values[row])
    else for (const [, , values] of columns) this.values.push(values)
    return {
      has: column => columns.some(([name]) => name === column),
      sql: () => listSql(alias, columns, first, inline ? count : undefined),
    }
  }
}

function listSql(alias: string, columns: Values, first: number, inline: number | undefined): string {
  const names = columns.map(([name]) => name).join(', ')
  if (inline === undefined)
    return `unnest(${columns.map(([, type], place) => `$${first + place}::${type}[]`).join(', ')}) AS ${alias}(${names})`
  const row = (index: number): string[] => columns.map(([, type], place) => `$${first + index * columns.length + place}::${type}`)
  if (inline === 1) {
    const values = row(0)
    return `(SELECT ${columns.map(([name], place) => `${values[place] ?? ''} AS ${name}`).join(', ')}) AS ${alias}`
  }
  return `(VALUES ${Array.from({ length: inline }, (_, index) => `(${row(index).join(', ')})`).join(', ')}) AS ${alias}(${names})`
}
