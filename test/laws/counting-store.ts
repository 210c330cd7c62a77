import type { Store, TenantStore } from '#journal'

/** What is asked of a store, and how many rows came back. */
export interface Asked {
  calls: number
  rows: number
  /** Of the journal alone. */
  entries: number
}

const ofJournal = ['entries', 'branch', 'entry']
/** A lease is given up when its time has come, whatever else goes on. */
const writing = ['commit', 'acquire', 'renew', 'release', 'watch']

/** The same store, of which every read is counted. */
export function countingStore(store: Store): {
  readonly store: Store
  readonly asked: Asked
  counted(work: () => Promise<unknown>): Promise<Asked>
} {
  const asked: Asked = { calls: 0, rows: 0, entries: 0 }
  const tally = (verb: string, answer: unknown): void => {
    const { items } = (answer ?? {}) as { readonly items?: readonly unknown[] }
    const rows = Array.isArray(answer) ? answer.length : (items?.length ?? (answer === undefined ? 0 : 1))
    asked.calls++
    asked.rows += rows
    if (ofJournal.includes(verb)) asked.entries += rows
  }
  const inside = (one: TenantStore): TenantStore =>
    new Proxy(one, {
      get: (target, verb) => {
        const value: unknown = Reflect.get(target, verb)
        if (typeof value !== 'function') return value
        const bound = value.bind(target) as (...given: unknown[]) => unknown
        if (writing.includes(String(verb))) return bound
        return async (...given: unknown[]) => {
          const answer = await bound(...given)
          tally(String(verb), answer)
          return answer
        }
      },
    })
  const outside = new Proxy(store, {
    get: (target, name) => {
      if (name === 'in') return (tenant: string) => inside(target.in(tenant))
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  return {
    store: outside,
    asked,
    counted: async work => {
      const before = { ...asked }
      await work()
      return { calls: asked.calls - before.calls, rows: asked.rows - before.rows, entries: asked.entries - before.entries }
    },
  }
}
