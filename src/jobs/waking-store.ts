import type { Store, TenantStore } from '#journal'

/** The same store, which says so when a job may have come to it. A wake-up that is lost costs a poll. Law Q10. */
export function wakingStore(store: Store, wake: () => void): Store {
  return replacing(store, { in: tenant => wakingTenant(store.in(tenant), wake) })
}

function wakingTenant(tenant: TenantStore, wake: () => void): TenantStore {
  return replacing(tenant, {
    async commit(changes, options) {
      const committed = await tenant.commit(changes, options)
      if (changes.some(({ type }) => type === 'enqueue' || type === 'redrive')) wake()
      return committed
    },
  })
}

/** An object with some methods of its own; all else is the target's, called on the target, be it a class or a plain object. */
function replacing<T extends object>(target: T, own: Partial<T>): T {
  return new Proxy(target, {
    get(_target, name) {
      if (Object.hasOwn(own, name)) return own[name as keyof T]
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}
