/** Where times come from: integer epoch milliseconds. Handed in everywhere, so a rule never asks the machine. */
export interface Clock {
  now(): number
}

export const systemClock: Clock = { now: () => Date.now() }

/** A clock that stands still until it is told to go on: for tests and replays. */
export function manualClock(start = 1_700_000_000_000): Clock & { set(at: number): void; advance(ms: number): number } {
  let at = start
  return {
    now: () => at,
    set: next => void (at = next),
    advance: ms => (at += ms),
  }
}

/** The last time, in epoch milliseconds, that a date can be made of. Source: ECMA-262, 21.4.1.1. */
export const latestTime = 8.64e15
