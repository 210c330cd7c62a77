import type { Message } from '#journal'
import { type Family, type RepairRule, repairTable } from './families.ts'

/** What was changed so that a provider takes the request, and where. */
export interface Repair {
  readonly rule: RepairRule
  /** The entry, `#n` its part from 0. Empty for what has no entry. */
  readonly ref: string
  readonly detail: string
}

/** A message on its way through the rules. */
export interface Item {
  readonly message: Message
  readonly ref: string
  /** Where each part stood in the entry; absent: where it stands. */
  readonly places?: readonly number[]
}

/** What the rules are asked for, and where they tell what they did. */
export interface Asked {
  readonly family: Family
  /** The model that is asked; unknown where `undefined`. */
  readonly model: string | undefined
  /** Media types that the model takes: whole ones for sure, of a kind (`image/*`) those that its family does. */
  readonly media: readonly string[] | undefined
  readonly repairs: Repair[]
}

export const holds = (rule: RepairRule, { family }: Asked): boolean => repairTable[rule][family]

export function tell({ repairs }: Asked, rule: RepairRule, ref: string, detail: string): void {
  repairs.push({ rule, ref, detail: detail.toWellFormed() })
}

export const placeOf = ({ places }: Item, index: number): number => places?.[index] ?? index
export const partRef = (item: Item, index: number): string => (item.ref === '' ? '' : `${item.ref}#${placeOf(item, index)}`)
