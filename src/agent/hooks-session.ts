import type { SessionCore } from '#session'
import { each, type Hook, hooksOn } from './hooks.ts'

const opened = new WeakMap<SessionCore, WeakSet<Hook>>()

/** Tells those hooks of an open session that were not told yet of this object. */
export async function tellOpened(core: SessionCore, hooks: readonly Hook[]): Promise<void> {
  const told = opened.get(core) ?? new WeakSet()
  opened.set(core, told)
  const fresh = hooksOn(hooks, 'session_opened').filter(hook => !told.has(hook))
  for (const hook of fresh) told.add(hook)
  await each(fresh, core, hook => hook.run({ core, session: core.id }))
}

export async function tellClosed(core: SessionCore, hooks: readonly Hook[]): Promise<void> {
  await each(hooksOn(hooks, 'session_closed'), core, hook => hook.run({ core, session: core.id }))
}

export async function tellFinalized(core: SessionCore, hooks: readonly Hook[]): Promise<void> {
  await each(hooksOn(hooks, 'session_finalized'), core, hook => hook.run({ core, session: core.id }))
}
