import { authorise, type Authorisation } from './authorise.ts'
import { judge, readSituation, type Verdict } from './decide.ts'
import type { Front } from './desk.ts'
import { planLearning } from './learn.ts'
import { overlay } from './overlay.ts'
import { type People, readPeople } from './person.ts'
import type { Reads } from './find-route.ts'
import type { NamedRule } from './settings.ts'
import type { Source } from './source.ts'
import type { Pin } from './active-work.ts'
import { asPolicy, resetDefaults, type ResetPolicy } from './reset-policy.ts'
import { hostZone } from './zones.ts'

export interface Explanation {
  readonly key: string
  readonly legacyKey: string
  readonly isShared: boolean
  /** The id that stands for who speaks, and all that it stands for. */
  readonly identity: { readonly canonical: string; readonly aliases: readonly string[] } | null
  /** The rule that counts, with all that it says. */
  readonly rule: { readonly name: string; readonly policy: ResetPolicy }
  /** What the next message would do. */
  readonly decision: { readonly action: Verdict['action']; readonly reason: string | null; readonly sessionId: string | null }
  /** What keeps the session. */
  readonly pin: Pin | null
  /** The first millisecond at which a message would begin afresh by the rule. */
  readonly nextAt: number | null
  readonly authorisation: Authorisation
}

/** What a message of this source would meet; writes nothing. An immediate `resolve` agrees. Law G35. */
export async function explainSource(front: Front, source: Source): Promise<Explanation> {
  const { desk } = front
  const { store, people } = await asLearnt(front, source)
  const situation = await readSituation(desk, store, source, people)
  const { verdict, rule, pin, nextAt } = await judge(desk, store, situation, { whole: true })
  const { key, legacyKey, isShared, found } = situation
  const speaker = people.speaker
  const isNew = verdict.action === 'create' || verdict.action === 'reset'
  return {
    key,
    legacyKey,
    isShared,
    identity: speaker === undefined ? null : { canonical: speaker.canonical, aliases: speaker.aliases },
    rule: { name: rule.name, policy: wholePolicy(rule) },
    decision: {
      action: verdict.action,
      reason: verdict.action === 'reset' ? verdict.reason : null,
      sessionId: isNew ? null : (found?.route.sessionId ?? null),
    },
    pin: pin ?? null,
    nextAt,
    authorisation: authorise(desk.settings, source, speaker?.aliases ?? []),
  }
}

const wholePolicy = ({ policy }: NamedRule): ResetPolicy => ({ ...resetDefaults, zone: hostZone(), ...asPolicy(policy) })

/** The store as it would read once the source had taught what it teaches. */
export async function asLearnt(front: Front, source: Source): Promise<{ readonly store: Reads; readonly people: People }> {
  const people = await readPeople(front.store, source)
  if (people.pair === undefined) return { store: front.store, people }
  const [stable, other] = people.pair
  const { changes } = await planLearning(front, stable, other, stable)
  const store = overlay(front.store, changes)
  return { store, people: await readPeople(store, source) }
}
