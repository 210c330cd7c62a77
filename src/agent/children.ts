import type { RunId, SessionId } from '#kernel'
import type { SessionRow } from '#journal'
import { draft, type Runtime, SessionCore } from '#session'
import type { RunControl } from './active-runs.ts'
import type { AgentGear, SendOptions } from './agent-options.ts'
import { endChildrenElsewhere } from './ask-to-end.ts'
import { keptOptions } from './kept-options.ts'
import type { TurnResult } from './turn-result.ts'

/** So many children of a session may be at work, or wait for their first run, at once. */
export const maxChildren = 8

/** How runs of children are ended. `leave`: they are left to recovery, as their parent's run is. */
export type ChildEnding = 'cancel' | 'abort' | 'leave'

/** A run of a child. */
export interface ChildRun {
  readonly id: RunId
  result(): Promise<TurnResult>
}

/** The object of a child, for whoever waits for what it comes to. */
export interface ChildSession {
  readonly id: SessionId
  equip(gear: AgentGear): unknown
  send(input: string, options: SendOptions): ChildRun
  recover(options: { apply: true; approvals: 'deny' }): Promise<{ run: ChildRun | null }>
}

interface ActiveChild {
  readonly core: SessionCore
  readonly control: RunControl
}

/** Runs of children that go on in this process, by the session that began them. */
const active = new WeakMap<Runtime, Map<string, Set<ActiveChild>>>()

const keyOf = ({ store }: SessionCore, parent: SessionId): string => `${store.tenant} ${parent}`

/** Counts a run among those of its parent's children, until the returned function is called. */
export function enlist(core: SessionCore, parent: SessionId, control: RunControl): () => void {
  const known = active.get(core.runtime) ?? new Map<string, Set<ActiveChild>>()
  active.set(core.runtime, known)
  const key = keyOf(core, parent)
  const mine = known.get(key) ?? new Set()
  known.set(key, mine)
  const child: ActiveChild = { core, control }
  mine.add(child)
  return () => {
    mine.delete(child)
    if (mine.size === 0) known.delete(key)
  }
}

/**
 * Ends what children of a session do: resolves when it has ended in this process and other processes have been asked for it.
 * True if there was any. Law A56.
 */
export async function endChildren(core: SessionCore, how: ChildEnding): Promise<boolean> {
  const children = [...(active.get(core.runtime)?.get(keyOf(core, core.id)) ?? [])]
  const here = new Set(children.map(child => child.core.id))
  const [elsewhere] = await Promise.all([
    // Whoever carries the parent on carries its children on, too.
    how === 'leave' ? false : endChildrenElsewhere(core, how, here),
    ...children.map(async child => await endRun(child, how)),
  ])
  return elsewhere || children.length > 0
}

async function endRun({ core, control }: ActiveChild, how: ChildEnding): Promise<void> {
  if (how === 'leave') {
    await core.releaseLease()
    control.leave()
  } else control[how]('parent_cancelled')
  await control.over
}

/** Ends the children of a run with it, when it is cancelled. */
export function watchChildren(core: SessionCore, control: RunControl): { ended(): Promise<unknown> } {
  let ending: Promise<unknown> = Promise.resolve()
  const end = (how: ChildEnding) => () => {
    ending = Promise.all([ending, endChildren(core, control.leaving ? 'leave' : how)])
    // A store that is away: whoever carries the parent on ends them.
    ending.catch(() => undefined)
  }
  control.cancelled.addEventListener('abort', end('cancel'), { once: true })
  control.aborted.addEventListener('abort', end('abort'), { once: true })
  return { ended: () => ending.catch(() => undefined) }
}

/** Whether a child is at work, or waits to be told what to do. */
const isOpen = ({ data, counters }: SessionRow): boolean => data['running'] != null || counters.turnCount === 0

/** How many children of a session are at work or still to begin. */
export async function openChildren({ store, id }: Pick<SessionCore, 'store' | 'id'>): Promise<number> {
  let open = 0
  for (let cursor: string | undefined; ;) {
    const page = await store.sessions({ parent: id, states: ['active'], limit: 200, ...(cursor === undefined ? {} : { cursor }) })
    open += page.items.filter(isOpen).length
    cursor = page.next
    if (cursor === undefined) return open
  }
}

/** Tells the session that began this one what a run of it came to; once, however often it is told. */
export async function tellParent(core: SessionCore, run: RunId, index: number, result: TurnResult): Promise<void> {
  const { child: origin } = await keptOptions(core)
  if (origin?.linked !== true) return
  const { status, reason, steps, usage, cost } = result
  const told = { child: core.id, run, status, reason, steps, usage, cost }
  // The run that began it waits for its first turn alone.
  const ended = draft('child_ended', told, origin.run === null || index > 0 ? {} : { run: origin.run })
  const parent = new SessionCore(origin.parent, core.store, core.runtime)
  const once = { idempotencyKey: `child_ended.${run}`, asked: ['child_ended', core.id, run] }
  // A parent that is gone by now hears nothing; one whose store is away hears of it when the call is carried on.
  await parent.side(() => ({ drafts: [ended] }), once).catch(() => undefined)
}
