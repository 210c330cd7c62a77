import { type Json, messageOf, toJson } from '#kernel'
import type { ToolResultPart } from '#journal'
import type { SessionCore } from '#session'
import type { BeforeCall } from './approvals-judge.ts'
import { each, type Hook, type HookOn, hooksOn, inTime, tellFailure } from './hooks.ts'
import { globMatcher } from './policy/glob.ts'
import type { RunHooks, RunPlace } from './run-seams.ts'

const ratioDefault = 0.8

/** What a run's judge is told by the hooks before its calls. The first that blocks decides; each sees the input of the one before. Law A47. */
export function beforeCallOf(hooks: readonly Hook[], place: RunPlace): BeforeCall | undefined {
  const mine = hooksOn(hooks, 'before_call')
  if (mine.length === 0) return undefined
  return async asked => {
    let call = asked
    for (const hook of mine.filter(fits(call.tool))) {
      let said: { readonly block?: string; readonly input?: Json } | undefined
      try {
        said = await inTime(hook, place.core, () => hook.run({ ...place, call }))
      } catch (error) {
        if (hook.blocking === true) return { block: `A hook failed: ${messageOf(error)}` }
        tellFailure(place.core, hook, error)
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
  const thresholds = hooksOn(hooks, 'context_threshold')
  const steps = hooksOn(hooks, 'step_ended')
  const after = hooksOn(hooks, 'after_call')
  const writes = hooksOn(hooks, 'after_file_write')
  const ended = hooksOn(hooks, 'run_ended')
  const call = async <H extends Hook>(list: readonly H[], place: RunPlace, run: (hook: H) => unknown): Promise<undefined> =>
    void (await each(list, place.core, run))
  return {
    ...(started.length > 0 && { runStarted: place => call(started, place, hook => hook.run(place)) }),
    ...(requests.length > 0 && {
      beforeRequest: (step, place) => call(requests, place, hook => hook.run({ ...place, step })),
    }),
    ...(thresholds.length > 0 && {
      contextMeasured: (measured, place) => {
        const passed = thresholds.filter(hook => passes(place.core, hook, measured.ratio))
        return call(passed, place, hook => hook.run({ ...place, ...measured }))
      },
    }),
    ...(steps.length > 0 && {
      stepEnded: async (step, place) => {
        const said = await each(steps, place.core, hook => hook.run({ ...place, step }))
        const texts = said.flatMap(answer => answer?.continueWith ?? [])
        return texts.length === 0 ? undefined : { continueWith: texts.join('\n\n') }
      },
    }),
    ...(after.length + writes.length > 0 && {
      afterCall: async (asked, result, place, paths) => {
        for (const path of paths) await call(writes.filter(fits(path)), place, hook => hook.run({ ...place, call: asked, path }))
        const mine = after.filter(fits(asked.tool))
        const said = await each(mine, place.core, async hook => replacement(await hook.run({ ...place, call: asked, result })))
        const changes = said.filter(change => change !== undefined)
        return changes.length === 0 ? undefined : changes.reduce<ToolResultPart>((now, change) => ({ ...now, ...change }), result)
      },
    }),
    ...(ended.length > 0 && { runEnded: (result, place) => call(ended, place, hook => hook.run({ ...place, result })) }),
  }
}

/** What a hook changes of a result; throws for content that is no JSON. */
function replacement(
  said: { readonly content?: unknown; readonly isError?: boolean } | undefined,
): Partial<ToolResultPart> | undefined {
  const { content, isError } = said ?? {}
  if (content === undefined && isError === undefined) return undefined
  return {
    ...(content === undefined ? {} : { output: toJson(content, 'content') }),
    ...(isError === undefined ? {} : { status: isError ? 'error' : 'ok' }),
  }
}

const fits =
  (name: string) =>
  ({ match }: Pick<Hook, 'match'>): boolean =>
    match === undefined || globMatcher(match)(name)

/** Which thresholds the last request of a session had passed. */
const above = new WeakMap<SessionCore, WeakSet<Hook>>()

function passes(core: SessionCore, hook: HookOn<'context_threshold'>, ratio: number): boolean {
  const passed = above.get(core) ?? new WeakSet()
  above.set(core, passed)
  const was = passed.has(hook)
  const is = ratio >= (hook.ratio ?? ratioDefault)
  if (is) passed.add(hook)
  else passed.delete(hook)
  return is && !was
}
