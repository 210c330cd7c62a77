import { isSkeinError } from '#kernel'
import { type Entry, isType } from '#journal'
import type { Session, Skein, SkeinOptions } from '#skein'
import { everyEntry } from './branch-proof.ts'
import { type Behaviour, type ScriptedSummarizer, scriptedSummarizer } from './scripted-summarizer.ts'
import { memoryPlace, type Place } from './stores.ts'

/** 3,904 tokens are usable. */
export const tight = { buffer: 120_000, keepTokens: 500, leafTokens: 700, prune: { protectTokens: 3_000, minTokens: 2_000 } }

export interface Room {
  readonly place: Place
  readonly skein: Skein
  readonly summarizer: ScriptedSummarizer
  readonly session: Session
}

export async function room(
  answers: Behaviour[] = ['extracts'],
  { context, ...options }: SkeinOptions = {},
  makePlace: () => Promise<Place> = memoryPlace,
): Promise<Room> {
  const place = await makePlace()
  const summarizer = scriptedSummarizer(answers)
  const skein = await place.open({ ...options, context: { ...tight, summarizer, ...context } })
  return { place, skein, summarizer, session: await skein.sessions.create() }
}

export const filler = (tokens: number): string => 'some words of it '.repeat(Math.ceil(tokens / 3.74)).trim()
export const turn = (n: number, tokens = 300): object => ({ user: `question ${n}`, assistant: `answer ${n} ${filler(tokens)}` })
export async function fill(session: Session, turns: number, tokens = 300): Promise<void> {
  for (let n = 0; n < turns; n++) await session.record(turn(n, tokens))
}
export const bytes = async (session: Session): Promise<string> =>
  JSON.stringify((await session.context({ compact: false, format: 'skein' })).messages)
export const added = async (session: Session): Promise<Entry[]> =>
  (await everyEntry(session, false)).filter(entry => isType(entry, 'summary_added'))
export const ofType = async (session: Session, type: string): Promise<Entry[]> =>
  (await everyEntry(session, false)).filter(entry => entry.type === type)
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
  } catch (error) {
    return isSkeinError(error) ? error.code : String(error)
  }
  return 'resolved'
}
