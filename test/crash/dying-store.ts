import type { Store, TenantStore } from '#journal'

/** Where a process dies, by its commits. */
export interface Death {
  /** How many commits it has had answered since it was armed. */
  commits: number
  /** Before, it does not die. */
  armed: boolean
  /** It dies with this one; 0: never. */
  readonly at: number
  /** `applied`: the last commit stands, and nobody hears of it. `answered`: it goes on until it would write again. */
  readonly how: 'applied' | 'answered'
  dead: boolean
}

export const deathAt = (at: number, how: Death['how']): Death => ({ commits: 0, armed: false, at, how, dead: false })

const never = (): Promise<never> => new Promise(() => undefined)

type Verb = (...given: unknown[]) => unknown

/** A store as a process sees it that dies: from then on it is answered nothing, and nothing of it reaches the store. */
export function dyingStore(store: Store, death: Death): Store {
  return mortal(store, death, (name, verb) =>
    name === 'in' ? tenant => mortal(verb(tenant) as TenantStore, death, dyingCommit(death)) : verb,
  )
}

const dyingCommit =
  (death: Death) =>
  (name: string, verb: Verb): Verb =>
    name !== 'commit'
      ? verb
      : async (...given) => {
          // Nothing is written by a commit of nothing.
          if (!death.armed || (given[0] as readonly unknown[]).length === 0) return await verb(...given)
          if (death.at > 0 && death.commits >= death.at) death.dead = true
          if (death.dead) return await never()
          death.commits++
          const isLast = death.commits === death.at && death.how === 'applied'
          const answer = verb(...given)
          if (!isLast) return await answer
          await answer
          death.dead = true
          return await never()
        }

function mortal<T extends object>(living: T, death: Death, changed: (name: string, verb: Verb) => Verb): T {
  const known = new Map<string | symbol, Verb>()
  return new Proxy(living, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      const before = known.get(name)
      if (before !== undefined) return before
      const verb = changed(String(name), (...given) => Reflect.apply(value, target, given) as unknown)
      const mine: Verb = (...given) => (death.dead && name !== 'watch' && name !== 'in' ? never() : verb(...given))
      known.set(name, mine)
      return mine
    },
  })
}
