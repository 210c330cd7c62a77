import type { Json, JsonObject, Timers } from '#kernel'
import type { Place } from './place.ts'

/** What the file tools of one session share. */
export interface Desk {
  readonly place: Place
  /** How each file stood when it was last read or written here, by its real path. */
  readonly seen: Map<string, string>
  readonly timers: Timers
  readonly now: () => number
}

/** The JSON Schema of a tool's arguments. */
export function schemaOf(properties: Readonly<Record<string, Json>>, required: readonly string[] = []): JsonObject {
  return { type: 'object', properties, required, additionalProperties: false }
}

export const text = (description: string): JsonObject => ({ type: 'string', description })
export const flag = (description: string): JsonObject => ({ type: 'boolean', description })
export const whole = (description: string, minimum = 1): JsonObject => ({ type: 'integer', minimum, description })
