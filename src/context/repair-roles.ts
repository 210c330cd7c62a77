import { given, isObject, type JsonObject } from '#kernel'
import type { Message, Part } from '#journal'
import { familyRules } from './families.ts'
import { type Asked, holds, type Item, tell } from './repair-item.ts'

export const sessionContinues = '[session continues]'

/** Neighbours of one role as one message, their parts in order, and a user at the beginning. Law C37. */
export function repairRoles(items: readonly Item[], asked: Asked): Item[] {
  const joined = holds('roles_adjacent', asked) ? joinNeighbours(items, asked) : [...items]
  const [first] = joined
  if (first === undefined || first.message.role === 'user' || !holds('first_not_user', asked)) return joined
  tell(asked, 'first_not_user', first.ref, `begins with ${first.message.role}`)
  return [{ message: { role: 'user', parts: [{ type: 'text', text: sessionContinues }] }, ref: '' }, ...joined]
}

function joinNeighbours(items: readonly Item[], asked: Asked): Item[] {
  const groups: Item[][] = []
  for (const item of items) {
    const group = groups.at(-1)
    const head = group?.[0]
    if (group === undefined || head?.message.role !== item.message.role) {
      groups.push([item])
      continue
    }
    group.push(item)
    tell(asked, 'roles_adjacent', item.ref, `${item.message.role} after ${item.message.role}, joined`)
  }
  const out = groups.map(joined)
  return familyRules[asked.family].resultsAre === 'user' ? out.map((item, at) => behindResults(item, out[at - 1], asked)) : out
}

/** The newest group that began with a message, and what it became: the same group is the same object again. */
const known = new WeakMap<Message, { readonly group: readonly Item[]; readonly item: Item }>()

/** The first message with the parts of all; what it says beside its parts stays, so that it begins as it did alone. Law C25. */
function joined(group: readonly Item[]): Item {
  const [first] = group as readonly [Item]
  if (group.length === 1) return first
  const before = known.get(first.message)
  if (before?.group.length === group.length && group.every(({ message }, at) => message === before.group[at]?.message))
    return before.item
  const parts = group.flatMap(({ message }): readonly Part[] => message.parts)
  const { model: _model, ...rest } = first.message
  const item = { message: { ...rest, parts, ...given({ model: makerOf(group) }) }, ref: first.ref }
  known.set(first.message, { group, item })
  return item
}

/** Whose reasoning is in the messages, where there is any: it must not count as somebody else's. */
function makerOf(group: readonly Item[]): string | undefined {
  const thinking = group.filter(({ message }) => message.parts.some(part => part.type === 'reasoning'))
  return (thinking.find(({ message }) => message.model !== undefined) ?? thinking[0] ?? group[0])?.message.model
}

/** Where the writer of Messages API messages reads that a message goes on with the one before it. */
const format = 'anthropic-messages'

/**
 * A user message right behind results is one turn with them. Results and what a person says stay two messages here, as a tool
 * message takes no text; the mark, as of a message that was read from one turn, makes the writer join them.
 */
function behindResults(item: Item, before: Item | undefined, asked: Asked): Item {
  const { message } = item
  if (message.role !== 'user' || before?.message.role !== 'tool' || isMarked(message)) return item
  tell(asked, 'roles_adjacent', item.ref, 'user after tool, joined')
  const data = (isObject(message.providerData) ? message.providerData : {}) as JsonObject
  const memo = (isObject(data[format]) ? data[format] : {}) as JsonObject
  return { ...item, message: { ...message, providerData: { ...data, [format]: { ...memo, joined: true } } } }
}

function isMarked({ providerData }: Message): boolean {
  const memo = isObject(providerData) ? providerData[format] : undefined
  return isObject(memo) && memo['joined'] === true
}
