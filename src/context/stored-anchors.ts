import { byteLength, type EntryId, isObject, type Json } from '#kernel'
import type { Anchor, AnchorKind, Part, Summary } from '#journal'

/** A node's identifiers stand in it if they weigh no more. Bytes. */
const besideBytes = 4_096

/** What the part of a node is called that holds the identifiers which don't stand in it. */
export const anchorsPart = 'anchors'

/**
 * A node as it is stored: of many identifiers those stay that a context shows; the others become a part, so that large lists
 * are kept apart and no request reads them. Source: docs/format.md.
 */
export function packAnchors(summary: Summary): Summary {
  const { anchors, listed } = summary
  const kept = listed?.shown ?? 0
  let room = besideBytes
  if (kept === anchors.length || anchors.every(anchor => (room -= weightOf(anchor)) >= 0)) return summary
  const data = pack(anchors.slice(kept))
  return { ...summary, anchors: anchors.slice(0, kept), parts: [{ type: 'custom', name: anchorsPart, data }] }
}

/** The node with all of its identifiers, once its parts are at hand. What is no list of them adds none. */
export function unpackAnchors({ parts, ...summary }: Summary): Summary {
  if (parts === undefined) return summary
  return { ...summary, anchors: [...summary.anchors, ...parts.flatMap(unpack)] }
}

const weightOf = ({ text, kind, entry }: Anchor): number => byteLength(text) + kind.length + entry.length + 32

/** Entries and kinds are told once each and named by their place, as many identifiers stand in one entry. */
function pack(anchors: readonly Anchor[]): Json {
  const entries = new Map<EntryId, number>()
  const kinds = new Map<AnchorKind, number>()
  const placeIn = <T>(places: Map<T, number>, of: T): number => {
    const place = places.get(of) ?? places.size
    places.set(of, place)
    return place
  }
  const list = anchors.map(({ text, kind, entry }) => [text, placeIn(kinds, kind), placeIn(entries, entry)])
  return { entries: [...entries.keys()], kinds: [...kinds.keys()], anchors: list }
}

function unpack(part: Part): Anchor[] {
  if (part.type !== 'custom' || part.name !== anchorsPart || !isObject(part.data)) return []
  const { entries, kinds, anchors } = part.data as Readonly<Record<string, unknown>>
  if (!Array.isArray(entries) || !Array.isArray(kinds) || !Array.isArray(anchors)) return []
  return (anchors as readonly unknown[]).flatMap((one): Anchor[] => {
    if (!Array.isArray(one)) return []
    const [text, kind, entry] = one as [unknown, number, number]
    const anchor = { text, kind: kinds[kind] as unknown, entry: entries[entry] as unknown }
    return [anchor.text, anchor.kind, anchor.entry].every(value => typeof value === 'string') ? [anchor as Anchor] : []
  })
}
