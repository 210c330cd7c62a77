import { aFunction, anObject, type Check, either, type Id, listOf, type RunId, type TurnId } from '#kernel'
import type { Change } from '#journal'
import type { TurnResult } from './turn-result.ts'

/** Where an input stands that a commit admits. */
export interface Placed {
  readonly run: RunId
  readonly turn: TurnId
  readonly input: Id<'inp'>
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

export const changesOf = (alongside: Alongside | undefined, placed: Placed): readonly Change[] =>
  typeof alongside === 'function' ? alongside(placed) : (alongside ?? [])
