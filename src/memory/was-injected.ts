import { invalidInput } from '#kernel'
import { type Entry, isType, type TenantStore } from '#journal'
import type { SessionCore } from '#session'
import { memoryOf, ownerIn } from './memory-types.ts'

/** Notes of a branch that are looked at, newest first: of each hook its newest is what was shown. */
const newestNotes = 50
const pageSize = 1_000

/** Whether a note that stood in the newest turn's context names the uri, or the memory or archive that it is of. */
export async function wasInjected(core: SessionCore, uri: unknown): Promise<boolean> {
  if (typeof uri !== 'string' || uri === '') throw invalidInput('uri', 'Expected a uri.')
  const row = await core.row()
  const [snapshot] = await core.store.entries(core.id, { types: ['snapshot_taken'], order: 'desc', limit: 1 })
  if (snapshot === undefined || row.leafId === null) return false
  const notes = await core.store.branch(core.id, { from: row.leafId, types: ['context_noted'], limit: newestNotes })
  const shown = newestOfEach(notes.filter(({ seq }) => seq < snapshot.seq))
  if (shown.length === 0) return false
  const meant = [uri, await idOf(core.store, uri)].filter(one => one !== undefined)
  return shown.some(text => meant.some(one => names(text, one)))
}

/** The id that an envelope carries in the place of its uri. */
async function idOf(store: TenantStore, uri: string): Promise<string | undefined> {
  const [, archive] = /\/archive\/(arc_\w+)$/.exec(uri) ?? []
  const owner = ownerIn(uri)
  if (archive !== undefined || owner === undefined) return archive
  for (let after: string | undefined; ;) {
    const page = await store.memories({ owner, limit: pageSize, ...(after === undefined ? {} : { after }) })
    const found = page.find(row => memoryOf(row).uri === uri)
    if (found !== undefined || page.length < pageSize) return found?.id
    after = page.at(-1)?.id
  }
}

/** What a hook said last stands until it says something else. */
function newestOfEach(notes: readonly Entry[]): readonly string[] {
  const texts = new Map<string, string>()
  for (const note of notes)
    if (isType(note, 'context_noted') && !texts.has(note.data.name)) texts.set(note.data.name, note.data.text)
  return [...texts.values()]
}

/** The uri stands there with nothing of another one at its ends. */
function names(text: string, uri: string): boolean {
  for (let at = text.indexOf(uri); at >= 0; at = text.indexOf(uri, at + 1))
    if (!/[\w%/~-]/.test(text[at + uri.length] ?? ' ') && !/[\w%]/.test(text[at - 1] ?? ' ')) return true
  return false
}
