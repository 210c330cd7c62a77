import type { Tool } from './definition.ts'
import type { Place } from './place.ts'

const places = new WeakMap<Tool, Place>()

/** Remembers where tools may write, so that what they wrote can be taken back there, and nowhere else. */
export function keepPlace(tools: readonly Tool[], place: Place): readonly Tool[] {
  for (const tool of tools) places.set(tool, place)
  return tools
}

/** Where these tools may write, each place once. */
export function placesOf(tools: readonly Tool[]): readonly Place[] {
  return [...new Set(tools.flatMap(tool => places.get(tool) ?? []))]
}
