import { type Json, messageOf, SkeinError, toJson, within } from '#kernel'
import type { ToolCallPart, ToolResultPart } from '#journal'
import type { BeforeCall } from './approvals-judge.ts'
import { badConfig } from './policy/bad-config.ts'
import { globMatcher } from './policy/glob.ts'
import type { RunHooks, RunPlace } from './run-seams.ts'
import type { TurnResult } from './turn-result.ts'

type Maybe<T> = T | undefined | Promise<T | undefined>

interface HookCommon {
  /** A glob over the tool's name, or over the path that was written. Default: all. */
  readonly match?: string
  /** Milliseconds, default 30,000. */
  readonly timeoutMs?: number
}

/** Code at a place of a run; hooks are called in the order given. Source: spec/agent.md 13. */
export type Hook = HookCommon &
  (
    | { readonly on: 'run_started'; run(place: RunPlace): Maybe<void> }
    | { readonly on: 'run_ended'; run(event: RunPlace & { readonly result: TurnResult }): Maybe<void> }
    | { readonly on: 'before_request'; run(event: RunPlace & { readonly step: number }): Maybe<void> }
    /** Where the run would end done: a text that it goes on with. */
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
    /** After a tool of Skein has written a file. */
    | {
        readonly on: 'after_file_write'
        run(event: RunPlace & { readonly call: ToolCallPart; readonly path: string }): Maybe<void>
      }
  )
export type HookName = Hook['on']
type HookOn<N extends HookName> = Extract<Hook, { on: N }>

const names: Readonly<Record<HookName, true>> = {
  run_started: true,
  run_ended: true,
  before_request: true,
  step_ended: true,
  before_call: true,
  after_call: true,
  after_file_write: true,
}
const timeoutDefault = 30_000
const writers = ['write', 'edit']

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
  }
  return value as readonly Hook[]
}

/** What a run's judge is told by the hooks before its calls. The first that blocks decides; each sees the input of the one before. Law A47. */
export function beforeCallOf(hooks: readonly Hook[], place: RunPlace): BeforeCall | undefined {
  const mine = hooksOn(hooks, 'before_call')
  if (mine.length === 0) return undefined
  return async asked => {
    let call = asked
    for (const hook of mine.filter(fits(call.tool))) {
      let said: { readonly block?: string; readonly input?: Json } | undefined
      try {
        said = await inTime(hook, place, () => hook.run({ ...place, call }))
      } catch (error) {
        if (hook.blocking === true) return { block: `A hook failed: ${messageOf(error)}` }
        tell(place, hook, error)
      }
      if (said?.block !== undefined) return { block: said.block }
      if (said?.input !== undefined) call = { ...call, input: toJson(said.input, 'input') }
    }
    return call === asked ? undefined : { input: call.input }
  }
}

/** The places of a run at which hooks were given something to do; the others are absent. */
export function runHooksOf(hooks: readonly Hook[]): RunHooks {
  const started = hooksOn(hooks, 'run_started')
  const requests = hooksOn(hooks, 'before_request')
  const steps = hooksOn(hooks, 'step_ended')
  const after = hooksOn(hooks, 'after_call')
  const writes = hooksOn(hooks, 'after_file_write')
  const ended = hooksOn(hooks, 'run_ended')
  return {
    ...(started.length > 0 && { runStarted: place => each(started, place, hook => hook.run(place)) }),
    ...(requests.length > 0 && {
      beforeRequest: (step, place) => each(requests, place, hook => hook.run({ ...place, step })),
    }),
    ...(steps.length > 0 && {
      stepEnded: async (step, place) => {
        const texts: string[] = []
        await each(steps, place, async hook => {
          const text = (await hook.run({ ...place, step }))?.continueWith
          if (text !== undefined) texts.push(text)
        })
        return texts.length === 0 ? undefined : { continueWith: texts.join('\n\n') }
      },
    }),
    ...(after.length + writes.length > 0 && {
      afterCall: async (call, result, place) => {
        const path = writtenBy(call, result)
        if (path !== undefined) await each(writes.filter(fits(path)), place, hook => hook.run({ ...place, call, path }))
        let replaced: ToolResultPart | undefined
        await each(after.filter(fits(call.tool)), place, async hook => {
          const { content, isError } = (await hook.run({ ...place, call, result })) ?? {}
          const status = isError === undefined ? {} : { status: isError ? ('error' as const) : ('ok' as const) }
          if (content !== undefined) replaced = { ...result, ...status, output: toJson(content, 'content') }
        })
        return replaced
      },
    }),
    ...(ended.length > 0 && { runEnded: (result, place) => each(ended, place, hook => hook.run({ ...place, result })) }),
  }
}

const hooksOn = <N extends HookName>(hooks: readonly Hook[], on: N): readonly HookOn<N>[] =>
  hooks.filter((hook): hook is HookOn<N> => hook.on === on)

const fits =
  (name: string) =>
  ({ match }: HookCommon): boolean =>
    match === undefined || globMatcher(match)(name)

function writtenBy(call: ToolCallPart, { status }: ToolResultPart): string | undefined {
  const { input } = call
  const path = typeof input === 'object' && input !== null && !Array.isArray(input) ? (input as { path?: Json }).path : undefined
  return status === 'ok' && writers.includes(call.tool) && typeof path === 'string' ? path : undefined
}

/** One after the other; one that fails is a notice, and the next is called. */
async function each<H extends Hook>(hooks: readonly H[], place: RunPlace, call: (hook: H) => Maybe<unknown>): Promise<undefined> {
  for (const hook of hooks) {
    try {
      await inTime(hook, place, () => call(hook))
    } catch (error) {
      tell(place, hook, error)
    }
  }
}

async function inTime<T>({ on, timeoutMs = timeoutDefault }: Hook, { core }: RunPlace, work: () => T | Promise<T>): Promise<T> {
  const late = (): never => {
    throw new SkeinError('server.timeout', `The hook ${on} took longer than ${timeoutMs} ms.`)
  }
  return await within(core.runtime.timers, timeoutMs, (async () => await work())(), late)
}

function tell({ core }: RunPlace, { on }: Hook, error: unknown): void {
  const message = `A hook ${on} failed: ${error instanceof Error ? error.name : typeof error}.`
  core.runtime.notice({ level: 'warn', code: 'hook.failed', message, session: core.id, tenant: core.store.tenant })
}
