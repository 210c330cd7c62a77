import type { Change } from '#journal'
import type { GatewayEvent } from './gateway-events.ts'
import { leadTo, type Person, putPerson } from './person.ts'

/** What makes two persons one, and what that means for their routes. */
export interface Learning {
  readonly changes: readonly Change[]
  readonly events: readonly GatewayEvent[]
  readonly canonical: string
}

/** The rows of two persons who are one. */
export function joined(stays: Person, goes: Person, routes: readonly string[] = [...stays.routes, ...goes.routes]): Change[] {
  const aliases = [...new Set([...stays.aliases, ...goes.aliases])]
  return [putPerson({ ...stays, aliases, routes }), leadTo(goes, stays.canonical)]
}
