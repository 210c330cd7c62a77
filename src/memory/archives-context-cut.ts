import { type ShownEntry, showEntry, type ShowOptions, shownPartTokens } from '#context'

const cutAbove = 2_000
const cutTo = 1_000
/** Less says nothing any more. */
const cutFloor = 60

interface PlacedPart {
  readonly at: number
  readonly part: number
  readonly tokens: number
}

/**
 * The newest turn within `room` tokens, as the context room cuts it: large parts first, then results left out, oldest first,
 * then the user message round its middle, at last all other parts. Undefined: it can't be made to fit. Source: spec/context.md 5.
 */
export function cutTurn(items: readonly ShownEntry[], room: number, show: ShowOptions): readonly ShownEntry[] | undefined {
  let shown = [...items]
  const total = (): number => shown.reduce((sum, { tokens }) => sum + tokens, 0)
  const user = shown.findLastIndex(({ entry }) => entry.message.role === 'user' && entry.note === undefined)
  const change = (at: number, marks: Parameters<typeof showEntry>[2]): void => {
    const item = shown[at]
    if (item !== undefined) shown = shown.with(at, showEntry(item.entry, show, { pruned: item.pruned, cut: item.cut, ...marks }))
  }
  const cut = ({ at, part }: PlacedPart, tokens: number): void => {
    const others = shown[at]?.cut.filter(one => one.part !== part) ?? []
    change(at, { cut: [...others, { part, tokens }] })
  }
  const cutEach = (parts: readonly PlacedPart[], to: (part: PlacedPart) => number): boolean => {
    for (const part of parts) {
      if (total() <= room) return true
      cut(part, to(part))
    }
    return total() <= room
  }
  if (total() <= room) return shown
  const others = (): PlacedPart[] => partsIn(shown, show).filter(({ at }) => at !== user)
  const large = others().filter(({ tokens }) => tokens > cutAbove)
  if (cutEach(byTokens(large), () => cutTo)) return shown
  for (const { at, part, tokens } of others()) {
    if (total() <= room) return shown
    const item = shown[at]
    if (item?.entry.message.parts[part]?.type === 'tool_result' && tokens > cutFloor)
      change(at, { pruned: [...item.pruned, part] })
  }
  if (total() <= room) return shown
  const asked = byTokens(partsIn(shown, show).filter(({ at }) => at === user))
  if (cutEach(asked, ({ tokens }) => Math.max(cutFloor, tokens - (total() - room)))) return shown
  if (cutEach(byTokens(others().filter(({ tokens }) => tokens > cutFloor)), () => cutFloor)) return shown
  return undefined
}

const byTokens = (parts: readonly PlacedPart[]): PlacedPart[] => parts.toSorted((a, b) => b.tokens - a.tokens)

function partsIn(items: readonly ShownEntry[], show: ShowOptions): PlacedPart[] {
  return items.flatMap((item, at) =>
    item.hidden !== undefined
      ? []
      : item.entry.message.parts.flatMap(({ type }, part) =>
          (type === 'text' || type === 'tool_result' || type === 'tool_call') && !item.pruned.includes(part)
            ? [{ at, part, tokens: shownPartTokens(item, part, show) }]
            : [],
        ),
  )
}
