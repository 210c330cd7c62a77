import { canonical, given, toJson } from '#kernel'
import type { ToolDescription } from '#journal'
import { changeSetting, type Draft, draft, type SessionCore, settingsOf } from '#session'
import type { KeptSettings } from './agent-options.ts'

/** Settings that a session has entries for, as somebody opens it. */
export interface GivenSettings extends KeptSettings {
  readonly tools?: readonly ToolDescription[]
}

/** Writes what differs from what holds, in one commit; it holds from the next run on. An ended session keeps what it has. */
export async function giveSettings(core: SessionCore, { model, thinking, system, tools }: GivenSettings): Promise<void> {
  const row = await core.row()
  const now = await settingsOf(core, row)
  const drafts: Draft[] = []
  if (model !== undefined && model !== now.model) drafts.push(draft('model_changed', { model }))
  if (thinking !== undefined && thinking !== now.thinking) drafts.push(draft('thinking_changed', { level: thinking }))
  if (system !== undefined && system !== now.system) drafts.push(draft('system_changed', { system }))
  if (tools !== undefined && !isSame(tools, now.tools)) drafts.push(draft('tools_changed', { tools }))
  if (drafts.length > 0 && row.state !== 'ended') await changeSetting(core, drafts)
}

/** Those of them that hold still: what was set since then is not what was given. */
export async function stillGiven(core: SessionCore, { model, thinking, system }: KeptSettings): Promise<KeptSettings> {
  const now = await settingsOf(core, await core.row())
  const unchanged = <T>(said: T | undefined, holds: T): T | undefined => (said === holds ? said : undefined)
  return given({
    model: unchanged(model, now.model),
    thinking: unchanged(thinking, now.thinking),
    system: unchanged(system, now.system),
  })
}

const isSame = (a: readonly ToolDescription[], b: readonly ToolDescription[]): boolean =>
  canonical(toJson(a)) === canonical(toJson(b))
