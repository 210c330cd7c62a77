import type { Message } from './message.ts'

/** How far what is said can be trusted, high to low. Source: spec/agent.md 11. */
export const trustLevels = [
  'user-instruction',
  'task-record',
  'verifier-output',
  'project-trusted',
  'durable-memory',
  'tool-observed',
  'generated-summary',
  'external-untrusted',
  'unknown',
] as const
export type Trust = (typeof trustLevels)[number]

export const isTrust = (value: unknown): value is Trust => trustLevels.some(level => level === value)

const rank = (trust: Trust): number => trustLevels.indexOf(trust)

/** The last three: whoever hears nothing else may not write, execute, or use secrets or extensions. */
export const isLow = (trust: Trust): boolean => rank(trust) >= rank('generated-summary')

export const higher = (one: Trust, other: Trust): Trust => (rank(one) <= rank(other) ? one : other)

/** Of what is made of several sources: none makes another better. Of none `unknown`. Law A61. */
export function lowest(sources: readonly string[]): Trust {
  return sources.reduce<Trust>(
    (low, source) => {
      const trust = isTrust(source) ? source : 'unknown'
      return rank(trust) > rank(low) ? trust : low
    },
    sources.length === 0 ? 'unknown' : 'user-instruction',
  )
}

type Spoken = Pick<Message, 'role' | 'parts' | 'trust'>

/** How far what messages hold may be trusted, each source of them: what users said, what tools brought. */
export function trustsOf(messages: readonly Spoken[]): readonly string[] {
  return messages.flatMap(({ role, parts, trust }) => [
    ...(role === 'user' ? [trust ?? 'user-instruction'] : []),
    ...parts.flatMap(part => (part.type === 'tool_result' ? [part.trust ?? 'tool-observed'] : [])),
  ])
}

/** Of a summary: of its sources, and never more than of what a model wrote. Law A61. */
export const trustOfSummary = (sources: readonly string[]): Trust => lowest(['generated-summary', ...sources])
