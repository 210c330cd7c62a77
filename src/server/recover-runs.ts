import type { Skein } from '#skein'

/** As long as a lease of a process that died may last. */
const leaseMs = 15_000

/**
 * Carries on what died with other processes, of every tenant: at once, and again when the last of their leases is over. What
 * cannot be carried on, such as for want of a credential, stays as it is; `recovery` of its session tells.
 */
export function recoverRuns(skein: Skein): { stop(): void } {
  let stopped = false
  const recover = async (): Promise<void> => {
    for (const tenant of await skein.store.tenants()) if (!stopped) await skein.in(tenant).sessions.recover()
  }
  // A store that is away now is away for requests, too, and they say so.
  const quietly = (): void => void recover().catch(() => undefined)
  quietly()
  const timer = setTimeout(quietly, leaseMs)
  timer.unref()
  return {
    stop: () => {
      stopped = true
      clearTimeout(timer)
    },
  }
}
