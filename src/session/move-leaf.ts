import { invalidInput, isObject, type Json, type JsonObject } from '#kernel'
import { type Entry, isPath, isType, noTotals, type HeadPatch } from '#journal'
import { type VerbOptions, writeOptions } from './append-messages.ts'
import type { SessionCore } from './core.ts'
import { draft } from './draft.ts'
import { entryOf } from './read-messages.ts'

const settingTypes = ['session_created', 'model_changed', 'thinking_changed', 'system_changed', 'tools_changed']

/** Ends the session at an earlier or other entry from now on. Nothing is removed: the branch that was left stays whole. Laws J11, J12. */
export async function moveLeaf(
  core: SessionCore,
  entryId: unknown,
  reason: string,
  options: VerbOptions = {},
): Promise<{ leafId: string }> {
  const target = await entryOf(core, entryId)
  if (!isPath(target)) throw invalidInput('entryId', `Entry ${target.id} is a ${target.type}, which stands beside the branch.`)
  const head = await settingsAt(core, target)
  await core.path(
    () => ({ drafts: [draft('leaf_moved', { to: target.id, reason }, { totals: target.totals ?? noTotals })], head }),
    writeOptions('moveTo', options, { entryId }),
  )
  return { leafId: target.id }
}

/** What a session was created with and keeps for good. */
function keptOf(created: Readonly<Record<string, Json>> | undefined): JsonObject {
  const { context, view, memory } = created ?? {}
  return {
    ...(isObject(context) ? { context: context as JsonObject } : {}),
    ...(view === undefined ? {} : { view }),
    ...(isObject(memory) ? { memory: memory as JsonObject } : {}),
  }
}

/** The row's settings as they hold at an entry: the newest of each kind on its branch. */
export async function settingsAt(core: Pick<SessionCore, 'store' | 'id'>, target: Entry): Promise<HeadPatch> {
  const latest = new Map<string, Entry>()
  let from: Entry['parentId'] = target.id
  while (from !== null && latest.size < settingTypes.length) {
    const page: readonly Entry[] = await core.store.branch(core.id, { from, types: settingTypes, limit: 100 })
    for (const entry of page) if (!latest.has(entry.type)) latest.set(entry.type, entry)
    from = page.length < 100 ? null : (page.at(-1)?.parentId ?? null)
  }
  const root = latest.get('session_created')
  const created = root !== undefined && isType(root, 'session_created') ? root.data : undefined
  const model = latest.get('model_changed')
  const thinking = latest.get('thinking_changed')
  const settings: Record<string, Json> = {
    thinking: thinking !== undefined && isType(thinking, 'thinking_changed') ? thinking.data.level : (created?.thinking ?? null),
    system: latest.get('system_changed')?.id ?? (created?.system == null ? null : (root?.id ?? null)),
    tools: latest.get('tools_changed')?.id ?? null,
  }
  return {
    set: { model: model !== undefined && isType(model, 'model_changed') ? model.data.model : (created?.model ?? null) },
    merge: { settings, ...keptOf(created) },
  }
}
