import { given, invalidInput, isObject } from '#kernel'
import { addUsage, noUsage, type Usage, usageFields } from '#journal'
import { type Draft, draft } from '#session'
import type { RunRecord } from './run-record.ts'
import type { ToolSpending } from './tool.ts'

/** What a tool spent by itself while it ran: each time it says so is a request of its own. */
export class Spent {
  readonly drafts: Draft[] = []
  usage: Usage = noUsage
  /** Nano-dollars; `null` once one is not known. */
  cost: number | null = 0
  readonly #record: RunRecord
  readonly #step: number
  #over = false

  constructor(record: RunRecord, step: number) {
    this.#record = record
    this.#step = step
  }

  /** Throws `input.invalid` for counts that are none. What comes after the call has ended is not counted any more. */
  add(spent: ToolSpending): void {
    const usage = readUsage(spent)
    const { cost = null, model = null } = spent
    if (cost !== null && !isCount(cost)) throw invalidInput('usage.cost', 'Expected whole nano-dollars or null.')
    if (model !== null && typeof model !== 'string') throw invalidInput('usage.model', 'Expected a model.')
    if (this.#over) return
    const { core, marks } = this.#record
    this.usage = addUsage(this.usage, usage)
    this.cost = this.cost === null || cost === null ? null : this.cost + cost
    const data = { requestId: core.runtime.ids('req'), purpose: 'tool', model, entry: null, usage, cost, step: this.#step }
    this.drafts.push(draft('usage_recorded', data, { ...marks, by: 'tool' }))
  }

  /** What it came to. */
  settle(): readonly Draft[] {
    this.#over = true
    if (this.drafts.length > 0) this.#record.spend(this.usage, this.cost)
    return this.drafts
  }
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0

function readUsage(spent: unknown): Usage {
  if (!isObject(spent)) throw invalidInput('usage', 'Expected { usage, cost, model }.')
  const { usage = {} } = spent
  if (!isObject(usage)) throw invalidInput('usage.usage', 'Expected counts of tokens.')
  for (const [field, count] of Object.entries(usage)) {
    if (!usageFields.some(known => known === field)) throw invalidInput(`usage.usage.${field}`, 'No such count of tokens.')
    if (count !== null && count !== undefined && !isCount(count))
      throw invalidInput(`usage.usage.${field}`, 'Expected a whole number or null.')
  }
  return { ...noUsage, ...given(usage) }
}
