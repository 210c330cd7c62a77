import type { Message } from '#journal'
import type { Family } from './families.ts'
import { repairCalls } from './repair-calls.ts'
import type { Asked, Item, Repair } from './repair-item.ts'
import { repairParts } from './repair-parts.ts'
import { repairRoles } from './repair-roles.ts'

/** A message with the entry that it came from, or the summary, if it is stored. */
export type RepairInput = Message & { readonly ref?: string }

export interface RepairOptions {
  readonly family: Family
  /** The model that is asked, as `provider/model`. Without it, no reasoning counts as another model's. */
  readonly model?: string | null | undefined
  /**
   * Types of media that the model takes: `audio/wav` that one, `image/*` those images that its family does. Default: all that
   * its family does. Text files are not this option's matter.
   */
  readonly media?: readonly string[] | undefined
}

/**
 * Messages that the family's providers accept, and what that took: the table of spec/context.md 3. Pure, linear, and total:
 * any list of messages will do. A message that needed nothing is the same object; repairing twice changes nothing more; more
 * messages at the end change nothing of the earlier ones, but for a message that they join and a result that they bring late.
 * `refs`: of whom something is left. Laws C33–C40.
 */
export function repair(
  messages: readonly RepairInput[],
  { family, model, media }: RepairOptions,
): { messages: Message[]; repairs: Repair[]; refs: ReadonlySet<string> } {
  const asked: Asked = { family, model: model ?? undefined, media, repairs: [] }
  const key = JSON.stringify([family, model, media])
  const items = messages.flatMap((message): Item[] => {
    const { item, repairs } = partsOnce(message, key, asked)
    asked.repairs.push(...repairs)
    return item === undefined ? [] : [item]
  })
  const kept = repairCalls(items, asked)
  const repaired = repairRoles(kept, asked)
  return {
    messages: repaired.map(({ message }) => message),
    repairs: asked.repairs,
    refs: new Set(kept.map(({ ref }) => ref)),
  }
}

interface Known {
  readonly key: string
  readonly item: Item | undefined
  readonly repairs: readonly Repair[]
}

/** What the rules that need no other message made of one. */
const known = new WeakMap<RepairInput, Known>()

function partsOnce(message: RepairInput, key: string, asked: Asked): Known {
  const before = known.get(message)
  if (before?.key === key) return before
  const repairs: Repair[] = []
  const now = { key, item: repairParts({ message, ref: message.ref ?? '' }, { ...asked, repairs }), repairs }
  known.set(message, now)
  return now
}
