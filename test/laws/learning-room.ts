import type { Candidate, Evidence, ExtractionInput, Extractor, Memory } from '#memory'
import type { Session, Skein } from '#skein'
import { expect } from 'vitest'
import type { Place } from './stores.ts'

type Answer = readonly unknown[] | Error | ((input: ExtractionInput) => readonly unknown[] | Promise<readonly unknown[]>)

export interface Told extends Extractor {
  readonly inputs: ExtractionInput[]
}

/** An extractor that gives these answers one after the other, and the last of them from then on. */
export function telling(answers: readonly Answer[], more: Partial<Extractor> = {}): Told {
  const inputs: ExtractionInput[] = []
  return {
    name: 'told',
    version: '1',
    ...more,
    inputs,
    async extract(input) {
      const answer = answers[Math.min(inputs.push(input), answers.length) - 1]
      if (answer instanceof Error) throw answer
      return { candidates: typeof answer === 'function' ? await answer(input) : (answer ?? []) }
    },
  }
}

/** A candidate that nothing is wrong with. */
export const fact = (more: Partial<Candidate> = {}): Candidate => ({
  category: 'preference',
  owner: 'user',
  key: 'tea',
  content: 'Likes green tea.',
  confidence: 0.9,
  ...more,
})

export async function say(session: Session, ...texts: readonly string[]): Promise<void> {
  for (const text of texts) await session.append([{ role: 'user', content: text }])
}

/** The entry in which a text stands. */
export async function entryWith(session: Session, text: string): Promise<`ent_${string}`> {
  const found = (await session.messages()) as readonly { readonly id: `ent_${string}`; readonly parts: unknown }[]
  return found.find(({ parts }) => JSON.stringify(parts).includes(text))?.id ?? 'ent_none'
}

/** Queues what a session says and lets the worker learn from it. */
export async function learn(skein: Skein, session: Session): Promise<void> {
  await skein.memory.extract(session.id)
  await skein.jobs.idle({ kind: 'memory.extract' }, { waitMs: 60_000 })
}

/** Lets every wait for another attempt pass, until nothing is queued; an attempt that goes on keeps its lease. */
export async function outlast(place: Place, skein: Skein): Promise<void> {
  await expect
    .poll(async () => {
      const states = (await skein.jobs.list({ kind: 'memory.extract' })).map(({ state }) => state)
      if (!states.includes('running')) place.clock.advance(9_000)
      return states.filter(state => state === 'queued' || state === 'running')
    })
    .toEqual([])
}

interface Known extends Pick<Memory, 'uri' | 'version' | 'content' | 'seen' | 'validFrom' | 'validTo'> {
  readonly evidence: readonly Pick<Evidence, 'entry' | 'quote' | 'at'>[]
}

/** What is known of an owner, without ids and times of recording. */
export async function knownOf(skein: Skein, owner: string): Promise<Known[]> {
  const { items } = await skein.memory.list(owner, { limit: 200 })
  const all = await Promise.all(items.map(async ({ id }) => await skein.memory.history(id)))
  return all
    .flat()
    .map(({ uri, version, content, seen, evidence, validFrom, validTo }) => ({
      uri,
      version,
      content,
      seen,
      evidence: evidence.map(({ entry, quote, at }) => ({ entry, quote, at })),
      validFrom,
      validTo,
    }))
    .sort((one, other) => (`${one.uri} ${one.version}` < `${other.uri} ${other.version}` ? -1 : 1))
}
