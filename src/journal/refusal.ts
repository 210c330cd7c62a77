import { type JsonObject, SkeinError } from '#kernel'

/** Which change of its commit is refused. */
interface Place {
  readonly index: number
}

/** An expectation that does not hold, with what was found. */
export const conflict = (turn: Place, expected: JsonObject, actual: JsonObject): SkeinError =>
  new SkeinError(
    'store.conflict',
    `Change ${turn.index} expected ${JSON.stringify(expected)} and found ${JSON.stringify(actual)}. Read again and decide anew.`,
    {
      details: { change: turn.index, expected, actual },
    },
  )

/** No session has this id, or another tenant's does. */
export function unknownSession(id: string): SkeinError {
  return new SkeinError('session.not_found', `There is no session ${id}.`, { details: { session: id } })
}
