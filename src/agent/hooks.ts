import { type Json, type SessionId, SkeinError, within } from '#kernel'
import type { ToolCallPart, ToolResultPart } from '#journal'
import type { SessionCore } from '#session'
import { badConfig } from './policy/bad-config.ts'
import type { ContextMeasured, RunPlace } from './run-seams.ts'
import type { TurnResult } from './turn-result.ts'

export type Maybe<T> = T | undefined | Promise<T | undefined>

/** What a hook of a session is told, beside the runs that go on in it. */
export interface SessionPlace {
  readonly session: SessionId
  readonly core: SessionCore
}

interface HookCommon {
  /** A glob over the tool's name, or over the path that was written. Default: all. */
  readonly match?: string
  /** Milliseconds, default 30,000. */
  readonly timeoutMs?: number
}

/** Code at a place of a session or run; hooks are called in the order given. Source: spec/agent.md 13. */
export type Hook = HookCommon &
  /** Once for each object that a process makes of a session, when it was created or opened. */
  (
    | { readonly on: 'session_opened'; run(place: SessionPlace): Maybe<void> }
    /** Once, after the object was closed. Nothing can be read by it any more. */
    | { readonly on: 'session_closed'; run(place: SessionPlace): Maybe<void> }
    /** A route of the gateway has let go of the session, and what it said is in its archive. */
    | { readonly on: 'session_finalized'; run(place: SessionPlace): Maybe<void> }
    | { readonly on: 'run_started'; run(place: RunPlace): Maybe<void> }
    | { readonly on: 'run_ended'; run(event: RunPlace & { readonly result: TurnResult }): Maybe<void> }
    | { readonly on: 'before_request'; run(event: RunPlace & { readonly step: number }): Maybe<void> }
    /** When a request takes `ratio` of the room, where the one before it took less. Default 0.8. */
    | { readonly on: 'context_threshold'; readonly ratio?: number; run(event: RunPlace & ContextMeasured): Maybe<void> }
    /** After each step. Where the run would end done, a text that it goes on with, 10 times at the most. */
    | { readonly on: 'step_ended'; run(event: RunPlace & { readonly step: number }): Maybe<{ readonly continueWith?: string }> }
    /** May refuse the call, or give it another input, which is checked and judged. */
    | {
        readonly on: 'before_call'
        /** When it fails or takes too long the call is refused, too. Default `false`. */
        readonly blocking?: boolean
        run(event: RunPlace & { readonly call: ToolCallPart }): Maybe<{ readonly block?: string; readonly input?: Json }>
      }
    /** May put another content in the result's place; each sees the tool's own, and the last that gives one wins. */
    | {
        readonly on: 'after_call'
        run(
          event: RunPlace & { readonly call: ToolCallPart; readonly result: ToolResultPart },
        ): Maybe<{ readonly content?: unknown; readonly isError?: boolean }>
      }
    /** For each file that a call is known to have written: by a tool of Skein, or kept by `call.checkpoint` and another since. */
    | {
        readonly on: 'after_file_write'
        run(event: RunPlace & { readonly call: ToolCallPart; readonly path: string }): Maybe<void>
      }
  )
export type HookName = Hook['on']
export type HookOn<N extends HookName> = Extract<Hook, { on: N }>

const names: Readonly<Record<HookName, true>> = {
  session_opened: true,
  session_closed: true,
  session_finalized: true,
  run_started: true,
  run_ended: true,
  before_request: true,
  step_ended: true,
  context_threshold: true,
  before_call: true,
  after_call: true,
  after_file_write: true,
}
const timeoutDefault = 30_000

/** Throws `config.invalid` for what is no list of hooks. */
export function readHooks(value: unknown): readonly Hook[] {
  if (!Array.isArray(value)) throw badConfig('hooks', 'Expected a list of hooks.')
  for (const [index, hook] of (value as readonly (Partial<Hook> | null)[]).entries()) {
    if (typeof hook !== 'object' || hook === null || !Object.hasOwn(names, String(hook.on)))
      throw badConfig(`hooks[${index}].on`, `Expected one of ${Object.keys(names).join(', ')}.`)
    if (typeof hook.run !== 'function') throw badConfig(`hooks[${index}].run`, 'Expected a function.')
    if (hook.match !== undefined && typeof hook.match !== 'string') throw badConfig(`hooks[${index}].match`, 'Expected a glob.')
    const { timeoutMs } = hook
    if (timeoutMs !== undefined && !(Number.isSafeInteger(timeoutMs) && timeoutMs > 0))
      throw badConfig(`hooks[${index}].timeoutMs`, 'Expected a whole number of milliseconds.')
    if (hook.on === 'context_threshold' && !isRatio(hook.ratio))
      throw badConfig(`hooks[${index}].ratio`, 'Expected a number above 0 and at most 1.')
  }
  return value as readonly Hook[]
}

const isRatio = (value: unknown): boolean => value === undefined || (typeof value === 'number' && value > 0 && value <= 1)

export const hooksOn = <N extends HookName>(hooks: readonly Hook[], on: N): readonly HookOn<N>[] =>
  hooks.filter((hook): hook is HookOn<N> => hook.on === on)

/** One after the other, and what they said; one that fails or is late says nothing but a notice, and the next is called. */
export async function each<H extends Hook, T>(
  hooks: readonly H[],
  core: SessionCore,
  call: (hook: H) => T | Promise<T>,
): Promise<T[]> {
  const said: T[] = []
  for (const hook of hooks) {
    try {
      said.push(await inTime(hook, core, () => call(hook)))
    } catch (error) {
      tellFailure(core, hook, error)
    }
  }
  return said
}

/** Rejects what the hook throws, and `server.timeout` when it takes too long. */
export async function inTime<T>(
  { on, timeoutMs = timeoutDefault }: Hook,
  { runtime }: SessionCore,
  work: () => T | Promise<T>,
): Promise<T> {
  const late = (): never => {
    throw new SkeinError('server.timeout', `The hook ${on} took longer than ${timeoutMs} ms.`)
  }
  return await within(runtime.timers, timeoutMs, (async () => await work())(), late)
}

export function tellFailure({ runtime, id, store }: SessionCore, { on }: Hook, error: unknown): void {
  const message = `A hook ${on} failed: ${error instanceof Error ? error.name : typeof error}.`
  runtime.notice({ level: 'warn', code: 'hook.failed', message, session: id, tenant: store.tenant })
}
