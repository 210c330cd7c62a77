import { aFunction, anObject, type Check, either, type Id, listOf, type RunId, type TurnId } from '#kernel'
import type { Change, SessionRow } from '#journal'
import type { SessionCore } from '#session'
import type { TurnResult } from './turn-result.ts'

/** Where an input stands that a commit admits. */
export interface Placed {
  readonly run: RunId
  readonly turn: TurnId
  readonly input: Id<'inp'>
  /** Of the lease that the commit leaves its session with. */
  readonly token: number
}

/** What a room above wants in a commit of the agent's, all or nothing. A function is asked again where that commit is tried again. */
export type Alongside = readonly Change[] | ((placed: Placed) => readonly Change[])

/** The same for the commit that ends a turn, which tells the inputs that it drops. */
export type AtEnd = (result: TurnResult, dropped: readonly Id<'inp'>[]) => readonly Change[] | Promise<readonly Change[]>

export const checkAlongside: Check = either(
  listOf(anObject, 'changes'),
  aFunction,
  'Expected changes, or a function that gives them.',
)

/** `row`: the session as it stands before the commit. */
export function changesOf(
  alongside: Alongside | undefined,
  { runtime }: Pick<SessionCore, 'runtime'>,
  { lease }: Pick<SessionRow, 'lease'>,
  placed: Omit<Placed, 'token'>,
): readonly Change[] {
  if (typeof alongside !== 'function') return alongside ?? []
  return alongside({ ...placed, token: lease.owner === runtime.owner ? lease.token : lease.token + 1 })
}
