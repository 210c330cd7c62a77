import type { TenantStore } from '#journal'
import type { Runtime } from '#session'

/** `skein.memory`: what the sessions of one tenant taught. */
export class Memories {
  readonly #runtime: Runtime
  readonly #store: TenantStore

  constructor(parts: { readonly runtime: Runtime; readonly store: TenantStore }) {
    this.#runtime = parts.runtime
    this.#store = parts.store
  }
}
